import type {SessionStore}               from '../store/index.ts';
import type {WorktreeState}              from '../store/types.ts';

import {firstRecord, recordCount, statesOf} from './history.ts';
import type {Stored}                     from './history.ts';

/** A state of a session at which it is known what the files of its working tree were like. */
export type Turn = {
  stored: Stored;
  /** Records of the history up to there. */
  records: number;
  /** `kept`: what was not committed is in the commit. `clean`: everything was committed. */
  files: `kept` | `clean`;
};

/**
 * The states of a session, and of those that it goes on from, with which its files are known; the newest first.
 */
export async function * turnsOf(store: SessionStore, stored: Stored): AsyncGenerator<Turn> {
  const seen = new Set<string>();
  let end = Infinity;
  for (let state: Stored | undefined = stored; state !== undefined && !seen.has(state.session);) {
    seen.add(state.session);
    for await (const one of store.past(state)) {
      const records = recordCount(one.header);
      const files = filesOf(one);
      if (files !== null && records <= end && records > firstRecord(one.header))
        yield {stored: one, records, files};
    }
    const {lineage}: Stored[`header`] = state.header;
    if (lineage?.source === undefined)
      return;
    end = Math.min(end, lineage.seq);
    const parents: Array<Stored> = await statesOf(store, lineage.parent);
    state = parents.find(parent => parent.writer === lineage.writer) ?? parents[0];
  }
}

/** The newest turn that does not go beyond record `at`; without `at`, the newest. */
export async function turnAt(store: SessionStore, stored: Stored, at?: number): Promise<Turn | null> {
  for await (const turn of turnsOf(store, stored))
    if (at === undefined || turn.records <= at + 1)
      return turn;
  return null;
}

/** What was not committed then. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
export async function filesAt(store: SessionStore, {stored, files}: Turn): Promise<WorktreeState> {
  const state = files === `kept` ? await store.worktree(stored) : null;
  const {commit, branch} = stored.header;
  return state ?? {format: `session-sync-worktree/1`, scope: `tracked`, ...commit !== undefined ? {base: commit} : {}, ...branch !== undefined ? {branch} : {}, files: [], leftOut: []};
}

function filesOf({header}: Stored): Turn[`files`] | null {
  if (header.worktree !== undefined && header.worktree.records === (header.streams[`rec/main`]?.records ?? 0))
    return `kept`;
  return header.dirty === false && header.commit !== undefined ? `clean` : null;
}
