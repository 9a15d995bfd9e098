import {constants}                                           from 'node:fs';
import {lstat, open, readdir}                                from 'node:fs/promises';
import type {Dirent}                                         from 'node:fs';
import path                                                  from 'node:path';

import {sessionIdFor}                                        from '../../interchange/index.ts';
import {isCode}                                              from '../../system/files.ts';
import type {LocatedSession, Machine, SessionFile}           from '../types.ts';

import {configRoot, isSafeName, slugOf, slugPrefix}          from './places.ts';
import {isObject, stringAt}                                  from '../values.ts';

export const AGENT = `claude-code`;

/** How much of a file is read to know its working folder; the first line that has it is among the first few. */
const HEAD = 64 << 10;
const MAIN = `transcript.jsonl`;

/** See `SourceAdapter.locate`. Folder names are lossy: what counts is the `cwd` that the transcript itself names. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const projects = path.join(configRoot(machine), `projects`);
  const wanted = folders.map(folder => ({folder, slug: slugOf(folder), prefix: slugPrefix(folder)}));
  const fixed = machine.env.CLAUDE_CODE_PROJECT_DIR_NAME;
  const sessions: Array<LocatedSession> = [];

  for (const project of await list(projects)) {
    if (!project.isDirectory() && !project.isSymbolicLink())
      continue;
    const {name} = project;
    const exact = wanted.find(({slug}) => slug === name)?.folder;
    if (exact === undefined && name !== fixed && !wanted.some(({prefix}) => name.startsWith(prefix)))
      continue;

    for (const entry of await list(path.join(projects, name))) {
      const nativeId = entry.name.slice(0, -6);
      // Sub-agents of 2.0 lay beside the sessions.
      if (!entry.isFile() || !entry.name.endsWith(`.jsonl`) || !isSafeName(nativeId) || nativeId.startsWith(`agent-`))
        continue;

      const file = path.join(projects, name, entry.name);
      const head = await readHead(file);
      if (head === null || head.size === 0)
        continue;
      // A transcript that names no folder (not written by Claude Code) belongs to the folder that it lies in.
      if (head.cwd === undefined ? exact === undefined : !folders.some(folder => isWithin(head.cwd!, folder)))
        continue;

      sessions.push({
        agent: AGENT,
        nativeId,
        session: sessionIdFor(AGENT, nativeId),
        path: file,
        cwd: head.cwd ?? exact!,
        size: head.size,
        mtimeMs: head.mtimeMs,
      });
    }
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
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
  const add = (folder: string, entry: Dirent) => {
    const name = folder === `` ? entry.name : `${folder}/${entry.name}`;
    const file = path.join(side, folder, entry.name);
    const agent = folder === `subagents` ? /^agent-([A-Za-z0-9._-]{1,64})\.jsonl$/.exec(entry.name)?.[1] : undefined;
    others.push(agent === undefined ? {name, path: file, content: `opaque`} : {name, path: file, content: `records`, stream: `sub-${agent}`});
  };

  for (const folder of [`subagents`, `tool-results`])
    if (await isFolder(path.join(side, folder)))
      for (const entry of await list(path.join(side, folder)))
        if (entry.isFile() && isSafeName(entry.name))
          add(folder, entry);
  for (const entry of await list(side))
    if (entry.isFile() && entry.name === `custom-title.json`)
      add(``, entry);

  others.sort((a, b) => a.name < b.name ? -1 : 1);
  return [{name: MAIN, path: session.path, content: `records`, stream: `main`}, ...others];
}

/** See `SourceAdapter.roots`. */
export function roots(session: {path: string; nativeId: string; cwd?: string}, machine: Machine): {[token: string]: string} {
  const projects = path.dirname(path.dirname(session.path));
  return {
    session: sideFolder(session),
    // Named in the summary of a compaction, for what it leaves out (2.1.330).
    transcript: session.path,
    // Named in what the model is told of its memory folder (2.1.330).
    project: path.dirname(session.path),
    agent: path.basename(projects) === `projects` ? path.dirname(projects) : configRoot(machine),
  };
}

/** Name of the main transcript among the session's files. */
export function isMain(name: string) {
  return name === MAIN;
}

function sideFolder(session: {path: string}) {
  return session.path.replace(/\.jsonl$/, ``);
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}

async function isFolder(folder: string) {
  try {
    return (await lstat(folder)).isDirectory();
  } catch {
    return false;
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
    return cwd === undefined ? {size, mtimeMs} : {cwd, size, mtimeMs};
  } finally {
    await handle.close();
  }
}

function cwdOf(head: string): string | undefined {
  const lines = head.split(`\n`);
  for (const line of lines.slice(0, -1)) {
    if (!line.includes(`"cwd":`))
      continue;
    const value = parse(line);
    const cwd = isObject(value) ? stringAt(value, `cwd`) : undefined;
    if (cwd !== undefined)
      return cwd;
  }

  // A first line longer than the head (a prompt with an image): its own field is as good as the whole line.
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
