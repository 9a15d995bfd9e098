import {readdir}           from 'node:fs/promises';
import path                from 'node:path';

import {readIfThere}       from '../../system/files.ts';
import {startOf}           from '../../system/processes.ts';
import {isObject}          from '../values.ts';
import type {Machine}      from '../types.ts';

import {homeOf}            from './settings.ts';

/**
 * Runs `write` unless a terminal of Qwen Code has the session open, which `sessions/<pid>.json` tells. There is no lock
 * that would keep it out, and runs without a terminal leave no trace (0.24.4): what they write is found afterwards, by
 * `judge`.
 */
export async function exclusively<T>(machine: Machine, id: string, write: () => Promise<T>): Promise<T | null> {
  return await isOpen(machine, id) ? null : await write();
}

async function isOpen(machine: Machine, id: string) {
  const folder = path.join(homeOf(machine), `sessions`);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^\d+(-[0-9a-f]+)?\.json$/.test(name))
      continue;
    const record = parse(await readIfThere(path.join(folder, name)).catch(() => null));
    if (isObject(record) && record.sessionId === id && typeof record.pid === `number` && await isAlive(record.pid, record.procStart))
      return true;
  }
  return false;
}

/** `procStart`: `<boot id>:<clock ticks>`, by which a number that was given to another process is known. */
async function isAlive(pid: number, procStart: unknown) {
  if (!Number.isSafeInteger(pid) || pid <= 0)
    return false;
  const start = await startOf(pid);
  if (start === null)
    return false;
  const ticks = typeof procStart === `string` ? /:(\d+)$/.exec(procStart)?.[1] : undefined;
  return ticks === undefined || start === `` || ticks === start;
}

function parse(text: string | null) {
  try {
    return JSON.parse(text ?? `null`);
  } catch {
    return null;
  }
}
