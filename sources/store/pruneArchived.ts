import {fetchOwnArchives, writeArchive}  from './archive.ts';
import {track}                           from './archived.ts';
import {ownArchives, updateIndex}        from './discovery.ts';
import {readEntries}                     from './indexTree.ts';
import {PRUNED_REFS, SESSION_REFS, TRACKING_REFS, parseArchiveRef, parseSessionRef, sessionRef, trackingRef} from './layout.ts';
import {listRemote}                      from './listing.ts';
import type {ArchivedState}              from './listing.ts';
import {notePruned, pushIndex}           from './prune.ts';
import type {RemovalResult}              from './prune.ts';
import {isOld, neededBy, pushRefs}       from './removal.ts';
import type {LeftAlone, Removal, RemovalOptions, RemovalPlan} from './removal.ts';
import {notReachable, updateRefs}        from './refs.ts';
import type {SessionStore}               from './store.ts';

type ArchivedRemoval = Removal & {archive: string};

/**
 * What may go out of this clone's archives on a remote: as old as is asked for, and nothing that a session which stays
 * goes on from. Throws NO_REMOTE, GIT_FAILED.
 */
export async function planArchivedRemoval(store: SessionStore, options: RemovalOptions): Promise<RemovalPlan> {
  const {remote, theirs, states, archived} = await listRemote(store.repo, store.env, options.remote ?? ``, {...options, archived: true});
  const plan: RemovalPlan & {chosen: Array<ArchivedRemoval>} = {remote, theirs, chosen: [], left: []};
  const chosen = new Set<ArchivedState>();
  for (const state of archived.filter(({session}) => options.sessions === undefined || options.sessions.includes(session))) {
    const reason = whyNot(store, state, options);
    if (reason === null)
      chosen.add(state);
    else if (reason !== ``)
      plan.left.push({ref: sessionRef(state.session, state.writer), session: state.session, reason});
  }

  const staying = [...states, ...archived.filter(state => !chosen.has(state))].map(({session}) => session);
  const needed  = neededBy(new Set(staying), [...states, ...archived]);
  for (const {session, writer, commit, header, archive} of chosen) {
    const ref = sessionRef(session, writer);
    if (needed.has(session))
      plan.left.push({ref, session, reason: `a session that stays goes on from it`});
    else
      plan.chosen.push({ref, session, writer, own: writer === store.writer, commit, keep: commit, header, archive});
  }

  plan.chosen.sort((a, b) => a.ref < b.ref ? -1 : 1);
  return plan;
}

/** Null where it may go; empty where there is nothing to say of it. */
function whyNot(store: SessionStore, {writer, header, archive}: ArchivedState, options: RemovalOptions): string | null {
  if (!isOld(header, options.before))
    return ``;
  // Whoever wrote an archive goes on from what it was: it would never take another session.
  const by = parseArchiveRef(archive)!.writer;
  if (by !== store.writer)
    return `it lies in an archive of another clone (${by}), which alone can take it out`;
  if (writer !== store.writer && !options.others)
    return `it is another clone's (${header.author?.name ?? header.machine ?? writer}): --others takes it, too`;

  return null;
}

/**
 * Takes sessions out of this clone's archives on a remote, which are written anew without them; first everything that
 * goes gets a ref here. Throws GIT_FAILED, DISK_FULL.
 */
export async function pruneArchived(store: SessionStore, plan: RemovalPlan, options: RemovalOptions = {}): Promise<RemovalResult> {
  const {remote, theirs} = plan;
  const result: RemovalResult = {remote, removed: [], left: [...plan.left], problems: []};
  await fetchOwnArchives(store, remote, theirs, options);
  const chosen  = await kept(store, remote, plan.chosen as Array<ArchivedRemoval>, result.left);
  const dropped = new Set<string>();
  for (const {year, ref, commit, names} of await ownArchives(store)) {
    const going = chosen.filter(({archive}) => archive === ref);
    if (going.length === 0)
      continue;

    const rest = new Map(names);
    for (const {session, writer} of going)
      rest.delete(`${session}.${writer}`);
    const reason = theirs.get(ref) === commit ? await replace(store, remote, {year, ref, commit, rest}, options) : `the remote has another state of its archive`;
    if (reason !== null) {
      result.left.push(...going.map(one => ({ref: one.ref, session: one.session, reason})));
      continue;
    }

    result.removed.push(...going);
    if (rest.size === 0)
      dropped.add(year);
  }

  // One that has grown since and is there again stays pushed.
  await notePruned(store, remote, result.removed.filter(({own, ref}) => own && !theirs.has(ref)));
  if (result.removed.length > 0) {
    await updateIndex(store, session => theirs.has(sessionRef(session, store.writer)), dropped);
    result.problems.push(...await pushIndex(store, remote, theirs, options));
  }

  return result;
}

/** Those that a ref here has: own ones are noted when they are gone, those of others are put where what is fetched goes. */
async function kept(store: SessionStore, remote: string, chosen: Array<ArchivedRemoval>, left: Array<LeftAlone>): Promise<Array<ArchivedRemoval>> {
  for (const one of chosen)
    if (!one.own)
      await track(store, remote, one);

  const refs = await store.reader.refs([SESSION_REFS, `${TRACKING_REFS}${remote}/s/`, PRUNED_REFS]);
  const from = ({session, writer}: Removal) => refs.filter(({ref}) => ref.endsWith(`/${session}/${writer}`) && (parseSessionRef(ref) !== null || ref.startsWith(PRUNED_REFS))).map(({oid}) => oid);
  const lost = await notReachable(store.repo, store.env, chosen.filter(({own}) => !own).map(one => ({commit: one.commit, from: from(one)})));
  left.push(...chosen.filter(({own, commit}) => !own && lost.has(commit)).map(({ref, session}) => ({ref, session, reason: `what the archive has of it cannot be kept here as ${trackingRef(remote, ref)}`})));
  return chosen.filter(({own, commit}) => own || !lost.has(commit));
}

/** Gives the remote, and then this clone, an archive with the rest of its sessions. Resolves to why not; null where it did. */
async function replace(store: SessionStore, remote: string, {year, ref, commit, rest}: {year: string; ref: string; commit: string; rest: Map<string, string>}, options: RemovalOptions): Promise<string | null> {
  const {entries, problems} = await readEntries(store.reader, ref, rest);
  if (problems.length > 0)
    return `its archive has an entry that cannot be read: ${problems[0]!.message}`;

  const draft = `${PRUNED_REFS}draft/${store.writer}/${year}`;
  // Of one who was killed.
  const old   = (await store.reader.refs([PRUNED_REFS])).find(one => one.ref === draft);
  if (old !== undefined)
    await updateRefs(store.repo, store.env, [{ref: draft, from: old.oid, to: null}]);
  if (entries.length > 0)
    await writeArchive(store, draft, year, entries.map(({commit: keep, header}) => ({session: header.session, writer: header.writer, keep, header})), {after: commit});

  const to      = entries.length === 0 ? null : (await store.reader.object(draft, 1 << 20))!.oid;
  const answers = await pushRefs(store, remote, [`${to ?? ``}:${ref}`], options, [`--force-with-lease=${ref}:${commit}`]);
  const reason  = answers.get(ref);
  const changes = [{ref, from: commit, to}, ...to === null ? [] : [{ref: draft, from: to, to: null}]];
  await updateRefs(store.repo, store.env, reason === null ? changes : changes.slice(1));
  return reason === null ? null : reason ?? `the remote did not answer for its archive`;
}
