import {constants}                                       from 'node:fs';
import {cp, lstat, open, readdir, rename, rm, utimes}    from 'node:fs/promises';
import path                                              from 'node:path';

import type {RehomeStep}                                 from '../agents/types.ts';

import {isCode, makeFolder, openRegular, readAt, removeAbandoned, temporaryName, writeAll} from './files.ts';

const PIECE = 1 << 20;

type Tell = RehomeStep & {do: `tell`};

/** What an agent is told by itself, and not through a file that is moved or edited. */
export type Telling = {
  known(step: Tell): Promise<`before` | `after` | null>;
  tell(step: Tell): Promise<void>;
};

/** Why a step was not done: something else is there already, or what should be there is not. */
export class StepError extends Error {
  constructor(readonly code: `TARGET_EXISTS` | `SOURCE_CHANGED`, message: string) {
    super(message);
  }
}

/** The steps that undo these, the last first. */
export function reversed(steps: Array<RehomeStep>): Array<RehomeStep> {
  return steps.map((step): RehomeStep => step.do === `move` ? {do: `move`, from: step.to, to: step.from} : {...step, before: step.after, after: step.before}).reverse();
}

/** By how many bytes a file is longer after the steps. */
export function growthOf(steps: Array<RehomeStep>, file: string) {
  return steps.reduce((sum, step) => step.do === `edit` && step.path === file ? sum + Buffer.byteLength(step.after) - Buffer.byteLength(step.before) : sum, 0);
}

/**
 * Does all steps, or none where one of them would meet something that it must not. A step that is done already is passed
 * over, so that what was interrupted may be done again, and what was done in part may be undone.
 */
export async function carryOut(steps: Array<RehomeStep>, telling?: Telling) {
  await checkSteps(steps, telling);
  for (const step of steps) {
    if (step.do === `move`)
      await move(step);
    else if (step.do === `edit`)
      await edit(step);
    else if (telling !== undefined && await telling.known(step) === `before`)
      await telling.tell(step);
  }
}

/** Throws where one of the steps would meet something that it must not. Changes nothing. */
export async function checkSteps(steps: Array<RehomeStep>, telling?: Telling) {
  for (const [index, step] of steps.entries())
    await check(step, steps.slice(0, index), steps.slice(index + 1), telling);
}

async function check(step: RehomeStep, earlier: Array<RehomeStep>, later: Array<RehomeStep>, telling: Telling | undefined) {
  if (step.do === `move`) {
    const [from, to] = [await isThere(step.from), await isThere(step.to)];
    if (from && to && await isOne(step.from, step.to))
      throw one(step.from, step.to);
    if (from && to && !await isSame(step.from, step.to))
      throw new StepError(`TARGET_EXISTS`, `${step.to} is there already; both are left as they are`);
    if (!from && !to)
      throw new StepError(`SOURCE_CHANGED`, `${step.from} is not there any more`);
    return;
  }
  const known = async (path: string) => step.do === `edit` ? await standsIn({...step, path}) : await telling?.known({...step, path}) ?? null;
  if (await known(step.path) !== null || await known(placeBefore(step.path, earlier)) !== null)
    return;
  // A later step was done already, and so was this one.
  if (await known(placeAfter(step.path, later)) !== `after`)
    throw new StepError(`SOURCE_CHANGED`, `${step.path} has changed; it is left as it is`);
}

/** Where a file still is that steps before this one will move. */
function placeBefore(file: string, earlier: Array<RehomeStep>) {
  for (const step of earlier)
    if (step.do === `move` && (file === step.to || file.startsWith(`${step.to}${path.sep}`)))
      return step.from + file.slice(step.to.length);
  return file;
}

/** Where steps move a file. */
function placeAfter(file: string, steps: Array<RehomeStep>) {
  for (const step of steps)
    if (step.do === `move` && (file === step.from || file.startsWith(`${step.from}${path.sep}`)))
      return step.to + file.slice(step.from.length);
  return file;
}

async function isThere(file: string) {
  return await lstat(file).then(() => true, error => {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return false;
    throw error;
  });
}

async function move({from, to}: RehomeStep & {do: `move`}) {
  await removeAbandoned(path.dirname(from), path.basename(from));
  if (!await isThere(from))
    return;
  // A copy on another disk whose original was still to go.
  if (await isThere(to)) {
    if (await isOne(from, to))
      throw one(from, to);
    await remove(from);
    return;
  }
  await makeFolder(path.dirname(to));
  try {
    await rename(from, to);
  } catch (error) {
    if (!isCode(error, `EXDEV`))
      throw error;
    await moveAcross(from, to);
  }
}

/** To another disk: copied beside its place, compared, put there, and only then removed. */
async function moveAcross(from: string, to: string) {
  await removeAbandoned(path.dirname(to), path.basename(to));
  const copy = temporaryName(to);
  try {
    await cp(from, copy, {recursive: true, preserveTimestamps: true, verbatimSymlinks: true, errorOnExist: true});
    if (!await isSame(from, copy))
      throw new StepError(`SOURCE_CHANGED`, `${from} changed while it was copied; it is left as it is`);
    await rename(copy, to);
  } finally {
    await rm(copy, {recursive: true, force: true});
  }
  await remove(from);
}

/** Out of the way at once, so that nobody meets the half of a folder. */
async function remove(file: string) {
  const aside = temporaryName(file);
  await rename(file, aside);
  await rm(aside, {recursive: true, force: true});
}

function one(from: string, to: string) {
  return new StepError(`TARGET_EXISTS`, `${to} and ${from} are one and the same; it stays as it is`);
}

/** Two names of one file: a folder on the way is a link to the other, or the disk ignores case. */
async function isOne(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(a, {bigint: true}), lstat(b, {bigint: true})]);
  return one.ino === other.ino && one.dev === other.dev;
}

async function isSame(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(a), lstat(b)]);
  if (one.isDirectory() !== other.isDirectory())
    return false;
  if (one.isDirectory()) {
    const [names, others] = await Promise.all([readdir(a), readdir(b)]);
    if (names.sort().join(`\0`) !== others.sort().join(`\0`))
      return false;
    for (const name of names)
      if (!await isSame(path.join(a, name), path.join(b, name)))
        return false;
    return true;
  }
  if (!one.isFile() || one.size !== other.size)
    return !one.isFile() && !other.isFile();
  const [first, second] = [await openRegular(a), await openRegular(b)];
  try {
    for (let at = 0; first !== null && second !== null && at < one.size; at += PIECE)
      if (!(await readAt(first, at, PIECE)).equals(await readAt(second, at, PIECE)))
        return false;
    return first !== null && second !== null;
  } finally {
    await first?.close();
    await second?.close();
  }
}

/** Which of the two texts the file begins with; null for neither. */
async function standsIn({path: file, before, after}: RehomeStep & {do: `edit`}): Promise<`before` | `after` | null> {
  const handle = await openRegular(file);
  if (handle === null)
    return null;
  try {
    const head = await readAt(handle, 0, Math.max(Buffer.byteLength(before), Buffer.byteLength(after)));
    const begins = (text: string) => head.subarray(0, Buffer.byteLength(text)).equals(Buffer.from(text));
    return begins(after) ? `after` : begins(before) ? `before` : null;
  } finally {
    await handle.close();
  }
}

/** The whole file anew beside its place, with the time and the mode that it had. */
async function edit(step: RehomeStep & {do: `edit`}) {
  if (await standsIn(step) !== `before`)
    return;
  await removeAbandoned(path.dirname(step.path), path.basename(step.path));
  const source = (await openRegular(step.path))!;
  const temporary = temporaryName(step.path);
  try {
    const {size, mode, atimeMs, mtimeMs} = await source.stat();
    const target = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, mode & 0o777);
    try {
      const head = Buffer.from(step.after);
      await writeAll(target, head, 0);
      const skipped = Buffer.byteLength(step.before);
      for (let at = skipped; at < size; at += PIECE)
        await writeAll(target, await readAt(source, at, Math.min(PIECE, size - at)), at - skipped + head.length);
      await target.sync();
    } finally {
      await target.close();
    }
    if ((await source.stat()).size !== size)
      throw new StepError(`SOURCE_CHANGED`, `${step.path} grew while it was written; it is left as it is`);
    await utimes(temporary, atimeMs / 1000, mtimeMs / 1000);
    await rename(temporary, step.path);
  } finally {
    await source.close();
    await rm(temporary, {force: true});
  }
}
