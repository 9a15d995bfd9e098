import {readdir, stat}          from 'node:fs/promises';
import path                     from 'node:path';

import {isCode}                 from '../../system/files.ts';
import {NoFlockError, tryLock}  from '../../system/flock.ts';
import type {Lock}              from '../../system/flock.ts';
import {startOf}                from '../../system/processes.ts';
import type {Machine}           from '../types.ts';

import {folderOf, sessionsOf}   from './places.ts';

/**
 * Runs `write` while Copilot is kept out of the session; `null` when Copilot has it open. It takes an flock on
 * `.session-operation-locks/<id>.lock` to open a session and waits where somebody else holds it; as long as it has it
 * open, `inuse.<pid>.lock` and a locked `inuse.<pid>.hold` lie in the session's folder (1.0.102).
 */
export async function exclusively<T>(machine: Machine, id: string, write: () => Promise<T>): Promise<T | null> {
  const folder = folderOf(machine, id);
  let lock: Lock | null | undefined;
  try {
    lock = await tryLock(path.join(sessionsOf(machine), `.session-operation-locks`, `${id}.lock`), {env: machine.env});
  } catch (error) {
    if (!(error instanceof NoFlockError))
      throw error;
  }
  if (lock === null)
    return null;

  try {
    return await isOpen(machine, folder) ? null : await write();
  } finally {
    await lock?.release();
  }
}

/** What a killed Copilot left behind does not count. */
async function isOpen(machine: Machine, folder: string): Promise<boolean> {
  for (const name of await list(folder)) {
    const pid = /^inuse\.(\d{1,10})\.(lock|hold)$/.exec(name)?.[1];
    if (pid === undefined || await startOf(Number(pid)) === null)
      continue;
    // The number may be somebody else's by now; the lock on the file beside it tells.
    if (!await isLeft(machine, path.join(folder, `inuse.${pid}.hold`)))
      return true;
  }
  return false;
}

async function isLeft(machine: Machine, hold: string): Promise<boolean> {
  try {
    await stat(hold);
    const lock = await tryLock(hold, {env: machine.env});
    await lock?.release();
    return lock !== null;
  } catch (error) {
    if (error instanceof NoFlockError || isCode(error, `ENOENT`, `ENOTDIR`))
      return false;
    throw error;
  }
}

async function list(folder: string) {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return [];
    throw error;
  }
}
