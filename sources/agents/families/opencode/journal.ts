import {open, readFile, stat, truncate} from 'node:fs/promises';
import path                      from 'node:path';
import {setTimeout as sleep}     from 'node:timers/promises';

import type {Json, JsonObject}   from '../../../interchange/index.ts';
import {hashOf, isCode, makeFolder, readIfThere, writeAtomic} from '../../../system/files.ts';
import {NoFlockError, tryLock}   from '../../../system/flock.ts';
import {isObject, objectAt, stringAt} from '../../values.ts';
import {stringify}               from '../text.ts';
import type {Machine}            from '../../types.ts';

import type {StoredMessage, StoredSession} from './rows.ts';

type Seen = {hash: string; after: string | null};

/** What a journal says so far, beside it, so that it need not be read again. */
type Index = {
  version: 1;
  size: number;
  /** Hash of the line about the session itself. */
  session: string;
  chain: Array<string>;
  seen: {[message: string]: Seen};
};

const LOCK_TRIES = 50;

/**
 * Appends to the journal of a session what has been said since, and what was undone. `{type: "message", after, info,
 * parts}`: follows the message `after` (null: none). `{type: "end", at}`: what follows `at` was undone. A message that
 * comes again is another version of it.
 */
export async function updateJournal(machine: Machine, file: string, stored: Pick<StoredSession, `info`>, messages: Array<StoredMessage>) {
  await makeFolder(path.dirname(file));
  await locked(machine, file, async () => {
    const index = await readIndex(file);
    const lines = linesFor(index, stored.info, messages);
    if (lines.length === 0)
      return;

    const bytes = Buffer.from(lines.map(line => `${stringify(line)}\n`).join(``));
    const handle = await open(file, `a`, 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    index.size += bytes.length;
    await writeAtomic(indexPath(file), JSON.stringify(index));
  });
}

function linesFor(index: Index, info: JsonObject, messages: Array<StoredMessage>): Array<JsonObject> {
  const lines: Array<JsonObject> = [];
  const chain = messages.map(({id}) => id);
  const hashes = new Map(messages.map(message => [message.id, messageHash(message.info, message.parts)]));
  const isKnown = (id: string, at: number) => index.seen[id]?.hash === hashes.get(id) && index.seen[id]!.after === (chain[at - 1] ?? null);
  const known = chain.findIndex((id, at) => !isKnown(id, at));
  const from = known === -1 ? chain.length : known;

  // A session that has said nothing is none.
  const hash = hashOf(stringify(info));
  if (index.session !== hash && (chain.length > 0 || index.chain.length > 0)) {
    lines.push({type: `session`, ...info});
    index.session = hash;
  }
  for (let at = from; at < chain.length; at++) {
    const {id, info, parts} = messages[at]!;
    lines.push({type: `message`, after: chain[at - 1] ?? null, info, parts});
    index.seen[id] = {hash: hashes.get(id)!, after: chain[at - 1] ?? null};
  }
  const isShorter = from === chain.length && chain.at(-1) !== index.chain.at(-1);
  if (isShorter && chain.length > 0)
    lines.push({type: `end`, at: chain.at(-1)!});
  index.chain = chain;
  return lines;
}

/** Of what a reader looks at; the agent changes other things later (outputs that it does not send any more, sums). */
function messageHash(info: JsonObject, parts: Array<JsonObject>): string {
  return hashOf(stringify([info.role ?? null, info.summary ?? null, objectAt(info, `error`)?.name ?? null, ...parts.map(part => {
    const state = objectAt(part, `state`);
    return [part.id ?? null, part.type ?? null, part.text ?? null, part.synthetic ?? null, part.ignored ?? null, part.tool ?? null, part.url ?? null,
      state === undefined ? null : [state.status ?? null, state.input ?? null, state.output ?? null, state.error ?? null]];
  })] as Json));
}

async function readIndex(file: string): Promise<Index> {
  const size = await stat(file).then(info => info.size, error => {
    if (isCode(error, `ENOENT`))
      return 0;
    throw error;
  });
  const known = parseIndex(await readIfThere(indexPath(file)));
  return known?.size === size ? known : await rebuild(file, size);
}

/** Out of the journal itself, when a process was killed between it and its index. */
async function rebuild(file: string, size: number): Promise<Index> {
  const index: Index = {version: 1, size: 0, session: ``, chain: [], seen: {}};
  if (size === 0)
    return index;
  const bytes = await readFile(file);
  const end = bytes.lastIndexOf(10) + 1;
  for (const text of bytes.toString(`utf8`, 0, end).split(`\n`))
    learn(index, text);
  // A line that was cut off is written again.
  if (end < bytes.length)
    await truncate(file, end);
  index.size = end;
  return index;
}

function learn(index: Index, text: string) {
  let line: Json;
  try {
    line = JSON.parse(text) as Json;
  } catch {
    return;
  }
  if (!isObject(line))
    return;
  const cutAfter = (id: Json | undefined) => index.chain.slice(0, typeof id === `string` ? index.chain.lastIndexOf(id) + 1 : 0);
  if (line.type === `session`) {
    const {type: _, ...info} = line;
    index.session = hashOf(stringify(info));
  } else if (line.type === `end`) {
    index.chain = chainTo(index, line.at);
  } else if (line.type === `message`) {
    const info = objectAt(line, `info`);
    const id = stringAt(info, `id`);
    if (info === undefined || id === undefined || !Array.isArray(line.parts))
      return;
    const after = typeof line.after === `string` ? line.after : null;
    index.chain = [...cutAfter(after), id];
    index.seen[id] = {hash: messageHash(info, line.parts.filter(isObject)), after};
  }
}

function chainTo(index: Index, id: Json | undefined): Array<string> {
  const chain: Array<string> = [];
  for (let at = typeof id === `string` ? id : null; at !== null && chain.length < 1_000_000; at = index.seen[at]?.after ?? null)
    chain.push(at);
  return chain.reverse();
}

function parseIndex(text: string | null): Index | null {
  try {
    const value = JSON.parse(text ?? `null`) as Index | null;
    return value?.version === 1 && Array.isArray(value.chain) && typeof value.seen === `object` ? value : null;
  } catch {
    return null;
  }
}

export function indexPath(file: string) {
  return file.replace(/\.jsonl$/, `.index.json`);
}

/** A command and the worker may look at the same session at once. */
async function locked(machine: Machine, file: string, body: () => Promise<void>) {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    let lock: Awaited<ReturnType<typeof tryLock>>;
    try {
      lock = await tryLock(`${file}.lock`, {env: machine.env});
    } catch (error) {
      if (error instanceof NoFlockError)
        return await body();
      throw error;
    }
    if (lock !== null) {
      try {
        return await body();
      } finally {
        await lock.release();
      }
    }
    await sleep(100);
  }
}
