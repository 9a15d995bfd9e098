import {constants}        from 'node:fs';
import {access, lstat}    from 'node:fs/promises';
import path               from 'node:path';

import {deriveId}         from '../../interchange/index.ts';
import type {Json}        from '../../interchange/index.ts';
import {isCode}           from '../../system/files.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {readSettings, runtimeOf} from './settings.ts';

/** Qwen Code's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/** A dashed UUID: without dashes 0.24.4 takes what is given to `--resume` for a title. */
export function mirrorId(session: string, generation: number) {
  return deriveId(`mirror`, session, `qwen`, generation);
}

/** The writer needs nothing of this machine; what matters is that the store can be written. */
export async function prepare(machine: Machine): Promise<Json> {
  for (let folder = runtimeOf(machine, machine.home); ; folder = path.dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return {};
    } catch (error) {
      if (isCode(error, `ENOENT`) && path.dirname(folder) !== folder)
        continue;
      throw new StoreNotWritableError(`Cannot write to ${folder}: ${(error as NodeJS.ErrnoException).code ?? `unknown error`}`);
    }
  }
}

/** Its list reads the files themselves: there is nothing to make known. */
export async function register(machine: Machine, {path: file}: Pick<Registered, `path`>): Promise<Registration> {
  if (!await lstat(file).then(info => info.isFile(), () => false))
    return {listed: false, note: `the file of the session is gone`};
  const note = readSettings(machine).unrecorded ? `general.chatRecording is off: Qwen Code will not go on with any session` : undefined;
  return {listed: true, ...note === undefined ? {} : {note}};
}
