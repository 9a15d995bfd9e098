import {readdir, readFile}              from 'node:fs/promises';
import path                             from 'node:path';

import {startOf}                        from '../../system/processes.ts';
import type {Machine}                   from '../types.ts';

import {configRoot}                     from './places.ts';

/** How much later than its process a session says to have begun; a process that began after it took over its number. */
const TOLERANCE_MS = 5_000;

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
    const pid = Number(/^(\d{1,10})\.json$/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid))
      continue;
    const note = parse(await readFile(path.join(folder, name), `utf8`).catch(() => ``));
    if (note?.sessionId === id && await startOf(pid) !== null && !await isYounger(pid, note.startedAt))
      return true;
  }
  return false;
}

/** Did the process begin after the note was made? Then it is another one, and the note is left over from a crash. */
async function isYounger(pid: number, startedAt: unknown): Promise<boolean> {
  const ticks = Number(await startOf(pid) || NaN);
  const boot = Number(/^btime (\d+)$/m.exec(await readFile(`/proc/stat`, `utf8`).catch(() => ``))?.[1] ?? NaN);
  // Linux counts 100 ticks a second for programs, whatever the kernel does inside.
  const began = (boot + ticks / 100) * 1_000;
  return typeof startedAt === `number` && Number.isFinite(began) && began > startedAt + TOLERANCE_MS;
}

function parse(text: string): {sessionId?: unknown; startedAt?: unknown} | null {
  try {
    const value = JSON.parse(text);
    return typeof value === `object` ? value : null;
  } catch {
    return null;
  }
}
