import {constants}                                 from 'node:fs';
import type {Dirent}                               from 'node:fs';
import {lstat, open, readdir}                      from 'node:fs/promises';
import path                                        from 'node:path';

import {sessionIdFor}                              from '../../interchange/index.ts';
import {isCode}                                    from '../../system/files.ts';
import {isObject, stringAt}                        from '../values.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';

import {idOfFile, isSafeName, sideFolder, slugOf}  from './places.ts';
import {homeOf, runtimeOf}                         from './settings.ts';

export const AGENT = `qwen`;

/** How much of a file is read to know its working folder, which the first record names. */
const HEAD = 64 << 10;
const MAIN = `transcript.jsonl`;

/** See `SourceAdapter.locate`. Folder names are lossy: what counts is the `cwd` of the first record, as for Qwen Code. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const sessions = new Map<string, LocatedSession>();
  for (const folder of folders) {
    const projects = path.join(runtimeOf(machine, folder), `projects`);
    const slug = slugOf(folder, machine.platform);
    for (const project of await list(projects)) {
      if (!project.isDirectory() && !project.isSymbolicLink() || project.name !== slug && !project.name.startsWith(`${slug}-`) && folder !== path.parse(folder).root)
        continue;
      const chats = path.join(projects, project.name, `chats`);
      for (const entry of await list(chats)) {
        const nativeId = idOfFile(entry.name);
        const file = path.join(chats, entry.name);
        if (nativeId === undefined || !entry.isFile() || sessions.has(file))
          continue;
        const head = await readHead(file);
        if (head?.cwd === undefined || !folders.some(wanted => isWithin(head.cwd!, wanted)))
          continue;
        const {cwd, size, mtimeMs} = head;
        sessions.set(file, {agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: file, cwd, size, mtimeMs});
      }
    }
  }
  return [...sessions.values()].sort((a, b) => a.path < b.path ? -1 : 1);
}

/** See `SourceAdapter.files`. Links are left out: they lead to what is not the session's. */
export async function files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>> {
  try {
    if (!(await lstat(session.path)).isFile())
      return [];
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return [];
    throw error;
  }

  const side = sideFolder(session);
  const others: Array<SessionFile> = [];
  if (await lstat(side).then(info => info.isDirectory(), () => false))
    for (const entry of await list(side)) {
      if (!entry.isFile() || !isSafeName(entry.name))
        continue;
      const file = {name: `subagents/${entry.name}`, path: path.join(side, entry.name)};
      const agent = /^agent-([A-Za-z0-9_-]{1,100})\.jsonl$/.exec(entry.name)?.[1];
      if (agent !== undefined)
        others.push({...file, content: `records`, stream: streamOf(agent)});
      else if (entry.name.endsWith(`.meta.json`))
        others.push({...file, content: `opaque`});
    }
  return [{name: MAIN, path: session.path, content: `records`, stream: `main`}, ...others.sort((a, b) => a.name < b.name ? -1 : 1)];
}

/** Stream of a sub-agent, by the id that its file is named by and that the model is told as its task. */
export function streamOf(agent: string) {
  return `sub-${agent.replace(/[^A-Za-z0-9_-]/g, `_`)}`;
}

/** See `SourceAdapter.roots`. */
export function roots(session: {path: string; nativeId: string}, machine: Machine): {[token: string]: string} {
  return {session: sideFolder(session), transcript: session.path, project: path.dirname(path.dirname(session.path)), agent: homeOf(machine)};
}

/** Name of the main transcript among the session's files. */
export function isMain(name: string) {
  return name === MAIN;
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
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

async function readHead(file: string): Promise<{cwd?: string; size: number; mtimeMs: number} | null> {
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
    const cwd = cwdOf(buffer.toString(`utf8`, 0, bytesRead));
    return {...cwd === undefined ? {} : {cwd}, size, mtimeMs};
  } finally {
    await handle.close();
  }
}

function cwdOf(head: string): string | undefined {
  const lines = head.replace(/^\uFEFF/, ``).split(`\n`);
  for (const line of lines.slice(0, -1)) {
    const value = parse(line);
    const cwd = isObject(value) ? stringAt(value, `cwd`) : undefined;
    if (cwd !== undefined)
      return cwd;
  }

  // A first line longer than the head (a prompt with an image): its own field, which stands before the content.
  const cut = /"cwd":("(?:[^"\\]|\\.)*")/.exec(lines.at(-1)!)?.[1];
  const cwd = cut === undefined ? undefined : parse(cut);
  return typeof cwd === `string` ? cwd : undefined;
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
