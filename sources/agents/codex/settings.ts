import {constants}            from 'node:fs';
import {access}               from 'node:fs/promises';
import path                   from 'node:path';

import {parse}                from 'smol-toml';

import type {Json}            from '../../interchange/index.ts';
import {isCode, readIfThere}  from '../../system/files.ts';
import {SettingsError}        from '../types.ts';
import type {Machine}         from '../types.ts';

import {storeOf}              from './locate.ts';

/** The provider that Codex takes when its configuration names none. */
const DEFAULT_PROVIDER = `openai`;

/** Codex's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/**
 * `{provider}`: a session opens only under the provider that is configured here, so guessing is not good enough. Throws
 * `SettingsError` when config.toml cannot be understood, `StoreNotWritableError` when nothing could be written.
 */
export async function prepare(machine: Machine): Promise<Json> {
  const store = storeOf(machine);
  await assertWritable(store);

  const file = path.join(store, `config.toml`);
  let text: string | null;
  try {
    text = await readIfThere(file);
  } catch (error) {
    throw new SettingsError(`Cannot read ${file}: ${(error as Error).message}`);
  }
  return {provider: text === null ? DEFAULT_PROVIDER : providerIn(text, file)};
}

export function providerIn(text: string, file = `config.toml`): string {
  let config: {[key: string]: unknown};
  try {
    config = parse(text.replace(/^\ufeff/, ``));
  } catch (error) {
    throw new SettingsError(`Cannot understand ${file}: ${(error as Error).message.split(`\n`)[0]}`);
  }

  // Older versions take the provider of the profile that is named here; 0.169.0 refuses to run with such a line.
  const {profile, profiles} = config;
  const active = typeof profile === `string` && isTable(profiles) ? profiles[profile] : undefined;
  const provider = (isTable(active) ? active.model_provider : undefined) ?? config.model_provider ?? DEFAULT_PROVIDER;
  if (typeof provider !== `string` || provider === ``)
    throw new SettingsError(`Cannot understand ${file}: model_provider is not a name`);
  return provider;
}

function isTable(value: unknown): value is {[key: string]: unknown} {
  return typeof value === `object` && value !== null && !Array.isArray(value);
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
