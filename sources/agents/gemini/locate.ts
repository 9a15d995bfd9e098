import {createHash}                                 from 'node:crypto';
import {lstat, readdir}                             from 'node:fs/promises';
import path                                         from 'node:path';

import {sessionIdFor}                               from '../../interchange/index.ts';
import type {Json}                                  from '../../interchange/index.ts';
import {isTooDeep}                                  from '../../interchange/depth.ts';
import {openRegular, readAt}                        from '../../system/files.ts';
import {isObject, stringAt}                         from '../values.ts';
import type {LocatedSession, Machine, SessionFile}  from '../types.ts';

import {messageOf}                                  from './messages.ts';
import {chatsOf, projectOf, slugsIn, storeOf}       from './places.ts';
import {isSafeName}                                 from './values.ts';

export const AGENT = `gemini`;

/** How much of a file is read to know what it is. */
const HEAD = 64 << 10;
const MAIN = `transcript.jsonl`;
const SESSION = /^session-[A-Za-z0-9_-]{1,150}\.jsonl$/;

/** What the beginning of a file tells. `said`: somebody said something in it; each resume leaves a file where nobody did. */
type Head = {id: string; hash: string; kind?: string; said: boolean; size: number; mtimeMs: number};

/** See `SourceAdapter.locate`. Whose project a folder is say its marker or the registry; else the hash in the session. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const store = storeOf(machine);
  const hashes = new Map(folders.map(folder => [createHash(`sha256`).update(folder).digest(`hex`), folder]));
  const sessions: Array<LocatedSession> = [];

  for (const slug of await slugsIn(store)) {
    const project = await projectOf(store, slug);
    if (project !== undefined && !folders.some(folder => isWithin(project, folder)))
      continue;

    for (const [id, {file, head}] of await sessionsIn(chatsOf(store, slug))) {
      const cwd = project ?? hashes.get(head.hash);
      if (cwd !== undefined)
        sessions.push({agent: AGENT, nativeId: id, session: sessionIdFor(AGENT, id), path: file, cwd, size: head.size, mtimeMs: head.mtimeMs});
    }
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The file of each session of a project. Of several with the same id the one in which something was said, else the larger. */
async function sessionsIn(chats: string, only?: string): Promise<Map<string, {file: string; head: Head}>> {
  const found = new Map<string, {file: string; head: Head}>();
  for (const name of await names(chats)) {
    if (!SESSION.test(name) || (only !== undefined && !name.includes(only.slice(0, 8))))
      continue;
    const file = path.join(chats, name);
    const head = await readHead(file);
    if (head === null || head.kind === `subagent` || !isSafeName(head.id))
      continue;
    const other = found.get(head.id);
    if (other === undefined || isBetter(head, other.head))
      found.set(head.id, {file, head});
  }
  return found;
}

function isBetter(a: Head, b: Head) {
  return a.said === b.said ? a.size > b.size : a.said;
}

/**
 * See `SourceAdapter.files`. At the start of a resumed session Gemini's hook names the empty file that the resume leaves
 * (0.61.0): what is read is the one that has the session.
 */
export async function files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>> {
  const chats = path.dirname(session.path);
  const main = (await sessionsIn(chats, session.nativeId)).get(session.nativeId)?.file ?? (await isFile(session.path) ? session.path : undefined);
  if (main === undefined)
    return [];

  const others: Array<SessionFile> = [];
  const agents = path.join(chats, session.nativeId);
  for (const name of await names(agents)) {
    const agent = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.jsonl$/.exec(name)?.[1];
    if (agent !== undefined && await isFile(path.join(agents, name)))
      others.push({name: `subagents/${name}`, path: path.join(agents, name), content: `records`, stream: `sub-${agent}`});
  }
  const outputs = outputsOf(session);
  for (const name of await names(outputs))
    if (isSafeName(name) && await isFile(path.join(outputs, name)))
      others.push({name: `tool-outputs/${name}`, path: path.join(outputs, name), content: `opaque`});

  others.sort((a, b) => a.name < b.name ? -1 : 1);
  return [{name: MAIN, path: main, content: `records`, stream: `main`}, ...others];
}

/** See `SourceAdapter.roots`. */
export function roots(session: {path: string; nativeId: string}): {[token: string]: string} {
  const folder = path.dirname(path.dirname(session.path));
  return {
    session: outputsOf(session),
    // Named in what the model is told of the project's temporary folder.
    project: folder,
    agent: path.dirname(path.dirname(folder)),
  };
}

function outputsOf({path: file, nativeId}: {path: string; nativeId: string}) {
  return path.join(path.dirname(path.dirname(file)), `tool-outputs`, `session-${nativeId.replace(/[^a-zA-Z0-9_-]/g, `_`)}`);
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}

async function isFile(file: string) {
  return await lstat(file).then(info => info.isFile(), () => false);
}

async function names(folder: string): Promise<Array<string>> {
  return (await readdir(folder).catch(() => [] as Array<string>)).sort();
}

async function readHead(file: string): Promise<Head | null> {
  const handle = await openRegular(file).catch(() => null);
  if (handle === null)
    return null;
  try {
    const {size, mtimeMs} = await handle.stat();
    const lines = (await readAt(handle, 0, Math.min(HEAD, size))).toString(`utf8`).split(`\n`);
    // What is cut off is long, and so no empty beginning.
    const rest = lines.pop();
    const values = lines.map(parse).filter(isObject);
    const metadata = values.find(value => typeof value.sessionId === `string` && typeof value.projectHash === `string`);
    if (metadata === undefined)
      return null;
    const kind = stringAt(metadata, `kind`);
    return {
      id: metadata.sessionId as string, hash: metadata.projectHash as string, ...kind !== undefined ? {kind} : {},
      said: (size > HEAD && rest !== ``) || values.some(value => saysIn(value)), size, mtimeMs,
    };
  } finally {
    await handle.close();
  }
}

function saysIn(value: Json): boolean {
  if (!isObject(value))
    return false;
  if (typeof value.id === `string`)
    return messageOf(value).digest !== ``;
  const list = isObject(value.$set) ? value.$set.messages : undefined;
  return Array.isArray(list) && list.some(message => isObject(message) && messageOf(message).digest !== ``);
}

function parse(text: string): Json | undefined {
  try {
    return isTooDeep(text) ? undefined : JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
