import {apiName}                              from '../agents/families/names.ts';
import {LiveTree, OpenCalls, isHistory}       from '../interchange/index.ts';
import type {NeutralRecord}                   from '../interchange/index.ts';
import type {SourceLine}                      from '../agents/types.ts';

/** What was learnt of the part of a file that is not its own; kept in the checkpoint. */
export type Joined = {
  /** Records that the reader made of it. */
  read: number;
  counts: {[kind: string]: number};
  /** Calls that are open where the own part begins: as the file names them, and as the session it goes on from does. */
  open: Array<[string, string]>;
};

/** The session that is gone on from, up to where it was left. */
export type Parent = {
  /** First record that it has not: its records are 0 to `seq - 1`. */
  seq: number;
  /** Bytes of the continuing file that repeat it. */
  source: number;
  records: () => AsyncIterable<NeutralRecord>;
  /** What the continuing file's reader makes of the repeated part; asked for only when something refers into it. */
  repeated: () => AsyncIterable<NeutralRecord>;
};

/**
 * Numbers the records of a session that goes on from another one. The agent's file begins with what we wrote into it:
 * those lines are read (later ones refer to them), but what they say is the parent's already, in better words. What
 * follows is numbered on from where the parent was left, after a `leaf` record that follows the parent's live end.
 */
export class Continuation {
  private places: Promise<Int32Array> | null = null;

  constructor(private readonly parent: Parent, private readonly state: Joined = {read: 0, counts: {}, open: []}, private begun = false) {}

  get first() {
    return this.parent.seq;
  }

  /** The own records of this line. `counts`: what the reader has counted so far. */
  async take(line: SourceLine, records: Array<NeutralRecord>, counts: () => {[kind: string]: number}): Promise<Array<NeutralRecord>> {
    const {state, parent} = this;
    if (line.offset < parent.source) {
      state.read += records.length;
      for (const record of records)
        this.follow(record);
      if (line.offset + line.length >= parent.source)
        state.counts = {...counts()};
      return [];
    }
    if (records.length === 0)
      return [];
    const own: Array<NeutralRecord> = [];
    if (!this.begun) {
      this.begun = true;
      own.push(await this.begin(records[0]!));
    }
    for (const record of records)
      own.push(await this.renumber(record));
    return own;
  }

  /** Of all that the reader counted, what is the session's own. */
  own(counts: {[kind: string]: number}): {[kind: string]: number} {
    const entries = Object.entries(counts).map(([kind, count]) => [kind, count - (this.state.counts[kind] ?? 0)] as const);
    return Object.fromEntries(entries.filter(([, count]) => count > 0));
  }

  save(): Joined {
    return {read: this.state.read, counts: {...this.state.counts}, open: this.state.open.map(([a, b]) => [a, b])};
  }

  private follow(record: NeutralRecord) {
    if (record.kind === `call`)
      this.state.open.push([record.call, record.call]);
    else if (record.kind === `result`)
      this.state.open = this.state.open.filter(([call]) => call !== record.call);
  }

  /** The parent may have branched, or say itself which of its records is the live end: from here on it is this one. */
  private async begin(first: NeutralRecord): Promise<NeutralRecord> {
    const {seq} = this.parent;
    const tree = new LiveTree();
    for await (const record of this.parent.records())
      tree.add(record);
    const end = tree.end();
    const live = tree.live();
    if (this.state.open.length > 0) {
      const calls = new OpenCalls();
      for await (const record of this.parent.records())
        if (live[record.seq] === 1)
          calls.see(record);
      this.state.open = sameCalls(this.state.open.map(([call]) => call), calls.heal(0).map(({call}) => call));
    }
    // Where the parent named its own live end, that is over: the newest record is it again.
    return {seq, kind: `leaf`, at: -1, ...end !== seq - 1 ? {parent: end} : {}, ...first.time !== undefined ? {time: first.time} : {}};
  }

  private async renumber(record: NeutralRecord): Promise<NeutralRecord> {
    const moved: NeutralRecord = {...record, seq: this.shift(record.seq)};
    if (record.parent !== undefined)
      moved.parent = await this.place(record.parent);
    if (moved.kind === `leaf`)
      moved.at = await this.place(moved.at);
    if (moved.kind === `compaction` && moved.keep !== undefined)
      moved.keep = (await Promise.all(moved.keep.map(async seq => await this.place(seq)))).filter(seq => seq >= 0);
    if (moved.kind === `result`) {
      const known = this.state.open.find(([call]) => call === moved.call);
      if (known !== undefined) {
        moved.call = known[1];
        this.state.open = this.state.open.filter(one => one !== known);
      }
    }
    return moved;
  }

  /** After the parent's records and the one that says where they were left. */
  private shift(seq: number) {
    return seq - this.state.read + this.parent.seq + 1;
  }

  /** Number for a record that another one refers to, also one of the repeated part. */
  private async place(seq: number): Promise<number> {
    if (seq < 0)
      return -1;
    if (seq >= this.state.read)
      return this.shift(seq);
    if (seq === this.state.read - 1)
      return this.parent.seq;
    this.places ??= this.align();
    return (await this.places)[seq] ?? this.parent.seq;
  }

  /**
   * Which record of the parent each record of the repeated part is: prompts and replies are compared from the end, since an
   * agent may have got only what follows a compaction. One that has none is put where the one before it is; what stands
   * right before a prompt is what stands right before that prompt there.
   */
  private async align(): Promise<Int32Array> {
    const tree = new LiveTree();
    const texts: Array<{seq: number; key: string}> = [];
    for await (const record of this.parent.records()) {
      tree.add(record);
      const key = keyOf(record);
      if (key !== null)
        texts.push({seq: record.seq, key});
    }
    const live = tree.live();
    const before = new Int32Array(this.parent.seq + 1);
    for (let seq = 0, last = -1; seq < this.parent.seq; seq++) {
      before[seq] = last;
      if (live[seq] === 1)
        last = seq;
    }

    const repeated: Array<{key: string | null; prompt: boolean}> = [];
    for await (const record of this.parent.seq === 0 ? [] : this.parent.repeated())
      if (isHistory(record))
        repeated[record.seq] = {key: keyOf(record), prompt: record.kind === `prompt`};
    const found = new Int32Array(repeated.length).fill(-2);
    const candidates = texts.filter(({seq}) => live[seq] === 1);
    let at = candidates.length - 1;
    for (let seq = repeated.length - 1; seq >= 0; seq--) {
      const key = repeated[seq]?.key ?? null;
      if (key === null)
        continue;
      let match = at;
      while (match >= 0 && candidates[match]!.key !== key)
        match--;
      if (match < 0)
        continue;
      found[seq] = candidates[match]!.seq;
      at = match - 1;
    }
    const places = new Int32Array(repeated.length);
    for (let seq = 0, last = -1; seq < repeated.length; seq++) {
      if (found[seq] !== -2)
        last = found[seq]!;
      const next = repeated[seq + 1];
      places[seq] = next?.prompt === true && found[seq + 1] !== -2 ? before[found[seq + 1]!]! : last;
    }
    return places;
  }
}

/**
 * Which open call of the parent each open call of the repeated part is. The id tells: writers keep it, or put the form of it
 * that an API takes. Of calls with other ids only as many on both sides are the same ones, in order; else nobody can tell.
 */
function sameCalls(repeated: Array<string>, parent: Array<string>): Array<[string, string]> {
  const left = new Set(parent);
  const found = new Map<string, string>();
  for (const call of repeated) {
    const known = parent.find(one => left.has(one) && (one === call || apiName(one) === call));
    if (known !== undefined && left.delete(known))
      found.set(call, known);
  }
  const others = repeated.filter(call => !found.has(call));
  if (others.length === left.size)
    for (const [index, call] of [...left].entries())
      found.set(others[index]!, call);
  return repeated.flatMap(call => found.has(call) ? [[call, found.get(call)!]] : []);
}

function keyOf(record: NeutralRecord): string | null {
  if (record.kind === `reply`)
    return `reply ${record.text.trim()}`;
  if (record.kind !== `prompt`)
    return null;
  const text = record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`).trim();
  return `prompt ${text}`;
}
