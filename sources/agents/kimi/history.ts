import {NeedsFullRead} from '../types.ts';

/** Records that are remembered for compactions and undone turns. */
const MOST = 3000;

/** `m`: place in the agent's own list of messages; `u`: a person's prompt that a compaction keeps; `a`: one that `/undo` counts. */
type Entry = {seq: number; m: number; u?: true; a?: true};

export type HistoryState = {entries: Array<Entry>; length: number; floor: number; lost: boolean};

/**
 * The agent's list of messages as it stands in its memory: what `/undo` cuts off and a compaction replaces is said by
 * counts, so each line that adds a message has to be counted just as Kimi Code 2.1.0 does.
 */
export class History {
  private readonly state: HistoryState;

  constructor(private readonly unbounded: boolean, state?: HistoryState) {
    this.state = state === undefined ? {entries: [], length: 0, floor: 0, lost: false} : structuredClone(state);
  }

  get length() {
    return this.state.length;
  }

  /** One more message. */
  message() {
    this.state.length++;
  }

  /** A record that belongs to the message added last. */
  record(seq: number, kind?: {prompt: boolean; anchor: boolean}) {
    this.state.entries.push({seq, m: this.state.length - 1, ...kind?.prompt ? {u: true} : {}, ...kind?.anchor ? {a: true} : {}});
    if (!this.unbounded && this.state.entries.length > MOST * 1.1) {
      this.state.entries.splice(0, this.state.entries.length - MOST);
      this.state.lost = true;
    }
  }

  /** The `seq` of the record to go on from when the last `count` prompts are undone; null where Kimi Code does nothing. */
  undo(count: number): number | null {
    const {entries, floor} = this.state;
    let left = count;
    for (let at = entries.length - 1; at >= 0 && entries[at]!.m >= floor; at--) {
      const entry = entries[at]!;
      if (entry.a !== true || --left > 0)
        continue;
      this.state.entries = entries.slice(0, at);
      this.state.length = entry.m;
      return entry.seq - 1;
    }
    if (this.state.lost && (entries.length === 0 || entries[0]!.m > floor))
      throw new NeedsFullRead(`An undone turn lies further back than the reader remembers`);
    return null;
  }

  clear() {
    Object.assign(this.state, {entries: [], length: 0, floor: 0, lost: false});
  }

  /** A compaction that keeps all messages from `compacted` on, behind its summary. Gives what it keeps. */
  keepTail(compacted: number): Array<number> {
    const kept = this.state.entries.filter(({m}) => m >= compacted);
    if (this.state.lost && kept.length === this.state.entries.length && kept[0]?.m !== compacted && kept.length > 0)
      throw new NeedsFullRead(`A compaction keeps more than the reader remembers`);
    const length = Math.max(0, this.state.length - compacted);
    Object.assign(this.state, {entries: kept.map(entry => ({...entry, m: entry.m - compacted + 1})), length: length + 1, floor: 1, lost: false});
    return kept.map(({seq}) => seq);
  }

  /** A compaction that keeps `count` of the person's prompts, the first `head` of them and the last ones. */
  keepPrompts(count: number, head: number): Array<number> {
    const prompts = this.state.entries.filter(({u}) => u === true);
    if (this.state.lost && count > prompts.length)
      throw new NeedsFullRead(`A compaction keeps more than the reader remembers`);
    const tail = Math.max(0, count - head);
    const kept = count >= prompts.length ? prompts : [...prompts.slice(0, head), ...tail === 0 ? [] : prompts.slice(-tail)];
    // Prompts, a note on those left out, the summary, the word to go on.
    const elided = head > 0 ? 1 : 0;
    const length = kept.length + elided + 2;
    Object.assign(this.state, {entries: kept.map((entry, m) => ({...entry, m})), length, floor: length, lost: false});
    return kept.map(({seq}) => seq);
  }

  save(): HistoryState {
    return structuredClone(this.state);
  }
}
