import {constants}                              from 'node:fs';
import {access}                                 from 'node:fs/promises';
import path                                     from 'node:path';

import type {Json}                              from '../../interchange/index.ts';
import {isCode}                                 from '../../system/files.ts';
import {isObject, objectAt, stringAt}           from '../values.ts';
import type {Machine}                           from '../types.ts';

import {readDocument}                           from './journal.ts';
import {sessionsOf, storeOf}                    from './places.ts';

/** Cline's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/**
 * `{provider, model}` as configured: a session that names none is not listed. It resumes with what is configured then,
 * whatever it names (3.0.65).
 */
export async function prepare(machine: Machine): Promise<Json> {
  await assertWritable(sessionsOf(machine));
  const providers = await readDocument(path.join(storeOf(machine), `settings`, `providers.json`)).catch(() => null);
  const provider = stringAt(providers ?? undefined, `lastUsedProvider`) || `cline`;
  const settings = objectAt(objectAt(objectAt(providers ?? undefined, `providers`), provider), `settings`);
  return {provider, model: stringAt(settings, `model`) || `default`};
}

export function modelIn(settings: Json): {provider: string; model: string} {
  const known = isObject(settings) ? settings : undefined;
  return {provider: stringAt(known, `provider`) || `cline`, model: stringAt(known, `model`) || `default`};
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
