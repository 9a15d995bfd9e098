import {lstat, readdir}                              from 'node:fs/promises';
import type {Dirent}                                 from 'node:fs';
import path                                          from 'node:path';

import {sessionIdFor}                                from '../../interchange/index.ts';
import type {Json, JsonObject}                       from '../../interchange/index.ts';
import {isCode, openRegular, readAt}                 from '../../system/files.ts';
import {isObject, objectAt, stringAt}                from '../values.ts';
import type {LocatedSession, Machine, SessionFile}   from '../types.ts';

import {AGENT, folderKey, folderOf, isNativeId, storeOf} from './places.ts';

/** `state.json` is a few hundred bytes; one that is larger than this is not read. */
const LARGEST_STATE = 256 << 10;
const MAIN = `wire.jsonl`;
const SAFE = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}$/;

/** Session id as the rest of the program names it: the UUID that a person sees in Kimi Code's own. */
export function sessionOf(nativeId: string) {
  return sessionIdFor(AGENT, nativeId.replace(/^session_/, ``));
}

/** See `SourceAdapter.locate`. `sessions/wd_<name>_<hash>/session_<uuid>/`, the folder's working folder is in each `state.json`. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const root = path.join(storeOf(machine), `sessions`);
  const exact = new Map(folders.map(folder => [folderKey(folder), folder]));
  const sessions: Array<LocatedSession> = [];

  for (const project of await list(root)) {
    if (!project.isDirectory() || !project.name.startsWith(`wd_`))
      continue;
    for (const entry of await list(path.join(root, project.name))) {
      if (!entry.isDirectory() || !isNativeId(entry.name))
        continue;
      const folder = path.join(root, project.name, entry.name);
      const cwd = await cwdOf(path.join(folder, `state.json`)) ?? exact.get(project.name);
      // All sessions of one of these folders have the same working folder.
      if (cwd === undefined || !folders.some(wanted => isWithin(cwd, wanted)))
        break;

      const wire = path.join(folder, `agents`, `main`, `wire.jsonl`);
      const info = await lstat(wire).catch(() => null);
      if (info?.isFile() === true && info.size > 0)
        sessions.push({agent: AGENT, nativeId: entry.name, session: sessionOf(entry.name), path: wire, cwd, size: info.size, mtimeMs: info.mtimeMs});
    }
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** See `SourceAdapter.name`. Without one of a person, Kimi Code puts a prompt there (2.1.0), or `register` its title. */
export async function name(_machine: Machine, session: {path: string}): Promise<string | undefined> {
  const state = await stateIn(path.join(folderOf(session.path), `state.json`));
  const title = stringAt(state, `title`)?.trim();
  const ours = stringAt(objectAt(objectAt(state, `custom`), `sessionSync`), `title`);
  return state?.isCustomTitle === true && title !== undefined && title !== `` && title !== ours ? title : undefined;
}

/** See `SourceAdapter.files`. The logs of sub-agents, pictures that the logs name, outputs that the model saw a part of. */
export async function files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>> {
  const info = await lstat(session.path).catch(error => {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return null;
    throw error;
  });
  if (info?.isFile() !== true)
    return [];

  const agents = path.join(folderOf(session.path), `agents`);
  const others: Array<SessionFile> = [];
  for (const agent of await list(agents)) {
    if (!agent.isDirectory() || !SAFE.test(agent.name) || agent.name.length > 60)
      continue;
    const folder = path.join(agents, agent.name);
    if (agent.name !== `main` && (await lstat(path.join(folder, MAIN)).catch(() => null))?.isFile() === true)
      others.push({name: `agents/${agent.name}/${MAIN}`, path: path.join(folder, MAIN), content: `records`, stream: `sub-${agent.name}`});
    for (const blob of await list(path.join(folder, `blobs`)))
      if (blob.isFile() && SAFE.test(blob.name))
        others.push({name: `agents/${agent.name}/blobs/${blob.name}`, path: path.join(folder, `blobs`, blob.name), content: `opaque`});
    for (const task of await list(path.join(folder, `tasks`))) {
      const output = path.join(folder, `tasks`, task.name, `output.log`);
      if (task.isDirectory() && SAFE.test(task.name) && (await lstat(output).catch(() => null))?.isFile() === true)
        others.push({name: `agents/${agent.name}/tasks/${task.name}/output.log`, path: output, content: `opaque`});
    }
  }
  others.sort((a, b) => a.name < b.name ? -1 : 1);
  return [{name: MAIN, path: session.path, content: `records`, stream: `main`}, ...others];
}

/** See `SourceAdapter.roots`. */
export function roots(session: {path: string}, machine: Machine): {[token: string]: string} {
  return {session: folderOf(session.path), agent: storeOf(machine)};
}

async function cwdOf(file: string): Promise<string | undefined> {
  const cwd = stringAt(await stateIn(file), `cwd`);
  return cwd !== undefined && path.isAbsolute(cwd) && !cwd.includes(`\0`) ? cwd : undefined;
}

async function stateIn(file: string): Promise<JsonObject | undefined> {
  const handle = await openRegular(file).catch(() => null);
  if (handle === null)
    return undefined;
  try {
    const {size} = await handle.stat();
    if (size > LARGEST_STATE)
      return undefined;
    const value = JSON.parse((await readAt(handle, 0, size)).toString(`utf8`)) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
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
