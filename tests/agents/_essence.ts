import type {NeutralRecord, RecordKind}                    from '../../sources/interchange/index.ts';
import {OWN_WORDS, plain, sameCall, sameOutput}            from '../acceptance/_share.ts';
import type {CallRecord}                                   from '../acceptance/_share.ts';

/** Kinds whose loss must be named in a fidelity report. */
export const ESSENTIAL = [`prompt`, `reply`, `call`, `result`] as const satisfies Array<RecordKind>;
export type Essential = typeof ESSENTIAL[number];

/** Lines that agents put around an image, to tell their model of its file. */
const IMAGE_MARK = /^<\/?image\b[^>\n]*>$/gm;

type ResultRecord = NeutralRecord & {kind: `result`};

/**
 * How many records of each kind are in one history and not, in the same order, in the other (by the longest common
 * subsequence: no other way to match them loses fewer); the first of them in words.
 */
export function lost(records: Array<NeutralRecord>, back: Array<NeutralRecord>): {[kind in Essential]: {count: number; first?: string}} {
  const calls = new Map(records.flatMap(record => record.kind === `call` ? [[record.call, record]] : []));
  return Object.fromEntries(ESSENTIAL.map(kind => {
    const wanted = records.filter(record => record.kind === kind && hasSubstance(record));
    const unmatched = missingFrom(wanted, back.filter(record => record.kind === kind || (kind === `prompt` && record.kind === `interrupt`)), (one, other) => isSame(one, other, calls));
    return [kind, {count: unmatched.length, ...unmatched.length > 0 ? {first: JSON.stringify(unmatched[0]).slice(0, 200)} : {}}];
  })) as {[kind in Essential]: {count: number; first?: string}};
}

function hasSubstance(record: NeutralRecord) {
  return record.kind === `prompt` || record.kind === `reply` ? wordsOf(record) !== `` : true;
}

/** Would a person say that this is the same, whatever the agent adds of its own? */
function isSame(record: NeutralRecord, other: NeutralRecord, calls: Map<string, CallRecord>): boolean {
  if (record.kind === `call` && other.kind === `call`)
    return sameCall(wellFormed(record), {kind: `call`, id: other.call, name: other.name, input: [other.args, other.input]});
  if (record.kind === `result` && other.kind === `result`)
    return record.error !== true && OWN_WORDS.has(calls.get(record.call)?.tool ?? ``) || sameOutput(whole(record), wordsOf(other));
  if (record.kind !== `prompt`)
    return wordsOf(other).includes(wordsOf(record));
  // The parts of a prompt, one after the other, whatever an agent puts between them.
  let at = 0;
  return record.content.every(part => {
    const wanted = part.type === `text` ? plain(part.text.toWellFormed().replace(/\r\n?/g, `\n`)) : ``;
    const place = wordsOf(other).indexOf(wanted, at);
    at = place + wanted.length;
    return place !== -1;
  });
}

/** Halves of surrogate pairs are written as what a file can hold. */
function wellFormed<T>(value: T): T {
  if (typeof value === `string`)
    return value.toWellFormed() as T;
  if (Array.isArray(value))
    return value.map(wellFormed) as T;
  return typeof value === `object` && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)])) as T : value;
}

function whole(record: ResultRecord): ResultRecord {
  return {...record, content: record.content.map(part => part.type === `text` ? {...part, text: part.text.toWellFormed().replace(IMAGE_MARK, ``)} : part)};
}

function wordsOf(record: NeutralRecord): string {
  const text = record.kind === `reply` ? record.text
    : record.kind === `prompt` || record.kind === `result` ? record.content.flatMap(part => part.type === `text` && part.text !== `` ? [part.text] : []).join(`\n`)
      // Who types what an agent says of an interruption is taken for one; the words are there.
      : record.kind === `interrupt` ? record.text ?? `[Request interrupted by user]` : ``;
  return plain(text.toWellFormed().replace(/\r\n?/g, `\n`));
}

function missingFrom<T>(wanted: Array<T>, there: Array<T>, same: (one: T, other: T) => boolean): Array<T> {
  const matches = wanted.map(one => there.map(other => same(one, other)));
  // longest[i][j]: length of the longest common subsequence of what follows i and what follows j.
  const longest = Array.from({length: wanted.length + 1}, () => new Uint32Array(there.length + 1));
  for (let i = wanted.length - 1; i >= 0; i--)
    for (let j = there.length - 1; j >= 0; j--)
      longest[i]![j] = Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!, matches[i]![j]! ? longest[i + 1]![j + 1]! + 1 : 0);

  const missing: Array<T> = [];
  for (let i = 0, j = 0; i < wanted.length;) {
    if (j < there.length && matches[i]![j]! && longest[i]![j] === longest[i + 1]![j + 1]! + 1) {
      i += 1;
      j += 1;
    } else if (j < there.length && longest[i]![j] === longest[i]![j + 1]!) {
      j += 1;
    } else {
      missing.push(wanted[i]!);
      i += 1;
    }
  }
  return missing;
}
