import {readdir, readFile}              from 'node:fs/promises';
import path                             from 'node:path';

import {startOf}                        from '../../system/processes.ts';
import type {Machine}                   from '../types.ts';

import {configRoot}                     from './places.ts';

/**
 * Runs `write` unless Claude Code has the session open; `null` when it has. Each process notes itself in
 * `sessions/<pid>.json` and takes the note away when it ends (2.1.330, with and without a terminal). It looks at no lock
 * of anybody else, so nothing keeps it out while `write` runs: what it adds then comes after our bytes, or shows as its own.
 */
export async function exclusively<T>(machine: Machine, id: string, write: () => Promise<T>): Promise<T | null> {
  return await isOpen(machine, id) ? null : await write();
}

async function isOpen(machine: Machine, id: string): Promise<boolean> {
  const folder = path.join(configRoot(machine), `sessions`);
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = Number(/^([1-9]\d{0,9})\.json$/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid))
      continue;
    const note = parse(await readFile(path.join(folder, name), `utf8`).catch(() => ``));
    if (note?.sessionId === id && await isSame(pid, note.procStart))
      return true;
  }
  return false;
}

/** Is the process that made the note still there? After a crash its number may be another's; `procStart` is when it began, as /proc has it. */
async function isSame(pid: number, procStart: unknown): Promise<boolean> {
  const start = await startOf(pid);
  return start !== null && (start === `` || typeof procStart !== `string` || !/^\d+$/.test(procStart) || procStart === start);
}

function parse(text: string): {sessionId?: unknown; procStart?: unknown} | null {
  try {
    const value = JSON.parse(text);
    return typeof value === `object` ? value : null;
  } catch {
    return null;
  }
}
