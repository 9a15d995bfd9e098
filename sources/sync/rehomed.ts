import {readdir}                             from 'node:fs/promises';
import path                                  from 'node:path';

import type {RehomeStep}                     from '../agents/types.ts';
import {stableJson}                          from '../interchange/index.ts';
import {hashOf, readIfThere, removeIfThere, writeAtomic} from '../system/files.ts';

import {folderAfter, isWithin, moves}        from './folders.ts';
import type {Move}                           from './folders.ts';
import type {Project}                        from './project.ts';

/**
 * One time that a session of an agent was filed under another folder. `steps`: what was done, with the bytes that stood
 * there before. `shift`: by how many bytes its first line became longer. `unfinished`: it was begun, or its undoing was,
 * and nobody knows how far it came.
 */
export type Rehomed = {from: string; to: string; before: string; after: string; steps: Array<RehomeStep>; shift: number; unfinished?: `do` | `undo`};

/** What a sync must know of a session's folder: where it is now (where that is elsewhere), what has moved, how its transcript was changed. */
export type Place = {moves: Array<Move>; home?: string; shift: number};

/** `cwd`: where the session began. */
export async function placeOf(project: Project, agent: string, nativeId: string, cwd: string | undefined): Promise<Place> {
  const done = await readRehomed(project, agent, nativeId);
  const moved = await moves(project);
  const move = cwd === undefined ? undefined : moved.find(({from}) => isWithin(cwd, from));
  const home = done.at(-1)?.to ?? (move === undefined ? undefined : await folderAfter(cwd!, move));
  return {moves: moved, ...home === undefined ? {} : {home}, shift: done.reduce((sum, {shift}) => sum + shift, 0)};
}

/** Oldest first; nothing where the session was never moved, or the note is torn. */
export async function readRehomed(project: Project, agent: string, nativeId: string): Promise<Array<Rehomed>> {
  const {done} = parse(await readIfThere(fileOf(project, agent, nativeId)));
  return Array.isArray(done) ? done.filter(isRehomed) : [];
}

/** Every session that was filed under another folder. */
export async function allRehomed(project: Project): Promise<Array<{agent: string; nativeId: string; done: Array<Rehomed>}>> {
  const folder = path.join(project.paths.folder, `rehomed`);
  const found: Array<{agent: string; nativeId: string; done: Array<Rehomed>}> = [];
  for (const name of (await readdir(folder).catch(() => [])).filter(one => one.endsWith(`.json`)).sort()) {
    const {agent, nativeId} = parse(await readIfThere(path.join(folder, name)));
    if (typeof agent === `string` && typeof nativeId === `string` && path.basename(fileOf(project, agent, nativeId)) === name)
      found.push({agent, nativeId, done: await readRehomed(project, agent, nativeId)});
  }
  return found;
}

/** Was the session, or a mirror, left in the middle of a move? Then nobody knows where it lies. */
export async function isBetween(project: Project, agent: string, nativeId: string): Promise<boolean> {
  return (await readRehomed(project, agent, nativeId)).at(-1)?.unfinished !== undefined;
}

/** The note is all that can put the session back: it is written before anything is done. */
export async function writeRehomed(project: Project, agent: string, nativeId: string, done: Array<Rehomed>) {
  const file = fileOf(project, agent, nativeId);
  if (done.length === 0)
    await removeIfThere(file);
  else
    await writeAtomic(file, stableJson({agent, done, nativeId}));
}

function parse(text: string | null): {[key: string]: unknown} {
  try {
    const value: unknown = JSON.parse(text ?? `{}`);
    return typeof value === `object` && value !== null ? value as {[key: string]: unknown} : {};
  } catch {
    return {};
  }
}

function isRehomed(value: unknown): value is Rehomed {
  const one = value as {[key: string]: unknown} | null;
  return typeof one === `object` && one !== null && Number.isInteger(one.shift) && Array.isArray(one.steps)
    && [`from`, `to`, `before`, `after`].every(key => typeof one[key] === `string`) && [undefined, `do`, `undo`].includes(one.unfinished as undefined);
}

/** Ids of agents are no names of files. */
function fileOf({paths}: Pick<Project, `paths`>, agent: string, nativeId: string) {
  return path.join(paths.folder, `rehomed`, `${agent}-${hashOf(nativeId)}.json`);
}
