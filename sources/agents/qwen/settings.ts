import {readFileSync}     from 'node:fs';
import path               from 'node:path';

import {parse}            from 'jsonc-parser';

import type {Json}        from '../../interchange/index.ts';
import {isObject, objectAt, stringAt} from '../values.ts';
import type {Machine}     from '../types.ts';

/** What a person's settings say that matters here (0.24.4). */
export type Settings = {
  /** `advanced.runtimeOutputDir`: where sessions go instead. Relative ones lie in the project's folder. */
  runtimeDir?: string;
  /** `general.chatRecording` is off: no session is written. */
  unrecorded: boolean;
  /** `disableAllHooks`. */
  unhooked: boolean;
};

/** Folder of settings, and of sessions unless these are told to go elsewhere. */
export function homeOf(machine: Pick<Machine, `env` | `home`>) {
  const configured = machine.env.QWEN_HOME;
  return configured ? resolve(machine, configured, machine.home) : path.join(machine.home, `.qwen`);
}

export function userSettings(machine: Pick<Machine, `env` | `home`>) {
  return path.join(homeOf(machine), `settings.json`);
}

/** Synchronous, since names of files are asked for synchronously; the file is small. What cannot be read says nothing. */
export function readSettings(machine: Pick<Machine, `env` | `home`>): Settings {
  let value: Json;
  try {
    value = parse(readFileSync(userSettings(machine), `utf8`)) as Json;
  } catch {
    value = null;
  }
  const runtimeDir = stringAt(objectAt(value, `advanced`), `runtimeOutputDir`);
  return {
    ...runtimeDir ? {runtimeDir} : {},
    unrecorded: objectAt(value, `general`)?.chatRecording === false,
    unhooked: isObject(value) && value.disableAllHooks === true,
  };
}

/** Folder whose `projects` has the sessions of a project. */
export function runtimeOf(machine: Pick<Machine, `env` | `home`>, cwd: string) {
  const configured = machine.env.QWEN_RUNTIME_DIR || readSettings(machine).runtimeDir;
  return configured ? resolve(machine, configured, cwd) : homeOf(machine);
}

function resolve({home}: Pick<Machine, `home`>, folder: string, base: string) {
  return path.resolve(base, folder.replace(/^~(?=$|[\\/])/, () => home));
}
