import {chmod, lstat, mkdir, open, readdir, readFile, readlink, rename, rm, rmdir, symlink, unlink} from 'node:fs/promises';
import path                                     from 'node:path';

import {isCode, openRegular, temporaryName}     from '../system/files.ts';

export type FileMode = `100644` | `100755` | `120000`;

/** What a file holds; of a link, where it leads to. `permissions`: its bits on the disk, where they are to be exactly those. */
export type Content = {mode: FileMode; bytes: Buffer; permissions?: number};

/** `beyond`: a folder on the way is a link, a file, or another repository. `other`: a device, a socket, what may not be read. */
export type Found = {kind: `absent` | `folder`} | {kind: `beyond` | `other`; reason: string} | {kind: `file`; content: Content & {permissions: number}};

/**
 * What stands at a path of a working tree. No link is followed, neither at its end nor on the way. `going`: what will
 * have been removed before.
 */
export async function look(root: string, name: string, going: ReadonlySet<string> = new Set()): Promise<Found> {
  try {
    return await read(root, name, going);
  } catch (error) {
    // One file that cannot be looked at is left alone, the others need not be.
    if (!isCode(error, `EACCES`, `EPERM`, `EIO`, `EBUSY`, `ERR_FS_FILE_TOO_LARGE`))
      throw error;
    return {kind: `other`, reason: `what is there cannot be read`};
  }
}

async function read(root: string, name: string, going: ReadonlySet<string>): Promise<Found> {
  const blocked = await blockedBy(root, name, going);
  if (blocked !== null)
    return {kind: `beyond`, reason: blocked};
  const file = path.join(root, name);
  const info = await lstat(file).catch(ignoreMissing);
  if (info === null)
    return {kind: `absent`};
  if (info.isDirectory())
    return {kind: `folder`};
  if (info.isSymbolicLink())
    return {kind: `file`, content: {mode: `120000`, bytes: await readlink(file, {encoding: `buffer`}), permissions: 0o777}};
  const handle = info.isFile() ? await openRegular(file) : null;
  if (handle === null)
    return {kind: `other`, reason: `something else than a file is there`};
  try {
    return {kind: `file`, content: {mode: (info.mode & 0o100) !== 0 ? `100755` : `100644`, bytes: await handle.readFile(), permissions: info.mode & 0o777}};
  } finally {
    await handle.close();
  }
}

/** A file that git laid out in a folder of ours. */
export async function readLaidOut(file: string): Promise<Content> {
  const info = await lstat(file);
  return info.isSymbolicLink()
    ? {mode: `120000`, bytes: await readlink(file, {encoding: `buffer`})}
    : {mode: (info.mode & 0o100) !== 0 ? `100755` : `100644`, bytes: await readFile(file)};
}

export function sameContent(a: Content | null, b: Content | null) {
  return a === null || b === null ? a === b : a.mode === b.mode && a.bytes.equals(b.bytes);
}

/** Why nothing may be written at a path: something on the way to it is no folder of this tree. */
async function blockedBy(root: string, name: string, going: ReadonlySet<string> = new Set()): Promise<string | null> {
  const parts = name.split(`/`).slice(0, -1);
  for (const [index] of parts.entries()) {
    const parent = parts.slice(0, index + 1).join(`/`);
    const info = await lstat(path.join(root, parent)).catch(ignoreMissing);
    if (info === null || (!info.isDirectory() && going.has(parent)))
      return null;
    if (!info.isDirectory())
      return info.isSymbolicLink() ? `${parent} is a link` : `${parent} is no folder`;
    if (await lstat(path.join(root, parent, `.git`)).catch(ignoreMissing) !== null)
      return `${parent} is a repository of its own`;
  }
  return null;
}

/** `wanted` null: it goes. `before`: what was there when this was planned. */
export type Action = {path: string; wanted: Content | null; before: Content | null};

/** What was done before it went wrong stands in `done`. */
export class ApplyError extends Error {
  readonly code = `NOT_APPLIED`;

  constructor(message: string, readonly done: Array<string>) {
    super(message);
  }
}

/**
 * Changes files of a working tree, each as a whole or not at all: first what goes, then files, links last, so that none
 * of them is on the way to another. Nothing is written through a link. Throws ApplyError.
 */
export async function applyActions(root: string, actions: Array<Action>): Promise<void> {
  const order = (action: Action) => action.wanted === null ? 0 : action.wanted.mode === `120000` ? 2 : 1;
  const done: Array<string> = [];
  for (const action of [...actions].sort((a, b) => order(a) - order(b) || (a.path < b.path ? -1 : 1))) {
    try {
      // An agent or an editor may be at work: what nobody has looked at is not written over.
      const found = await look(root, action.path);
      if (!sameContent(found.kind === `file` ? found.content : null, action.before))
        throw new Error(`it has changed meanwhile`);
      if (action.wanted === null)
        await remove(root, action.path);
      else
        await place(root, action.path, action.wanted);
    } catch (error) {
      throw new ApplyError(`${action.path}: ${(error as Error).message}`, done);
    }
    done.push(action.path);
  }
}

async function remove(root: string, name: string) {
  const blocked = await blockedBy(root, name);
  if (blocked !== null)
    throw new Error(blocked);
  await unlink(path.join(root, name)).catch(ignoreMissing);
  // As git does: a folder that nothing is left in goes as well.
  for (let parent = path.posix.dirname(name); parent !== `.`; parent = path.posix.dirname(parent)) {
    try {
      await rmdir(path.join(root, parent));
    } catch {
      return;
    }
  }
}

async function place(root: string, name: string, {mode, bytes, permissions}: Content) {
  await makeParents(root, name);
  const file = path.join(root, name);
  const before = await lstat(file).catch(ignoreMissing);
  if (before?.isDirectory())
    await removeEmpty(file);
  const temporary = temporaryName(file);
  try {
    if (mode === `120000`) {
      await symlink(bytes, temporary);
    } else {
      const handle = await open(temporary, `wx`, mode === `100755` ? 0o777 : 0o666);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      const kept = permissions ?? (before?.isFile() ? withExecutable(before.mode & 0o777, mode) : undefined);
      if (kept !== undefined)
        await chmod(temporary, kept);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, {force: true});
    throw error;
  }
}

/** The bits that a file has, but for those that git keeps. */
function withExecutable(permissions: number, mode: FileMode) {
  return mode === `100755` ? permissions | (permissions & 0o444) >> 2 : permissions & ~0o111;
}

async function makeParents(root: string, name: string) {
  const parts = name.split(`/`).slice(0, -1);
  for (const [index] of parts.entries()) {
    const blocked = await blockedBy(root, `${parts.slice(0, index + 1).join(`/`)}/x`);
    if (blocked !== null)
      throw new Error(blocked);
    await mkdir(path.join(root, ...parts.slice(0, index + 1))).catch(error => {
      if (!isCode(error, `EEXIST`))
        throw error;
    });
  }
}

async function removeEmpty(folder: string) {
  for (const entry of await readdir(folder, {withFileTypes: true}))
    if (entry.isDirectory())
      await removeEmpty(path.join(folder, entry.name));
  await rmdir(folder);
}

function ignoreMissing(error: Error): null {
  if (!isCode(error, `ENOENT`, `ENOTDIR`))
    throw error;
  return null;
}
