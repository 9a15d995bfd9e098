import type {Repair}      from '../../interchange/index.ts';
import {shortKey}         from '../values.ts';
import type {ReaderFacts} from '../types.ts';

const MOST_REPAIRS = 100;
const MOST_TYPES = 100;

export type LedgerState = {
  facts: Pick<ReaderFacts, `nativeId` | `cwd` | `title` | `model` | `created` | `updated`>;
  counts: Array<[string, number]>;
  ignored: Array<[string, number]>;
  repairs: Array<Repair>;
  more: Array<[string, number]>;
};

/** What the reader learns and counts beside the records. Bounded whatever the file holds. */
export class Ledger {
  readonly facts: LedgerState[`facts`];
  private readonly counts: Map<string, number>;
  private readonly ignored: Map<string, number>;
  private readonly repairs: Array<Repair>;
  private readonly more: Map<string, number>;

  constructor(state?: LedgerState) {
    this.facts = {...state?.facts};
    this.counts = new Map(state?.counts);
    this.ignored = new Map(state?.ignored);
    this.repairs = [...state?.repairs ?? []];
    this.more = new Map(state?.more);
  }

  see(time: string | undefined) {
    if (time === undefined)
      return;
    this.facts.created ??= time;
    if (this.facts.updated === undefined || time > this.facts.updated)
      this.facts.updated = time;
  }

  count(kind: string) {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  ignore(type: string) {
    const short = shortKey(type);
    const key = this.ignored.size >= MOST_TYPES && !this.ignored.has(short) ? `other` : short;
    this.ignored.set(key, (this.ignored.get(key) ?? 0) + 1);
  }

  repair(code: string, message: string, at: number) {
    if (this.repairs.length < MOST_REPAIRS)
      this.repairs.push({code, message, at});
    else
      this.more.set(code, (this.more.get(code) ?? 0) + 1);
  }

  read(): LedgerState[`facts`] & Pick<ReaderFacts, `counts` | `ignored` | `repairs`> {
    return {
      ...this.facts,
      counts: Object.fromEntries(this.counts),
      ignored: Object.fromEntries(this.ignored),
      repairs: [
        ...this.repairs.map(repair => ({...repair})),
        ...[...this.more].map(([code, count]) => ({code, message: `and more of the same`, count})),
      ],
    };
  }

  save(): LedgerState {
    return {facts: {...this.facts}, counts: [...this.counts], ignored: [...this.ignored], repairs: [...this.repairs], more: [...this.more]};
  }
}
