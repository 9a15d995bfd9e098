import {applyChanges, planChanges}      from '../../restore/changes.ts';
import type {ChangePlan}                from '../../restore/changes.ts';
import {ApplyError}                     from '../../restore/workFiles.ts';
import {filesAt}                        from '../../restore/turns.ts';
import type {Turn}                      from '../../restore/turns.ts';
import type {SessionStore}              from '../../store/index.ts';
import type {WorktreeState}             from '../../store/types.ts';
import type {Project}                   from '../../sync/project.ts';
import {safe}                           from '../../terminal/safe.ts';
import {CommandError}                   from '../Base.ts';

/** Paths that are listed for a person. */
const SHOWN = 50;

type Voice = {say: (line: string) => void; warn: (line: string) => void};

/** What `--json` says of the files; `complete`: nothing of what was kept is missing, and nothing is in conflict. */
export type Brought = {
  commit?: string;
  records: number;
  files: Array<{path: string; outcome: string; reason?: string}>;
  leftOut: WorktreeState[`leftOut`];
  more: number;
};

/**
 * Brings the uncommitted files of a turn into a working tree, if that has no changes of its own. `place` null: into a
 * worktree that would be made. `apart`: that is one of the session's own.
 */
export async function bringChanges(store: SessionStore, place: Project | null, turn: Turn, {dryRun, apart, say, warn}: Voice & {dryRun: boolean; apart: boolean}): Promise<{brought: Brought; complete: boolean}> {
  const state = await filesAt(store, turn);
  const plan = place === null ? null : await planChanges({project: place, store, stored: turn.stored, state});
  const files = plan === null
    ? state.files.map(({path, change}) => ({path, outcome: change === `deleted` ? `deleted` : `written`}))
    : plan.changes.map(({path, outcome, reason}) => ({path, outcome, ...reason !== undefined ? {reason} : {}}));
  if (plan !== null)
    refuseDirty(plan, apart ? place!.root : null);

  const at = state.base === undefined ? `before the first commit` : `at ${state.base.slice(0, 8)}`;
  say(files.length === 0
    ? `The session's working tree had no changes (${at}).`
    : `Uncommitted files, as they were after record ${turn.records - 1} (${at})${plan?.base === `other` ? `; this checkout is at another commit` : plan?.base === `unknown` ? `; that commit is not in this repository` : ``}:`);
  for (const line of shown(files.map(({path, outcome, reason}: Brought[`files`][number]) => `  ${said(outcome, dryRun)} ${safe(path)}${reason === undefined ? `` : `: ${reason}`}`)))
    say(line);
  sayLeftOut(state, say);
  if (plan !== null && !dryRun) {
    try {
      await applyChanges(place!, plan);
    } catch (error) {
      if (!(error instanceof ApplyError))
        throw error;
      throw new CommandError(`NOT_APPLIED`, `${error.message}\nThese files were changed before that: ${error.done.join(`, `) || `none`}.`);
    }
  }
  const conflicts = files.filter(({outcome}) => outcome === `conflict`).length;
  if (conflicts > 0)
    warn(`${conflicts} ${conflicts === 1 ? `file has` : `files have`} conflict marks (<<<<<<< here, >>>>>>> session).`);
  return {
    brought: {...state.base !== undefined ? {commit: state.base} : {}, records: turn.records, files, leftOut: state.leftOut, more: state.more ?? 0},
    complete: !files.some(({outcome}) => outcome === `conflict` || outcome === `left`),
  };
}

/** Doing it twice is as once; anything else may not come over work that is nowhere else. */
function refuseDirty({changes, dirty}: ChangePlan, apart: string | null) {
  if (dirty.length > 0 && changes.some(({action}) => action !== undefined))
    throw new CommandError(`DIRTY_TREE`, `${apart === null ? `This working tree` : safe(apart)} has changes that are not committed (${dirty.slice(0, 5).map(name => safe(name)).join(`, `)}${dirty.length > 5 ? ` and ${dirty.length - 5} more` : ``}). Commit or stash them${apart === null ? `, or use --checkout for a worktree of its own` : ` there first`}.`);
}

/** What of a snapshot is missing, for a person who would look for it. */
export function sayLeftOut({leftOut, more = 0}: WorktreeState, say: (line: string) => void) {
  if (leftOut.length + more === 0)
    return;
  say(`Had changed as well, but was not kept:`);
  for (const line of shown(leftOut.map(({path, reason}) => `  ${safe(path)}: ${safe(reason)}`)))
    say(line);
  if (more > 0)
    say(`  … and ${more} more that are not named`);
}

export function shown(lines: Array<string>): Array<string> {
  return lines.length <= SHOWN ? lines : [...lines.slice(0, SHOWN), `  … and ${lines.length - SHOWN} more`];
}

const WORDS: {[outcome: string]: [done: string, planned: string]} = {
  written: [`written`, `would be written`], deleted: [`deleted`, `would be deleted`], merged: [`merged`, `would be merged`],
  conflict: [`conflict`, `would be in conflict`], unchanged: [`unchanged`, `unchanged`], left: [`left as it is`, `left as it is`],
};

function said(outcome: string, dryRun: boolean) {
  return WORDS[outcome]![dryRun ? 1 : 0].padEnd(dryRun ? 20 : 13);
}
