import {open, stat}                         from 'node:fs/promises';
import path                                 from 'node:path';

import {isTooDeep}                          from '../../interchange/depth.ts';
import type {Json, JsonObject}              from '../../interchange/index.ts';
import {hashOf, makeFolder, readIfThere, sizeOf, writeAtomic} from '../../system/files.ts';
import {NoFlockError, tryLock}              from '../../system/flock.ts';
import type {Lock}                          from '../../system/flock.ts';
import {journalPath}                        from '../../system/journal.ts';
import {isObject, objectAt, stringAt}       from '../values.ts';
import type {Machine}                       from '../types.ts';

import {AGENT, documentsOf, sessionsOf}     from './places.ts';

/** How far the journal goes: `hashes` of the messages that stand in it now, and of the bytes of it that were written. */
type Note = {mtimeMs: number; size: number; written: number; hashes: Array<string>; title?: string};

export function journalOf(machine: Machine, id: string) {
  return journalPath(machine, AGENT, `in`, id);
}

/**
 * Brings the journal up to date. `<id>.messages.json` is written anew with every step (3.0.65). Lines of the journal:
 * `{"type":"message","message"}`, `{"type":"cut","at"}` (messages from there on are no part of the session any more),
 * `{"type":"title","title"}`.
 */
export async function refresh(machine: Machine, {path: journal, nativeId}: {path: string; nativeId: string}) {
  const {session, messages: source} = documentsOf(sessionsOf(machine), nativeId);
  const info = await stat(source);
  const noteFile = `${journal.slice(0, -`.jsonl`.length)}.json`;
  const isCurrent = (note: Note | null) => note !== null && note.mtimeMs === info.mtimeMs && note.size === info.size;
  if (isCurrent(await readNote(noteFile)))
    return;

  await makeFolder(path.dirname(journal));
  let lock: Lock | null | undefined;
  try {
    lock = await tryLock(`${noteFile}.lock`, {env: machine.env});
  } catch (error) {
    if (!(error instanceof NoFlockError))
      throw error;
  }
  // Somebody else does it right now.
  if (lock === null)
    return;
  try {
    await copy(journal, noteFile, await readMessages(source), titleIn(await readDocument(session)), info);
  } finally {
    await lock?.release();
  }
}

async function copy(journal: string, noteFile: string, messages: Array<Json>, title: string | undefined, {mtimeMs, size}: {mtimeMs: number; size: number}) {
  let note = await readNote(noteFile);
  // A journal that is not what was noted (a crash between the two) is begun again by cutting all of it.
  const there = Math.max(0, await sizeOf(journal));
  const lost = there > 0 && note?.written !== there;
  note = lost || note === null ? null : note;

  const texts = messages.map(message => JSON.stringify(message));
  const hashes = texts.map(text => hashOf(text));
  const known = note?.hashes ?? [];
  let same = 0;
  while (same < known.length && known[same] === hashes[same])
    same++;

  const lines = [
    ...lost ? [``, `{"type":"cut","at":0}`] : same < known.length ? [`{"type":"cut","at":${same}}`] : [],
    ...texts.slice(same).map(text => `{"type":"message","message":${text}}`),
    ...title !== undefined && title !== note?.title ? [JSON.stringify({type: `title`, title})] : [],
  ];
  if (lines.length > 0) {
    const handle = await open(journal, `a`, 0o600);
    try {
      await handle.writeFile(`${lines.join(`\n`)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  const next: Note = {mtimeMs, size, written: await sizeOf(journal), hashes, ...title === undefined ? {} : {title}};
  await writeAtomic(noteFile, JSON.stringify(next));
}

/** Messages of a document. Throws where it cannot be understood: it may be half written. */
export async function readMessages(file: string): Promise<Array<Json>> {
  const document = await readDocument(file);
  if (!Array.isArray(document?.messages))
    throw new Error(`${file} has no list of messages`);
  return document.messages;
}

export async function readDocument(file: string): Promise<JsonObject | null> {
  const text = await readIfThere(file);
  if (text === null)
    return null;
  if (isTooDeep(text))
    throw new Error(`${file} is nested too deep`);
  const value = JSON.parse(text) as Json;
  return isObject(value) ? value : null;
}

function titleIn(session: JsonObject | null): string | undefined {
  const title = stringAt(objectAt(session ?? undefined, `metadata`), `title`)?.trim();
  return title ? title.slice(0, 300) : undefined;
}

async function readNote(file: string): Promise<Note | null> {
  try {
    const value = JSON.parse(await readIfThere(file) ?? `null`) as Json;
    return isObject(value) && Array.isArray(value.hashes) ? value as unknown as Note : null;
  } catch {
    return null;
  }
}
