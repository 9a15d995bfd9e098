import {isTooDeep}                                from '../interchange/depth.ts';
import {detokenizer}                              from '../interchange/paths.ts';
import type {Roots}                               from '../interchange/paths.ts';
import {placeholder, validateRecord}              from '../interchange/index.ts';
import type {Json, NeutralRecord, Part, Repair}   from '../interchange/index.ts';
import type {SessionStore}                        from '../store/index.ts';
import type {StoredHeader, StoredRef}             from '../store/types.ts';

/** A record of somebody else's store larger than this is not read. */
const LARGEST_RECORD = 64 << 20;

export type Stored = StoredRef & {header: StoredHeader};

/**
 * The records of a stored session, checked as what they are: input from somebody else. Names of folders are put in for
 * this machine. What cannot be used leaves a note in its place, so that the numbers of the others stay right, and is
 * added to `repairs`.
 */
export async function * readHistory(
  store: SessionStore, stored: Stored, options: {stream?: string; roots: Roots; platform: NodeJS.Platform; repairs: Array<Repair>},
): AsyncGenerator<NeutralRecord> {
  const localise = detokenizer(options.roots, (stored.header.platform ?? options.platform) as NodeJS.Platform, options.platform);
  let seq = 0;
  for await (const line of lines(store.readStream(stored, `rec/${options.stream ?? `main`}`))) {
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
