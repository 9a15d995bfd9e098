import {hostname}                                  from 'node:os';

import {agents}                                    from '../agents/index.ts';
import type {AgentAdapter, LocatedSession}         from '../agents/types.ts';
import {createRedactor}                            from '../redaction/index.ts';
import type {Redactor}                             from '../redaction/index.ts';
import {gitState, identity, rootCommit, rootCommitCache, takeSnapshot} from '../store/index.ts';
import type {SessionStore, Snapshot}               from '../store/index.ts';
import {StoreError}                                from '../store/types.ts';

import {LiveSession}                               from './live.ts';
import type {LiveOptions, MirrorTarget}            from './live.ts';
import {OwnSessions}                               from './mine.ts';
import type {Origin}                               from './origin.ts';
import {noteFolders, projectFolders}               from './folders.ts';
import {openStore}                                 from './project.ts';
import {notePresent}                               from './present.ts';
import type {Project}                              from './project.ts';
import {finishRehoming}                            from './rehome.ts';
import type {Checkpoint}                           from './state.ts';

/** What every session of one run shares. */
export type SyncContext = {
  project: Project;
  store: SessionStore;
  redactor: Redactor;
  targets: Array<MirrorTarget>;
  /** Targets that were asked for or found, but cannot be written, with the reason. */
  skipped: Array<{agent: string; reason: string}>;
};

export async function openSync(project: Project): Promise<SyncContext> {
  const {config, machine} = project;
  const targets: Array<MirrorTarget> = [];
  const skipped: SyncContext[`skipped`] = [];
  for (const id of config.targets ?? [])
    if (!agents.some(agent => agent.id === id && agent.target !== undefined))
      skipped.push({agent: id, reason: `this version of session-sync cannot write into it`});

  for (const adapter of agents) {
    // What goes to another machine is never a mirror.
    if (adapter.target === undefined || adapter.target.consent !== undefined || config.targets?.includes(adapter.id) === false || !await adapter.present(machine))
      continue;
    try {
      targets.push({adapter, settings: await adapter.target.prepare(machine)});
    } catch (error) {
      skipped.push({agent: adapter.id, reason: (error as Error).message});
    }
  }
  // What cannot be noted is not missed as long as nothing moves.
  await noteFolders(project).catch(() => undefined);
  await finishRehoming(project);
  return {project, store: await openStore(project), redactor: openRedactor(project), targets, skipped};
}

/** The search for secrets as the project's configuration has it. */
export function openRedactor({config}: Project) {
  const {entropy, allow, rules} = config.redaction ?? {};
  return createRedactor({...entropy !== undefined ? {entropy} : {}, ...allow ? {allow} : {}, ...rules ? {extra: rules} : {}});
}

export function liveOptions(context: SyncContext, {adapter, located, lineage}: FoundSession): LiveOptions {
  const {project} = context;
  return {
    project, adapter, located, ...lineage !== undefined ? {lineage} : {},
    store: context.store,
    redactor: context.redactor,
    targets: context.targets.filter(target => target.adapter.id !== adapter.id),
    gitState: async (repository, known) => {
      const {env} = project.machine;
      const [state, root] = await Promise.all([gitState(repository, env, known), rootCommit(repository, env, rootCommitCache(repository.commonDir))]);
      return {...state, ...root !== undefined ? {rootCommit: root} : {}};
    },
    author: async () => await identity(project.repository, project.machine.env),
    ...snapshotOf(context),
    machineName: hostname(),
  };
}

/** Uncommitted files go into git as the project's configuration allows, and without those that hold a secret. */
function snapshotOf({project, redactor}: SyncContext): {snapshot?: () => Promise<Snapshot | null>} {
  const {repository, machine, config: {snapshot: scope = `off`}} = project;
  if (scope === `off` || !project.hasGit)
    return {};
  return {snapshot: async () => await takeSnapshot(repository, machine.env, {scope, isClean: async text => (await redactor.text(text)).counts === null})};
}

export type SyncOutcome = {session: string; records: number; commit?: string; waiting: Array<string>; checkpoint: Checkpoint};

/**
 * Brings one session up to date everywhere, once. Two tries: another process may have stored the session in between,
 * which the ref tells; then everything is read again from where the store now is.
 */
export async function syncSession(
  context: SyncContext, found: FoundSession,
  options: {register?: boolean; /** The working tree is as this session left it. */ current?: boolean; onProgress?: (bytes: number, of: number) => void} = {},
): Promise<SyncOutcome> {
  for (let attempt = 1; ; attempt++) {
    const live = await LiveSession.open({...liveOptions(context, found), ...options.onProgress ? {onProgress: options.onProgress} : {}});
    try {
      const {records, waiting} = await live.pump();
      await noteAtWork(context.project, found.located, live);
      const stored = await live.commit({turnEnd: options.current === true});
      if (options.register !== false)
        await live.register();
      return {session: found.located.session, records, ...stored ? {commit: stored.commit} : {}, waiting, checkpoint: live.state()};
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== `REF_MOVED` || attempt > 1) {
        await live.fail(error as Error).catch(() => undefined);
        throw error;
      }
    } finally {
      await live.close();
    }
  }
}

/** For the trailer of commits that are made meanwhile. */
export async function noteAtWork(project: Project, located: LocatedSession, live: LiveSession) {
  const {session, cwd} = live.state();
  await notePresent(project, {session, transcript: located.path, cwd: located.cwd ?? cwd, running: live.facts?.idle === false}).catch(() => undefined);
}

export type FoundSession = {adapter: AgentAdapter; located: LocatedSession; lineage?: Origin};

/** Sessions of the project in the stores of all agents that can be read, oldest first; our own mirrors only once their agent went on with them. */
export async function findSessions(project: Project, onProblem: (problem: {agent: string; reason: string}) => void = () => {}): Promise<Array<FoundSession>> {
  const folders = await projectFolders(project);
  const own = await OwnSessions.of(project);
  const all: Array<FoundSession> = [];
  for (const adapter of agents) {
    try {
      for (const located of await adapter.source?.locate(project.machine, folders) ?? [])
        all.push({adapter, located});
    } catch (error) {
      // One agent whose store cannot be read does not hide those of the others.
      onProblem({agent: adapter.id, reason: (error as Error).message});
    }
  }
  own.expect(all.map(({located}) => located.session));

  const found: Array<FoundSession> = [];
  for (const {adapter, located} of all) {
    const judged = await own.judge(adapter, located);
    if (judged.state !== `untouched`)
      found.push({adapter, located, ...judged.state === `continued` && judged.lineage !== undefined ? {lineage: judged.lineage} : {}});
  }
  return found.sort((a, b) => a.located.mtimeMs - b.located.mtimeMs || (a.located.session < b.located.session ? -1 : 1));
}
