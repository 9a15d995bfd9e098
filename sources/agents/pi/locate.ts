import {constants}                                 from 'node:fs';
import {lstat, open, readdir}                      from 'node:fs/promises';
import type {Dirent}                               from 'node:fs';
import path                                        from 'node:path';

import {sessionIdFor}                              from '../../interchange/index.ts';
import {isCode}                                    from '../../system/files.ts';
import {isObject, stringAt}                        from '../values.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';

import {AGENT, agentFolder, isSessionId, isWithin, sessionsFolder, slugOf, slugPrefix} from './places.ts';
import {chosenFolder}                              from './settings.ts';

/** The header is the first line; a longer one is none. */
const HEAD = 16 << 10;
export const MAIN = `session.jsonl`;

/** See `SourceAdapter.locate`. Folder names are lossy: what counts is the `cwd` that the header names. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const found = new Map<string, LocatedSession>();
  for (const folder of await foldersFor(machine, folders))
    for (const entry of await list(folder)) {
      const session = entry.isFile() && entry.name.endsWith(`.jsonl`) ? await sessionAt(path.join(folder, entry.name)) : null;
      if (session === null || session.cwd === undefined || !folders.some(one => isWithin(session.cwd!, one)))
        continue;
      // A file that was imported is a copy, under the id of the first: the one that Pi goes on with counts.
      const known = found.get(session.nativeId);
      if (known === undefined || known.mtimeMs < session.mtimeMs)
        found.set(session.nativeId, session);
    }
  return [...found.values()].sort((a, b) => a.path < b.path ? -1 : 1);
}

async function foldersFor(machine: Machine, folders: Array<string>): Promise<Array<string>> {
  const all = sessionsFolder(machine);
  const names = (await list(all)).filter(entry => entry.isDirectory() || entry.isSymbolicLink()).map(entry => entry.name);
  const wanted = names.filter(name => folders.some(folder => name === slugOf(folder) || name.startsWith(slugPrefix(folder))));
  const configured = chosenFolder(machine);
  const others = configured === undefined ? [] : folders.map(folder => path.resolve(folder, configured));
  return [...new Set([...wanted.map(name => path.join(all, name)), ...others])];
}

/** Where Pi has a session of this id, in whichever project; null when nowhere. */
export async function find(machine: Machine, nativeId: string): Promise<string | null> {
  if (!isSessionId(nativeId))
    return null;
  const all = sessionsFolder(machine);
  const configured = chosenFolder(machine);
  const folders = (await list(all)).filter(entry => entry.isDirectory()).map(entry => path.join(all, entry.name));
  for (const folder of configured !== undefined && path.isAbsolute(configured) ? [configured, ...folders] : folders)
    for (const entry of await list(folder))
      if (entry.isFile() && entry.name.endsWith(`.jsonl`) && (await sessionAt(path.join(folder, entry.name)))?.nativeId === nativeId)
        return path.join(folder, entry.name);
  return null;
}

/** See `SourceAdapter.files`. A link leads to what is not the session's. */
export async function files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>> {
  try {
    if (!(await lstat(session.path)).isFile())
      return [];
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return [];
    throw error;
  }
  return [{name: MAIN, path: session.path, content: `records`, stream: `main`}];
}

/** See `SourceAdapter.roots`. */
export function roots(session: {path: string; nativeId: string; cwd?: string}, machine: Machine): {[token: string]: string} {
  return {transcript: session.path, project: path.dirname(session.path), agent: agentFolder(machine)};
}

async function sessionAt(file: string): Promise<LocatedSession | null> {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (isCode(error, `ENOENT`, `ELOOP`, `EACCES`, `EPERM`))
      return null;
    throw error;
  }

  try {
    const {size, mtimeMs} = await handle.stat();
    const buffer = Buffer.allocUnsafe(Math.min(HEAD, size));
    const {bytesRead} = await handle.read(buffer, 0, buffer.length, 0);
    const header = headerIn(buffer.toString(`utf8`, 0, bytesRead));
    return header === null ? null : {
      agent: AGENT, nativeId: header.id, session: sessionIdFor(AGENT, header.id), path: file,
      ...header.cwd === undefined ? {} : {cwd: header.cwd}, size, mtimeMs,
    };
  } finally {
    await handle.close();
  }
}

function headerIn(head: string): {id: string; cwd?: string} | null {
  const [line] = head.split(`\n`);
  try {
    const value = JSON.parse(line!);
    if (!isObject(value) || value.type !== `session` || !isSessionId(value.id))
      return null;
    const cwd = stringAt(value, `cwd`);
    return {id: value.id, ...cwd !== undefined && path.isAbsolute(cwd) ? {cwd} : {}};
  } catch {
    return null;
  }
}

async function list(folder: string): Promise<Array<Dirent>> {
  try {
    const entries = await readdir(folder, {withFileTypes: true});
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`, `EACCES`, `EPERM`))
      return [];
    throw error;
  }
}
