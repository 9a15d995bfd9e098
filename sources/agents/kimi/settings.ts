import {constants}      from 'node:fs';
import {access}         from 'node:fs/promises';
import path             from 'node:path';

import type {Json}      from '../../interchange/index.ts';
import {isCode}         from '../../system/files.ts';
import type {Machine}   from '../types.ts';

import {storeOf}        from './places.ts';

/** Kimi Code's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/** Nothing of the configuration has to be known: a session without a model takes the default one. */
export async function prepare(machine: Machine): Promise<Json> {
  for (let folder = storeOf(machine); ; folder = path.dirname(folder)) {
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
