import {constants, readFileSync} from 'node:fs';
import {access}                  from 'node:fs/promises';
import path                      from 'node:path';

import {parse}                   from 'jsonc-parser';

import type {Json}               from '../../interchange/index.ts';
import {isCode}                  from '../../system/files.ts';
import type {Machine}            from '../types.ts';

import {agentFolder, configuredFolder} from './places.ts';

/** Pi's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/** `{sessions?}`: the one folder for all sessions, where the person has set one; Pi looks nowhere else then. */
export async function prepare(machine: Machine): Promise<Json> {
  const sessions = chosenFolder(machine);
  await assertWritable(sessions !== undefined && path.isAbsolute(sessions) ? sessions : agentFolder(machine));
  return sessions === undefined ? {} : {sessions};
}

/** The one folder that a person has chosen for all sessions, if any; it may be relative to the project. */
export function chosenFolder(machine: Machine): string | undefined {
  return configuredFolder(machine, sessionFolderSetting(machine));
}

/** What `prepare` found. */
export function sessionsIn(settings: Json): string | undefined {
  if (settings === null || typeof settings !== `object` || Array.isArray(settings))
    return undefined;
  return typeof settings.sessions === `string` ? settings.sessions : undefined;
}

/** `sessionDir` of the person's settings.json. Pi does without settings that it cannot read (1.5.2), and so do we. */
function sessionFolderSetting(machine: Machine): string | undefined {
  const value: unknown = parse(readSettings(machine));
  const folder = typeof value === `object` && value !== null && `sessionDir` in value ? value.sessionDir : undefined;
  return typeof folder === `string` && folder !== `` && !folder.includes(`\0`) ? folder : undefined;
}

function readSettings(machine: Machine): string {
  try {
    return readFileSync(path.join(agentFolder(machine), `settings.json`), `utf8`);
  } catch {
    return ``;
  }
}

async function assertWritable(store: string) {
  for (let folder = store; ; folder = path.dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (isCode(error, `ENOENT`) && path.dirname(folder) !== folder)
        continue;
      throw new StoreNotWritableError(`Cannot write to ${folder}: ${(error as NodeJS.ErrnoException).code ?? `unknown error`}`);
    }
  }
}
