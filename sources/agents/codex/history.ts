import type {NeutralRecord, PlanItem, Repair, Unplaced} from '../../interchange/index.ts';
import {shortKey}                                       from '../values.ts';
import {NeedsFullRead}                                  from '../types.ts';

import type {Effects}                                   from './outputs.ts';

const MOST_OPEN    = 256;
const MOST_CLOSED  = 500;
const MOST_PLANS   = 20;
const MOST_REPAIRS = 100;
const MOST_TYPES   = 100;
const LONGEST_ID   = 100;

/** Prompts that a rollback can reach, places that a segment can go on from, and items that a compaction can keep. */
const TURNS  = 500;
const POINTS = 2_000;
const ITEMS  = 2_000;

export type OpenCall = {
  call: string;
  native: string;
  seq: number;
  kind: `shell` | `script` | `other`;
  plan?: Array<PlanItem>;
  effects: Effects;
};

/** Where a record comes from. */
export type Origin = {time?: string; id?: string};

type Surroundings = {cwd?: string; branch?: string; commit?: string};

type State = {
  seq: number;
  /** The live end. */
  tip: number;
  said: Surroundings;
  known?: Surroundings;
  open: Array<OpenCall>;
  closed: Array<string>;
  /** Of each prompt: the record before it, and its own. */
  turns: Array<[before: number, seq: number]>;
  /** After each line with records: how far the history was then. */
  points: Array<[segment: string, ordinal: number, tip: number]>;
  /** Records of items that a compaction may name. */
  items: Array<[key: string, from: number, to: number]>;
  cut: {turns?: true; points?: true; items?: true};
  counts: {[kind: string]: number};
  ignored: {[type: string]: number};
  repairs: Array<Repair>;
  more: {[code: string]: number};
  created?: string;
  updated?: string;
};

export type HistoryState = State;

/** The records of a rollout: their numbers, calls and results, and the way back to an earlier place. */
export class History {
  private state: State = {
    seq: 0, tip: -1, said: {}, open: [], closed: [], turns: [], points: [], items: [], cut: {}, counts: {}, ignored: {}, repairs: [], more: {},
  };
  private out: Array<NeutralRecord> = [];
  private readonly closed = new Set<string>();
  private readonly items = new Map<string, [from: number, to: number]>();

  /** Known of the surroundings; the next record says what of it is new. */
  cwd: string | undefined;
  branch: string | undefined;
  commit: string | undefined;

  constructor(private readonly unbounded: boolean) {}

  get seq() {
    return this.state.seq;
  }

  get tip() {
    return this.state.tip;
  }

  get open(): ReadonlyArray<OpenCall> {
    return this.state.open;
  }

  get hasOutput() {
    return this.out.length > 0;
  }

  take(): Array<NeutralRecord> {
    const {out} = this;
    this.out = [];
    return out;
  }

  emit(record: Unplaced, {time, id}: Origin): number {
    const {said} = this.state;
    const seq = this.state.seq++;
    const head = {
      ...this.branch !== undefined && this.branch !== said.branch ? {branch: this.branch} : {},
      ...this.commit !== undefined && this.commit !== said.commit ? {commit: this.commit} : {},
    };
    const full = {
      seq, ...id === undefined ? {} : {id}, ...time === undefined ? {} : {time},
      ...this.cwd !== undefined && this.cwd !== said.cwd ? {cwd: this.cwd} : {},
      ...Object.keys(head).length > 0 ? {head} : {},
      ...record,
    } as NeutralRecord;
    this.state.said = this.surroundings();
    this.state.tip = seq;
    this.out.push(full);
    this.state.counts[record.kind] = (this.state.counts[record.kind] ?? 0) + 1;
    this.see(time);
    return seq;
  }

  see(time: string | undefined) {
    if (time === undefined)
      return;
    this.state.created ??= time;
    if (this.state.updated === undefined || time > this.state.updated)
      this.state.updated = time;
  }

  /** The next record is a prompt that begins a turn. */
  beginTurn() {
    const {turns} = this.state;
    turns.push([this.state.tip, this.state.seq]);
    if (!this.unbounded && turns.length > TURNS) {
      turns.shift();
      this.state.cut.turns = true;
    }
  }

  /** Prompts that are in the history now, the newest last. */
  prompts(): Array<number> {
    if (this.state.cut.turns)
      throw new NeedsFullRead(`A compaction keeps prompts that lie further back than the state reaches`);
    return this.state.turns.map(([, seq]) => seq);
  }

  /** Where the history ends without its last `count` turns; undefined where it has none. */
  beforeTurns(count: number): number | undefined {
    const {turns, cut} = this.state;
    if (count > turns.length && cut.turns)
      throw new NeedsFullRead(`A turn is taken back that lies further back than the state reaches`);
    return turns[Math.max(0, turns.length - count)]?.[0];
  }

  /** A line with this ordinal has been read. */
  point(segment: string, ordinal: number) {
    const {points, tip} = this.state;
    const last = points.at(-1);
    if (last !== undefined && last[0] === segment && last[2] === tip)
      return;
    points.push([segment, ordinal, tip]);
    if (!this.unbounded && points.length > POINTS) {
      points.shift();
      this.state.cut.points = true;
    }
  }

  /** How far the history was before this ordinal of a segment; undefined where that segment is not known. */
  beforeOrdinal(segment: string, ordinal: number): number | undefined {
    const {points, cut} = this.state;
    const found = points.findLast(point => point[0] === segment && point[1] < ordinal);
    if (found === undefined && cut.points)
      throw new NeedsFullRead(`A segment goes on from further back than the state reaches`);
    return found?.[2];
  }

  /** Goes on after an earlier record; what came after it is another branch from here on. */
  goBack(to: number, reason: string, origin: Origin) {
    if (to >= this.state.tip)
      return;
    for (const open of this.state.open.filter(({seq}) => seq > to))
      this.close(open);
    this.state.turns = this.state.turns.filter(([, seq]) => seq <= to);
    this.state.points = this.state.points.filter(([, , tip]) => tip <= to);
    for (const [key, [from]] of this.items)
      if (from > to)
        this.items.delete(key);
    this.emit({kind: `branch`, parent: to, reason}, origin);
  }

  /** Remembers which records an item became. */
  item(key: string | undefined, from: number) {
    const to = this.state.seq - 1;
    if (key === undefined || to < from)
      return;
    this.items.delete(key);
    this.items.set(key, [from, to]);
    if (!this.unbounded && this.items.size > ITEMS) {
      this.items.delete(this.items.keys().next().value!);
      this.state.cut.items = true;
    }
  }

  /** The records of an item; none where it is in no line. */
  recordsOf(key: string): Array<number> {
    const found = this.items.get(key);
    if (found === undefined && this.state.cut.items)
      throw new NeedsFullRead(`A compaction keeps something that lies further back than the state reaches`);
    return found === undefined ? [] : Array.from({length: found[1] - found[0] + 1}, (_, index) => found[0] + index);
  }

  /** An id for a call that no other one of the recent past has. Call it before the record is made. */
  openCall(nativeId: string | undefined, kind: OpenCall[`kind`], at: number, plan?: Array<PlanItem>): string {
    const native = nativeId === undefined || nativeId === `` ? `call-${this.seq}` : shortKey(nativeId, LONGEST_ID);
    let call = native;
    for (let copy = 2; this.closed.has(call) || this.state.open.some(open => open.call === call); copy++)
      call = `${native}~${copy}`;
    if (call !== native)
      this.repair(`duplicate-call`, `A call whose id was there before got another one`, at);
    if (this.state.open.length >= MOST_OPEN)
      this.heal(this.state.open[0]!, {});
    const known = plan !== undefined && JSON.stringify(plan).length < 16_000 && this.state.open.filter(open => open.plan !== undefined).length < MOST_PLANS;
    this.state.open.push({call, native, seq: this.seq, kind, ...known ? {plan} : {}, effects: {}});
    return call;
  }

  /** The oldest call that waits for a result with this id. */
  waiting(nativeId: string | undefined): OpenCall | undefined {
    const native = nativeId === undefined ? `` : shortKey(nativeId, LONGEST_ID);
    return this.state.open.find(open => open.native === native);
  }

  closeCall(call: string) {
    const open = this.state.open.find(other => other.call === call);
    if (open !== undefined)
      this.close(open);
  }

  /** The call with this id gets its result now; null where there is none that waits. */
  answer(nativeId: string | undefined, at: number): OpenCall | null {
    const open = this.waiting(nativeId);
    if (open !== undefined) {
      this.close(open);
      return open;
    }
    if (nativeId !== undefined && this.closed.has(shortKey(nativeId, LONGEST_ID)))
      this.repair(`second-result`, `A second or late result of one call was left out`, at);
    else
      this.repair(`result-without-call`, `A result without its call was left out`, at);
    return null;
  }

  /** Calls that nothing will answer any more get what Codex tells its model then. */
  healAll(origin: Origin) {
    for (const open of [...this.state.open])
      this.heal(open, origin);
  }

  private heal(open: OpenCall, origin: Origin) {
    this.close(open);
    this.emit({kind: `result`, call: open.call, content: [{type: `text`, text: `aborted`}], error: true, interrupted: true, healed: true}, origin);
  }

  private close(open: OpenCall) {
    this.state.open = this.state.open.filter(other => other !== open);
    this.state.closed.push(open.call);
    this.closed.add(open.call);
    if (this.state.closed.length > MOST_CLOSED)
      this.closed.delete(this.state.closed.shift()!);
  }

  ignore(type: string) {
    let key = shortKey(type);
    if (!Object.hasOwn(this.state.ignored, key) && Object.keys(this.state.ignored).length >= MOST_TYPES)
      key = `other`;
    this.state.ignored[key] = (Object.hasOwn(this.state.ignored, key) ? this.state.ignored[key]! : 0) + 1;
  }

  repair(code: string, message: string, at: number) {
    if (this.state.repairs.length < MOST_REPAIRS)
      this.state.repairs.push({code, message, at});
    else
      this.state.more[code] = (this.state.more[code] ?? 0) + 1;
  }

  facts() {
    const {created, updated, counts, ignored, repairs, more} = this.state;
    return {
      ...created === undefined ? {} : {created},
      ...updated === undefined ? {} : {updated},
      counts: {...counts},
      ignored: {...ignored},
      repairs: [...repairs.map(repair => ({...repair})), ...Object.entries(more).map(([code, count]) => ({code, message: `and more of the same`, count}))],
    };
  }

  save(): State {
    return structuredClone({...this.state, known: this.surroundings(), items: [...this.items].map(([key, [from, to]]) => [key, from, to] as [string, number, number])});
  }

  restore(state: State) {
    this.state = structuredClone(state);
    for (const call of state.closed)
      this.closed.add(call);
    for (const [key, from, to] of state.items)
      this.items.set(key, [from, to]);
    this.cwd = state.known?.cwd;
    this.branch = state.known?.branch;
    this.commit = state.known?.commit;
  }

  private surroundings(): Surroundings {
    const {cwd, branch, commit} = this;
    return {...cwd !== undefined ? {cwd} : {}, ...branch !== undefined ? {branch} : {}, ...commit !== undefined ? {commit} : {}};
  }
}
