import {fetchRefs, transport}            from './connection.ts';
import type {TransportOptions}           from './connection.ts';
import {cleanText, gitError}             from './git.ts';
import {SESSION_REFS, TRACKING_REFS, parseSessionRef, trackingRef} from './layout.ts';
import {listRemote}                      from './listing.ts';
import type {RemoteListing, RemoteState} from './listing.ts';
import {readHeader}                      from './heads.ts';
import {isAncestor}                      from './refs.ts';
import type {SessionStore}               from './store.ts';
import {StoreError, ignoreBad}           from './types.ts';
import type {StoredHeader}               from './types.ts';

/** Refs of one `git push`. */
const BATCH = 500;

export type RemovalOptions = TransportOptions & {
  /** Only sessions whose newest record is older than this, in milliseconds since 1970. */
  before?: number;
  /** Only these, by their whole ids. */
  sessions?: Array<string>;
  /** Only what says when it was. */
  dated?: boolean;
  /** Also refs of other clones; they are fetched first. */
  others?: boolean;
};

/** A ref that may go from the remote, where it is `commit`; `keep` is what this clone has of it, the same or more. */
export type Removal = {ref: string; session: string; writer: string; own: boolean; commit: string; keep: string; header: StoredHeader};
export type LeftAlone = {ref: string; session: string; reason: string};
export type RemovalPlan = {remote: string; theirs: Map<string, string>; chosen: Array<Removal>; left: Array<LeftAlone>};

/**
 * What of a remote's sessions is old, and may go there because it is kept elsewhere: this clone's own refs as long as it
 * has them, those of other clones when asked for. A session is as old as its newest state, and one that a younger session
 * goes on from stays with it. Throws NO_REMOTE, GIT_FAILED.
 */
export async function planRemoval(store: SessionStore, options: RemovalOptions): Promise<RemovalPlan> {
  const listing = await listRemote(store.repo, store.env, options.remote ?? ``, options);
  const states  = await withOwnHeaders(store, listing);
  const plan: RemovalPlan = {remote: listing.remote, theirs: listing.theirs, chosen: [], left: []};

  const asked = (session: string) => options.sessions === undefined || options.sessions.includes(session);
  const young = new Set(states.filter(({session, header}) => !asked(session) || !isOld(header, options.before)).map(({session}) => session));
  const chosen: Array<Removal> = [];
  for (const {own, ...state} of states) {
    const reason = await whyNot(store, {own, ...state}, young, options);
    if (reason === null)
      chosen.push({...state, header: state.header!, own: own !== null, keep: own ?? state.commit});
    else if (asked(state.session) && reason !== ``)
      plan.left.push({ref: state.ref, session: state.session, reason});
  }

  const going  = new Set(chosen.map(({ref}) => ref));
  const needed = neededBy(new Set(states.filter(({ref}) => !going.has(ref)).map(({session}) => session)), states);
  for (const one of chosen) {
    if (needed.has(one.session))
      plan.left.push({ref: one.ref, session: one.session, reason: `a session that stays goes on from it`});
    else
      plan.chosen.push(one);
  }

  plan.chosen.sort((a, b) => a.ref < b.ref ? -1 : 1);
  return plan;
}

/** Null where the state may go; empty where there is nothing to say of it. */
async function whyNot(store: SessionStore, {session, writer, commit, header, own}: OwnState, young: Set<string>, options: RemovalOptions): Promise<string | null> {
  if (header === undefined)
    return `the index of its clone does not name it, so that its age is not known`;
  if (Number.isNaN(Date.parse(header.updated ?? ``)) && (options.before !== undefined || options.dated))
    return `its header does not say when it was`;
  if (young.has(session))
    return options.sessions === undefined ? `` : `it is not that old`;
  if (own === null && !options.others)
    return writer === store.writer ? `this clone has not got it any more: --others fetches it first` : `it is another clone's (${header.author?.name ?? header.machine ?? writer}): --others fetches it first`;
  if (own !== null && own !== commit && !await isAncestor(store.repo, store.env, commit, own).catch(() => false))
    return `the remote has another state of it, by the same writer`;

  return null;
}

type OwnState = RemoteState & {own: string | null};

/** What this clone itself has says more than its index. */
async function withOwnHeaders(store: SessionStore, {states}: RemoteListing): Promise<Array<OwnState>> {
  const own = new Map((await store.reader.refs([SESSION_REFS])).filter(({ref}) => parseSessionRef(ref)?.writer === store.writer).map(({ref, oid}) => [ref, oid]));
  return await Promise.all(states.map(async state => {
    const commit = own.get(state.ref);
    if (commit === undefined)
      return {...state, own: null};

    const header = await readHeader(store.reader, {session: state.session, writer: state.writer, commit}).catch(ignoreBad);
    return {ref: state.ref, session: state.session, writer: state.writer, commit: state.commit, own: commit, ...header ? {header} : {}};
  }));
}

export function isOld(header: StoredHeader | undefined, before: number | undefined) {
  return header !== undefined && (before === undefined || Date.parse(header.updated ?? ``) < before);
}

/** Sessions without which one that stays would have no beginning. */
export function neededBy(staying: Set<string>, states: Array<Pick<RemoteState, `session` | `header`>>) {
  const parents = new Map<string, Set<string>>();
  for (const {session, header} of states)
    if (header?.lineage !== undefined)
      parents.set(session, (parents.get(session) ?? new Set()).add(header.lineage.parent));

  const needed = new Set<string>();
  const queue  = [...staying];
  for (let session = queue.pop(); session !== undefined; session = queue.pop())
    for (const parent of parents.get(session) ?? [])
      if (!needed.has(parent)) {
        needed.add(parent);
        queue.push(parent);
      }

  return needed;
}

/**
 * Makes sure that everything chosen is here, and is what the index said: others' refs are fetched. What is not goes from
 * `chosen` to `left`. Throws GIT_FAILED, DISK_FULL.
 */
export async function secure(store: SessionStore, plan: RemovalPlan, options: RemovalOptions): Promise<RemovalPlan> {
  const {remote} = plan;
  const others   = plan.chosen.filter(({own}) => !own);
  if (others.length === 0)
    return plan;

  await fetchRefs(store.repo, store.env, remote, others.map(({ref}) => `+${ref}:${trackingRef(remote, ref)}`), options);
  const here = new Map((await store.reader.refs([`${TRACKING_REFS}${remote}/`])).map(({ref, oid}) => [ref, oid]));
  const secured: RemovalPlan = {...plan, chosen: [], left: [...plan.left]};
  const found = await Promise.all(plan.chosen.map(async one => {
    const commit = one.own ? one.commit : here.get(trackingRef(remote, one.ref));
    const header = one.own ? one.header : commit === undefined ? null : await readHeader(store.reader, {...one, commit}).catch(ignoreBad);
    return {one, commit, header};
  }));
  for (const {one, commit, header} of found) {
    if (commit === undefined || header === null)
      secured.left.push({ref: one.ref, session: one.session, reason: `what the remote has of it cannot be read`});
    else if (!isOld(header, options.before))
      secured.left.push({ref: one.ref, session: one.session, reason: `it has grown meanwhile`});
    else
      secured.chosen.push(one.own ? one : {...one, commit, keep: commit, header});
  }

  return secured;
}

/** Takes refs off the remote, each only if it is still what was looked at. */
export async function removeRemote(store: SessionStore, {remote, chosen}: RemovalPlan, options: TransportOptions): Promise<{removed: Array<Removal>; left: Array<LeftAlone>}> {
  const removed: Array<Removal> = [];
  const left: Array<LeftAlone> = [];
  for (let at = 0; at < chosen.length; at += BATCH) {
    const batch   = chosen.slice(at, at + BATCH);
    const specs   = batch.map(({ref}) => `:${ref}`);
    const leases  = batch.map(({ref, commit}) => `--force-with-lease=${ref}:${commit}`);
    // All at once where all may go: else a server writes its whole list of packed refs again for each.
    const together = await pushRefs(store, remote, specs, options, [`--atomic`, ...leases]).catch(ignoreFailed);
    const answers = together !== null && batch.every(({ref}) => together.get(ref) === null) ? together : await pushRefs(store, remote, specs, options, leases);
    for (const one of batch) {
      const reason = answers.get(one.ref);
      if (reason === null)
        removed.push(one);
      else
        left.push({ref: one.ref, session: one.session, reason: reason === undefined ? `the remote did not answer for it` : /stale info/.test(reason) ? `it has grown meanwhile` : reason});
    }
  }

  return {removed, left};
}

/** The server may not know how to, or refuse; then it is asked for each. */
function ignoreFailed(error: unknown): null {
  if (!(error instanceof StoreError) || error.code !== `GIT_FAILED`)
    throw error;

  return null;
}

/** One `git push`, each ref on its own: why the remote refused it, by name; null where it did not. Throws GIT_FAILED where nothing was answered. */
export async function pushRefs(store: SessionStore, remote: string, refspecs: Array<string>, options: TransportOptions, more: Array<string> = []): Promise<Map<string, string | null>> {
  const run = await transport(store.repo, store.env, [
    `-c`, `core.hooksPath=/dev/null`,
    `push`, `--porcelain`, `--progress`, `--no-follow-tags`, `--recurse-submodules=no`, `--no-atomic`, ...more, remote, ...refspecs,
  ], options);

  const answers = new Map<string, string | null>();
  for (const line of run.stdout.split(`\n`)) {
    const match = /^([ +*=!-])\t[^\t]*:(refs\/[^\t]+)\t(.*)$/.exec(line);
    if (match)
      answers.set(match[2]!, match[1] === `!` ? cleanText(match[3]!, 300) : null);
  }
  if (answers.size === 0 && refspecs.length > 0)
    throw gitError(`push`, run);

  return answers;
}
