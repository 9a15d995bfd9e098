import path                      from 'node:path';

import {sessionIdFor}            from '../../../interchange/index.ts';
import type {Json}               from '../../../interchange/index.ts';
import {journalPath}             from '../../../system/journal.ts';
import {isObject, numberAt, stringAt} from '../../values.ts';
import type {EventSession, HookEvent, Machine} from '../../types.ts';

import {isSessionId}             from './places.ts';
import type {Variant}            from './variant.ts';

/** What our plugin says: `{event, session, directory, pid}` (see plugin.ts). */
export function fromEvent(machine: Machine, variant: Variant, event: Json): EventSession | null {
  if (!isObject(event))
    return null;
  const nativeId = event.session;
  const name = stringAt(event, `event`);
  if (!isSessionId(nativeId) || name === undefined || !/^[a-z.]{1,40}$/.test(name))
    return null;

  const directory = stringAt(event, `directory`);
  const known = directory !== undefined && path.isAbsolute(directory) && !directory.includes(`\0`) ? {cwd: directory} : {};
  const pid = numberAt(event, `pid`);
  return {
    agent: variant.id,
    nativeId,
    session: sessionIdFor(variant.id, nativeId),
    path: journalPath(machine, variant.id, `in`, nativeId),
    ...known,
    size: 0,
    mtimeMs: 0,
    event: {name, ...known, ...pid !== undefined && Number.isSafeInteger(pid) && pid > 0 ? {pid} : {}, ...meaning(name)},
  };
}

function meaning(name: string): Partial<HookEvent> {
  return name === `session.idle` || name === `session.error` || name === `session.compacted` ? {turnEnd: true} : {};
}
