import {realpath}                           from 'node:fs/promises';
import path                                 from 'node:path';

import {agentById}                          from '../agents/index.ts';
import type {AgentAdapter, RehomeStep}      from '../agents/types.ts';
import {openRegular, sizeOf, tailHash}      from '../system/files.ts';
import {runningIn}                          from '../system/processes.ts';
import {carryOut, checkSteps, growthOf, reversed} from '../system/steps.ts';
import type {Telling}                       from '../system/steps.ts';

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
export async function rehome(project: Project, {adapter, located, from, ours, move, to, plan, problem}: Homeless): Promise<RehomeOutcome> {
  if (plan === null)
    throw new RehomeError(`NOT_MOVED`, problem ?? `${adapter.name} cannot be told of another folder`);
  const {nativeId} = located;
  // A mirror of ours is written anew anyway, as it would have been there from the start.
  const steps = ours && await isWrittenAnew(project, adapter, nativeId) ? plan.steps.filter(step => step.do !== `edit` || step.path !== located.path) : plan.steps;
  const entry: Rehomed = {from, to, before: located.path, after: plan.path, steps, shift: growthOf(steps, located.path)};
  await noteFolders(project, [{folder: move.from}]);
  const known = await readRehomed(project, adapter.id, nativeId);
  return await carry(project, adapter, nativeId, {entry, known, during: [...known, {...entry, unfinished: `do`}], after: [...known, entry]});
}

/** Is the session that it mirrors there to be read? */
async function isWrittenAnew(project: Project, {id}: AgentAdapter, nativeId: string) {
  for (const {path: source, mirrors} of await project.checkpoints.list())
    if (mirrors.some(mirror => mirror.agent === id && mirror.id === nativeId && mirror.stopped === undefined))
      return await sizeOf(source) >= 0;
  return false;
}

export type Undone = {agent: string; nativeId: string; from: string; to: string};

type Report = (problem: {agent: string; nativeId: string; reason: string}) => void;

/** Puts back what was filed under another folder last, of every session. What cannot be put back stays, and is said. */
export async function undoRehoming(project: Project, onProblem: Report): Promise<{undone: Array<Undone>; sessions: Array<string>}> {
  const undone: Array<Undone> = [];
  const sessions = await each(project, onProblem, async (adapter, nativeId, done) => {
    const last = done.at(-1)!;
    const outcome = last.unfinished === `undo` ? await finish(project, adapter, nativeId, done) : await undo(project, adapter, nativeId, done);
    undone.push({agent: adapter.id, nativeId, from: last.to, to: last.from});
    return outcome;
  });
  return {undone, sessions};
}

/**
 * Brings to its end what a process that was killed had begun, whichever way it went. The caller holds the lock. Whoever
 * syncs does it first: a session in the middle of a move is nowhere.
 */
export async function finishRehoming(project: Project, onProblem: Report = () => {}): Promise<{finished: Array<Undone>; sessions: Array<string>}> {
  const finished: Array<Undone> = [];
  const sessions = await each(project, onProblem, async (adapter, nativeId, done) => {
    const {unfinished, from, to} = done.at(-1)!;
    if (unfinished === undefined)
      return null;
    const outcome = await finish(project, adapter, nativeId, done);
    finished.push({agent: adapter.id, nativeId, ...unfinished === `do` ? {from, to} : {from: to, to: from}});
    return outcome;
  });
  return {finished, sessions};
}

async function each(project: Project, onProblem: Report, take: (adapter: AgentAdapter, nativeId: string, done: Array<Rehomed>) => Promise<RehomeOutcome | null>): Promise<Array<string>> {
  const sessions = new Set<string>();
  for (const {agent, nativeId, done} of await allRehomed(project)) {
    const adapter = agentById(agent);
    if (adapter === undefined || done.length === 0)
      continue;
    try {
      for (const session of (await take(adapter, nativeId, done))?.sessions ?? [])
        sessions.add(session);
    } catch (error) {
      onProblem({agent, nativeId, reason: (error as Error).message});
    }
  }
  return [...sessions];
}

async function undo(project: Project, adapter: AgentAdapter, nativeId: string, done: Array<Rehomed>): Promise<RehomeOutcome> {
  const {unfinished, ...last} = done.at(-1)!;
  const earlier = done.slice(0, -1);
  return await carry(project, adapter, nativeId, {
    entry: back(last), known: unfinished === undefined ? [...earlier, last] : null, during: [...earlier, {...last, unfinished: `undo`}], after: earlier,
  });
}

async function finish(project: Project, adapter: AgentAdapter, nativeId: string, done: Array<Rehomed>): Promise<RehomeOutcome> {
  const {unfinished, ...last} = done.at(-1)!;
  if (unfinished === `undo`)
    return await undo(project, adapter, nativeId, done);
  return await carry(project, adapter, nativeId, {entry: last, known: null, during: done, after: [...done.slice(0, -1), last]});
}

function back({from, to, before, after, steps, shift}: Rehomed): Rehomed {
  return {from: to, to: from, before: after, after: before, steps: reversed(steps), shift: -shift};
}

/**
 * `known`: the note as it is as long as nothing was done; null where something may have been. `during`, `after`: what it
 * says from the first step on, and when all is done.
 */
type Course = {entry: Rehomed; known: Array<Rehomed> | null; during: Array<Rehomed>; after: Array<Rehomed>};

async function carry(project: Project, adapter: AgentAdapter, nativeId: string, {entry, known, during, after}: Course): Promise<RehomeOutcome> {
  const {machine} = project;
  const {telling} = adapter.rehome ?? {};
  const bound: Telling | undefined = telling === undefined ? undefined : {known: step => telling.known(machine, nativeId, step), tell: step => telling.tell(machine, nativeId, step)};
  await refuseRunning(project, adapter, entry);
  const work = async () => {
    if (known !== null)
      await checkSteps(entry.steps, bound);
    await writeRehomed(project, adapter.id, nativeId, during);
    try {
      await carryOut(entry.steps, bound);
    } catch (error) {
      // Half a move is none: a full disk, or something that came in between.
      if (known !== null && await carryOut(reversed(entry.steps), bound).then(() => true, () => false))
        await writeRehomed(project, adapter.id, nativeId, known);
      throw error;
    }
    return await followUp(project, adapter, nativeId, entry);
  };
  const sessions = adapter.target === undefined ? await work() : await adapter.target.exclusively(machine, nativeId, work);
  if (sessions === null)
    throw new RehomeError(`OPEN_IN_AGENT`, `${adapter.name} has it open right now: close it there, and ask again`);
  const note = await adapter.rehome?.settle?.(machine, {path: entry.after, nativeId}, entry.to);
  await writeRehomed(project, adapter.id, nativeId, after);
  return {sessions, ...note === undefined ? {} : {note}};
}

/** Nothing else tells whether such an agent has it open. From one folder of a project some open the sessions of the others. */
async function refuseRunning({root}: Project, {name, rehome}: AgentAdapter, {from, to}: Rehomed) {
  const programs = rehome?.programs;
  const folders = await Promise.all([from, to, root].map(folder => realpath(folder).catch(() => folder)));
  const pid = programs === undefined ? null : await runningIn(folders, programs);
  if (pid !== null)
    throw new RehomeError(`OPEN_IN_AGENT`, `${name} runs in this project right now (process ${pid}): end it, and ask again`);
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
    // It was told so already, by a process that was killed before it could say that all is done.
    if (await tailHash(handle, size) === tail)
      return {path: target, size, tail};
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
