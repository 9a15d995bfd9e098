import path                                      from 'node:path';

import type {Json}                               from '../../interchange/index.ts';
import {isObject, stringAt}                      from '../values.ts';
import type {HookEvent, LocatedSession, Machine} from '../types.ts';

import {sessionOf}                               from './locate.ts';
import {AGENT, isNativeId, storeOf, wirePath}    from './places.ts';

const MEANING: {[event: string]: Partial<HookEvent>} = {
  Stop: {turnEnd: true},
  StopFailure: {turnEnd: true},
  Interrupt: {turnEnd: true},
  PostCompact: {turnEnd: true},
  SessionEnd: {turnEnd: true, sessionEnd: true},
};

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Kimi Code gets on stdin (2.1.0). */
export function fromEvent(machine: Machine, event: Json): (LocatedSession & {event: HookEvent}) | null {
  if (!isObject(event))
    return null;
  const nativeId = event.session_id;
  const cwd = stringAt(event, `cwd`);
  const name = stringAt(event, `hook_event_name`);
  if (!isNativeId(nativeId) || name === undefined || !/^[A-Za-z]{1,40}$/.test(name))
    return null;
  // The store's folder for a session is named after its working folder: without one there is no path.
  if (cwd === undefined || !path.isAbsolute(cwd) || cwd.includes(`\0`))
    return null;

  return {
    agent: AGENT, nativeId, session: sessionOf(nativeId), path: wirePath(storeOf(machine), cwd, nativeId), cwd, size: 0, mtimeMs: 0,
    event: {name, cwd, ...Object.hasOwn(MEANING, name) ? MEANING[name] : {}},
  };
}
