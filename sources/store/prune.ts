import type {TransportOptions}           from './connection.ts';
import {updateIndex}                     from './discovery.ts';
import {PRUNED_REFS, SESSION_REFS, SHADOW_REFS, TRACKING_REFS, indexRef, prunedRef, sessionRef, shadowRef, trackingRef} from './layout.ts';
import {pushRefs, removeRemote, secure}  from './removal.ts';
import type {LeftAlone, Removal, RemovalOptions, RemovalPlan} from './removal.ts';
import {updateRefs}                      from './refs.ts';
import type {RefChange}                  from './refs.ts';
import type {SessionStore}               from './store.ts';

export type RemovalResult = {remote: string; removed: Array<Removal>; left: Array<LeftAlone>; problems: Array<string>};

/**
 * Takes sessions off a remote. This clone's own refs stay, are known as not pushed any more, and are not pushed again
 * unless they grow or are named; those of others stay where they were fetched to.
 *
 * Throws GIT_FAILED, DISK_FULL.
 */
export async function prune(store: SessionStore, plan: RemovalPlan, options: RemovalOptions = {}): Promise<RemovalResult> {
  const {remote, theirs} = plan;
  const secured = await secure(store, plan, options);
  const {removed, left} = await removeRemote(store, secured, options);
  for (const {ref} of removed)
    theirs.delete(ref);

  await notePruned(store, remote, removed.filter(({own}) => own));
  const problems = removed.length === 0 ? [] : await pushIndex(store, remote, theirs, options);
  return {remote, removed, left: [...secured.left, ...left], problems};
}

/** Own sessions that the remote had and has no longer: no shadow would bring them back, and `clean` would take them for safe. */
export async function notePruned(store: SessionStore, remote: string, sessions: Array<{session: string; keep: string}>) {
  const refs = new Map((await store.reader.refs([SESSION_REFS, TRACKING_REFS, SHADOW_REFS, PRUNED_REFS])).map(({ref, oid}) => [ref, oid]));
  const groups = sessions.map(({session, keep}) => {
    const ref      = sessionRef(session, store.writer);
    const tracking = trackingRef(remote, ref);
    const [noted, shadow] = [prunedRef(remote, ref), shadowRef(session, store.writer)];
    const changes: Array<RefChange> = [];
    // Of one that was cleaned here the note may be all that is left.
    if (refs.get(noted) !== keep && (refs.has(ref) || !refs.has(noted)))
      changes.push({ref: noted, from: refs.get(noted) ?? null, to: keep});
    if (refs.has(tracking))
      changes.push({ref: tracking, from: refs.get(tracking)!, to: null});
    // One that was cleaned here stays so: a shadow would bring it back. And one of an older state would set it back.
    if (!refs.has(shadow) && refs.has(ref))
      changes.push({ref: shadow, from: null, to: refs.get(ref)!});
    return changes;
  });

  // Together if nobody else is at work, else one by one.
  if (groups.some(group => group.length > 0) && !await updateRefs(store.repo, store.env, groups.flat()))
    for (const group of groups)
      if (group.length > 0)
        await updateRefs(store.repo, store.env, group);
}

/** Takes what is gone out of this clone's index, also on the remote. Resolves to what the remote had against it. */
export async function pushIndex(store: SessionStore, remote: string, theirs: Map<string, string>, options: TransportOptions): Promise<Array<string>> {
  const ref    = indexRef(store.writer);
  const commit = await updateIndex(store, session => theirs.has(sessionRef(session, store.writer)), theirs);
  // Who has never sent an index there, but chosen sessions only, does not name the others now.
  if (commit === null || !theirs.has(ref) || theirs.get(ref) === commit)
    return [];

  const reason = (await pushRefs(store, remote, [`${commit}:${ref}`], options)).get(ref);
  return reason === null ? [] : [`the index of sessions on ${remote} still names them: ${reason ?? `no answer`}`];
}
