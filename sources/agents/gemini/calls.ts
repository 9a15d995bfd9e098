import type {PlanItem} from '../../interchange/index.ts';

/** Calls that may wait for their results at once. */
const MOST_OPEN = 200;
/** Ids that are remembered, to know one that comes again. */
const MOST_KNOWN = 500;
const MOST_PLANS = 10;

export type OpenCall = {call: string; name: string; seq: number; plan?: Array<PlanItem>};

export type CallsState = {open: Array<[native: string, call: OpenCall]>; known: Array<string>};

/** Calls of a stream by the ids that the agent gave them. A second call with a known id gets `<id>~2`. */
export class Calls {
  private open = new Map<string, OpenCall>();
  private known: Array<string> = [];

  get waiting() {
    return this.open.size;
  }

  unique(native: string): string {
    let call = native;
    for (let copy = 2; this.known.includes(call); copy++)
      call = `${native}~${copy}`;
    return call;
  }

  add(native: string, call: OpenCall) {
    if (call.plan !== undefined && [...this.open.values()].filter(({plan}) => plan !== undefined).length >= MOST_PLANS)
      delete call.plan;
    this.open.delete(native);
    this.open.set(native, call);
    if (this.open.size > MOST_OPEN)
      this.open.delete(this.open.keys().next().value!);
    this.known.push(call.call);
    if (this.known.length > MOST_KNOWN)
      this.known.shift();
  }

  /** The call that waits for a result with this id; from here on it does not. */
  take(native: string): OpenCall | undefined {
    const call = this.open.get(native);
    this.open.delete(native);
    return call;
  }

  /** Calls that are no part of the history any more. */
  forget(isGone: (call: OpenCall) => boolean) {
    this.open = new Map([...this.open].filter(([, call]) => !isGone(call)));
  }

  save(): CallsState {
    return {open: [...this.open].map(([native, call]) => [native, {...call}]), known: [...this.known]};
  }

  restore({open, known}: CallsState) {
    this.open = new Map(open.map(([native, call]) => [native, {...call}]));
    this.known = [...known];
  }
}
