import path                    from 'node:path';

import {openRegular, readAt}   from '../../system/files.ts';
import type {Machine}          from '../types.ts';
import {stringAt, isObject}    from '../values.ts';

import {storeOf}               from './locate.ts';

/** As much of the end of the index as is looked through: some 30,000 names. */
const LOOKED_AT = 4 << 20;

/** See `SourceAdapter.name`. Names of all threads stand in one file that grows; the last one counts (0.169.0). */
export async function name(machine: Machine, {nativeId}: {nativeId: string}): Promise<string | undefined> {
  const handle = await openRegular(path.join(storeOf(machine), `session_index.jsonl`)).catch(() => null);
  if (handle === null)
    return undefined;
  try {
    const {size} = await handle.stat();
    const bytes = await readAt(handle, Math.max(0, size - LOOKED_AT), Math.min(size, LOOKED_AT));
    return lastName(bytes, nativeId);
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

function lastName(bytes: Buffer, id: string): string | undefined {
  for (let at = bytes.lastIndexOf(id); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(id, at - 1)) {
    const end = bytes.indexOf(10, at);
    const line = parse(bytes.toString(`utf8`, bytes.lastIndexOf(10, at) + 1, end < 0 ? bytes.length : end));
    const given = isObject(line) && stringAt(line, `id`)?.toLowerCase() === id.toLowerCase() ? stringAt(line, `thread_name`)?.trim() : undefined;
    if (given !== undefined && given !== ``)
      return given;
  }
  return undefined;
}

function parse(text: string) {
  try {
    return JSON.parse(text) as Parameters<typeof isObject>[0];
  } catch {
    return undefined;
  }
}
