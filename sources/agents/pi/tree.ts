import {NeedsFullRead} from '../types.ts';
import {shortKey}      from '../values.ts';

/** Entries that bounded state reaches back; Pi refers to the one before, and a compaction some dozens back. */
const ENTRIES = 1_000;
/** Records that a compaction can reach back. */
const RECORDS = 4_000;

/** A call that waits for its result on the way to an entry. */
export type OpenCall = {call: string; native: string; name: string};

/** Where an entry stands: `at`, the record that one below it follows; `from`, its own first record, -1 when it has none. */
export type Place = {at: number; from: number; open: Array<OpenCall>};

export type TreeState = {
  entries: Array<[id: string, at: number, from: number, open?: Array<OpenCall>]>;
  tip: Place;
  forks: Array<[start: number, parent: number]>;
  /** A letter a record, for the last ones: does it stand for something that the model sees? */
  seen: string;
  next: number;
  order: number;
  cut: boolean;
};

/** Entries by their ids, and the branches of the stream of records. */
export class Tree {
  /** Place of the last entry: Pi goes on from there. */
  tip: Place = {at: -1, from: -1, open: []};

  private readonly entries = new Map<string, Place & {order: number}>();
  private forks: Array<[start: number, parent: number]> = [];
  private seen = ``;
  private next = 0;
  private order = 0;
  private cut = false;

  constructor(private readonly unbounded: boolean) {}

  /** The place of an entry; undefined where the file has none of this id so far. */
  get(id: string): Place | undefined {
    const place = this.entries.get(shortKey(id));
    if (place === undefined && this.cut)
      throw new NeedsFullRead(`An entry refers further back than the state reaches`);
    return place;
  }

  /** The same for a recent one only: whatever the bounds, the answer is the same. */
  recent(id: string): Place | undefined {
    const place = this.entries.get(shortKey(id));
    return place !== undefined && place.order > this.order - ENTRIES ? place : undefined;
  }

  add(id: string | undefined, place: Place) {
    this.tip = place;
    if (id === undefined)
      return;
    const key = shortKey(id);
    this.entries.delete(key);
    this.entries.set(key, {...place, order: ++this.order});
    // Many at once: a Map whose first entries go one by one has to step over their places each time.
    if (!this.unbounded && this.entries.size >= 2 * ENTRIES)
      for (const [old, {order}] of this.entries) {
        if (order > this.order - ENTRIES)
          break;
        this.entries.delete(old);
        this.cut = true;
      }
  }

  /** A record got the next number. `visible`: the model sees it. `parent`: where another branch begins with it. */
  record(visible: boolean, parent?: number) {
    if (parent !== undefined)
      this.forks.push([this.next, parent]);
    this.seen += visible ? `x` : `-`;
    this.next += 1;
    if (!this.unbounded && this.seen.length >= 2 * RECORDS) {
      this.seen = this.seen.slice(-RECORDS);
      this.forks = this.forks.filter(([start]) => start >= this.next - RECORDS);
    }
  }

  /** What the model sees from an entry to the tip; null when the entry is not on the way to it. */
  since({at: before, from}: Place): Array<number> | null {
    const base = this.next - this.seen.length;
    const last = from === -1 ? before : from;
    if (last < base - 1 || (from !== -1 && from < base))
      throw new NeedsFullRead(`A compaction keeps more than the state knows of`);

    const path: Array<number> = [];
    let fork = this.forks.length - 1;
    for (let at = this.tip.at; at >= last;) {
      if (at === before && from === -1)
        return path.reverse();
      if (this.seen[at - base] === `x`)
        path.push(at);
      if (at === last)
        return path.reverse();
      while (fork >= 0 && this.forks[fork]![0] > at)
        fork -= 1;
      at = fork >= 0 && this.forks[fork]![0] === at ? this.forks[fork]![1] : at - 1;
    }
    return null;
  }

  save(): TreeState {
    const entries: TreeState[`entries`] = [];
    for (const [id, {at, from, open, order}] of this.entries)
      if (order > this.order - ENTRIES)
        entries.push(open.length > 0 ? [id, at, from, open] : [id, at, from]);
    return {
      entries, tip: this.tip, forks: this.forks.filter(([start]) => start >= this.next - RECORDS), seen: this.seen.slice(-RECORDS),
      next: this.next, order: this.order, cut: this.cut || this.entries.size > entries.length,
    };
  }

  restore(state: TreeState) {
    this.order = state.order - state.entries.length;
    for (const [id, at, from, open] of state.entries)
      this.entries.set(id, {at, from, open: open ?? [], order: ++this.order});
    this.tip = {...state.tip};
    this.forks = state.forks.map(([start, parent]) => [start, parent]);
    this.seen = state.seen;
    this.next = state.next;
    this.cut = state.cut;
  }
}
