import {stat}                                  from 'node:fs/promises';

import type {Json}                             from '../../interchange/index.ts';
import {hashOf, readIfThere, writeAtomic}      from '../../system/files.ts';
import {follow}                                from '../../system/follow.ts';
import {journalPath}                           from '../../system/journal.ts';
import {isObject}                              from '../values.ts';
import type {LocatedSession, Machine}          from '../types.ts';

import {readMessages}                          from './journal.ts';
import {AGENT, documentsOf, sessionsOf}        from './places.ts';

/** What we last wrote into Cline's store for a session: hashes of its messages, and how the file looked then. */
export type Written = {hashes: Array<string>; size: number; mtimeMs: number};

export function hashesOf(messages: Array<Json>) {
  return messages.map(message => hashOf(JSON.stringify(message)));
}

export async function readWritten(machine: Machine, id: string): Promise<Written | null> {
  try {
    const value = JSON.parse(await readIfThere(noteOf(machine, id)) ?? `null`) as Json;
    return isObject(value) && Array.isArray(value.hashes) ? value as unknown as Written : null;
  } catch {
    return null;
  }
}

export async function noteWritten(machine: Machine, id: string, hashes: Array<string>) {
  const {size, mtimeMs} = await stat(documentsOf(sessionsOf(machine), id).messages);
  await writeAtomic(noteOf(machine, id), JSON.stringify({hashes, size, mtimeMs}));
}

/** Cline keeps our messages as they are when it goes on with a session, and puts its own behind them (3.0.65). */
export async function ownership(machine: Machine, {nativeId}: Pick<LocatedSession, `nativeId`>): Promise<LocatedSession[`mirror`]> {
  const written = await readWritten(machine, nativeId);
  if (written === null)
    return undefined;
  const {messages} = documentsOf(sessionsOf(machine), nativeId);
  const info = await stat(messages).catch(() => null);
  if (info === null || (info.size === written.size && info.mtimeMs === written.mtimeMs))
    return `untouched`;
  const hashes = hashesOf(await readMessages(messages).catch(() => []));
  return hashes.length <= written.hashes.length && hashes.every((hash, at) => hash === written.hashes[at]) ? `untouched` : `continued`;
}

/** How many bytes at the begin of the journal are the messages that we wrote, as they were written. */
export async function repeated(machine: Machine, {path: journal, nativeId}: {path: string; nativeId: string}): Promise<number> {
  const hashes = (await readWritten(machine, nativeId))?.hashes ?? [];
  let at = 0;
  let end = 0;
  for await (const lines of follow(journal, 0)) {
    for (const {value, offset, length} of lines) {
      if (!isObject(value) || value.type !== `message`)
        continue;
      if (at >= hashes.length || hashOf(JSON.stringify(value.message)) !== hashes[at++])
        return end;
      end = offset + length;
    }
  }
  return end;
}

function noteOf(machine: Machine, id: string) {
  return `${journalPath(machine, AGENT, `out`, id).slice(0, -`.jsonl`.length)}.json`;
}
