import {lstat, readdir}                            from 'node:fs/promises';
import path                                        from 'node:path';

import {sessionIdFor}                              from '../../interchange/index.ts';
import {isCode, sizeOf}                            from '../../system/files.ts';
import {stringAt}                                  from '../values.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';

import {journalOf, readDocument, refresh}          from './journal.ts';
import {AGENT, documentsOf, isNativeId, sessionsOf, storeOf} from './places.ts';
import {ownership}                                 from './ours.ts';

/** See `SourceAdapter.locate`: `<id>.json`, about a kilobyte each, says whose folder a session is of. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const sessions: Array<LocatedSession> = [];
  for (const nativeId of await list(sessionsOf(machine))) {
    if (!isNativeId(nativeId))
      continue;
    const {session, messages} = documentsOf(sessionsOf(machine), nativeId);
    const cwd = stringAt(await readDocument(session).catch(() => null) ?? undefined, `cwd`);
    if (cwd === undefined || !path.isAbsolute(cwd) || cwd.includes(`\0`) || !folders.some(folder => isWithin(cwd, folder)))
      continue;
    const info = await lstat(messages).catch(() => null);
    if (info?.isFile() !== true || info.size === 0)
      continue;

    const located: LocatedSession = {agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: journalOf(machine, nativeId), cwd, size: info.size, mtimeMs: info.mtimeMs};
    const mirror = await ownership(machine, located);
    // Only what is a source has a journal.
    if (mirror !== `untouched`) {
      try {
        await refresh(machine, located);
      } catch {
        // Half written right now, or broken: what the journal has is what there is.
        if (await sizeOf(located.path) <= 0)
          continue;
      }
      located.size = Math.max(0, await sizeOf(located.path));
    }
    sessions.push(mirror === undefined ? located : {...located, mirror});
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
}

export async function files(session: {path: string}): Promise<Array<SessionFile>> {
  return await sizeOf(session.path) < 0 ? [] : [{name: `messages.jsonl`, path: session.path, content: `records`, stream: `main`}];
}

export function roots(_session: unknown, machine: Machine): {[token: string]: string} {
  return {agent: storeOf(machine)};
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}

async function list(folder: string): Promise<Array<string>> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`, `EACCES`, `EPERM`))
      return [];
    throw error;
  }
}
