import path                                      from 'node:path';

import {sessionIdFor}                            from '../../interchange/index.ts';
import type {Json, JsonObject}                   from '../../interchange/index.ts';
import {isObject, stringAt}                      from '../values.ts';
import type {HookEvent, LocatedSession, Machine} from '../types.ts';

import {journalOf}                               from './journal.ts';
import {AGENT, isNativeId}                       from './places.ts';

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Copilot gets on stdin; it does not name its hook (1.0.102). */
export function fromEvent(machine: Machine, event: Json): (LocatedSession & {event: HookEvent}) | null {
  if (!isObject(event) || !isNativeId(event.sessionId))
    return null;
  const meaning = meaningOf(event);
  if (meaning === null)
    return null;

  const cwd = stringAt(event, `cwd`);
  const known = cwd !== undefined && path.isAbsolute(cwd) && !cwd.includes(`\0`) ? {cwd} : {};
  return {
    agent: AGENT,
    nativeId: event.sessionId,
    session: sessionIdFor(AGENT, event.sessionId),
    path: journalOf(machine, event.sessionId),
    ...known,
    size: 0,
    mtimeMs: 0,
    event: {...known, ...meaning},
  };
}

function meaningOf(event: JsonObject): HookEvent | null {
  if (stringAt(event, `stopReason`) !== undefined || stringAt(event, `transcriptPath`) !== undefined)
    return {name: `agentStop`, turnEnd: true};
  if (stringAt(event, `reason`) !== undefined)
    return {name: `sessionEnd`, turnEnd: true, sessionEnd: true};
  if (stringAt(event, `source`) !== undefined)
    return {name: `sessionStart`};
  if (stringAt(event, `prompt`) !== undefined)
    return {name: `userPromptSubmitted`};
  if (stringAt(event, `toolName`) !== undefined)
    return {name: `postToolUse`};
  return null;
}
