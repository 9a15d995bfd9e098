import {readdir}                           from 'node:fs/promises';
import path                                from 'node:path';

import type {JsonObject}                   from '../../interchange/index.ts';
import {isCode, makeFolder, openRegular, readIfThere, sizeOf, tailHash, writeAtomic} from '../../system/files.ts';
import {NoFlockError, tryLock}             from '../../system/flock.ts';
import type {Lock}                         from '../../system/flock.ts';
import {follow}                            from '../../system/follow.ts';
import type {FollowedLine}                 from '../../system/follow.ts';
import {journalPath}                       from '../../system/journal.ts';
import {isObject, stringAt}                from '../values.ts';
import type {Machine}                      from '../types.ts';

import {AGENT, eventsOf}                   from './places.ts';
import {Stream, keyOf}                     from './stream.ts';

/** Events that hold nothing of the conversation; Copilot's own prompts and copies of its requests are most of a file. */
const LEFT_OUT = /^(?:system\.message|session\.(?:usage_\w+|shutdown|info|permissions_changed|quota_observation)|assistant\.(?:usage|\w+_delta)|model\.\w+|hook\.\w+|permission\.\w+|sandbox\.decision|tool\.execution_(?:progress|partial_result))$/;

type Copied = {offset: number; tail: string; streams: {[stream: string]: number}};

/** Our copy of a session, and the files beside it for its sub-agents. */
export function journalOf(machine: Machine, id: string) {
  return journalPath(machine, AGENT, `in`, id);
}

/** Files of sub-agents beside a session's journal, with the agents' ids, sorted. */
export async function subJournals(journal: string): Promise<Array<{agent: string; path: string}>> {
  const base = path.basename(journal).slice(0, -`.jsonl`.length);
  const names = await readdir(path.dirname(journal)).catch(() => []);
  return names.sort().flatMap(name => {
    const agent = name.startsWith(`${base}.`) ? /^([A-Za-z0-9][A-Za-z0-9-]{0,39})\.jsonl$/.exec(name.slice(base.length + 1))?.[1] : undefined;
    return agent === undefined ? [] : [{agent, path: path.join(path.dirname(journal), name)}];
  });
}

/**
 * Brings the journal up to date. `events.jsonl` grows, but whenever the person rewinds, Copilot writes it anew without
 * what was taken back, and with other spacing in what stays (1.0.102); so lines are known by their ids then.
 */
export async function refresh(machine: Machine, {path: journal, nativeId}: {path: string; nativeId: string}) {
  const source = eventsOf(machine, nativeId);
  const note = `${journal.slice(0, -`.jsonl`.length)}.json`;
  if (await isCurrent(source, journal, note))
    return;

  await makeFolder(path.dirname(journal));
  let lock: Lock | null | undefined;
  try {
    lock = await tryLock(`${note}.lock`, {env: machine.env});
  } catch (error) {
    if (!(error instanceof NoFlockError))
      throw error;
  }
  // Somebody else does it right now.
  if (lock === null)
    return;
  try {
    await copy(source, journal, note);
  } finally {
    await lock?.release();
  }
}

async function isCurrent(source: string, journal: string, note: string) {
  const size = await sizeOf(source);
  if (size <= 0)
    return true;
  const copied = await readNote(note);
  return copied !== null && copied.offset === size && await isWhole(journal, copied) && await tailAt(source, size) === copied.tail;
}

/** Are the journals as they were when the note was made? */
async function isWhole(journal: string, {streams}: Copied) {
  for (const [stream, size] of Object.entries(streams))
    if (await sizeOf(pathOf(journal, stream)) !== size)
      return false;
  return true;
}

async function copy(source: string, journal: string, note: string) {
  const before = await readNote(note);
  const grown = before !== null && await sizeOf(source) >= before.offset && await tailAt(source, before.offset) === before.tail
    && await isWhole(journal, before);
  if (!grown && before === null && !await hasPrompt(source))
    return;

  const streams = new Streams(journal, grown);
  let offset = grown ? before!.offset : 0;
  for await (const lines of follow(source, offset))
    for (const line of lines) {
      offset = line.offset + line.length;
      await streams.take(line);
    }
  await streams.end();
  const tail = await tailAt(source, offset);
  const sizes: Copied[`streams`] = {};
  for (const stream of new Set([...Object.keys(grown ? before!.streams : {}), ...streams.names()]))
    sizes[stream] = await sizeOf(pathOf(journal, stream));
  if (tail !== null)
    await writeAtomic(note, JSON.stringify({offset, tail, streams: sizes} satisfies Copied));
}

/** An opened and closed terminal is no session yet. */
async function hasPrompt(source: string) {
  for await (const lines of follow(source, 0))
    if (lines.some(({value}) => isObject(value) && value.type === `user.message`))
      return true;
  return false;
}

/** The main stream and those of sub-agents, as they are copied. */
class Streams {
  private readonly open = new Map<string, Stream>();

  /** `grown`: only what is new comes; else everything, and what the journals have already is passed over. */
  constructor(private readonly journal: string, private readonly grown: boolean) {}

  async take(line: FollowedLine) {
    const value = isObject(line.value) ? line.value : {};
    const type = stringAt(value, `type`);
    if (line.text.trim() === `` || line.tooLong === true || (type !== undefined && LEFT_OUT.test(type)))
      return;
    const agent = stringAt(value, `agentId`);
    const stream = agent !== undefined && /^[A-Za-z0-9][A-Za-z0-9-]{0,39}$/.test(agent) ? agent : ``;
    // What tells of a sub-agent belongs to the conversation that started it.
    await this.put(type?.startsWith(`subagent.`) ? `` : stream, line, value);
  }

  async end() {
    for (const stream of this.open.values())
      await stream.end();
  }

  names() {
    return [...this.open.keys()];
  }

  private async put(name: string, line: FollowedLine, value: JsonObject) {
    let stream = this.open.get(name);
    if (stream === undefined) {
      stream = await Stream.open(pathOf(this.journal, name), this.grown);
      this.open.set(name, stream);
    }
    await stream.put(keyOf(value, line.text), line.text);
  }
}

function pathOf(journal: string, stream: string) {
  return stream === `` ? journal : `${journal.slice(0, -`.jsonl`.length)}.${stream}.jsonl`;
}

async function tailAt(file: string, end: number): Promise<string | null> {
  const handle = await openRegular(file);
  if (handle === null)
    return null;
  try {
    return await tailHash(handle, end);
  } finally {
    await handle.close();
  }
}

async function readNote(note: string): Promise<Copied | null> {
  try {
    const {offset, tail, streams} = JSON.parse(await readIfThere(note) ?? `null`) as Copied;
    return typeof offset === `number` && typeof tail === `string` && typeof streams === `object` && streams !== null ? {offset, tail, streams} : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || isCode(error, `EISDIR`))
      return null;
    throw error;
  }
}
