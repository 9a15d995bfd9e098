import path                                      from 'node:path';

import {sessionIdFor}                            from '../../interchange/index.ts';
import type {Json, JsonObject}                   from '../../interchange/index.ts';
import {isObject, stringAt}                      from '../values.ts';
import type {HookEvent, LocatedSession, Machine} from '../types.ts';

import {AGENT}                                   from './locate.ts';
import {isSafeName, isUuid, slugOf}              from './places.ts';
import {homeOf, runtimeOf}                       from './settings.ts';

/** As much of a text as is waited for. */
const LONGEST_AWAITED = 300;

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Qwen Code gets on stdin (0.24.4). */
export function fromEvent(machine: Machine, event: Json): (LocatedSession & {event: HookEvent}) | null {
  if (!isObject(event))
    return null;

  const nativeId = event.session_id;
  const file = event.transcript_path;
  const cwd = stringAt(event, `cwd`);
  const name = stringAt(event, `hook_event_name`);
  if (!isUuid(nativeId) || typeof file !== `string` || name === undefined || !/^[A-Za-z]{1,40}$/.test(name))
    return null;
  if (!isTranscript(machine, file, nativeId, cwd))
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

/** A session's own file in `projects/<folder>/chats/` of a store that we know, or of one that names the folder as Qwen Code does. */
function isTranscript(machine: Machine, file: string, nativeId: string, cwd: string | undefined) {
  if (!path.isAbsolute(file) || file.includes(`\0`) || path.normalize(file) !== file || path.basename(file) !== `${nativeId}.jsonl`)
    return false;

  const chats = path.dirname(file);
  const project = path.dirname(chats);
  const projects = path.dirname(project);
  if (path.basename(chats) !== `chats` || path.basename(projects) !== `projects` || !isSafeName(path.basename(project)))
    return false;

  // The hook may have run with another QWEN_HOME than the worker that reads its event.
  const root = path.dirname(projects);
  return [runtimeOf(machine, cwd ?? machine.home), homeOf(machine), path.join(machine.home, `.qwen`)].includes(root)
    || cwd !== undefined && slugOf(cwd, machine.platform) === path.basename(project);
}

function meaning(name: string, event: JsonObject): Partial<HookEvent> {
  switch (name) {
    // Nothing to wait for at a prompt: without a terminal it is announced again after each round of results.
    case `PostToolUse`:
    case `PostToolUseFailure`: {
      // The id alone stands in the call's line already.
      const call = stringAt(event, `tool_call_id`);
      return call === undefined || event.agent_id !== undefined ? {} : {awaits: `"callId":"${written(call)}"`};
    }
    case `Stop`: {
      const message = stringAt(event, `last_assistant_message`)?.trim();
      return {turnEnd: true, ...message ? {awaits: written(message.slice(-LONGEST_AWAITED))} : {}};
    }
    case `SessionEnd`:
      return {turnEnd: true, sessionEnd: true};
    default:
      return {};
  }
}

/** Text as it stands in a line of the transcript. */
function written(text: string) {
  return JSON.stringify(text).slice(1, -1);
}
