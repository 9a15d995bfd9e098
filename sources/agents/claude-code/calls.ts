import type {PlanItem} from '../../interchange/index.ts';

import type {Batch}    from './tree.ts';

/** Calls that may wait for their results at once; a session has a few dozen at most. */
const MOST_OPEN = 200;
/** Answered calls that are remembered, to know a late or second result and an id that comes again. */
const MOST_CLOSED = 500;
const MOST_PLANS = 20;

/** What a plan tool was called with, until its result says that it ran. */
export type PlanInput =
  | {kind: `todos`; items: Array<PlanItem>}
  | {kind: `plan`; text?: string}
  | {kind: `task`; subject: string}
  | {kind: `update`; task: string; subject?: string; status?: string};

export type OpenCall = {call: string; name: string; seq: number; batch: Batch; plan?: PlanInput};
export type ClosedCall = {seq: number; result: number; healed: boolean; order: number};

export type CallsState = {
  open: Array<[call: string, name: string, seq: number, batch: number, plan: PlanInput | null]>;
  closed: Array<[call: string, seq: number, result: number, healed: number]>;
};

/** Calls of a stream by their unique ids. A second call with a known id gets `<id>~2`. */
export class Calls {
  private readonly open = new Map<string, OpenCall>();
  private readonly closed = new Map<string, ClosedCall>();
  private order = 0;

  /** An id that no call of the recent past has. */
  unique(id: string) {
    let call = id;
    for (let copy = 2; this.open.has(call) || this.answered(call) !== undefined; copy++)
      call = `${id}~${copy}`;
    return call;
  }

  add(call: OpenCall) {
    // Plans can be long. Several plan calls at once are no real session.
    if (call.plan !== undefined && [...this.open.values()].filter(({plan}) => plan !== undefined).length >= MOST_PLANS)
      delete call.plan;
    this.open.set(call.call, call);
  }

  /** The call that a result with this id answers: the oldest one that waits for it. */
  waiting(id: string): OpenCall | undefined {
    let call = id;
    for (let copy = 2; ; copy++) {
      const open = this.open.get(call);
      if (open !== undefined || this.answered(call) === undefined)
        return open;
      call = `${id}~${copy}`;
    }
  }

  answered(id: string): ClosedCall | undefined {
    const closed = this.closed.get(id);
    return closed !== undefined && closed.order > this.order - MOST_CLOSED ? closed : undefined;
  }

  close(open: OpenCall, result: number, healed: boolean) {
    this.open.delete(open.call);
    this.remember(open.call, open.seq, result, healed);
  }

  private remember(call: string, seq: number, result: number, healed: boolean) {
    this.closed.delete(call);
    this.closed.set(call, {seq, result, healed, order: ++this.order});
    if (this.closed.size >= 2 * MOST_CLOSED)
      for (const [old, {order}] of this.closed) {
        if (order > this.order - MOST_CLOSED)
          break;
        this.closed.delete(old);
      }
  }

  private recent() {
    return [...this.closed].filter(([, {order}]) => order > this.order - MOST_CLOSED);
  }

  /** Open calls of a batch, in order. */
  openIn(root: Batch): Array<OpenCall> {
    if (this.open.size === 0)
      return [];
    return [...this.open.values()].filter(call => call.batch === root);
  }

  hasOpen(root: Batch) {
    for (const call of this.open.values())
      if (call.batch === root)
        return true;
    return false;
  }

  isFull() {
    return this.open.size >= MOST_OPEN;
  }

  /** Gives up on the oldest call: what makes no sense any more must not fill the state. */
  forgetOldest() {
    this.open.delete(this.open.keys().next().value!);
  }

  /** Adds and removes so that no call is kept without its result, nor the other way round. */
  completePairs(keep: Set<number>) {
    for (const [, {seq, result}] of this.recent()) {
      if (keep.has(seq))
        keep.add(result);
      else
        keep.delete(result);
    }
  }

  batches(): Array<Batch> {
    return [...this.open.values()].map(call => call.batch);
  }

  save(): CallsState {
    return {
      open: [...this.open.values()].map(({call, name, seq, batch, plan}) => [call, name, seq, batch.id, plan ?? null]),
      closed: this.recent().map(([call, {seq, result, healed}]) => [call, seq, result, healed ? 1 : 0]),
    };
  }

  restore(state: CallsState, batches: Map<number, Batch>) {
    for (const [call, name, seq, batch, plan] of state.open)
      this.open.set(call, {call, name, seq, batch: batches.get(batch)!, ...plan === null ? {} : {plan}});
    for (const [call, seq, result, healed] of state.closed)
      this.remember(call, seq, result, healed === 1);
  }
}
