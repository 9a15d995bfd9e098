import path                       from 'node:path';

import {sessionIdFor}             from '../../interchange/index.ts';
import type {Json}                from '../../interchange/index.ts';
import {isObject, stringAt}       from '../values.ts';
import type {EventSession, HookEvent, Machine} from '../types.ts';

import {AGENT, isSessionId, isWithin, sessionsFolder, slugOf} from './places.ts';
import {chosenFolder}             from './settings.ts';

/** See `SourceAdapter.fromEvent`. `event` is what the extension of hooks.ts sends. */
export function fromEvent(machine: Machine, event: Json): EventSession | null {
  if (!isObject(event))
    return null;

  const {session: nativeId, file} = event;
  const cwd = stringAt(event, `cwd`);
  const name = stringAt(event, `event`);
  if (!isSessionId(nativeId) || typeof file !== `string` || name === undefined || !/^[a-z_]{1,40}$/.test(name))
    return null;
  if (!isSession(machine, file, cwd))
    return null;

  const known = cwd !== undefined && path.isAbsolute(cwd) && !cwd.includes(`\0`) ? {cwd} : {};
  const pid = typeof event.pid === `number` && Number.isSafeInteger(event.pid) && event.pid > 0 ? {pid: event.pid} : {};
  return {
    agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: file, ...known, size: 0, mtimeMs: 0,
    event: {name, ...known, ...pid, ...meaning(name)},
  };
}

/** A file in a store that we know, or in a folder that is named as Pi names those of this project. */
function isSession(machine: Machine, file: string, cwd: string | undefined) {
  if (!path.isAbsolute(file) || file.includes(`\0`) || path.normalize(file) !== file || !file.endsWith(`.jsonl`))
    return false;
  const folder = path.dirname(file);
  const configured = chosenFolder(machine);
  // The extension may have run with another PI_CODING_AGENT_DIR than the worker that reads its event.
  return path.dirname(folder) === sessionsFolder(machine)
    || cwd !== undefined && path.basename(folder) === slugOf(cwd)
    || configured !== undefined && (path.isAbsolute(configured) ? folder === path.normalize(configured) : cwd !== undefined && isWithin(folder, cwd));
}

function meaning(name: string): Partial<HookEvent> {
  switch (name) {
    case `agent_end`:
    case `agent_settled`:
    case `session_compact`:
    case `session_tree`:
      return {turnEnd: true};
    case `session_shutdown`:
      return {turnEnd: true, sessionEnd: true};
    default:
      return {};
  }
}
