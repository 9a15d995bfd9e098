import type {NeutralRecord, ResultRecord} from './types.ts';

/** What the tree needs of a record. */
export type Node = Pick<NeutralRecord, `seq` | `kind` | `parent`> & {at?: number; exact?: boolean};

/**
 * Which records of a stream are on its live branch. Takes only the shape of the records, four bytes each, so that a
 * session of any size can be read twice instead of being held in memory.
 */
export class LiveTree {
  private parents = new Int32Array(1024);
  private length = 0;
  private leaf: {at: number; exact: boolean} | null = null;
  private tip = -1;

  add(node: Node) {
    if (this.length === this.parents.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.parents);
      this.parents = larger;
    }
    const parent = node.parent ?? node.seq - 1;
    this.parents[this.length++] = parent < node.seq && parent >= -1 ? parent : node.seq - 1;

    // A leaf record points into the tree; it is no part of it, and the next record follows what was there before.
    if (node.kind === `leaf`)
      this.leaf = {at: Math.min(Math.max(node.at ?? -1, -1), node.seq - 1), exact: node.exact === true};
    else
      this.tip = node.seq;
  }

  /** `seq` of the live end, -1 when there is nothing. */
  end(): number {
    if (this.leaf === null || this.leaf.at < 0)
      return this.tip;
    if (!this.leaf.exact && this.descends(this.tip, this.leaf.at))
      return this.tip;
    return this.leaf.at;
  }

  /** One byte a record: 1 on the way from the root to `from` (default: the live end). */
  live(from = this.end()): Uint8Array {
    const live = new Uint8Array(this.length);
    for (let at = from; at >= 0; at = this.parents[at]!)
      live[at] = 1;
    return live;
  }

  private descends(from: number, ancestor: number) {
    for (let at = from; at >= ancestor; at = this.parents[at]!)
      if (at === ancestor)
        return true;
    return false;
  }
}

export type LinearOptions = {
  /** `seq` to take as the end instead of the live one: an abandoned branch, an earlier point. */
  at?: number;
};

/**
 * The history from the first record to the live end, in order. Branch and leaf records have done their work and are
 * left out; compactions stay where they are (see `sinceCompaction`).
 */
export function linearize(records: Array<NeutralRecord>, {at}: LinearOptions = {}): Array<NeutralRecord> {
  const tree = new LiveTree();
  for (const record of records)
    tree.add(record);

  const live = tree.live(at);
  return records.filter((record, index) => live[index] === 1 && isHistory(record));
}

export function isHistory(record: NeutralRecord) {
  return record.kind !== `branch` && record.kind !== `leaf`;
}

/**
 * What the model sees: the last compaction, the records that it keeps, and everything after it. For agents that have no
 * compaction of their own in their format.
 */
export function sinceCompaction(records: Array<NeutralRecord>): Array<NeutralRecord> {
  const last = records.findLastIndex(record => record.kind === `compaction`);
  const compaction = records[last];
  if (compaction?.kind !== `compaction`)
    return records;

  const keep = new Set(compaction.keep ?? []);
  return [compaction, ...records.slice(0, last).filter(record => keep.has(record.seq)), ...records.slice(last + 1)];
}

export const MISSING_RESULT = `[No result was recorded for this call.]`;

/** Follows which calls have no result yet, so that a history that will not grow any more can be closed. */
export class OpenCalls {
  private readonly open = new Map<string, string | undefined>();

  see(record: NeutralRecord) {
    if (record.kind === `call`)
      this.open.set(record.call, record.time);
    else if (record.kind === `result`)
      this.open.delete(record.call);
  }

  /** Results for what is open, in the order of the calls, numbered from `seq`. */
  heal(seq: number): Array<ResultRecord> {
    return [...this.open].map(([call, time], index) => ({
      seq: seq + index,
      kind: `result`,
      ...time !== undefined ? {time} : {},
      call,
      content: [{type: `text`, text: MISSING_RESULT}],
      error: true,
      healed: true,
    }));
  }
}

/** Results for calls that have none: what a session needs that will not grow any more. */
export function healOpenCalls(records: Array<NeutralRecord>): Array<ResultRecord> {
  const calls = new OpenCalls();
  for (const record of records)
    calls.see(record);
  return calls.heal((records.at(-1)?.seq ?? -1) + 1);
}
