import {stat}               from 'node:fs/promises';

import {NoFlockError, tryLock} from '../../system/flock.ts';
import {isCode}             from '../../system/files.ts';
import type {Machine}       from '../types.ts';

import {lockPath, storeOf}  from './locate.ts';

/**
 * Runs `write` while Codex is kept out of the session (it refuses with "already has an active writer"); `null` when Codex
 * has it open. That may be its background server, which keeps a session for a while after the terminal has gone.
 */
export async function exclusively<T>(machine: Machine, id: string, write: () => Promise<T>): Promise<T | null> {
  const file = lockPath(storeOf(machine), id);

  // Codex takes an flock where there is one. Without, only the file's existence tells: it removes it on a clean exit.
  let lock: Awaited<ReturnType<typeof tryLock>>;
  const existed = await exists(file);
  try {
    lock = await tryLock(file, {env: machine.env});
  } catch (error) {
    if (!(error instanceof NoFlockError))
      throw error;
    return existed ? null : await write();
  }
  if (lock === null)
    return null;

  try {
    return await write();
  } finally {
    await lock.release();
  }
}

async function exists(file: string) {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return false;
    throw error;
  }
}
