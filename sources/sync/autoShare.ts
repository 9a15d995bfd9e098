import {stat}                                   from 'node:fs/promises';
import path                                     from 'node:path';
import {setTimeout as sleep}                    from 'node:timers/promises';

import {gitRemote, pull, push, pushAddress, readOwnSettings, remotes, StoreError} from '../store/index.ts';
import {isCode, readIfThere, removeIfThere, writeAtomic} from '../system/files.ts';
import {tryLock}                                from '../system/flock.ts';
import {startOf}                                from '../system/processes.ts';

import {Log}                                    from './log.ts';
import {isActive, isPaused, openStore}          from './project.ts';
import type {Project, StatePaths}               from './project.ts';

export type AutoKind = `push` | `pull`;

/** How the last one went, for `status` and `doctor`. */
export type AutoOutcome = {
  at: string;
  remote?: string;
  /** Refs that went or came. */
  refs?: number;
  problem?: string;
  /** The fetch that a pull followed. */
  fetched?: string;
};

export type AutoOptions = {
  now: () => Date;
  /** A remote that says nothing for so long is given up. */
  stallMs: number;
  /** What git told its hook: the remote's name, or its address where it has none, and the address. */
  pushedTo?: {name: string; url: string};
  /** The user's own git, which goes first. */
  after?: number;
};

/** A push of the user that takes longer goes on beside ours. */
const PATIENCE_MS = 600_000;
const LOOK_MS = 100;

const files = (paths: StatePaths, kind: AutoKind) => ({
  lock: path.join(paths.folder, `auto-${kind}.lock`),
  wanted: path.join(paths.folder, `auto-${kind}.wanted`),
  outcome: path.join(paths.folder, `auto-${kind}.json`),
});

export async function lastOutcome(paths: StatePaths, kind: AutoKind): Promise<AutoOutcome | null> {
  try {
    const value = JSON.parse(await readIfThere(files(paths, kind).outcome) ?? `null`) as unknown;
    return typeof value === `object` && value !== null && typeof (value as AutoOutcome).at === `string` ? value as AutoOutcome : null;
  } catch {
    return null;
  }
}

export async function forgetOutcome(paths: StatePaths, kind: AutoKind) {
  for (const file of Object.values(files(paths, kind)))
    await removeIfThere(file);
}

/**
 * What a hook of git started: sends or fetches sessions when this clone's own configuration asks for it. One at a time; what
 * is asked for in the meantime is done once more at the end. Never throws: what went wrong is in the log and the outcome.
 */
export async function autoShare(project: Project, kind: AutoKind, options: AutoOptions) {
  const log = new Log(project.paths.log, options.now);
  try {
    if (!await isWanted(project, kind, options))
      return;
    if (options.after !== undefined)
      await waitFor(options.after);
    await oneAtATime(project.paths, kind, async () => await once(project, kind, options, log));
  } catch (error) {
    await log.write(`automatic ${kind}: ${(error as Error).message}`);
  }
}

/** A remote that says nothing for so long is given up by whoever only looks after a fetch. */
const GLANCE_MS = 20_000;

/**
 * Git tells nobody of a bare `git fetch`. Where automatic pulls are wanted, whoever is about to look at sessions makes up
 * for it: nothing happens unless there was a fetch since the last pull. Never throws.
 */
export async function pullAfterFetch(project: Project, now: () => Date) {
  await autoShare(project, `pull`, {now, stallMs: GLANCE_MS});
}

async function isWanted(project: Project, kind: AutoKind, {pushedTo}: AutoOptions) {
  const {repository, machine: {env}, paths} = project;
  const settings = await readOwnSettings(repository, env);
  if (!(kind === `push` ? settings.autoPush : settings.autoPull) || settings.remote === null || !await isActive(project) || await isPaused(project))
    return false;
  if (kind === `pull`)
    return await fetchSign(project) !== (await lastOutcome(paths, kind))?.fetched;
  if (pushedTo === undefined)
    return true;

  // A push to the sessions' remote, or to where git pushes this project's code: not to a backup, or to a colleague's copy.
  const known = await remotes(repository, env);
  for (const remote of new Set([settings.remote, await gitRemote(repository, env, known)]))
    if (remote !== null && known.includes(remote) && (pushedTo.name === remote || pushedTo.url === await pushAddress(repository, env, remote)))
      return true;
  return false;
}

/** Until a process has ended, or another one has its number. */
async function waitFor(pid: number) {
  const begun = await startOf(pid);
  for (let waited = 0; begun !== null && waited < PATIENCE_MS && await startOf(pid) === begun; waited += LOOK_MS)
    await sleep(LOOK_MS);
}

async function oneAtATime(paths: StatePaths, kind: AutoKind, work: () => Promise<void>) {
  const {lock, wanted} = files(paths, kind);
  await writeAtomic(wanted, ``);
  // Who came while we worked has left its wish, and who comes after our last look finds the lock free.
  while (await exists(wanted)) {
    const held = await tryLock(lock);
    if (held === null)
      return;
    try {
      while (await exists(wanted)) {
        await removeIfThere(wanted);
        await work();
      }
    } finally {
      await held.release();
    }
  }
}

async function once(project: Project, kind: AutoKind, {now, stallMs}: AutoOptions, log: Log) {
  const {repository, machine: {env}, paths} = project;
  const {remote} = await readOwnSettings(repository, env);
  const outcome: AutoOutcome = {at: now().toISOString(), ...remote === null ? {} : {remote}};
  const store = await openStore(project);
  try {
    if (remote === null)
      throw new StoreError(`NO_REMOTE`, `no remote for sessions is set: session-sync init --remote <name or address>`);
    // Before it begins: what is fetched meanwhile is followed by another one.
    if (kind === `pull`)
      outcome.fetched = await fetchSign(project);
    const options = {remote, unattended: {stallMs}};
    if (kind === `pull`) {
      outcome.refs = (await pull(store, options)).updated;
    } else {
      const {pushed, rejected} = await push(store, options);
      outcome.refs = pushed.length;
      if (rejected.length > 0)
        outcome.problem = `${rejected.length} refused, the first (${rejected[0]!.ref}): ${rejected[0]!.reason}`;
    }
  } catch (error) {
    outcome.problem = (error as Error).message;
  } finally {
    await store.close();
  }
  if (outcome.problem !== undefined)
    await log.write(`automatic ${kind}: ${outcome.problem}`);
  await writeAtomic(files(paths, kind).outcome, JSON.stringify(outcome));
}

/** What tells one fetch from the next: git writes the file at each, also when there was nothing new. */
async function fetchSign({repository}: Project) {
  const info = await stat(path.join(repository.gitDir, `FETCH_HEAD`)).catch(() => null);
  return info === null ? `none` : `${repository.gitDir} ${info.mtimeMs} ${info.size}`;
}

async function exists(file: string) {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return false;
    throw error;
  }
}
