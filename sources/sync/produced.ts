import type {Produced}                        from '../interchange/index.ts';
import {MARK_LENGTH, joinMarks, marksOf}      from '../store/marks.ts';
import {changesOf, committedBy, knownCommits, madeHere} from '../store/produced.ts';
import type {Change, CommitFacts}             from '../store/produced.ts';
import type {Repository, StoredHeader}        from '../store/types.ts';

import type {Evidence}                        from '../store/evidence.ts';
import type {Project}                         from './project.ts';

/** Commits that a session is noted to have made; more drop the oldest. */
const MOST_PRODUCED = 1000;
/** Lines of one commit, and of all, that are marked; the newest commits have theirs. */
const MOST_LINES     = 200;
const MOST_ALL_LINES = 10_000;
/** A clock's second. */
const SLACK_S = 2;
/** Some agents note a call when it is done. */
const WRITTEN_S = 10;

export type ProducedOptions = {
  project: Project;
  author: () => Promise<{name: string; email: string}>;
  evidence: Evidence;
};

/** How the session stands at a commit of it. `base`: what the store has of it; `repository`: with its own working tree. */
export type ProducedAt = {base: StoredHeader | null; repository: Repository; created?: string; updated?: string; branch?: string};

/** Finds out which of the repository's commits a session made, from one sync to the next. */
export class ProducedCommits {
  /** Commits that were looked at; those that are not the session's stay so, since what speaks for it comes before. */
  private readonly changes = new Map<string, Change | null>();

  constructor(private readonly options: ProducedOptions) {}

  /** All that the session is known to have made, oldest first. */
  async at({base, repository, created, updated, branch}: ProducedAt): Promise<Array<Produced>> {
    const known = new Map((base?.produced ?? []).map(one => [one.commit, one]));
    const born = seconds(created);
    if (born === null || repository.workTree === null)
      return [...known.values()];

    const candidates = await this.candidates(born, {base, repository, ...updated !== undefined ? {updated} : {}, ...branch !== undefined ? {branch} : {}});
    const weighed = candidates.filter(({commit}) => known.get(commit)?.by !== `call`);
    await this.look(weighed.map(({commit}) => commit));
    for (const {commit, committed, time, own, sure} of weighed) {
      const by = this.judge({commit, time, own, sure});
      const former = known.get(commit);
      if (by !== null && (former === undefined || STRENGTH.indexOf(by) < STRENGTH.indexOf(former.by)))
        known.set(commit, former !== undefined ? {...former, by} : await this.describe(commit, committed, by));
    }
    return bounded([...known.values()]);
  }

  /**
   * `own`: not merely moved from elsewhere, or from somebody else. `sure`: the time alone says nothing, be it that the session was stored long
   * after, or that there is no reflog to tell who made a commit.
   */
  private async candidates(born: number, {base, repository, updated, branch}: ProducedAt) {
    const {machine} = this.options.project;
    // What the last sync could have seen was judged then; an hour more, for clocks and syncs that were killed.
    const since = Math.max(born - SLACK_S, base === null ? 0 : (seconds(base.updated) ?? 0) - 3600);
    const {made, reaches} = await madeHere(repository, machine.env, since);
    const found = made.filter(({committed}) => committed >= born - SLACK_S).map(one => ({
      ...one, own: one.how === `made` || one.authored >= born - SLACK_S && one.author === one.email, sure: base === null,
    }));
    if (!reaches) {
      const {email} = await this.options.author();
      const until = (seconds(updated) ?? born) + 3600;
      found.push(...(await committedBy(repository, machine.env, {email, since, until, ...branch !== undefined ? {branch} : {}})).map(asSure));
    }
    const printed = this.options.evidence.printed().filter(name => !found.some(({commit}) => commit.startsWith(name)));
    found.push(...(await knownCommits(repository, machine.env, printed)).filter(({committed}) => committed >= born - SLACK_S).map(one => ({...asSure(one), own: one.author === one.email})));
    return [...new Map(found.map(one => [one.commit, one])).values()].sort((a, b) => a.committed - b.committed || (a.commit < b.commit ? -1 : 1));
  }

  private async look(commits: Array<string>) {
    const {repository, machine} = this.options.project;
    const unseen = commits.filter(commit => !this.changes.has(commit));
    const {changes} = await changesOf(repository, machine.env, unseen);
    for (const commit of unseen)
      this.changes.set(commit, changes.get(commit) ?? null);
  }

  private judge({commit, time, own, sure}: {commit: string; time: number; own: boolean; sure: boolean}): Produced[`by`] | null {
    const {evidence} = this.options;
    const change = this.changes.get(commit);
    if (own && evidence.hasCall(commit, time))
      return `call`;
    if (change && evidence.hasLines(change.marks, time + WRITTEN_S))
      return `edits`;
    return own && !sure && evidence.wasAtWork(time) ? `time` : null;
  }

  private async describe(commit: string, committed: number, by: Produced[`by`]): Promise<Produced> {
    const change = this.changes.get(commit);
    const lines = change ? joinMarks(marksOf(change.marks).slice(0, MOST_LINES)) : ``;
    return {
      commit, ...change?.patch !== undefined ? {patch: change.patch} : {}, time: new Date(committed * 1000).toISOString(), by, ...lines !== `` ? {lines} : {},
    };
  }
}

const STRENGTH: Array<Produced[`by`]> = [`call`, `edits`, `time`];

function asSure(commit: CommitFacts) {
  return {...commit, how: `made` as const, time: commit.committed, own: true, sure: true};
}

function bounded(all: Array<Produced>): Array<Produced> {
  const kept = all.sort((a, b) => (a.time ?? ``) < (b.time ?? ``) ? -1 : (a.time ?? ``) > (b.time ?? ``) ? 1 : a.commit < b.commit ? -1 : 1).slice(-MOST_PRODUCED);
  let room = MOST_ALL_LINES * MARK_LENGTH;
  return kept.reverse().map(({lines, ...one}) => {
    room -= lines?.length ?? 0;
    return {...one, ...lines !== undefined && room >= 0 ? {lines} : {}};
  }).reverse();
}

function seconds(time: string | undefined): number | null {
  const value = time === undefined ? NaN : Math.floor(Date.parse(time) / 1000);
  return Number.isNaN(value) ? null : value;
}
