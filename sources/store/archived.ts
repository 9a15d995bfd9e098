import {fetchRefs}                       from './connection.ts';
import type {TransportOptions}           from './connection.ts';
import {MAX_HEADER_BYTES, TRACKING_REFS, parseSessionRef, sessionRef, shardOf, trackingRef} from './layout.ts';
import {listRemote}                      from './listing.ts';
import type {ArchivedState, RemoteListing} from './listing.ts';
import {readHeader}                      from './heads.ts';
import type {Stored}                     from './read.ts';
import {isAncestor, packRefs, updateRefs} from './refs.ts';
import type {SessionStore}               from './store.ts';
import {pull}                            from './transport.ts';
import type {PullOptions, PullResult}    from './transport.ts';
import {StoreError, ignoreBad}           from './types.ts';

/** Sessions that one goes on from, one after the other, that are fetched with it at most. */
const MOST_LEGS = 200;

export type SessionPull = PullResult & {
  /** Ids that were fetched: the session, and what it goes on from. */
  sessions: Array<string>;
  /** Sessions that it goes on from, and that the remote has not. */
  missing: Array<string>;
  /** Archives that were transferred as a whole, because the remote gives no single commit out of them. */
  archives: Array<string>;
};

/**
 * Fetches one session, by its whole id, with those that it goes on from: without them it would have no beginning. From an
 * archive where the remote has it nowhere else.
 *
 * Throws UNKNOWN_SESSION, and as `pull`.
 */
export async function pullSession(store: SessionStore, session: string, options: PullOptions = {}): Promise<SessionPull> {
  const result: SessionPull = {remote: ``, updated: 0, refs: [], united: [], problems: [], sessions: [], missing: [], archives: []};
  let listing: RemoteListing | null = null;
  const wanted = [session];
  for (let next = wanted.shift(); next !== undefined && result.sessions.length < MOST_LEGS; next = wanted.shift()) {
    const {remote, updated, refs, united, problems} = await pull(store, {...options, session: next});
    result.remote   = remote;
    result.updated += updated;
    result.refs.push(...refs);
    result.united.push(...united);
    result.problems.push(...problems);

    let states = await statesHere(store, remote, next);
    if (!states.some(state => state.remote === remote)) {
      listing ??= await listRemote(store.repo, store.env, remote, {...options, archived: true});
      const fetched = await fetchArchived(store, remote, listing.archived.filter(one => one.session === next), options);
      result.archives.push(...fetched.whole);
      result.updated += fetched.updated;
      states = await statesHere(store, remote, next);
    }

    if (states.length === 0 && next === session)
      throw new StoreError(`UNKNOWN_SESSION`, `${remote} has no session ${session}`);
    (states.length === 0 ? result.missing : result.sessions).push(next);
    for (const {header} of states)
      if (header.lineage?.source !== undefined && ![...wanted, ...result.sessions, ...result.missing].includes(header.lineage.parent))
        wanted.push(header.lineage.parent);
  }

  return result;
}

/** States of a session in this clone's own namespace and of that remote; what cannot be read does not count. */
async function statesHere(store: SessionStore, remote: string, session: string): Promise<Array<Stored>> {
  const part = `s/${shardOf(session)}/${session}/`;
  const refs = await store.reader.refs([`refs/session-sync/${part}`, `${TRACKING_REFS}${remote}/${part}`]);
  const states = await Promise.all(refs.map(async ({ref, oid}) => {
    const parsed = parseSessionRef(ref);
    const header = parsed && await readHeader(store.reader, {...parsed, commit: oid}).catch(ignoreBad);
    return parsed && header ? {...parsed, commit: oid, header} : null;
  }));

  return states.filter(state => state !== null);
}

/** Fetches all that a remote has in archives, and gives each session there its tracking ref. Resolves to the number of new ones. */
export async function pullArchives(store: SessionStore, options: TransportOptions & {remote: string}): Promise<number> {
  const listing = await listRemote(store.repo, store.env, options.remote, {...options, archived: true});
  const {remote} = listing;
  if (listing.archived.length === 0)
    return 0;

  await fetchRefs(store.repo, store.env, remote, `+refs/session-sync/archive/*:${trackingRef(remote, `refs/session-sync/archive/`)}*`, options);
  let updated = 0;
  for (const state of listing.archived)
    updated += Number(await track(store, remote, state) === `moved`);

  await packRefs(store.repo, store.env);
  return updated;
}

/**
 * Puts these sessions where others that were fetched are: of each the newest state that is what its index says. One commit
 * out of an archive, where the remote gives it; else the whole archive: resolves to the names of those.
 */
async function fetchArchived(store: SessionStore, remote: string, states: Array<ArchivedState>, options: TransportOptions): Promise<{updated: number; whole: Array<string>}> {
  const whole: Array<string> = [];
  const done = new Set<string>();
  let updated = 0;
  for (const state of [...states].sort((a, b) => b.header.sequence - a.header.sequence)) {
    const ref = trackingRef(remote, sessionRef(state.session, state.writer));
    if (done.has(ref))
      continue;

    await fetchRefs(store.repo, store.env, remote, `${state.commit}:${ref}`, options).catch(async error => {
      if (!(error instanceof StoreError) || error.code !== `GIT_FAILED`)
        throw error;

      if (!whole.includes(state.archive))
        await fetchRefs(store.repo, store.env, remote, `+${state.archive}:${trackingRef(remote, state.archive)}`, options);
      whole.push(state.archive);
    });
    if (await track(store, remote, state) === `bad`)
      continue;

    done.add(ref);
    updated++;
  }

  return {updated, whole: [...new Set(whole)]};
}

/** Sets the tracking ref of an archived session that is here, unless it is further. An index is anybody's word: what it names may be no session. */
export async function track(store: SessionStore, remote: string, {session, writer, commit}: Pick<ArchivedState, `session` | `writer` | `commit`>): Promise<`bad` | `moved` | `same`> {
  const ref  = trackingRef(remote, sessionRef(session, writer));
  const from = (await store.reader.object(ref, MAX_HEADER_BYTES))?.oid ?? null;
  if (await readHeader(store.reader, {session, writer, commit}).catch(ignoreBad) === null) {
    if (from === commit)
      await updateRefs(store.repo, store.env, [{ref, from, to: null}]);
    return `bad`;
  }

  if (from === commit || (from !== null && !await isAncestor(store.repo, store.env, from, commit)))
    return `same`;

  return await updateRefs(store.repo, store.env, [{ref, from, to: commit}]) ? `moved` : `same`;
}
