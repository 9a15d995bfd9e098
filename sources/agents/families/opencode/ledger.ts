import type {Repair}      from '../../../interchange/index.ts';
import type {ReaderFacts} from '../../types.ts';

const MOST_REPAIRS = 50;
const MOST_TYPES = 50;
const LONGEST = 4_096;

type Facts = {nativeId?: string; version?: string; cwd?: string; created?: string; updated?: string};

export type LedgerState = {
  facts: Facts;
  counts: {[kind: string]: number};
  ignored: {[type: string]: number};
  repairs: Array<Repair>;
  more: {[code: string]: number};
};

/** What a reader learns beside the records, in bounded space. */
export class Ledger {
  private state: LedgerState = {facts: {}, counts: {}, ignored: {}, repairs: [], more: {}};

  get cwd() {
    return this.state.facts.cwd;
  }

  learn(facts: {[name in `nativeId` | `version` | `cwd`]: string | undefined}) {
    for (const [name, value] of Object.entries(facts) as Array<[keyof typeof facts, string | undefined]>)
      if (value !== undefined && value.length <= LONGEST)
        this.state.facts[name] = value;
  }

  see(time: string | undefined) {
    const {facts} = this.state;
    if (time === undefined)
      return;
    facts.created ??= time;
    if (facts.updated === undefined || time > facts.updated)
      facts.updated = time;
  }

  count(kind: string) {
    this.state.counts[kind] = (this.state.counts[kind] ?? 0) + 1;
  }

  ignore(type: string) {
    const {ignored} = this.state;
    const name = type.slice(0, 60);
    const key = Object.hasOwn(ignored, name) || Object.keys(ignored).length < MOST_TYPES ? name : `other`;
    ignored[key] = (Object.hasOwn(ignored, key) ? ignored[key]! : 0) + 1;
  }

  repair(code: string, message: string, at: number) {
    const {repairs, more} = this.state;
    if (repairs.length < MOST_REPAIRS)
      repairs.push({code, message, at});
    else
      more[code] = (more[code] ?? 0) + 1;
  }

  read(): Facts & Pick<ReaderFacts, `counts` | `ignored` | `repairs`> {
    const {facts, counts, ignored, repairs, more} = this.state;
    return {
      ...facts, counts: {...counts}, ignored: {...ignored},
      repairs: [...repairs.map(repair => ({...repair})), ...Object.entries(more).map(([code, count]) => ({code, message: `and more of the same`, count}))],
    };
  }

  save(): LedgerState {
    return structuredClone(this.state);
  }

  restore(state: LedgerState) {
    this.state = structuredClone(state);
  }
}
