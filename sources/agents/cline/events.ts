import path                                      from 'node:path';

import {sessionIdFor}                            from '../../interchange/index.ts';
import type {Json}                               from '../../interchange/index.ts';
import {isObject, objectAt, stringAt}            from '../values.ts';
import type {HookEvent, LocatedSession, Machine} from '../types.ts';

import {journalOf}                               from './journal.ts';
import {AGENT, isNativeId}                       from './places.ts';

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Cline gets on stdin (3.0.65). */
export function fromEvent(machine: Machine, event: Json): (LocatedSession & {event: HookEvent}) | null {
  if (!isObject(event))
    return null;
  const nativeId = stringAt(objectAt(event, `sessionContext`), `rootSessionId`);
  const name = stringAt(event, `hookName`);
  if (!isNativeId(nativeId) || name === undefined || !/^[a-z_]{1,40}$/.test(name))
    return null;
  const [root] = Array.isArray(event.workspaceRoots) ? event.workspaceRoots : [];
  const known = typeof root === `string` && path.isAbsolute(root) && !root.includes(`\0`) ? {cwd: root} : {};
  return {
    agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: journalOf(machine, nativeId), ...known, size: 0, mtimeMs: 0,
    event: {name, ...known, ...name === `agent_end` && (event.parent_agent_id ?? null) === null ? {turnEnd: true} : {}},
  };
}
