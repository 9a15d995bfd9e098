/** Calls that may wait for their results at once; a session has a few dozen at most. */
const MOST_OPEN = 200;
/** Answered calls that are remembered, to know a late or second result and an id that comes again. */
const MOST_CLOSED = 1000;

export type OpenCall = {call: string; name: string; seq: number; answer: string};

export type CallsState = {open: Array<OpenCall>; closed: Array<[call: string, healed: number]>};

/** Calls of a stream by their unique ids. A second call with a known id gets `<id>~2`. */
export class Calls {
  private open: Array<OpenCall> = [];
  private readonly closed = new Map<string, boolean>();

  /** An id that no call of the recent past has. */
  unique(id: string) {
    let call = id;
    for (let copy = 2; this.closed.has(call) || this.open.some(one => one.call === call); copy++)
      call = `${id}~${copy}`;
    return call;
  }

  add(call: OpenCall) {
    this.open.push(call);
  }

  /** The call that a result with this id answers: the oldest one that waits for it. */
  waiting(id: string): OpenCall | undefined {
    for (let call = id, copy = 2; ; call = `${id}~${copy++}`) {
      const open = this.open.find(one => one.call === call);
      if (open !== undefined || !this.closed.has(call))
        return open;
    }
  }

  /** Whether a call of this id was answered, and by whom. */
  answered(id: string): `really` | `healed` | undefined {
    const healed = this.closed.get(id);
    return healed === undefined ? undefined : healed ? `healed` : `really`;
  }

  close({call}: OpenCall, healed: boolean) {
    this.open = this.open.filter(one => one.call !== call);
    this.closed.delete(call);
    this.closed.set(call, healed);
    if (this.closed.size > MOST_CLOSED)
      this.closed.delete(this.closed.keys().next().value!);
  }

  /** The live end is `at` now: calls that came after it are left behind, and their ids taken all the same. */
  leave(at: number) {
    for (const call of this.open.filter(({seq}) => seq > at))
      this.close(call, false);
  }

  all(): ReadonlyArray<OpenCall> {
    return this.open;
  }

  isFull() {
    return this.open.length >= MOST_OPEN;
  }

  save(): CallsState {
    return {open: this.open.map(call => ({...call})), closed: [...this.closed].map(([call, healed]) => [call, healed ? 1 : 0])};
  }

  restore({open, closed}: CallsState) {
    this.open = open.map(call => ({...call}));
    for (const [call, healed] of closed)
      this.closed.set(call, healed === 1);
  }
}
