import {readdir, stat}                 from 'node:fs/promises';
import path                            from 'node:path';

import type {Json}                     from '../interchange/index.ts';
import {isCode, openRegular, readAt, removeIfThere} from '../system/files.ts';

/** An event larger than this is no event of an agent. Tool results in payloads are cut at 30,000 characters by Claude Code. */
const LARGEST = 32 << 20;
/** A file that is no JSON and older than this was left by a hook that was killed. */
const ABANDONED_MS = 60_000;

export type SpooledEvent = {file: string; agent: string; payload: Json; mtimeMs: number};

/**
 * Events that wait, oldest first. One that is still being written is left for the next look; one that never will be
 * whole is removed. Events are hints (the transcript has the content), so that a lost one costs time only.
 */
export async function readSpool(folder: string, nowMs: number): Promise<Array<SpooledEvent>> {
  let names: Array<string>;
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isCode(error, `ENOENT`))
      return [];
    throw error;
  }

  const events: Array<SpooledEvent> = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const info = await stat(file).catch(() => null);
    const agent = /^([a-z0-9-]{1,40})\.\d+x*$/.exec(name)?.[1];
    if (info === null || agent === undefined)
      continue;
    const payload = info.size <= LARGEST ? await readPayload(file, info.size) : undefined;
    if (payload !== undefined)
      events.push({file, agent, payload, mtimeMs: info.mtimeMs});
    else if (nowMs - info.mtimeMs > ABANDONED_MS)
      await removeIfThere(file);
  }
  return events.sort((a, b) => a.mtimeMs - b.mtimeMs || (a.file < b.file ? -1 : 1));
}

async function readPayload(file: string, size: number): Promise<Json | undefined> {
  const handle = await openRegular(file);
  if (handle === null)
    return undefined;
  try {
    return JSON.parse((await readAt(handle, 0, size)).toString(`utf8`)) as Json;
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
