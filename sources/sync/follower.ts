import {realpath, stat}                           from 'node:fs/promises';
import path                                       from 'node:path';
import process                                    from 'node:process';
import {setTimeout as sleep}                      from 'node:timers/promises';

import {agentById}                                from '../agents/index.ts';
import type {AgentAdapter, LocatedSession, Machine} from '../agents/types.ts';
import {updateIndex}                              from '../store/index.ts';
import {StoreError}                               from '../store/types.ts';
import {removeIfThere, sizeOf, writeAtomic}       from '../system/files.ts';

import {pullAfterFetch}                           from './autoShare.ts';
import {ConfigError}                              from './config.ts';
import {acquire, isAskedToYield}                  from './exclusive.ts';
import {LiveSession}                              from './live.ts';
import {Log}                                      from './log.ts';
import {OwnSessions}                              from './mine.ts';
import {openProject, statePaths}                  from './project.ts';
import type {StatePaths}                          from './project.ts';
import {readSpool}                                from './spool.ts';
import type {SpooledEvent}                        from './spool.ts';
import {liveOptions, noteAtWork, openSync}        from './sync.ts';
import type {SyncContext}                         from './sync.ts';

/** Inside a long turn a commit is made this often at most. */
const COMMIT_MS = 10_000;
/** How long the end of a turn that an event announced is waited for; Claude Code 2.1.330 writes it within 80 ms. */
const TURN_END_MS = 3_000;
const BUSY_MS = 80;
const IDLE_MS = 400;
/** After this long without a change the file is looked at less often. */
const QUIET_MS = 3_000;
/** How often an agent that has a mirror open is asked whether it still has. */
const AGAIN_MS = 3_000;
/** A session whose sync failed is tried again after this. */
const RETRY_MS = 5_000;

type Followed = {
  adapter: AgentAdapter;
  located: LocatedSession;
  live: LiveSession | null;
  size: number;
  changedAt: number;
  committedAt: number;
  /** An event said that the turn is over: commit when its end is there, or at this time. */
  turnEndBy: number | null;
  wanted: boolean;
  retryAt: number;
  /** A mirror waits for its agent to let go: when to look again. */
  againAt: number | null;
  events: Array<SpooledEvent>;
  /** The newest event, for the worker that goes on after us. */
  hint: SpooledEvent | null;
};

export type WorkerOptions = {lingerMs: number};

/** A command that has the lock is waited for this long; then the next event starts another worker. */
const PATIENCE_MS = 600_000;

/**
 * Follows the sessions that events name until nothing happens any more. One worker a repository; a second one ends when
 * it sees the first, and waits for a command.
 */
export async function runWorker(commonDir: string, machine: Machine, options: WorkerOptions) {
  const paths = statePaths(await realpath(commonDir));
  process.chdir(paths.folder);
  for (;;) {
    const held = await acquire(paths, {waitMs: PATIENCE_MS, ask: false, worker: true});
    if (held === null)
      return;
    let ended: Ended;
    try {
      ended = await new Follower(paths, machine, options).run();
    } finally {
      await held.release();
    }
    if (ended === `stopped` || ended === `moved`)
      return;
    // A hook that saw us alive has woken nobody: look once more after it can see that we are gone.
    if (ended === `quiet` && (await readSpool(paths.spool, Date.now())).length === 0)
      return;
  }
}

/** Why a worker let go: nothing happens any more, it was told to, a command wants the lock for a while, or the repository is elsewhere. */
type Ended = `quiet` | `stopped` | `yielded` | `moved`;

class Follower {
  private readonly sessions = new Map<string, Followed>();
  private readonly contexts = new Map<string, SyncContext>();
  private readonly log: Log;
  private stopping = false;
  /** Before the spool was looked at for the first time, no time has passed. */
  private lastEvent = Infinity;

  constructor(private readonly paths: StatePaths, private readonly machine: Machine, private readonly options: WorkerOptions) {
    this.log = new Log(paths.log, () => new Date());
  }

  async run(): Promise<Ended> {
    const stop = () => {
      this.stopping = true;
    };
    process.on(`SIGTERM`, stop);
    process.on(`SIGINT`, stop);
    process.on(`SIGHUP`, stop);
    try {
      let ended = await this.isDone();
      for (; ended === null; ended = await this.isDone()) {
        await this.takeEvents();
        for (const followed of this.sessions.values())
          await this.attend(followed);
        await sleep(this.isQuiet() ? IDLE_MS : BUSY_MS);
      }
      // Whatever would be written now would make the folder of before again. The next event starts a worker in the new one.
      if (ended === `moved`)
        return ended;
      for (const followed of this.sessions.values())
        await this.settle(followed);
      await this.index();
      if (ended === `quiet`)
        for (const {project} of new Set(this.contexts.values()))
          await pullAfterFetch(project, () => new Date());
      if (ended === `yielded`)
        for (const followed of this.sessions.values())
          await this.hint(followed);
      return ended;
    } finally {
      process.off(`SIGTERM`, stop);
      process.off(`SIGINT`, stop);
      process.off(`SIGHUP`, stop);
      for (const {live} of this.sessions.values())
        await live?.close();
      for (const {store} of this.contexts.values())
        await store.close();
    }
  }

  private isQuiet() {
    const now = Date.now();
    return now - this.lastEvent > QUIET_MS && [...this.sessions.values()].every(({changedAt, turnEndBy}) => turnEndBy === null && now - changedAt > QUIET_MS);
  }

  private async isDone(): Promise<Ended | null> {
    const now = Date.now();
    if (this.stopping || await sizeOf(this.paths.paused) >= 0)
      return `stopped`;
    if (await hasMoved(this.paths.folder))
      return `moved`;
    if (await isAskedToYield(this.paths))
      return `yielded`;
    const busy = [...this.sessions.values()].some(({turnEndBy, changedAt}) => turnEndBy !== null || now - changedAt < this.options.lingerMs);
    return !busy && now - this.lastEvent > this.options.lingerMs ? `quiet` : null;
  }

  private async takeEvents() {
    this.lastEvent = Math.min(this.lastEvent, Date.now());
    for (const event of await readSpool(this.paths.spool, Date.now())) {
      if ([...this.sessions.values()].some(followed => followed.events.some(known => known.file === event.file)))
        continue;
      this.lastEvent = Date.now();
      const adapter = agentById(event.agent);
      const located = adapter?.source?.fromEvent(this.machine, event.payload) ?? null;
      if (adapter === undefined || located === null) {
        await this.log.write(`an event of ${event.agent} was not understood and dropped`);
        await removeIfThere(event.file);
        continue;
      }
      const followed = this.sessions.get(located.session) ?? {
        adapter, located, live: null, size: -1, changedAt: Date.now(), committedAt: Date.now(), turnEndBy: null, wanted: true, retryAt: 0, againAt: null, events: [], hint: null,
      };
      this.sessions.set(located.session, followed);
      // An agent may go on with a session in another file.
      if (followed.live !== null && followed.located.path !== located.path) {
        await followed.live.close();
        followed.live = null;
      }
      followed.located = located;
      followed.wanted = true;
      followed.events.push(event);
      followed.hint = event;
      if (located.event.turnEnd === true || located.event.sessionEnd === true)
        followed.turnEndBy = Date.now() + TURN_END_MS;
    }
  }

  private async attend(followed: Followed) {
    if (Date.now() < followed.retryAt)
      return;
    const size = await sizeOf(followed.located.path).catch(() => -1);
    const waited = followed.againAt !== null && Date.now() >= followed.againAt;
    if (!followed.wanted && !waited && size === followed.size && followed.turnEndBy === null && !this.isDue(followed))
      return;
    try {
      if (followed.wanted || waited || size !== followed.size || followed.turnEndBy !== null) {
        if (size !== followed.size)
          followed.changedAt = Date.now();
        await this.pump(followed);
        followed.size = size;
        followed.wanted = false;
      }
      if (followed.turnEndBy !== null && (followed.live?.facts?.idle === true && followed.changedAt + BUSY_MS * 3 < Date.now() || Date.now() >= followed.turnEndBy)) {
        followed.turnEndBy = null;
        await this.commit(followed, true);
      } else if (this.isDue(followed)) {
        await this.commit(followed, false);
      }
    } catch (error) {
      await this.failed(followed, error as Error);
    }
  }

  private isDue(followed: Followed) {
    return followed.live?.pending === true && Date.now() - followed.committedAt > COMMIT_MS;
  }

  private async pump(followed: Followed) {
    const context = await this.contextOf(followed.located);
    if (followed.live === null) {
      const judged = await (await OwnSessions.of(context.project)).judge(followed.adapter, followed.located);
      // Only looked at in its agent so far. When that goes on with it, the file grows or another event comes.
      if (judged.state !== `untouched`)
        followed.live = await LiveSession.open(liveOptions(context, {...followed, ...judged.state === `continued` && judged.lineage !== undefined ? {lineage: judged.lineage} : {}}));
    }
    const {waiting} = await followed.live?.pump() ?? {waiting: []};
    if (followed.live !== null)
      await noteAtWork(context.project, followed.located, followed.live);
    followed.againAt = waiting.length > 0 ? Date.now() + AGAIN_MS : null;
    // Only now may the events go: a worker that was killed before this would not have been told of the session.
    for (const event of followed.events.splice(0))
      await removeIfThere(event.file);
  }

  private async commit(followed: Followed, turnEnd: boolean) {
    followed.committedAt = Date.now();
    await followed.live?.commit({turnEnd});
    if (turnEnd)
      await followed.live?.register();
  }

  /** Once, at the end: what others list without fetching sessions. `push` does it again, plain `git push` cannot. */
  private async index() {
    for (const {store} of new Set(this.contexts.values()))
      await updateIndex(store).catch(async error => await this.log.write(`the index of sessions: ${(error as Error).message}`));
  }

  /** Before the worker goes: everything that was read is made durable. */
  private async settle(followed: Followed) {
    // Twice: a git that outlived a killed worker may have moved the ref meanwhile; then it is read again from there.
    for (let attempt = 1; attempt <= 2; attempt++) {
      if (Date.now() < followed.retryAt)
        return;
      try {
        await this.pump(followed);
        if (followed.live?.unfinished === true)
          await this.commit(followed, true);
        return;
      } catch (error) {
        await this.failed(followed, error as Error);
      }
    }
  }

  /** Spools the session's last event again: whoever has the lock next follows the session on, without a new event. */
  private async hint({hint, events}: Followed) {
    if (hint === null || events.length > 0)
      return;
    let file = `${path.join(this.paths.spool, hint.agent)}.${process.pid}`;
    while (await sizeOf(file) >= 0)
      file += `x`;
    await writeAtomic(file, JSON.stringify(hint.payload)).catch(() => undefined);
  }

  private async failed(followed: Followed, error: Error) {
    await this.log.write(`${followed.located.session}: ${error.message}`);
    const {live} = followed;
    followed.live = null;
    followed.wanted = true;
    followed.turnEndBy = null;
    // Somebody else stored the session in the meantime: read again at once from where the store is.
    followed.retryAt = error instanceof StoreError && error.code === `REF_MOVED` ? 0 : Date.now() + RETRY_MS;
    for (const event of followed.events.splice(0))
      await removeIfThere(event.file).catch(() => undefined);
    await live?.fail(error).catch(() => undefined);
    await live?.close().catch(() => undefined);
  }

  private async contextOf(located: LocatedSession): Promise<SyncContext> {
    const folder = located.cwd ?? this.paths.folder;
    const known = this.contexts.get(folder);
    if (known !== undefined)
      return known;
    const context = await openSync(await this.projectOf(folder));
    this.contexts.set(folder, context);
    for (const {agent, reason} of context.skipped)
      await this.log.write(`${agent} is left out: ${reason}`);
    return context;
  }

  /**
   * The project as the session's working tree has it. The agent may have gone to a folder of another repository in the
   * meantime, or the worktree may be gone: the session stays with the repository whose hook told of it. A configuration
   * that is broken is no reason to do without it: it may say what must not be kept.
   */
  private async projectOf(folder: string) {
    const commonDir = path.dirname(this.paths.folder);
    for (const candidate of [folder, path.dirname(commonDir), this.paths.folder]) {
      try {
        const project = await openProject(candidate, this.machine);
        if (project.repository.commonDir === commonDir)
          return project;
      } catch (error) {
        if (error instanceof ConfigError)
          throw error;
      }
    }
    throw new StoreError(`NOT_A_REPOSITORY`, `${commonDir} is no repository any more`);
  }
}

/** We work in the folder itself, which keeps us wherever it goes; its path does not. */
async function hasMoved(folder: string): Promise<boolean> {
  const [here, there] = await Promise.all([stat(`.`), stat(folder)].map(async info => await info.catch(() => null)));
  return here === null || there === null || here?.ino !== there?.ino || here?.dev !== there?.dev;
}
