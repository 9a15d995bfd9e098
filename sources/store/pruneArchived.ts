import {draftRef, fetchOwnArchives, noteArchive, writeArchive} from './archive.ts';
import {track}                           from './archived.ts';
import {ownArchives}                     from './discovery.ts';
import {readHeader}                      from './heads.ts';
import {readEntries}                     from './indexTree.ts';
import {MAX_HEADER_BYTES, PRUNED_REFS, SESSION_REFS, TRACKING_REFS, parseArchiveRef, parseSessionRef, prunedRef, sessionRef, trackingRef} from './layout.ts';
import {listRemote}                      from './listing.ts';
import type {ArchivedState}              from './listing.ts';
import {notePruned, pushIndex}           from './prune.ts';
import type {RemovalResult}              from './prune.ts';
import {isOld, neededBy, pushRefs}       from './removal.ts';
import type {LeftAlone, Removal, RemovalOptions, RemovalPlan} from './removal.ts';
import {isAncestor, notReachable, updateRefs} from './refs.ts';
import type {RefChange}                  from './refs.ts';
import type {SessionStore}               from './store.ts';
import {ignoreBad}                       from './types.ts';

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
  const planned = new Map(theirs);
  const result: RemovalResult = {remote, removed: [], left: [...plan.left], problems: []};
  await fetchOwnArchives(store, remote, theirs, options);
  const {chosen, pins} = await kept(store, remote, plan.chosen as Array<ArchivedRemoval>, result.left);
  for (const {year, ref, commit, names} of await ownArchives(store, remote)) {
    const going = chosen.filter(({archive}) => archive === ref);
    if (going.length === 0)
      continue;

    const rest = new Map(names);
    for (const {session, writer} of going)
      rest.delete(`${session}.${writer}`);
    const reason = planned.get(ref) !== commit ? `the remote has another state of its archive` : rest.size === names.size ? null : await replace(store, remote, {year, ref, commit, rest}, theirs, options);
    if (reason === null)
      result.removed.push(...going);
    else
      result.left.push(...going.map(one => ({ref: one.ref, session: one.session, reason})));
  }

  // What did not go has no need of a note, and what another archive still has is not gone.
  const stays = new Set(result.left.map(({ref}) => ref));
  await updateAll(store, pins.filter(({session}) => stays.has(sessionRef(session, store.writer))).map(({ref, from, to}) => ({ref, from: to, to: from})));
  // One that has grown since and is there again stays pushed.
  await notePruned(store, remote, newest(result.removed.filter(({own, ref}) => own && !theirs.has(ref) && !stays.has(ref))));
  if (result.removed.length > 0)
    result.problems.push(...await pushIndex(store, remote, theirs, options));

  return result;
}

/** Archives of several years may have a state each of a session: the newest one of each. */
function newest(removed: Array<Removal>): Array<Removal> {
  const found = new Map<string, Removal>();
  for (const one of [...removed].sort((a, b) => a.header.sequence - b.header.sequence))
    found.set(one.ref, one);

  return [...found.values()];
}

/**
 * Those that a ref here has. Those of others are put where what is fetched goes; own ones that were cleaned here, or were
 * something else, get a note before they go: `pins`.
 */
async function kept(store: SessionStore, remote: string, all: Array<ArchivedRemoval>, left: Array<LeftAlone>): Promise<{chosen: Array<ArchivedRemoval>; pins: Array<Pin>}> {
  for (const one of all)
    if (!one.own)
      await track(store, remote, one);

  const lost = await notHere(store, remote, all);
  const pins = await pinned(store, remote, newest(all.filter(one => one.own && lost.has(one.commit))));
  const gone = pins.length === 0 ? lost : await notHere(store, remote, all);
  left.push(...all.filter(({commit}) => gone.has(commit)).map(({ref, session, own}) => ({ref, session, reason: `what the archive has of it cannot be kept here as ${(own ? prunedRef : trackingRef)(remote, ref)}`})));
  return {chosen: all.filter(({commit}) => !gone.has(commit)), pins};
}

/** Commits that no ref here has that stays. Of own sessions, what was fetched does not: it is gone with what the remote has. */
async function notHere(store: SessionStore, remote: string, chosen: Array<ArchivedRemoval>) {
  const refs = await store.reader.refs([SESSION_REFS, `${TRACKING_REFS}${remote}/s/`, PRUNED_REFS]);
  const from = ({session, writer, own}: Removal) => refs.filter(({ref}) => {
    const parsed = parseSessionRef(ref);
    return ref.endsWith(`/${session}/${writer}`) && (ref.startsWith(PRUNED_REFS) || parsed !== null && !(own && parsed.remote !== undefined));
  }).map(({oid}) => oid);
  return await notReachable(store.repo, store.env, chosen.map(one => ({commit: one.commit, from: from(one)})));
}

type Pin = RefChange & {session: string};

/** Notes these own sessions as taken off the remote, if what was noted before is no other. */
async function pinned(store: SessionStore, remote: string, sessions: Array<Removal>): Promise<Array<Pin>> {
  const pins: Array<Pin> = [];
  for (const {session, writer, ref, commit} of sessions) {
    const noted = prunedRef(remote, ref);
    const from  = (await store.reader.object(noted, MAX_HEADER_BYTES))?.oid ?? null;
    const pin   = {session, ref: noted, from, to: commit};
    if (await readHeader(store.reader, {session, writer, commit}).catch(ignoreBad) !== null
      && (from === null || await isAncestor(store.repo, store.env, from, commit)) && await updateRefs(store.repo, store.env, [pin]))
      pins.push(pin);
  }

  return pins;
}

async function updateAll(store: SessionStore, changes: Array<RefChange>) {
  if (changes.length > 0)
    await updateRefs(store.repo, store.env, changes);
}

/** Gives the remote an archive with the rest of its sessions. Resolves to why not; null where it did. */
async function replace(store: SessionStore, remote: string, {year, ref, commit, rest}: {year: string; ref: string; commit: string; rest: Map<string, string>}, theirs: Map<string, string>, options: RemovalOptions): Promise<string | null> {
  const {entries, problems} = await readEntries(store.reader, ref, rest);
  if (problems.length > 0)
    return `its archive has an entry that cannot be read: ${problems[0]!.message}`;

  const draft = draftRef(store.writer, year);
  if (entries.length > 0)
    await writeArchive(store, draft, year, entries.map(({commit: keep, header}) => ({session: header.session, writer: header.writer, keep, header})), {after: commit});

  const to      = entries.length === 0 ? null : (await store.reader.object(draft, 1 << 20))!.oid;
  const answers = await pushRefs(store, remote, [`${to ?? ``}:${ref}`], options, [`--force-with-lease=${ref}:${commit}`]);
  const reason  = answers.get(ref);
  // Else the draft stays, whether or not the remote took it: what it has then is asked for the next time.
  if (reason !== null)
    return reason ?? `the remote did not answer for its archive`;

  if (to === null)
    theirs.delete(ref);
  else
    theirs.set(ref, to);
  await noteArchive(store, remote, {draft, ref, to});
  return null;
}
