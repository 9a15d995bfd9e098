import {lstat, stat}                               from 'node:fs/promises';
import path                                        from 'node:path';

import {sessionIdFor}                              from '../../interchange/index.ts';
import {isCode}                                    from '../../system/files.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';

import {storeOf}                                   from './locate.ts';
import {headOf, joinedPath, refresh, rolloutsIn}   from './segments.ts';
import type {Rollout}                              from './segments.ts';

export const AGENT = `codex`;
const MAIN = `transcript.jsonl`;
/** Heads that are read at once. */
const AT_ONCE = 16;

/**
 * See `SourceAdapter.locate`. Archived sessions are the person's as well. Those of sub-agents are not sessions of their
 * own. Of a session in several files the joined one is named, and brought up to date.
 */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  const threads = new Map<string, Array<Rollout>>();
  for (const rollout of await rolloutsIn(machine))
    threads.set(rollout.thread, [...threads.get(rollout.thread) ?? [], rollout]);

  const sessions: Array<LocatedSession> = [];
  const all = [...threads.values()];
  for (let at = 0; at < all.length; at += AT_ONCE) {
    const found = await Promise.all(all.slice(at, at + AT_ONCE).map(rollouts => locateOne(machine, rollouts, folders)));
    sessions.push(...found.filter(session => session !== null));
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
}

async function locateOne(machine: Machine, rollouts: Array<Rollout>, folders: Array<string>): Promise<LocatedSession | null> {
  const newest = rollouts.at(-1)!;
  const head = await headOf(newest.path);
  if (head?.cwd === undefined || head.sub || !folders.some(folder => isWithin(head.cwd!, folder)))
    return null;

  const nativeId = newest.thread;
  const located = {agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: newest.path, cwd: head.cwd, size: head.size, mtimeMs: head.mtimeMs};
  const segments = new Set(rollouts.map(({segment}) => segment));
  if (segments.size === 1 && head.base === undefined)
    return located;

  const joined = {...located, path: joinedPath(machine, nativeId)};
  await refresh(machine, joined);
  return {...joined, size: await stat(joined.path).then(info => info.size, () => 0)};
}

/** See `SourceAdapter.files`. */
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
export function roots(session: {path: string; nativeId: string}, machine: Machine): {[token: string]: string} {
  return {transcript: session.path, agent: storeOf(machine)};
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}
