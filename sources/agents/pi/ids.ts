import type {Json} from '../../interchange/index.ts';

import {shortKey}  from '../values.ts';

/** Ids of calls that are remembered. Small models count theirs from 0 in every answer. */
const REMEMBERED = 1_000;
const LONGEST = 100;

/** Makes ids of calls unique in the session. */
export class Ids {
  private readonly known: Set<string>;

  constructor(ids: Array<string> = []) {
    this.known = new Set(ids);
  }

  /** An id that comes again gets the number of its record. */
  unique(native: string, seq: number): string {
    let call = native;
    while (call === `` || this.known.has(call))
      call = call === native ? `${native}~${seq}` : `${call}~`;
    // One that is used again and again must not be forgotten.
    for (const id of [native, call]) {
      this.known.delete(id);
      this.known.add(id);
    }
    while (this.known.size > REMEMBERED)
      this.known.delete(this.known.values().next().value!);
    return call;
  }

  save(): Array<string> {
    return [...this.known];
  }
}

export function nativeId(id: Json | undefined): string {
  return typeof id === `string` ? shortKey(id, LONGEST) : ``;
}
