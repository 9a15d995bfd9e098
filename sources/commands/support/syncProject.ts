import {summarise}                         from '../../interchange/index.ts';
import {byPrefix}                          from '../../restore/choose.ts';
import {updateIndex}                       from '../../store/index.ts';
import {titleIn}                           from '../../sync/description.ts';
import {newName}                           from '../../sync/naming.ts';
import type {Project}                      from '../../sync/project.ts';
import type {Checkpoint}                   from '../../sync/state.ts';
import {findSessions, openSync, syncSession} from '../../sync/sync.ts';
import type {FoundSession, SyncContext}    from '../../sync/sync.ts';
import {progress}                          from '../../terminal/progress.ts';
import {safe}                              from '../../terminal/safe.ts';
import {CommandError}                      from '../Base.ts';
import type {Context}                      from '../Base.ts';

export type SyncSummary = {
  synced: Array<{session: string; records: number; commit?: string; mirrors: Array<{agent: string; id: string; records: number; note?: string}>}>;
  unchanged: number;
  failed: Array<{session: string; reason: string}>;
  skipped: Array<{agent: string; reason: string}>;
};

type Options = {
  /** Only these (unique beginnings of ids); absent: all. */
  only?: Array<string>;
  /** Also sessions that seem not to have changed. */
  force?: boolean;
  say: (line: string) => void;
  warn: (line: string) => void;
  context: Context;
};

/** Syncs the project's sessions from their transcripts. One that fails does not keep the others. */
export async function syncProject(project: Project, options: Options): Promise<SyncSummary> {
  const sync = await openSync(project);
  const summary: SyncSummary = {synced: [], unchanged: 0, failed: [], skipped: sync.skipped};
  const all = await findSessions(project, problem => sync.skipped.push(problem));
  const found = choose(all, options.only);
  for (const {agent, reason} of sync.skipped)
    options.warn(`${agent} is left out: ${reason}`);

  const bar = await progress(options.context);
  try {
    for (const [index, one] of found.entries()) {
      const {located} = one;
      const known = await project.checkpoints.read(located.session, {states: false});
      if (options.force !== true && known !== null && isCurrent(known, sync, located.size) && await newName(project.machine, one.adapter, located, known) === undefined) {
        summary.unchanged += 1;
        continue;
      }
      const before = known === null ? null : stateOf(known);
      bar.update(`session ${index + 1} of ${found.length}: ${located.session.slice(0, 8)}`);
      try {
        const outcome = await syncSession(sync, one, {
          // The working tree as it is now belongs to what was written last, not to older sessions.
          current: located.session === all.at(-1)!.located.session,
          onProgress: (bytes, of) => bar.update(`session ${index + 1} of ${found.length}: ${located.session.slice(0, 8)} ${Math.floor(100 * bytes / Math.max(of, 1))} %`),
        });
        const mirrors = outcome.checkpoint.mirrors.map(({agent, id, records, note, stopped}) => ({agent, id, records, ...note ?? stopped ? {note: note ?? stopped!} : {}}));
        bar.clear();
        const {problem} = outcome.checkpoint;
        const missing = [...problem === undefined ? [] : [problem], ...outcome.waiting];
        for (const reason of missing) {
          summary.failed.push({session: located.session, reason});
          options.warn(`Session ${located.session.slice(0, 8)} was not synced in full: ${reason}`);
        }
        if (outcome.records === 0 && outcome.commit === undefined && stateOf(outcome.checkpoint) === before) {
          summary.unchanged += missing.length === 0 ? 1 : 0;
          continue;
        }
        summary.synced.push({session: located.session, records: outcome.records, ...outcome.commit ? {commit: outcome.commit} : {}, mirrors});
        options.say(describe(outcome.checkpoint, outcome.records));
      } catch (error) {
        bar.clear();
        summary.failed.push({session: located.session, reason: (error as Error).message});
        options.warn(`Session ${located.session.slice(0, 8)} was not synced: ${(error as Error).message}`);
      }
    }
    if (summary.synced.some(({commit}) => commit !== undefined))
      await updateIndex(sync.store).catch(error => options.warn(`The index of sessions was not brought up to date: ${(error as Error).message}`));
  } finally {
    bar.clear();
    await sync.store.close();
  }
  return summary;
}

function choose(found: Array<FoundSession>, only: Array<string> | undefined) {
  if (only === undefined || only.length === 0)
    return found;
  const chosen: Array<FoundSession> = [];
  for (const given of only) {
    const candidates = byPrefix(found.map(one => ({...one, session: one.located.session})), given);
    if (candidates.length === 0)
      throw new CommandError(`UNKNOWN_SESSION`, `No transcript of this project has an id that begins with ${safe(given)}.`);
    if (candidates.length > 1)
      throw new CommandError(`AMBIGUOUS_SESSION`, `${safe(given)} begins several ids:\n${candidates.map(({session}) => `  ${session}`).join(`\n`)}`);
    chosen.push(candidates[0]!);
  }
  return chosen;
}

/** Everything of the transcript is stored, and each mirror has all of it. */
function isCurrent(known: Checkpoint, sync: SyncContext, size: number) {
  if (known.cleanedAt === size)
    return true;
  const main = known.files.find(file => file.stream === `main`);
  return main?.offset === size && known.problem === undefined && known.nameDue === undefined && sync.targets
    .filter(target => target.adapter.id !== known.agent)
    .every(target => known.mirrors.some(mirror => mirror.agent === target.adapter.id && (mirror.stopped !== undefined || mirror.seq >= main.seq)));
}

/** What a person would see of the mirrors. */
function stateOf({mirrors}: Checkpoint) {
  return JSON.stringify(mirrors.map(({agent, id, seq, size, note, stopped}) => [agent, id, seq, size, note, stopped]));
}

function describe(checkpoint: Checkpoint, records: number) {
  const mirrors = checkpoint.mirrors.map(mirror => {
    const lost = summarise(mirror.report);
    return `  ${mirror.agent}: ${mirror.stopped ?? ([mirror.size > 0 ? `${mirror.records} records` : ``, mirror.note ?? ``].filter(Boolean).join(`; `) || `nothing to write yet`)}${lost ? `; ${lost}` : ``}`;
  });
  return [`Session ${checkpoint.session.slice(0, 8)} ${safe(titleIn(checkpoint) ?? ``, {width: 60})}: ${records} new records`, ...mirrors].join(`\n`);
}
