import {fetchRefs}                       from './connection.ts';
import type {TransportOptions}           from './connection.ts';
import {defaultRemote}                   from './facts.ts';
import {TRACKING_REFS, checkId, shardOf} from './layout.ts';
import {unite}                           from './merge.ts';
import type {UniteResult}                from './merge.ts';
import {alone}                           from './push.ts';
import type {Exclusively}                from './push.ts';
import {packRefs}                        from './refs.ts';
import {renewWriter}                     from './renew.ts';
import type {SessionStore, StoreProblem} from './store.ts';

export type PullOptions = TransportOptions & {exclusively?: Exclusively};
export type PullResult = {
  remote: string;
  /** Number of tracking refs that are new or moved. */
  updated: number;
  refs: Array<{ref: string; from: string | null; to: string}>;
  /** Sessions of this clone that took in what others have stored of them, and from which writers' refs. */
  united: UniteResult[`united`];
  /** Refs that could not be united. */
  problems: Array<StoreProblem>;
};

/**
 * Fetches sessions into the tracking namespace; nothing of the user's own moves, nothing is pruned. `session`: only that
 * one, by its whole id. Sessions that this clone has stored, too, are united with what came (merge.ts).
 *
 * Throws NO_REMOTE, GIT_FAILED, DISK_FULL.
 */
export async function pull(store: SessionStore, options: PullOptions & {session?: string} = {}): Promise<PullResult> {
  const {repo, env} = store;
  const remote = await defaultRemote(repo, env, options.remote);
  const prefix = `${TRACKING_REFS}${remote}/`;
  const before = new Map((await store.reader.refs([prefix])).map(({ref, oid}) => [ref, oid]));

  const part    = options.session === undefined ? `` : `s/${shardOf(checkId(options.session))}/${options.session}/`;
  const hasPart = part !== `` && [...before.keys()].some(ref => ref.startsWith(`${prefix}${part}`));
  // Not the archives: what lies there is fetched when it is asked for (archived.ts).
  await fetchRefs(repo, env, remote, (part === `` ? [`s/`, `index/`] : [part]).map(space => `+refs/session-sync/${space}*:${prefix}${space}*`), options, hasPart ? [`--negotiation-tip=${prefix}${part}*`] : []);

  const refs = (await store.reader.refs([prefix])).filter(({ref, oid}) => before.get(ref) !== oid).map(({ref, oid}) => ({ref, from: before.get(ref) ?? null, to: oid}));
  const scope = options.session === undefined ? {} : {session: options.session};
  let {united, problems, foreign} = await unite(store, scope);
  if (foreign.length > 0) {
    const renewed = await (options.exclusively ?? alone)(async () => await renewWriter(store, remote));
    const again   = await unite(store, scope);
    united   = [...united, ...again.united];
    problems = [...renewed.problems, ...again.problems];
  }

  await packRefs(repo, env);
  return {remote, updated: refs.length, refs, united, problems};
}

/** Has the remote, whose refs are `theirs`, this ref in just this state? */
export function isPushed({ref, commit}: {ref: string; commit: string}, theirs: Map<string, string>) {
  return theirs.get(ref) === commit;
}
