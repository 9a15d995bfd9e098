import {closeSync, openSync, readSync}         from 'node:fs';
import path                                    from 'node:path';

import {sessionIdFor}                          from '../../interchange/index.ts';
import type {Json, JsonObject}                 from '../../interchange/index.ts';
import {isObject, stringAt}                    from '../values.ts';
import type {EventSession, HookEvent, Machine} from '../types.ts';

import {joinedPath, rolloutIn}                 from './segments.ts';
import {AGENT}                                 from './sessions.ts';

/** As much of a text as is waited for. */
const LONGEST_AWAITED = 300;
const HEAD = 64 << 10;

/** See `SourceAdapter.fromEvent`. `event` is the JSON that a hook of Codex gets on stdin (0.169.0). */
export function fromEvent(machine: Machine, event: Json): EventSession | null {
  if (!isObject(event))
    return null;

  const file = event.transcript_path;
  const name = stringAt(event, `hook_event_name`);
  if (typeof file !== `string` || name === undefined || !/^[A-Za-z]{1,40}$/.test(name) || !isPlace(file))
    return null;
  const rollout = rolloutIn(file);
  if (rollout === undefined || rollout.thread !== stringAt(event, `session_id`)?.toLowerCase())
    return null;

  const cwd = stringAt(event, `cwd`);
  const known = cwd !== undefined && path.isAbsolute(cwd) && !cwd.includes(`\0`) ? {cwd} : {};
  const joined = rollout.segment !== rollout.thread || goesOnFromAnother(file);
  return {
    agent: AGENT,
    nativeId: rollout.thread,
    session: sessionIdFor(AGENT, rollout.thread),
    path: joined ? joinedPath(machine, rollout.thread) : file,
    ...known,
    size: 0,
    mtimeMs: 0,
    event: {name, ...known, ...meaning(name, event)},
  };
}

/** `…/sessions/YYYY/MM/DD/<rollout>`: the hook may have run with another CODEX_HOME than the worker that reads its event. */
function isPlace(file: string) {
  return path.isAbsolute(file) && !file.includes(`\0`) && path.normalize(file) === file
    && /^sessions[/\\]\d{4}[/\\]\d\d[/\\]\d\d$/.test(path.dirname(file).split(/[/\\]/).slice(-4).join(`/`));
}

/** A fork names the file that it goes on from in its first line. */
function goesOnFromAnother(file: string) {
  let descriptor: number;
  try {
    descriptor = openSync(file, `r`);
  } catch {
    return false;
  }
  try {
    const buffer = Buffer.alloc(HEAD);
    const [line] = buffer.toString(`utf8`, 0, readSync(descriptor, buffer, 0, HEAD, 0)).split(`\n`);
    return /"history_base":\s*\{/.test(line!);
  } catch {
    return false;
  } finally {
    closeSync(descriptor);
  }
}

function meaning(name: string, event: JsonObject): Partial<HookEvent> {
  switch (name) {
    case `UserPromptSubmit`: {
      const prompt = stringAt(event, `prompt`);
      return prompt === undefined || prompt.trim() === `` ? {} : {awaits: written(prompt.slice(0, LONGEST_AWAITED))};
    }
    case `PostToolUse`: {
      // The output comes after the hook. What a script did has no item of its own.
      const call = stringAt(event, `tool_use_id`);
      return call === undefined || call.startsWith(`exec-`) ? {} : {awaits: `"call_id":"${written(call)}","output"`};
    }
    case `Stop`: {
      const message = stringAt(event, `last_assistant_message`)?.trim();
      return {turnEnd: true, ...message ? {awaits: written(message.slice(-LONGEST_AWAITED))} : {}};
    }
    case `Interrupt`:
      return {turnEnd: true};
    case `PostCompact`:
      return event.trigger === `manual` ? {turnEnd: true} : {};
    case `SessionEnd`:
      return {turnEnd: true, sessionEnd: true};
    default:
      return {};
  }
}

/** Text as it stands in a line of the rollout; halves of a surrogate pair that was cut are left out. */
function written(text: string) {
  return JSON.stringify(text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, ``)).slice(1, -1);
}
