import type {JsonObject, Repair}               from '../../interchange/index.ts';
import type {ReaderFacts}                      from '../types.ts';

import {isoTime, shortKey, stringAt}           from '../values.ts';

const MOST_REPAIRS = 100;
const MOST_TYPES = 100;

export type LedgerState = {
  facts: Pick<ReaderFacts, `nativeId` | `version` | `cwd` | `branch` | `created` | `updated`>;
  counts: Array<[string, number]>;
  ignored: Array<[string, number]>;
  repairs: Array<Repair>;
  more: Array<[string, number]>;
};

/** What the reader learns and counts beside the records. Bounded whatever the transcript holds. */
export class Ledger {
  private facts: LedgerState[`facts`] = {};
  private counts = new Map<string, number>();
  private ignored = new Map<string, number>();
  private repairs: Array<Repair> = [];
  private more = new Map<string, number>();

  /** Common fields of a chain line. Returns its time. */
  see(line: JsonObject): string | undefined {
    const facts = this.facts;
    if (facts.nativeId === undefined)
      facts.nativeId = stringAt(line, `sessionId`)?.slice(0, 200);

    const version = line.version;
    if (typeof version === `string` && version !== facts.version)
      facts.version = version.slice(0, 40);
    const cwd = line.cwd;
    if (typeof cwd === `string` && cwd !== facts.cwd)
      facts.cwd = cwd.slice(0, 4096);
    // Outside a repository, and detached, Claude Code writes HEAD (2.1.330): that is no branch.
    const branch = line.gitBranch;
    if (typeof branch === `string` && branch !== facts.branch && branch !== `` && branch !== `HEAD`)
      facts.branch = branch.slice(0, 1024);

    const time = isoTime(line.timestamp);
    if (time !== undefined) {
      facts.created ??= time;
      if (facts.updated === undefined || time > facts.updated)
        facts.updated = time;
    }
    return time;
  }

  get cwd() {
    return this.facts.cwd;
  }

  get branch() {
    return this.facts.branch;
  }

  count(kind: string) {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  ignore(type: string) {
    let key = type.length <= 64 ? type : shortKey(type);
    if (this.ignored.size >= MOST_TYPES && !this.ignored.has(key))
      key = `other`;
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

  restore(state: LedgerState) {
    this.facts = {...state.facts};
    this.counts = new Map(state.counts);
    this.ignored = new Map(state.ignored);
    this.repairs = [...state.repairs];
    this.more = new Map(state.more);
  }
}
