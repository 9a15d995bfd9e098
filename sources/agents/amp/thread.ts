import {constants}                     from 'node:fs';
import {stat, utimes}                  from 'node:fs/promises';
import path                            from 'node:path';

import type {Json, JsonObject}         from '../../interchange/index.ts';
import {isTooDeep}                     from '../../interchange/depth.ts';
import {makeFolder, openRegular, readIfThere, writeAll, writeAtomic} from '../../system/files.ts';
import {journalPath}                   from '../../system/journal.ts';
import type {Machine}                  from '../types.ts';
import {isObject, objectAt, stringAt}  from '../values.ts';

import {AGENT, folderOf, isThreadId, threadsFolder} from './places.ts';

/** A thread as `amp threads export` prints it, and as old versions kept it: one JSON object. */
export type Thread = JsonObject & {id: string; messages: Array<Json>};

export class ThreadError extends Error {
  readonly code = `BAD_THREAD`;
}

export function parseThread(text: string): Thread {
  let value: Json | undefined;
  try {
    value = isTooDeep(text) ? undefined : JSON.parse(text) as Json;
  } catch {
    value = undefined;
  }
  if (!isObject(value) || !isThreadId(value.id) || !Array.isArray(value.messages))
    throw new ThreadError(`this is no thread of Amp`);
  return value as Thread;
}

/** Folder of the workspace that the thread began in. */
export function cwdOf(thread: JsonObject): string | undefined {
  const trees = objectAt(objectAt(thread, `env`), `initial`)?.trees;
  const [tree] = Array.isArray(trees) ? trees : [];
  return folderOf(isObject(tree) ? tree.uri : undefined);
}

/**
 * A thread as lines that only grow: what it is, then each message that is complete. An answer that is still being given
 * waits; of tools that still run, the results stand in a message of their own, later.
 */
export function linesOf(thread: Thread): Array<string> {
  const cwd = cwdOf(thread);
  const title = stringAt(thread, `title`);
  const head = {type: `thread`, id: thread.id, ...cwd === undefined ? {} : {cwd}};
  const lines = [JSON.stringify(head)];
  for (const message of thread.messages) {
    if (isObject(message) && message.role === `assistant` && objectAt(message, `state`)?.type === `streaming`)
      break;
    lines.push(JSON.stringify({type: `message`, message}));
  }
  // After the messages: one that is given a name later has not changed what came before.
  if (title !== undefined && title !== ``)
    lines.push(JSON.stringify({type: `thread`, title}));
  return lines;
}

/** Brings the journal of a thread up to date. What is there stays; a thread that was changed before its end begins again. */
export async function writeJournal(machine: Machine, thread: Thread): Promise<string> {
  const file = journalPath(machine, AGENT, `in`, thread.id);
  await makeFolder(path.dirname(file));
  const lines = linesOf(thread);
  const there = (await readIfThere(file) ?? ``).split(`\n`).filter(line => line !== ``);
  if (there.length === 0) {
    await writeAtomic(file, lines.map(line => `${line}\n`).join(``));
    return file;
  }

  // Since it last began again: titles may stand between messages, they do not count.
  const begun = there.findLastIndex(line => line === AGAIN) + 1;
  const [known, now] = [there.slice(begun), lines].map(all => all.filter(line => !isTitle(line))) as [Array<string>, Array<string>];
  const grown = known.every((line, index) => now[index] === line);
  const title = lines.find(isTitle);
  const fresh = [
    ...grown ? now.slice(known.length) : [AGAIN, ...now],
    ...title !== undefined && there.findLast(isTitle) !== title ? [title] : [],
  ];
  if (fresh.length > 0)
    await append(file, fresh.map(line => `${line}\n`).join(``));
  return file;
}

const AGAIN = JSON.stringify({type: `again`});

function isTitle(line: string) {
  return line.startsWith(`{"type":"thread","title":`);
}

async function append(file: string, text: string) {
  const handle = await openRegular(file, constants.O_RDWR);
  if (handle === null)
    throw new Error(`${file} is gone`);
  try {
    const {size} = await handle.stat();
    await writeAll(handle, Buffer.from(text), size);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads an old local thread into its journal, where it has changed since. */
export async function refresh(machine: Machine, {path: journal, nativeId}: {path: string; nativeId: string}) {
  if (!isThreadId(nativeId))
    return;
  const file = path.join(threadsFolder(machine), `${nativeId}.json`);
  const info = await stat(file).catch(() => null);
  // A thread that came from Amp's server is brought by `session-sync import` only: it is somebody else's machine.
  if (info === null)
    return;
  const known = await stat(journal).catch(() => null);
  if (known !== null && Math.floor(known.mtimeMs) === Math.floor(info.mtimeMs))
    return;
  const text = await readIfThere(file);
  if (text === null)
    return;
  const written = await writeJournal(machine, parseThread(text));
  await utimes(written, info.mtimeMs / 1000, Math.floor(info.mtimeMs) / 1000);
}
