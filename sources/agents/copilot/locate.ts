import {readdir, stat}                           from 'node:fs/promises';
import type {Dirent}                             from 'node:fs';
import path                                      from 'node:path';

import {sessionIdFor}                            from '../../interchange/index.ts';
import {isCode, openRegular, readAt, readIfThere, sizeOf} from '../../system/files.ts';
import {isObject, objectAt, stringAt}            from '../values.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';

import {journalOf, refresh, subJournals}         from './journal.ts';
import {isBookkeeping}                           from './judge.ts';
import {AGENT, eventsOf, folderOf, isNativeId, sessionsOf, storeOf} from './places.ts';
import {readWorkspace}                           from './workspace.ts';

/** How much of a file is read to know where its session runs, and who wrote its end. */
const HEAD = 64 << 10;
const TAIL = 256 << 10;

/** See `SourceAdapter.locate`. A session's file is our journal of it; one that only we have written has none. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const sessions: Array<LocatedSession> = [];
  for (const entry of await list(sessionsOf(machine))) {
    const nativeId = entry.name;
    if (!entry.isDirectory() || !isNativeId(nativeId))
      continue;
    const events = eventsOf(machine, nativeId);
    const info = await stat(events).catch(() => null);
    if (info === null || !info.isFile() || info.size === 0)
      continue;
    const {cwds, ours} = await whereIs(machine, nativeId);
    const cwd = cwds.find(one => folders.some(folder => isWithin(one, folder)));
    if (cwd === undefined)
      continue;

    const journal = journalOf(machine, nativeId);
    const mirror = ours ? await stateOf(events) : undefined;
    if (mirror !== `untouched`)
      await refresh(machine, {path: journal, nativeId});
    const size = await sizeOf(journal);
    if (size <= 0 && mirror !== `untouched`)
      continue;
    sessions.push({
      agent: AGENT,
      nativeId,
      session: sessionIdFor(AGENT, nativeId),
      path: journal,
      cwd,
      size: Math.max(0, size),
      mtimeMs: info.mtimeMs,
      ...mirror === undefined ? {} : {mirror},
    });
  }
  return sessions;
}

/** See `SourceAdapter.ownership`. */
export async function ownership(machine: Machine, {nativeId}: Pick<LocatedSession, `nativeId`>): Promise<LocatedSession[`mirror`]> {
  const {ours} = await whereIs(machine, nativeId);
  return ours ? await stateOf(eventsOf(machine, nativeId)) : undefined;
}

/** See `SourceAdapter.name`. Without one of a person, Copilot puts the first prompt there, or what `register` did. */
export async function name(machine: Machine, {nativeId}: {nativeId: string}): Promise<string | undefined> {
  const yaml = await readIfThere(path.join(folderOf(machine, nativeId), `workspace.yaml`)).catch(() => null);
  const {name: given, userNamed} = readWorkspace(yaml ?? ``);
  return userNamed ? given : undefined;
}

/** See `SourceAdapter.files`. */
export async function files(session: {path: string}): Promise<Array<SessionFile>> {
  if (await sizeOf(session.path) < 0)
    return [];
  const subs = await subJournals(session.path);
  return [
    {name: `events.jsonl`, path: session.path, content: `records`, stream: `main`},
    ...subs.map(({agent, path: file}): SessionFile => ({name: `subagents/${agent}.jsonl`, path: file, content: `records`, stream: `sub-${agent}`})),
  ];
}

/** See `SourceAdapter.roots`. */
export function roots(session: {nativeId: string}, machine: Machine): {[token: string]: string} {
  return {session: folderOf(machine, session.nativeId), agent: storeOf(machine)};
}

/** The folder that a session began in, and the one that Copilot goes on in; and whether we began it. */
async function whereIs(machine: Machine, nativeId: string): Promise<{cwds: Array<string>; ours: boolean}> {
  const yaml = await readIfThere(path.join(folderOf(machine, nativeId), `workspace.yaml`)).catch(() => null);
  const now = yaml === null ? undefined : readWorkspace(yaml).cwd;
  const [line = ``] = (await piece(eventsOf(machine, nativeId), 0, HEAD)).split(`\n`, 1);
  const data = objectAt(parse(line), `data`);
  const begun = stringAt(objectAt(data, `context`), `cwd`);
  return {cwds: [now, begun].filter(cwd => cwd !== undefined), ours: stringAt(data, `producer`) === `session-sync`};
}

/** Who wrote the last line that counts: the ids of ours are UUIDs of version 5, Copilot's own of version 4 (1.0.102). */
async function stateOf(events: string): Promise<`untouched` | `continued`> {
  const size = await sizeOf(events);
  const lines = (await piece(events, Math.max(0, size - TAIL), TAIL)).split(`\n`);
  for (const line of lines.reverse()) {
    if (line.trim() === `` || isBookkeeping(line))
      continue;
    const id = /"id":"([0-9a-f-]{36})","timestamp":"[^"]*","parentId":(?:"[^"]*"|null)\}\s*$/.exec(line)?.[1];
    return id !== undefined && id[14] === `5` ? `untouched` : `continued`;
  }
  return `untouched`;
}

async function piece(file: string, from: number, length: number): Promise<string> {
  const handle = await openRegular(file);
  if (handle === null)
    return ``;
  try {
    return (await readAt(handle, from, length)).toString(`utf8`);
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

function parse(text: string) {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value as never) ? value as never : undefined;
  } catch {
    return undefined;
  }
}
