import {isTooDeep}                                from '../interchange/depth.ts';
import {detokenizer}                              from '../interchange/paths.ts';
import type {Roots}                               from '../interchange/paths.ts';
import {placeholder, validateRecord}              from '../interchange/index.ts';
import type {Json, NeutralRecord, Part, Repair}   from '../interchange/index.ts';
import {StoreError}                               from '../store/index.ts';
import type {SessionStore}                        from '../store/index.ts';
import type {StoredHeader, StoredRef}             from '../store/types.ts';

/** A record of somebody else's store larger than this is not read. */
const LARGEST_RECORD = 64 << 20;

export type Stored = StoredRef & {header: StoredHeader};

/** Sessions that one goes on from, one after the other, at most; and records of all of them together. */
const MOST_LEGS = 1000;
const MOST_RECORDS = 1_000_000;

/**
 * `rootsOf`: folders of a session that this one goes on from, whose files are not this one's; else what its header says of
 * its own, and `roots` of the others.
 */
export type HistoryOptions = {stream?: string; roots: Roots; rootsOf?: (stored: Stored) => Roots | Promise<Roots>; platform: NodeJS.Platform; repairs: Array<Repair>};

/** First record that is the session's own: those before it are its parent's. */
export function firstRecord({lineage}: {lineage?: StoredHeader[`lineage`]}): number {
  return lineage?.source === undefined ? 0 : lineage.seq;
}

/** Number of records of a stored session with all that it goes on from. */
export function recordCount(header: StoredHeader): number {
  return firstRecord(header) + (header.streams[`rec/main`]?.records ?? 0);
}

/** What is known here of one session: a state a writer, the one with the most records first. */
export async function statesOf(store: SessionStore, session: string): Promise<Array<Stored>> {
  const states = new Map<string, Stored>();
  for (const ref of (await store.list()).refs) {
    const known = states.get(ref.writer);
    if (ref.session === session && (known === undefined || known.header.sequence < ref.header.sequence))
      states.set(ref.writer, ref);
  }
  return [...states.values()].sort((a, b) => recordCount(b.header) - recordCount(a.header) || (a.writer < b.writer ? -1 : 1));
}

/**
 * The records of a stored session, those of the sessions that it goes on from before its own, checked as what they are:
 * input from somebody else. Names of folders are put in for this machine. What cannot be used leaves a note in its place,
 * so that the numbers of the others stay right, and is added to `repairs`.
 */
export async function * readHistory(store: SessionStore, stored: Stored, options: HistoryOptions): AsyncGenerator<NeutralRecord> {
  if ((options.stream ?? `main`) !== `main` || firstRecord(stored.header) === 0) {
    yield * ownRecords(store, stored, options, 0);
    return;
  }
  const legs = await legsOf(store, stored, options.repairs);
  let seq = 0;
  for (const [index, leg] of legs.entries()) {
    const end = legs[index + 1]?.from ?? Infinity;
    const roots = leg.stored === stored || leg.stored === null ? options.roots : await options.rootsOf?.(leg.stored) ?? ofEarlier(leg.stored, options.roots);
    if (leg.stored !== null && seq < end) {
      for await (const record of ownRecords(store, leg.stored, {...options, roots}, leg.from)) {
        if (record.seq >= end)
          break;
        yield record;
        seq = record.seq + 1;
      }
    }
    for (; seq < end && end !== Infinity; seq++)
      yield placeholder(seq, `a record of an earlier part is not known here`);
  }
}

function ofEarlier({header}: Stored, {session: _, transcript: __, ...others}: Roots): Roots {
  return {...header.roots, ...others};
}

/** A stored session and those that it goes on from as far as they are known here, the oldest first. */
export async function wholeOf(store: SessionStore, stored: Stored): Promise<Array<Stored>> {
  return (await legsOf(store, stored, [])).flatMap(leg => leg.stored ?? []);
}

/** Of the sessions that this one goes on from, the one that is not known here and whose records it lacks therefore. */
export async function missingParent(store: SessionStore, stored: Stored): Promise<string | null> {
  return firstRecord(stored.header) === 0 ? null : (await legsOf(store, stored, [])).find(leg => leg.stored === null)?.session ?? null;
}

type Leg = {session: string; stored: Stored | null; from: number};

/** The sessions that make up one history, the oldest first, each with the number of its first own record. */
async function legsOf(store: SessionStore, stored: Stored, repairs: Array<Repair>): Promise<Array<Leg>> {
  const legs: Array<Leg> = [{session: stored.session, stored, from: firstRecord(stored.header)}];
  const seen = new Set([stored.session]);
  for (let {lineage} = stored.header; lineage?.source !== undefined;) {
    const {parent, writer} = lineage;
    if (seen.has(parent) || seen.size >= MOST_LEGS || lineage.seq > MOST_RECORDS)
      throw new StoreError(`BAD_DATA`, `Session ${stored.session} goes on from itself, or from too much`);
    seen.add(parent);
    const states = await statesOf(store, parent);
    const known = states.find(state => state.writer === writer) ?? states[0];
    if (known === undefined)
      repairs.push({code: `missing-part`, message: `session ${parent}, which this one goes on from, is not known here: \`session-sync pull\` may bring it`});
    const from = known === undefined ? 0 : firstRecord(known.header);
    // What a session goes on from lies before it; anything else would make the history run backwards.
    if (from > legs[0]!.from)
      throw new StoreError(`BAD_DATA`, `Session ${stored.session} begins before the one that it goes on from`);
    legs.unshift({session: parent, stored: known ?? null, from});
    lineage = known?.header.lineage;
  }
  return legs;
}

async function * ownRecords(store: SessionStore, stored: Stored, options: HistoryOptions, from: number): AsyncGenerator<NeutralRecord> {
  const localise = detokenizer(options.roots, (stored.header.platform ?? options.platform) as NodeJS.Platform, options.platform);
  let seq = from;
  for await (const line of storedLines(store, stored, options.stream)) {
    const {record, reason} = check(line === null ? null : localise(line), seq);
    if (record === null) {
      options.repairs.push({code: `bad-record`, message: `a stored record could not be used: ${reason}`, at: seq});
      yield placeholder(seq, reason);
    } else {
      yield await internalise(store, stored, record, options.repairs);
    }
    seq += 1;
  }
}

function check(line: string | null, seq: number): {record: NeutralRecord | null; reason: string} {
  if (line === null)
    return {record: null, reason: `too long`};
  if (isTooDeep(line))
    return {record: null, reason: `nested too deep`};
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch {
    return {record: null, reason: `not JSON`};
  }
  const checked = validateRecord(value, seq);
  return checked.record === null ? {record: null, reason: checked.reason} : {record: checked.record, reason: ``};
}

/** Puts image data back where the store keeps only its hash. */
async function internalise(store: SessionStore, stored: Stored, record: NeutralRecord, repairs: Array<Repair>): Promise<NeutralRecord> {
  if ((record.kind !== `prompt` && record.kind !== `result`) || !record.content.some(part => part.type === `image` && part.attachment !== undefined))
    return record;
  const content: Array<Part> = [];
  for (const part of record.content) {
    if (part.type !== `image` || part.attachment === undefined) {
      content.push(part);
      continue;
    }
    try {
      const bytes = await store.readAttachment(stored, part.attachment);
      content.push({type: `image`, mediaType: part.mediaType, data: bytes.toString(`base64`), bytes: bytes.length});
    } catch (error) {
      repairs.push({code: `missing-image`, message: (error as Error).message, at: record.seq});
      content.push({type: `image`, mediaType: part.mediaType, ...part.bytes !== undefined ? {bytes: part.bytes} : {}});
    }
  }
  return {...record, content};
}

/** The stored lines of a session's own records, as they are; null for one that is too long. */
export function storedLines(store: SessionStore, stored: Stored, stream = `main`): AsyncGenerator<string | null> {
  return lines(store.readStream(stored, `rec/${stream}`));
}

/** Lines of a stream of bytes, decoded; null for one that is too long to be a record. */
async function * lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string | null> {
  let pieces: Array<Buffer> = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let newline = chunk.indexOf(10); newline !== -1; newline = chunk.indexOf(10, start)) {
      const last = chunk.subarray(start, newline);
      yield held + last.length > LARGEST_RECORD ? null : (pieces.length > 0 ? Buffer.concat([...pieces, last]) : last).toString(`utf8`);
      pieces = [];
      held = 0;
      start = newline + 1;
    }
    if (start < chunk.length) {
      held += chunk.length - start;
      if (held > LARGEST_RECORD)
        pieces = [];
      else
        pieces.push(chunk.subarray(start));
    }
  }
}
