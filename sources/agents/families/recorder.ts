import {MISSING_RESULT}                                  from '../../interchange/index.ts';
import type {Json, NeutralRecord, Repair, Unplaced}      from '../../interchange/index.ts';
import {shortKey}                                        from '../values.ts';
import type {ReaderFacts}                                from '../types.ts';

const MOST_OPEN = 200;
const MOST_CLOSED = 500;
const MOST_REPAIRS = 100;
const MOST_TYPES = 100;
/** Longer call ids would fill the state. */
const LONGEST_ID = 100;

export type OpenCall = {call: string; native: string; name: string; seq: number};

export type RecorderState = {
  seq: number;
  open: Array<OpenCall>;
  closed: Array<string>;
  counts: {[kind: string]: number};
  ignored: {[type: string]: number};
  repairs: Array<Repair>;
  more: {[code: string]: number};
  created?: string;
  updated?: string;
};

/** Where a record comes from. */
export type Origin = {time?: string; id?: string};

/**
 * The part of a reader that is alike for agents whose sessions are a list of messages: numbers the records, pairs calls
 * with results, counts. Bounded whatever comes.
 */
export class Recorder {
  private state: RecorderState;
  private out: Array<NeutralRecord> = [];
  private readonly answered: Set<string>;

  constructor(state?: RecorderState) {
    this.state = state === undefined
      ? {seq: 0, open: [], closed: [], counts: {}, ignored: {}, repairs: [], more: {}}
      : structuredClone(state);
    this.answered = new Set(this.state.closed);
  }

  get seq() {
    return this.state.seq;
  }

  get hasOpenCalls() {
    return this.state.open.length > 0;
  }

  get openCalls(): ReadonlyArray<OpenCall> {
    return this.state.open;
  }

  /** Numbers a record and hands it out with the next `take`; resolves to its `seq`. */
  emit(record: Unplaced, {time, id}: Origin = {}): number {
    const seq = this.state.seq++;
    this.out.push({seq, ...id === undefined ? {} : {id: shortKey(id, LONGEST_ID)}, ...time === undefined ? {} : {time}, ...record} as NeutralRecord);
    this.state.counts[record.kind] = (this.state.counts[record.kind] ?? 0) + 1;
    if (time !== undefined) {
      this.state.created ??= time;
      if (this.state.updated === undefined || time > this.state.updated)
        this.state.updated = time;
    }
    return seq;
  }

  take(): Array<NeutralRecord> {
    const out = this.out;
    this.out = [];
    return out;
  }

  /** An id for a call that no other call of the recent past has; the call waits for its result from here on. */
  open(nativeId: Json | undefined, name: string, at: number): string {
    const native = typeof nativeId === `string` && nativeId !== `` ? shortKey(nativeId, LONGEST_ID) : `call-${this.seq}`;
    let call = native;
    for (let copy = 2; this.answered.has(call) || this.state.open.some(open => open.call === call); copy++)
      call = `${native}~${copy}`;
    if (call !== native)
      this.repair(`duplicate-call`, `A call whose id was there before got another one`, at);
    if (this.state.open.length >= MOST_OPEN)
      this.heal(this.state.open[0]!, {});
    this.state.open.push({call, native, name: name.slice(0, 100), seq: this.seq});
    return call;
  }

  /** The oldest call that waits for a result with this id; from here on it no longer does. */
  answer(nativeId: Json | undefined, at: number): OpenCall | null {
    const native = typeof nativeId === `string` ? shortKey(nativeId, LONGEST_ID) : ``;
    const open = this.state.open.find(call => call.native === native);
    if (open === undefined) {
      this.repair(this.answered.has(native) ? `second-result` : `result-without-call`,
        this.answered.has(native) ? `A second result of one call was left out` : `A result without its call was left out`, at);
      return null;
    }
    this.close(open);
    return open;
  }

  /** Gives calls that no result will come for an empty one. */
  healAll(origin: Origin, text?: string) {
    for (const open of [...this.state.open])
      this.heal(open, origin, text);
  }

  /** The calls that wait lie on a branch that was left. */
  abandonCalls() {
    for (const open of [...this.state.open])
      this.close(open);
  }

  ignore(type: Json | undefined) {
    let key = typeof type === `string` ? shortKey(type) : `untyped`;
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

  facts(): Pick<ReaderFacts, `created` | `updated` | `counts` | `ignored` | `repairs`> {
    const {created, updated, counts, ignored, repairs, more} = this.state;
    return {
      ...created === undefined ? {} : {created},
      ...updated === undefined ? {} : {updated},
      counts: {...counts},
      ignored: {...ignored},
      repairs: [
        ...repairs.map(repair => ({...repair})),
        ...Object.entries(more).map(([code, count]) => ({code, message: `and more of the same`, count})),
      ],
    };
  }

  save(): RecorderState {
    return structuredClone(this.state);
  }

  private heal(open: OpenCall, origin: Origin, text = MISSING_RESULT) {
    this.close(open);
    this.emit({kind: `result`, call: open.call, content: [{type: `text`, text}], error: true, healed: true}, origin);
  }

  private close(open: OpenCall) {
    this.state.open.splice(this.state.open.indexOf(open), 1);
    this.state.closed.push(open.call);
    this.answered.add(open.call);
    if (this.state.closed.length > MOST_CLOSED)
      this.answered.delete(this.state.closed.shift()!);
  }
}

/** ISO time of milliseconds since 1970; nothing where that is no time. */
export function isoOfMs(value: Json | undefined): string | undefined {
  if (typeof value !== `number` || !Number.isFinite(value) || value < 0 || value > 253_402_300_799_999)
    return undefined;
  return new Date(value).toISOString();
}
