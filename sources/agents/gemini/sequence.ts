import {NeedsFullRead} from '../types.ts';

import {digestOf}      from './values.ts';

/** Messages that bounded state reaches back, and at most twice as many. */
export const WINDOW = 1000;

/** A message that is in the conversation now. */
export type Entry = {
  id: string;
  /** Of what it says; empty for one that says nothing to the model. */
  digest: string;
  /** `seq` of its first and last own records. */
  start: number;
  last: number;
  /** `seq` of the record after which the history goes on when everything after the message is taken back. */
  end: number;
};

/** What lies before the entries that are still known. */
type Cut = {count: number; chain: string; first: string};

export type SequenceState = {entries: Array<[id: string, digest: string, start: number, last: number, end: number]>; base: number; cut: Cut | null};

/**
 * The messages of the conversation as the file has them at this line. Gemini writes the whole list anew when it resumes,
 * compresses or takes something back, often in another form and with other ids: only what is said tells what is the same.
 */
export class Sequence {
  private entries: Array<Entry> = [];
  /** Where the history goes on when there are no entries. */
  private base = -1;
  private cut: Cut | null = null;

  constructor(private readonly unbounded: boolean) {}

  get last(): Entry | undefined {
    return this.entries.at(-1);
  }

  /** Digest of the first message that says something. */
  get first(): string | undefined {
    return this.cut?.first ?? this.entries.find(({digest}) => digest !== ``)?.digest;
  }

  /** A recent message; whatever the bounds, the answer is the same. */
  recent(id: string): Entry | undefined {
    const from = Math.max(0, this.entries.length - WINDOW);
    for (let at = this.entries.length - 1; at >= from; at--)
      if (this.entries[at]!.id === id)
        return this.entries[at];
    return undefined;
  }

  /** Does anything that says something follow it? */
  isLast(entry: Entry) {
    return this.entries.slice(this.entries.indexOf(entry) + 1).every(({digest}) => digest === ``);
  }

  add(id: string, digest: string, start: number): Entry {
    const {end} = this.last ?? {end: this.base};
    const entry = {id, digest, start, last: start - 1, end};
    this.entries.push(entry);
    if (!this.unbounded && this.entries.length >= 2 * WINDOW)
      this.trim();
    return entry;
  }

  /** A record was made; it belongs to the last message. `own`: it is one of the message's own. */
  made(seq: number, own: boolean) {
    const {last} = this;
    if (last === undefined)
      this.base = seq;
    else
      last.end = seq;
    if (own && last !== undefined)
      last.last = seq;
  }

  /** Takes back a message and all after it; all where the id is unknown, as Gemini does. Returns where the history goes on. */
  rewind(id: string): number {
    const at = this.entries.findLastIndex(entry => entry.id === id);
    if (at === -1 && this.cut !== null)
      throw new NeedsFullRead(`A message is taken back that lies further back than the state reaches`);
    return this.truncate(Math.max(at, 0));
  }

  /** Takes back everything. */
  clear(): number {
    this.cut = null;
    this.base = -1;
    return this.truncate(0);
  }

  before(entry: Entry): number {
    return this.truncate(this.entries.indexOf(entry));
  }

  /**
   * The list is replaced by messages with these digests. Keeps what both begin with, under the ids that it now has, and
   * returns how many that are and where the history goes on.
   */
  replace(list: Array<{id: string; digest: string}>): {common: number; end: number} {
    const skipped = this.cut?.count ?? 0;
    if (this.cut !== null) {
      let chain = ``;
      for (const {digest} of list.slice(0, skipped))
        chain = digestOf(chain, digest);
      if (list.length < skipped || chain !== this.cut.chain)
        throw new NeedsFullRead(`The list of messages is another one further back than the state reaches`);
    }

    const kept: Array<Entry> = [];
    let end = this.base;
    for (const entry of this.entries) {
      const now = list[skipped + kept.length];
      if (entry.digest !== `` && entry.digest !== now?.digest)
        break;
      // What a message without a say brought with it (a result, a title) is part of the history all the same.
      end = entry.end;
      if (entry.digest !== ``)
        kept.push({...entry, id: now!.id});
      else if (kept.length > 0)
        kept.at(-1)!.end = end;
      else
        this.base = end;
    }
    this.entries = kept;
    return {common: skipped + kept.length, end};
  }

  /**
   * The list is replaced by a summary (the record `seq`) and messages that follow it. Returns how many of those were the
   * last ones before, with their records.
   */
  compact(list: Array<{id: string; digest: string}>, summaries: number, seq: number): {common: number; keep: Array<number>} {
    const old = this.entries.filter(({digest}) => digest !== ``);
    const rest = list.slice(summaries);
    let from = old.findIndex((_, at) => old.length - at <= rest.length && old.slice(at).every((entry, index) => entry.digest === rest[index]!.digest));
    if (from === -1)
      from = old.length;

    const kept = old.slice(from);
    const keep = kept.flatMap(({start, last}) => Array.from({length: Math.max(0, last - start + 1)}, (_, index) => start + index));
    this.base = -1;
    this.cut = null;
    this.entries = [
      ...list.slice(0, summaries).map(({id, digest}) => ({id, digest, start: seq, last: seq, end: seq})),
      ...kept.map((entry, index) => ({...entry, id: rest[index]!.id, end: seq})),
    ];
    return {common: kept.length, keep};
  }

  save(): SequenceState {
    const copy = new Sequence(this.unbounded);
    Object.assign(copy, {entries: [...this.entries], base: this.base, cut: this.cut});
    copy.trim();
    return {entries: copy.entries.map(({id, digest, start, last, end}) => [id, digest, start, last, end]), base: copy.base, cut: copy.cut};
  }

  restore({entries, base, cut}: SequenceState) {
    this.entries = entries.map(([id, digest, start, last, end]) => ({id, digest, start, last, end}));
    this.base = base;
    this.cut = cut;
  }

  private truncate(at: number): number {
    this.entries = this.entries.slice(0, at);
    return this.last?.end ?? this.base;
  }

  private trim() {
    const {first} = this;
    for (const {digest, end} of this.entries.splice(0, Math.max(0, this.entries.length - WINDOW))) {
      this.base = end;
      if (digest !== ``)
        this.cut = {count: (this.cut?.count ?? 0) + 1, chain: digestOf(this.cut?.chain ?? ``, digest), first: this.cut?.first ?? first!};
    }
  }
}
