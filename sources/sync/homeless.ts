import {hostname}                                from 'node:os';

import {agentById, agents}                       from '../agents/index.ts';
import type {AgentAdapter, LocatedSession, RehomePlan, Stray} from '../agents/types.ts';
import {distance, gitState, rootCommit, rootCommitCache} from '../store/index.ts';
import type {SessionStore}                       from '../store/index.ts';
import {isGone}                                  from '../system/files.ts';

import {currentFolders, folderAfter, isWithin, moves} from './folders.ts';
import type {Move}                               from './folders.ts';
import {OwnSessions}                             from './mine.ts';
import type {Project}                            from './project.ts';
import {allRehomed, isBetween}                   from './rehomed.ts';

/**
 * A session that an agent files under a folder that is gone. `ours`: we wrote it, and the agent has not gone on with it.
 * `plan` is null where there is no way to tell the agent; `problem` says why there is none for this session.
 */
export type Homeless = {
  adapter: AgentAdapter;
  located: LocatedSession;
  /** The folder that it is filed under: that of the last move, where its lines go on naming the first. */
  from: string;
  ours: boolean;
  move: Move;
  /** Working folder that it gets. */
  to: string;
  plan: RehomePlan | null;
  problem?: string;
};

export type Search = {
  /** A folder that the project once had and that nobody noted. */
  movedFrom?: string;
  onProblem?: (problem: {agent: string; reason: string}) => void;
};

/** Sessions of all agents that belong to the repository and are filed under folders that it has no more. */
export async function findHomeless(project: Project, store: SessionStore, {movedFrom, onProblem = () => {}}: Search = {}): Promise<Array<Homeless>> {
  const asked = movedFrom === undefined ? [] : [{folder: movedFrom}];
  const gone = await moves(project, asked);
  const {folders: recorded, sessions: known} = await recordedHere(store);
  const hinted = (await moves(project, recorded.map(folder => ({folder})))).filter(({from}) => !gone.some(move => move.from === from));
  const own = await OwnSessions.of(project);

  const current = (await currentFolders(project)).map(({folder}) => folder);
  const rehomed = new Map((await allRehomed(project)).flatMap(({agent, nativeId, done}) => done.length === 0 ? [] : [[`${agent}/${nativeId}`, done.at(-1)!.to]]));

  const all: Array<Found & {adapter: AgentAdapter}> = [];
  for (const adapter of agents) {
    try {
      all.push(...(await locatedIn(project, adapter, {gone, hinted, known, current, rehomed})).map(one => ({adapter, ...one})));
      all.push(...(await strayOf(project, adapter)).filter(({located}) => !all.some(one => one.adapter === adapter && one.located.nativeId === located.nativeId)).map(one => ({adapter, ...one})));
    } catch (error) {
      // One agent whose store cannot be read does not hide those of the others.
      onProblem({agent: adapter.id, reason: (error as Error).message});
    }
  }
  own.expect(all.map(({located}) => located.session));
  const found = await Promise.all(all.map(async ({adapter, ...one}) => await homelessOf(project, adapter, one, own)));
  return found.filter(one => one !== null);
}

/** `from`: the folder that it is filed under. */
type Found = {located: LocatedSession; from: string; move: Move};

/** `known`: sessions that were recorded here. `rehomed`: where those that were filed elsewhere before are filed now. */
type Known = {gone: Array<Move>; hinted: Array<Move>; known: Set<string>; current: Array<string>; rehomed: Map<string, string>};

async function locatedIn(project: Project, {id, source}: AgentAdapter, {gone, hinted, known, current, rehomed}: Known): Promise<Array<Found>> {
  const folders = [...gone, ...hinted].map(({from}) => from);
  // A project may have its first name again, which the session's own lines never ceased to say.
  const isRehomed = [...rehomed.keys()].some(key => key.startsWith(`${id}/`));
  const located = folders.length === 0 ? [] : await source?.locate(project.machine, isRehomed ? [...folders, ...current] : folders) ?? [];
  return located.flatMap(one => {
    // A mirror names its new folder only once it was written anew.
    const from = rehomed.get(`${id}/${one.nativeId}`) ?? one.cwd;
    const covers = (move: Move) => from !== undefined && isWithin(from, move.from);
    // Of a folder that only a header names, sessions that are known by their ids.
    const move = gone.find(covers) ?? (known.has(one.session) ? hinted.find(covers) : undefined);
    return move === undefined ? [] : [{located: one, from: from!, move}];
  });
}

async function strayOf(project: Project, {rehome}: AgentAdapter): Promise<Array<Found>> {
  const found: Array<Found> = [];
  for (const stray of await rehome?.strays?.(project.machine) ?? []) {
    const move = await isOfThisRepository(project, stray) ? (await moves(project, [{folder: stray.cwd!}])).find(({from}) => from === stray.cwd) : undefined;
    if (move !== undefined)
      found.push({located: stray, from: stray.cwd!, move});
  }
  return found;
}

async function homelessOf(project: Project, adapter: AgentAdapter, {located, from, move}: Found, own: OwnSessions): Promise<Homeless | null> {
  // One that was left in the middle of a move is first brought to the end of it.
  if (await isBetween(project, adapter.id, located.nativeId))
    return null;
  const to = await folderAfter(from, move);
  const ours = (await own.judge(adapter, located)).state === `untouched`;
  // A copy of ours that no note says anything of: a new one is made beside it.
  if (ours && !own.isNoted(adapter, located))
    return null;
  const one = {adapter, located, from, ours, move, to};
  if (adapter.rehome === undefined)
    return {...one, plan: null};
  try {
    const plan = await adapter.rehome.plan(project.machine, located, to);
    return plan.steps.length === 0 ? null : {...one, plan};
  } catch (error) {
    return {...one, plan: null, problem: (error as Error).message};
  }
}

/** Folders that sessions were recorded in on this machine and that are gone, by what git has of them, and those sessions. */
async function recordedHere(store: SessionStore): Promise<{folders: Array<string>; sessions: Set<string>}> {
  const folders = new Set<string>();
  const sessions = new Set<string>();
  for (const {header} of (await store.list()).refs) {
    const {root} = header.roots;
    if (header.machine !== hostname() || root === undefined || agentById(header.agent.id) === undefined || !await isGone(root))
      continue;
    folders.add(root);
    sessions.add(header.session);
  }
  return {folders: [...folders], sessions};
}

/** By what the session itself says: the same first commit, the same origin, or a commit that is here. */
async function isOfThisRepository(project: Project, {git}: Stray): Promise<boolean> {
  const {repository, machine: {env}} = project;
  if (git.rootCommit !== undefined)
    return git.rootCommit === await rootCommit(repository, env, rootCommitCache(repository.commonDir));
  if (git.origin !== undefined) {
    const {origin} = await gitState(repository, env);
    return origin !== undefined && plainAddress(origin) === plainAddress(git.origin);
  }
  return git.commit !== undefined && !(await distance(repository, env, git.commit, undefined)).missing;
}

/** `git@example.org:alice/shop.git` and `https://example.org/alice/shop` are one place. */
function plainAddress(url: string) {
  return url.replace(/^[a-z][a-z0-9+.-]*:\/\//i, ``).replace(/^[^@/]*@/, ``).replace(/^([^/:]+):(?:\d+\/)?/, `$1/`).replace(/(?:\.git)?\/*$/, ``).toLowerCase();
}
