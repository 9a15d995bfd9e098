import path                                      from 'node:path';

import {sessionIdFor}                            from '../../interchange/index.ts';
import type {Json, JsonObject}                   from '../../interchange/index.ts';
import {isObject, stringAt}                      from '../values.ts';
import type {HookEvent, LocatedSession, Machine} from '../types.ts';

import {AGENT}                                   from './locate.ts';
import {storeOf}                                 from './places.ts';
import {isSafeName}                              from './values.ts';

/** As much of a text as is waited for. */
const LONGEST_AWAITED = 300;

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Gemini CLI gets on stdin. */
export function fromEvent(machine: Machine, event: Json): (LocatedSession & {event: HookEvent}) | null {
  if (!isObject(event))
    return null;

  const nativeId = stringAt(event, `session_id`);
  const file = stringAt(event, `transcript_path`);
  const cwd = stringAt(event, `cwd`);
  const name = stringAt(event, `hook_event_name`);
  if (nativeId === undefined || !isSafeName(nativeId) || file === undefined || name === undefined || !/^[A-Za-z]{1,40}$/.test(name))
    return null;
  if (!isTranscript(machine, file, nativeId))
    return null;

  const known = cwd !== undefined && path.isAbsolute(cwd) && !cwd.includes(`\0`) ? {cwd} : {};
  return {
    agent: AGENT,
    nativeId,
    session: sessionIdFor(AGENT, nativeId),
    path: file,
    ...known,
    size: 0,
    mtimeMs: 0,
    event: {name, ...known, ...meaning(name, event)},
  };
}

/** A session's file in `tmp/<project>/chats/` of a store; the hook may have run with another GEMINI_CLI_HOME than the worker. */
function isTranscript(machine: Machine, file: string, nativeId: string) {
  if (!path.isAbsolute(file) || file.includes(`\0`) || path.normalize(file) !== file)
    return false;
  const name = path.basename(file);
  if (!/^session-[A-Za-z0-9_-]{1,150}\.jsonl$/.test(name) || !name.includes(nativeId.slice(0, 8).replace(/[^a-zA-Z0-9_-]/g, `_`)))
    return false;

  const chats = path.dirname(file);
  const project = path.dirname(chats);
  const tmp = path.dirname(project);
  const store = path.dirname(tmp);
  return path.basename(chats) === `chats` && isSafeName(path.basename(project)) && path.basename(tmp) === `tmp`
    && (store === storeOf(machine) || path.basename(store) === `.gemini`);
}

function meaning(name: string, event: JsonObject): Partial<HookEvent> {
  switch (name) {
    case `BeforeAgent`: {
      // Commands are written in another form than they were typed in, and files that are named are added.
      const prompt = stringAt(event, `prompt`);
      return prompt === undefined || /^\s*([/!?]|$)|@/.test(prompt) ? {} : {awaits: JSON.stringify(prompt.slice(0, LONGEST_AWAITED)).slice(1, -1)};
    }
    case `AfterAgent`:
      return {turnEnd: true};
    case `SessionEnd`:
      return {turnEnd: true, sessionEnd: true};
    default:
      return {};
  }
}
