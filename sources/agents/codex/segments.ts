import {open, readFile, readdir}          from 'node:fs/promises';
import type {FileHandle}                  from 'node:fs/promises';
import path                               from 'node:path';

import type {Json}                        from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt} from '../values.ts';
import {isCode, makeFolder, openRegular, readAt, writeAll, writeAtomic} from '../../system/files.ts';
import {journalPath}                      from '../../system/journal.ts';
import type {Machine}                     from '../types.ts';

import {storeOf}                          from './locate.ts';

/** Type of the one kind of line that is ours in a joined file: the next lines come from the file with this id. */
export const SEGMENT = `session_sync_segment`;

const UUID = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`;
const NAME = new RegExp(`^rollout-\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d-(${UUID})(?:_(${UUID}))?\\.jsonl$`, `i`);
const COPIED = 4 << 20;
/** The first line holds the system prompt (21 KB in 0.169.0). */
const HEAD = 64 << 10;
const LONGEST_HEAD = 1 << 20;
/** A session that goes back through more files than this goes in circles. */
const LONGEST_CHAIN = 200;

/** Names of rollouts: whose they are, and for a session that went on elsewhere the id of the file itself. */
export type Rollout = {path: string; thread: string; segment: string; archived: boolean};
/** What the first line says. */
export type Head = {cwd?: string; sub: boolean; base?: {segment: string; bytes: number}; size: number; mtimeMs: number};

type Part = {path: string; segment: string; bytes: number; /** It is never taken further than this. */ end?: number};

export function rolloutIn(file: string): Omit<Rollout, `archived`> | undefined {
  const match = NAME.exec(path.basename(file));
  return match === null ? undefined : {path: file, thread: match[1]!.toLowerCase(), segment: (match[2] ?? match[1]!).toLowerCase()};
}

/** All rollouts of the store, oldest first. Reads names only. */
export async function rolloutsIn(machine: Machine): Promise<Array<Rollout>> {
  const store = storeOf(machine);
  const found: Array<Rollout> = [];
  const walk = async (folder: string, depth: number, archived: boolean) => {
    const entries = await readdir(folder, {withFileTypes: true}).catch(error => {
      if (isCode(error, `ENOENT`, `ENOTDIR`, `EACCES`, `EPERM`))
        return [];
      throw error;
    });
    for (const entry of entries) {
      const rollout = depth === 0 && entry.isFile() ? rolloutIn(path.join(folder, entry.name)) : undefined;
      if (rollout !== undefined)
        found.push({...rollout, archived});
      else if (depth > 0 && entry.isDirectory() && /^\d{2,4}$/.test(entry.name))
        await walk(path.join(folder, entry.name), depth - 1, archived);
    }
  };
  await walk(path.join(store, `sessions`), 3, false);
  await walk(path.join(store, `archived_sessions`), 0, true);
  return found.sort((a, b) => a.segment < b.segment ? -1 : a.segment > b.segment ? 1 : a.path < b.path ? -1 : 1);
}

/** The first line of a rollout; null where there is none to read. */
export async function headOf(file: string): Promise<Head | null> {
  const handle = await openRegular(file).catch(() => null);
  if (handle === null)
    return null;
  try {
    const {size, mtimeMs} = await handle.stat();
    for (let length = HEAD; ; length *= 16) {
      const text = (await readAt(handle, 0, Math.min(length, size))).toString(`utf8`);
      const end = text.trimStart().indexOf(`\n`);
      if (end !== -1)
        return {...headIn(text.trimStart().slice(0, end)), size, mtimeMs};
      if (length >= size || length >= LONGEST_HEAD)
        return {sub: false, size, mtimeMs};
    }
  } finally {
    await handle.close();
  }
}

export function headIn(line: string): Pick<Head, `cwd` | `sub` | `base`> {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch {
    return {sub: false};
  }
  const meta = isObject(value) && value.type === `session_meta` ? objectAt(value, `payload`) : undefined;
  const cwd = stringAt(meta, `cwd`);
  const base = objectAt(meta, `history_base`);
  const segment = stringAt(base, `thread_id`)?.toLowerCase();
  const bytes = numberAt(base, `end_byte_offset`);
  return {
    ...cwd === undefined ? {} : {cwd},
    sub: isSub(meta?.source) || meta?.thread_source === `subagent`,
    ...segment === undefined || bytes === undefined ? {} : {base: {segment, bytes}},
  };
}

function isSub(source: Json | undefined) {
  return isObject(source) && source.subagent !== undefined;
}

/** Where the lines of a session that lies in several files are joined to one that only grows. */
export function joinedPath(machine: Machine, thread: string) {
  return journalPath(machine, `codex`, `in`, thread);
}

/**
 * See `SourceAdapter.refresh`. Taking a prompt back makes Codex 0.169.0 go on in a new file, whose first line names how
 * much of which file comes before; a fork begins with such a line as well. All these files are joined, whole and in the
 * order in which they came, each after a line that says whose it is: the reader goes back where the file did.
 */
export async function refresh(machine: Machine, {path: joined, nativeId}: {path: string; nativeId: string}) {
  if (joined !== joinedPath(machine, nativeId))
    return;
  const known = await knownParts(joined);
  const parts = await partsOf(machine, nativeId, known);
  if (parts.length === 0)
    return;

  await makeFolder(path.dirname(joined));
  const target = await open(joined, known.length === 0 ? `w` : `r+`, 0o600);
  try {
    let end = known.reduce((sum, part) => sum + part.bytes + markOf(part, known).length, 0);
    const done: Array<Part> = [];
    for (const [index, part] of parts.entries()) {
      const before = known[index];
      if (before === undefined && index > 0) {
        const mark = markOf(part, parts);
        await writeAll(target, mark, end);
        end += mark.length;
      }
      const last = index === parts.length - 1 || known[index + 1] === undefined;
      const bytes = last ? await copy(part, target, before?.bytes ?? 0, end) : before!.bytes;
      end += bytes - (before?.bytes ?? 0);
      done.push({...part, bytes});
    }
    if (JSON.stringify(done) !== JSON.stringify(known)) {
      await target.sync();
      await writeAtomic(`${joined}.parts`, JSON.stringify(done));
    }
  } finally {
    await target.close();
  }
}

/** The parts in their order: those that are joined already first, whatever has become of their files. */
async function partsOf(machine: Machine, thread: string, known: Array<Part>): Promise<Array<Part>> {
  const rollouts = await rolloutsIn(machine);
  const own = rollouts.filter(rollout => rollout.thread === thread);
  const parts = [...known];
  const add = ({path: file, segment}: {path: string; segment: string}, end?: number) => {
    if (!parts.some(part => part.segment === segment))
      parts.push({path: file, segment, bytes: 0, ...end === undefined ? {} : {end}});
  };

  if (known.length === 0 && own[0] !== undefined) {
    const before: Array<{rollout: Rollout; end: number}> = [];
    for (let base = (await headOf(own[0].path))?.base; base !== undefined && before.length < LONGEST_CHAIN;) {
      const {segment, bytes} = base;
      const rollout = rollouts.find(candidate => candidate.segment === segment);
      if (rollout === undefined || before.some(one => one.rollout === rollout))
        break;
      before.unshift({rollout, end: bytes});
      base = (await headOf(rollout.path))?.base;
    }
    for (const {rollout, end} of before)
      add(rollout, end);
  }
  for (const rollout of own)
    add(rollout);
  return parts;
}

/** Copies whole lines that are new; resolves how many bytes of the part are there then. */
async function copy({path: file, end = Infinity}: Part, target: FileHandle, from: number, at: number): Promise<number> {
  const source = await openRegular(file);
  if (source === null)
    return from;
  try {
    const limit = Math.min(end, (await source.stat()).size);
    let position = from;
    while (position < limit) {
      const bytes = await readAt(source, position, Math.min(COPIED, limit - position));
      const whole = position + bytes.length >= limit ? bytes.lastIndexOf(10) + 1 : bytes.length;
      if (whole === 0)
        break;
      await writeAll(target, bytes.subarray(0, whole), at + position - from);
      position += whole;
    }
    return position;
  } finally {
    await source.close();
  }
}

function markOf({segment}: Part, parts: Array<Part>): Buffer {
  return parts[0]?.segment === segment ? Buffer.alloc(0) : Buffer.from(`${JSON.stringify({type: SEGMENT, payload: {id: segment}})}\n`);
}

async function knownParts(joined: string): Promise<Array<Part>> {
  try {
    const parts = JSON.parse(await readFile(`${joined}.parts`, `utf8`)) as Array<Part>;
    const size = parts.reduce((sum, part) => sum + part.bytes + markOf(part, parts).length, 0);
    const handle = await openRegular(joined);
    if (handle === null)
      return [];
    const there = await handle.stat().finally(() => handle.close());
    return there.size >= size ? parts : [];
  } catch {
    return [];
  }
}
