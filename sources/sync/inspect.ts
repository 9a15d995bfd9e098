import type {FileHandle}                                   from 'node:fs/promises';

import type {MirrorState as Judgement, TargetAdapter}      from '../agents/types.ts';
import {openRegular, readAt, tailHash}                     from '../system/files.ts';

import type {MirrorState}                                  from './state.ts';

/** Bytes after our own that are looked at to learn what the agent did. */
const JUDGED = 1 << 20;

/** What the bytes mean that stand in a mirror's file after our own, up to `end`. */
export async function judgeTail(target: Pick<TargetAdapter, `judge`>, handle: FileHandle, from: number, end: number): Promise<`same` | `opened` | `continued`> {
  if (end <= from)
    return `same`;
  return target.judge((await readAt(handle, from, Math.min(end - from, JUDGED))).toString(`utf8`));
}

/** Compares a mirror's file with what was last written to it. Reads at most a megabyte. */
export async function inspectMirror(target: Pick<TargetAdapter, `judge`>, state: Pick<MirrorState, `path` | `size` | `tail`>): Promise<Judgement> {
  if (state.path === `` || state.size === 0)
    return `same`;
  const handle = await openRegular(state.path);
  if (handle === null)
    return `gone`;
  try {
    const {size} = await handle.stat();
    if (size < state.size || await tailHash(handle, state.size) !== state.tail)
      return `changed`;
    return await judgeTail(target, handle, state.size, size);
  } finally {
    await handle.close();
  }
}
