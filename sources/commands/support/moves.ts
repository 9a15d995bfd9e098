import {realpath}                          from 'node:fs/promises';
import path                                from 'node:path';

import {agentById}                         from '../../agents/index.ts';
import type {SessionStore}                 from '../../store/index.ts';
import {findHomeless}                      from '../../sync/homeless.ts';
import type {Homeless}                     from '../../sync/homeless.ts';
import type {Project}                      from '../../sync/project.ts';
import {finishRehoming, rehome, undoRehoming} from '../../sync/rehome.ts';
import {allRehomed}                        from '../../sync/rehomed.ts';
import {findSessions, openSync, syncSession} from '../../sync/sync.ts';
import {isGone}                            from '../../system/files.ts';
import {CommandError}                      from '../Base.ts';

/** What `doctor` says; `problem` is what keeps sessions from being kept. */
export type Finding = {level: `ok` | `note` | `problem`; about: string; message: string};

/** A session that an agent has for a folder that is gone. `done`: it has it for `to` now. */
export type MovedSession = {session: string; agent: string; nativeId: string; from: string; to: string; done: boolean; problem?: string};

export type Moves = {findings: Array<Finding>; moved: Array<MovedSession>};

/** The folder that `--moved-from` names. Throws where it is there still: its sessions are somebody's. */
export async function movedFrom(cwd: string, given: string | undefined): Promise<string | undefined> {
  if (given === undefined)
    return undefined;
  const folder = await realFolder(path.resolve(cwd, given));
  if (!await isGone(folder))
    throw new CommandError(`FOLDER_EXISTS`, `${folder} is there: only sessions of a folder that is gone are filed under another.`);
  return folder;
}

/** As the agents have it: links on the way, as `/tmp` on macOS is one, may be there still. */
async function realFolder(folder: string): Promise<string> {
  const parent = path.dirname(folder);
  return await realpath(folder).catch(async () => parent === folder ? folder : path.join(await realFolder(parent), path.basename(folder)));
}

const ROUNDS = 3;

/** What could be done; changes nothing. */
export async function planMoves(project: Project, store: SessionStore, from?: string): Promise<Moves> {
  const result = await eachHomeless(project, store, from, async one => one.plan === null
    ? {level: `note`, said: withoutWay(one)}
    : {level: `note`, said: `${filed(one)}: session-sync doctor --fix files it under ${one.to}`});
  for (const {agent, nativeId, done} of await allRehomed(project)) {
    const {from, to, unfinished} = done.at(-1) ?? {};
    if (unfinished !== undefined) {
      const problem = `was being filed under ${unfinished === `do` ? to : from}, and that was interrupted: session-sync doctor --fix finishes it, with --undo puts it back`;
      result.findings.push({level: `note`, about: nameOf(agent), message: `${nativeId} ${problem}`});
    }
  }
  return result;
}

/** Does it. The caller holds the lock. */
export async function fixMoves(project: Project, store: SessionStore, from?: string): Promise<Moves> {
  const {findings: finished, moved} = await finishMoves(project);
  const result: Moves = {findings: [], moved};
  // Mirrors of a session that nobody knew before are known once it was read.
  for (let round = 0; round < ROUNDS; round++) {
    const {findings, moved} = await fixOnce(project, store, from);
    const isNew = ({agent, nativeId}: MovedSession) => !result.moved.some(one => one.agent === agent && one.nativeId === nativeId);
    if (round > 0 && !moved.some(isNew))
      break;
    result.findings = [...result.findings.filter(({level}) => level === `ok`), ...findings];
    result.moved = [...result.moved.filter(({done}) => done), ...moved];
    if (!moved.some(({done}) => done))
      break;
  }
  return {...result, findings: [...finished, ...result.findings]};
}

/** What a process that was killed had begun. */
async function finishMoves(project: Project): Promise<Moves> {
  const findings: Array<Finding> = [];
  const {finished, sessions} = await finishRehoming(project, ({agent, nativeId, reason}) =>
    findings.push({level: `note`, about: nameOf(agent), message: `${nativeId} was left in the middle of a move, and stays so: ${reason}`}));
  for (const {agent, nativeId, to} of finished)
    findings.push({level: `ok`, about: nameOf(agent), message: `${nativeId} was left in the middle of a move, and is filed under ${to} now`});
  findings.push(...await bringUp(project, new Set(sessions)));
  return {findings, moved: finished.map(({agent, nativeId, from, to}) => ({session: nativeId, agent, nativeId, from, to, done: true}))};
}

async function fixOnce(project: Project, store: SessionStore, from?: string): Promise<Moves> {
  const sessions = new Set<string>();
  const result = await eachHomeless(project, store, from, async one => {
    if (one.plan === null)
      return {level: `note`, said: withoutWay(one)};
    try {
      const outcome = await rehome(project, one);
      for (const session of outcome.sessions)
        sessions.add(session);
      if (!one.ours)
        sessions.add(one.located.session);
      return {level: `ok`, done: true, said: `was filed under ${one.from}, now under ${one.to}${outcome.note === undefined ? `` : ` (${outcome.note})`}`};
    } catch (error) {
      return {level: `note`, problem: (error as Error).message, said: `${filed(one)}, and stays there: ${(error as Error).message}`};
    }
  });
  result.findings.push(...await bringUp(project, sessions));
  return result;
}

/** Puts everything back that was done last. The caller holds the lock. */
export async function undoMoves(project: Project): Promise<Moves> {
  const findings: Array<Finding> = [];
  const {undone, sessions} = await undoRehoming(project, ({agent, nativeId, reason}) =>
    findings.push({level: `note`, about: nameOf(agent), message: `${nativeId} stays where it is: ${reason}`}));
  for (const {agent, nativeId, to} of undone)
    findings.push({level: `ok`, about: nameOf(agent), message: `${nativeId} is filed under ${to} again`});
  findings.push(...await bringUp(project, new Set(sessions)));
  return {findings, moved: undone.map(({agent, nativeId, from, to}) => ({session: nativeId, agent, nativeId, from, to, done: true}))};
}

function nameOf(agent: string) {
  return agentById(agent)?.name ?? agent;
}

type Said = {level: Finding[`level`]; said: string; done?: boolean; problem?: string};

async function eachHomeless(project: Project, store: SessionStore, from: string | undefined, take: (one: Homeless) => Promise<Said>): Promise<Moves> {
  const result: Moves = {findings: [], moved: []};
  const homeless = await findHomeless(project, store, {
    ...from === undefined ? {} : {movedFrom: from},
    onProblem: ({agent, reason}) => result.findings.push({level: `note`, about: nameOf(agent), message: reason}),
  });
  for (const one of homeless) {
    const {adapter, located, to} = one;
    const {level, said, done = false, problem = one.problem} = await take(one);
    result.findings.push({level, about: adapter.name, message: `${one.ours ? `${located.nativeId} (a copy of ours)` : `session ${located.session.slice(0, 8)}`} ${said}`});
    result.moved.push({session: located.session, agent: adapter.id, nativeId: located.nativeId, from: one.from, to, done, ...problem === undefined ? {} : {problem}});
  }
  return result;
}

function filed({from}: Homeless) {
  return `is filed under ${from}, which is gone`;
}

function withoutWay(one: Homeless) {
  const {adapter, located, ours, problem} = one;
  const copy = ours ? `it goes on being a mirror there` : `session-sync restore ${located.session.slice(0, 8)} --agent <agent> writes a copy for this folder`;
  return `${filed(one)}: ${problem ?? `${adapter.name} cannot be told of another`}; ${copy}`;
}

/** Sessions and mirrors in their new places, read and written once. */
async function bringUp(project: Project, sessions: Set<string>): Promise<Array<Finding>> {
  const findings: Array<Finding> = [];
  if (sessions.size === 0)
    return findings;
  const sync = await openSync(project);
  try {
    for (const one of (await findSessions(project)).filter(({located}) => sessions.has(located.session)))
      await syncSession(sync, one).catch((error: Error) => findings.push({level: `problem`, about: `session ${one.located.session.slice(0, 8)}`, message: error.message}));
  } finally {
    await sync.store.close();
  }
  return findings;
}
