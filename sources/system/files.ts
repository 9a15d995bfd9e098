import {createHash, randomBytes}                         from 'node:crypto';
import {constants}                                       from 'node:fs';
import {mkdir, open, readdir, readFile, rename, rm, stat, unlink, utimes} from 'node:fs/promises';
import type {FileHandle}                                 from 'node:fs/promises';
import path                                              from 'node:path';

import {startOf}                                         from './processes.ts';

const DAY_MS = 86_400_000;

/** How much of a file's end is compared to know whether it is still the one we wrote. */
const TAIL = 4096;

export function isCode(error: unknown, ...codes: Array<string>): error is NodeJS.ErrnoException {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? ``);
}

/** The file's text, or null when there is none. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, `utf8`);
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return null;
    throw error;
  }
}

/** No folder is there, or an empty one. */
export async function isGone(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    return isCode(error, `ENOENT`, `ENOTDIR`);
  }
}

/** Size of a regular file; -1 when there is none. Symbolic links are followed only with `follow`. */
export async function sizeOf(file: string): Promise<number> {
  try {
    const info = await stat(file);
    return info.isFile() ? info.size : -1;
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return -1;
    throw error;
  }
}

export async function makeFolder(folder: string) {
  await mkdir(folder, {recursive: true, mode: 0o700});
}

/** A name beside `file` that nobody else uses; what lies there after a crash is recognised by its ending. */
export function temporaryName(file: string) {
  return `${file}.${process.pid}-${randomBytes(4).toString(`hex`)}.session-sync-tmp`;
}

/** Removes what `temporaryName` named in this folder, for files that begin with `prefix`, and whose process is gone. */
export async function removeAbandoned(folder: string, prefix = ``) {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(prefix) ? /\.(\d+)-[0-9a-f]{8}\.session-sync-tmp$/.exec(name)?.[1] : undefined;
    if (pid !== undefined && await startOf(Number(pid)) === null)
      await rm(path.join(folder, name), {force: true, recursive: true}).catch(() => undefined);
  }
}

/**
 * Writes a whole file so that a reader, or a crash, sees the old one or the new one. Keeps the mode of the file that it
 * replaces, else 0600.
 */
export async function writeAtomic(file: string, data: string | Buffer, {mode}: {mode?: number} = {}) {
  await makeFolder(path.dirname(file));
  const temporary = temporaryName(file);
  try {
    const handle = await open(temporary, `wx`, mode ?? 0o600);
    try {
      await handle.writeFile(data);
      if (mode !== undefined)
        await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, {force: true});
    throw error;
  }
}

export async function removeIfThere(file: string) {
  try {
    await unlink(file);
  } catch (error) {
    if (!isCode(error, `ENOENT`, `ENOTDIR`))
      throw error;
  }
}

/** Hash of the last bytes before `end`: the same hash at the same size means that an append-only file has only grown. */
export async function tailHash(handle: FileHandle, end: number): Promise<string> {
  return hashOf(await readAt(handle, Math.max(0, end - TAIL), Math.min(end, TAIL)));
}

export function hashOf(bytes: Buffer | string) {
  return createHash(`sha256`).update(bytes).digest(`hex`).slice(0, 32);
}

/** Up to `length` bytes from `position`; fewer at the end of the file. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const {bytesRead} = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0)
      break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Writes all of `bytes` at `position`. One write may take only a part of them, as on a disk that gets full, and says so in no other way. */
export async function writeAll(handle: FileHandle, bytes: Buffer, position: number) {
  for (let written = 0; written < bytes.length;)
    written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
}

/** Opens an existing regular file without following a link in its last component. Null when there is none. */
export async function openRegular(file: string, flags: number = constants.O_RDONLY): Promise<FileHandle | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, flags | constants.O_NOFOLLOW);
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`, `ELOOP`))
      return null;
    throw error;
  }
  const info = await handle.stat();
  if (!info.isFile()) {
    await handle.close();
    return null;
  }
  return handle;
}

/**
 * Gives a file the time of what stands in it, so that lists have it where it belongs. Not where its reader deletes files
 * that are older than so many days: half of that before, the file keeps the time of now.
 */
export async function setTime(file: string, iso: string | undefined, retentionDays = Infinity) {
  const time = iso === undefined ? NaN : Date.parse(iso);
  if (Number.isFinite(time) && Date.now() - time < retentionDays * DAY_MS / 2)
    await utimes(file, time / 1000, time / 1000);
}
