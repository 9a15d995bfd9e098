import path                                 from 'node:path';

import {agentById}                          from '../agents/index.ts';
import type {AgentAdapter, RehomeStep}      from '../agents/types.ts';
import {openRegular, sizeOf, tailHash}      from '../system/files.ts';
import {carryOut, growthOf, reversed}       from '../system/steps.ts';

import {isWithin, noteFolders}              from './folders.ts';
import type {Homeless}                      from './homeless.ts';
import type {Project}                       from './project.ts';
import {allRehomed, readRehomed, writeRehomed} from './rehomed.ts';
import type {Rehomed}                       from './rehomed.ts';
import {recallAll, remember}                from './remembered.ts';
import type {Remembered}                    from './remembered.ts';

/** A session was not moved: why is for people. */
export class RehomeError extends Error {
  constructor(readonly code: `OPEN_IN_AGENT` | `NOT_MOVED`, message: string) {
    super(message);
  }
}

/** `note`: what the agent did not take in. `sessions`: those of ours whose mirrors are to be written anew. */
export type RehomeOutcome = {sessions: Array<string>; note?: string};

/**
 * Files a session under the folder that it belongs to now. The note that can put it back is written first, what points
 * to it follows after; whatever is interrupted is found again as homeless, and done again. The caller holds the lock.
 */
export async function rehome(project: Project, {adapter, located, ours, move, to, plan, problem}: Homeless): Promise<RehomeOutcome> {
  if (plan === null)
    throw new RehomeError(`NOT_MOVED`, problem ?? `${adapter.name} cannot be told of another folder`);
  const {nativeId} = located;
  // A mirror of ours is written anew anyway, as it would have been there from the start.
  const steps = ours && await isWrittenAnew(project, adapter, nativeId) ? plan.steps.filter(step => step.do !== `edit` || step.path !== located.path) : plan.steps;
  const entry: Rehomed = {from: located.cwd ?? move.from, to, before: located.path, after: plan.path, steps, shift: growthOf(steps, located.path)};
  await noteFolders(project, [{folder: move.from}]);
  const known = await readRehomed(project, adapter.id, nativeId);
  await writeRehomed(project, adapter.id, nativeId, [...known, entry]);
  try {
    return await perform(project, adapter, nativeId, entry);
  } catch (error) {
    await writeRehomed(project, adapter.id, nativeId, known);
    throw error;
  }
}

/** Is the session that it mirrors there to be read? */
async function isWrittenAnew(project: Project, {id}: AgentAdapter, nativeId: string) {
  for (const {path: source, mirrors} of await project.checkpoints.list())
    if (mirrors.some(mirror => mirror.agent === id && mirror.id === nativeId && mirror.stopped === undefined))
      return await sizeOf(source) >= 0;
  return false;
}

export type Undone = {agent: string; nativeId: string; from: string; to: string};

/** Puts back what was filed under another folder last, of every session. What cannot be put back stays, and is said. */
export async function undoRehoming(project: Project, onProblem: (problem: {agent: string; nativeId: string; reason: string}) => void): Promise<{undone: Array<Undone>; sessions: Array<string>}> {
  const undone: Array<Undone> = [];
  const sessions = new Set<string>();
  for (const {agent, nativeId, done} of await allRehomed(project)) {
    const adapter = agentById(agent);
    const last = done.at(-1);
    if (adapter === undefined || last === undefined)
      continue;
    try {
      const back: Rehomed = {from: last.to, to: last.from, before: last.after, after: last.before, steps: reversed(last.steps), shift: -last.shift};
      const outcome = await perform(project, adapter, nativeId, back);
      await writeRehomed(project, agent, nativeId, done.slice(0, -1));
      for (const session of outcome.sessions)
        sessions.add(session);
      undone.push({agent, nativeId, from: last.to, to: last.from});
    } catch (error) {
      onProblem({agent, nativeId, reason: (error as Error).message});
    }
  }
  return {undone, sessions: [...sessions]};
}

async function perform(project: Project, adapter: AgentAdapter, nativeId: string, entry: Rehomed): Promise<RehomeOutcome> {
  const {machine} = project;
  const work = async () => {
    await carryOut(entry.steps);
    return await followUp(project, adapter, nativeId, entry);
  };
  const sessions = adapter.target === undefined ? await work() : await adapter.target.exclusively(machine, nativeId, work);
  if (sessions === null)
    throw new RehomeError(`OPEN_IN_AGENT`, `${adapter.name} has it open right now: close it there, and ask again`);
  const note = await adapter.rehome?.settle?.(machine, {path: entry.after, nativeId}, entry.to);
  return {sessions, ...note === undefined ? {} : {note}};
}

/** Everything of ours that names the files. Resolves the sessions that have a mirror among them. */
async function followUp(project: Project, {id}: AgentAdapter, nativeId: string, entry: Rehomed): Promise<Array<string>> {
  const mirrored: Array<string> = [];
  for (const {session} of await project.checkpoints.list()) {
    const checkpoint = (await project.checkpoints.read(session))!;
    let changed = false;
    if (checkpoint.agent === id && checkpoint.nativeId === nativeId) {
      checkpoint.path = entry.after;
      // Its first line says something else: where it has been read to is found out again from its begin.
      if (entry.steps.some(step => step.do === `edit` && (step.path === entry.before || step.path === entry.after)))
        checkpoint.files = checkpoint.files.filter(({stream}) => stream !== `main`);
      changed = true;
    }
    for (const mirror of checkpoint.mirrors) {
      if (mirror.agent === id && mirror.id === nativeId) {
        Object.assign(mirror, await ownPart(await whereItIs(mirror, entry), entry), {cwd: entry.to});
        // Without its state it is written anew, for the new folder.
        delete mirror.writer;
        mirrored.push(session);
        changed = true;
      }
      for (const [index, earlier] of mirror.previous.entries()) {
        if (mirror.agent !== id || earlier.id !== nativeId || earlier.path === undefined || earlier.size === undefined || earlier.tail === undefined)
          continue;
        mirror.previous[index] = {...earlier, ...await ownPart({path: earlier.path, size: earlier.size, tail: earlier.tail}, entry)};
        changed = true;
      }
    }
    if (changed)
      await project.checkpoints.write(checkpoint);
  }
  for (const {session, agents} of await recallAll(project)) {
    const mine = agents.filter(one => one.agent === id && one.id === nativeId);
    if (mine.length > 0)
      await remember(project, session, await Promise.all(mine.map(async one => await restoredPart(one, entry))), mine.map(one => one.path));
  }
  return mirrored;
}

/** The home was renamed as well: the file that was moved is the one that we knew under another path. */
async function whereItIs<M extends {path: string}>(mirror: M, {before, after}: Rehomed): Promise<M> {
  const known = [before, after].some(file => path.basename(file) === path.basename(mirror.path)) && await sizeOf(mirror.path) < 0;
  return known ? {...mirror, path: before} : mirror;
}

async function restoredPart(one: Remembered, entry: Rehomed): Promise<Remembered> {
  const {size, tail} = one;
  const part = size === undefined || tail === undefined ? {path: after(one.path, entry)} : await ownPart({path: one.path, size, tail}, entry);
  return {...one, ...part, cwd: entry.to};
}

/** How much of a file is ours, after it was moved or its beginning was changed. */
async function ownPart({path: file, size, tail}: {path: string; size: number; tail: string}, entry: Rehomed): Promise<{path: string; size: number; tail: string}> {
  const target = after(file, entry);
  const edited = entry.steps.filter((step): step is RehomeStep & {do: `edit`} => step.do === `edit` && (step.path === file || step.path === target));
  if (size === 0 || edited.length === 0)
    return {path: target, size, tail};
  const handle = await openRegular(target);
  if (handle === null)
    return {path: target, size, tail};
  try {
    const now = size + growthOf(edited, edited[0]!.path);
    return {path: target, size: now, tail: await tailHash(handle, now)};
  } finally {
    await handle.close();
  }
}

function after(file: string, {steps}: Rehomed): string {
  for (const step of steps)
    if (step.do === `move` && isWithin(file, step.from))
      return step.to + file.slice(step.from.length);
  return file;
}
