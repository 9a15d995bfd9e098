import {isDeepStrictEqual}               from 'node:util';

import type {TransportOptions}           from './connection.ts';
import {ownArchives, entryJson}          from './discovery.ts';
import {blobId}                          from './fastImport.ts';
import {PRUNED_REFS, TRACKING_REFS, indexRef, parseSessionRef, prunedRef, trackingRef} from './layout.ts';
import {listRemote}                      from './listing.ts';
import {notePruned}                      from './prune.ts';
import {readHeader}                      from './heads.ts';
import {notReachable}                    from './refs.ts';
import type {SessionStore}               from './store.ts';
import {ignoreBad}                       from './types.ts';

/**
 * Own refs in a state that the remote has had and has no longer, with what became of it there: `archived` or `pruned`, by
 * whomever. They are not pushed again; one that has grown since is. A remote without this clone's index is a new one: it
 * gets everything.
 */
export async function withheld(store: SessionStore, remote: string, theirs: Map<string, string>, ours: Array<{ref: string; oid: string}>, options: TransportOptions & {dryRun?: boolean}): Promise<Map<string, `archived` | `pruned`>> {
  const found = new Map<string, `archived` | `pruned`>();
  const gone  = ours.filter(({ref}) => parseSessionRef(ref)?.writer === store.writer && !theirs.has(ref));
  if (gone.length === 0 || !theirs.has(indexRef(store.writer)))
    return found;

  const notes = new Map((await store.reader.refs([`${TRACKING_REFS}${remote}/`, `${PRUNED_REFS}${remote}/`])).map(({ref, oid}) => [ref, oid]));
  const away  = await beforeUniting(store, gone.map(one => ({...one, noted: [prunedRef(remote, one.ref), trackingRef(remote, one.ref)].flatMap(note => notes.get(note) ?? [])})));
  for (const {ref, oid} of away)
    if (notes.get(prunedRef(remote, ref)) === oid)
      found.set(ref, `pruned`);

  const vanished = away.filter(({ref, oid}) => !found.has(ref) && notes.get(trackingRef(remote, ref)) === oid).map(({ref, oid}) => ({...parseSessionRef(ref)!, oid}));
  const archives = vanished.length === 0 ? [] : await ownArchives(store, remote);
  for (const {ref, session, writer, oid} of vanished) {
    const name = `${session}.${writer}`;
    if (archives.some(({names}) => names.has(name))) {
      const header = await readHeader(store.reader, {session, writer, commit: oid}).catch(ignoreBad);
      const entry  = header && blobId(entryJson(oid, header), store.repo.objectFormat);
      if (archives.some(archive => theirs.get(archive.ref) === archive.commit && archive.names.get(name) === entry))
        found.set(ref, `archived`);
    }
  }

  const unknown = vanished.filter(({ref}) => !found.has(ref));
  if (unknown.length > 0) {
    // Somebody else did it: their index says whether it lies in an archive of theirs.
    const {archived} = await listRemote(store.repo, store.env, remote, {...options, archived: true});
    const states = new Set(archived.map(({session, writer, commit}) => `${session} ${writer} ${commit}`));
    for (const {ref, session, writer, oid} of unknown)
      found.set(ref, states.has(`${session} ${writer} ${oid}`) ? `archived` : `pruned`);
    if (!options.dryRun)
      await notePruned(store, remote, unknown.filter(({ref}) => found.get(ref) === `pruned`).map(({session, oid}) => ({session, keep: oid})));
  }

  return found;
}

/** Own refs, each as it was noted where it has only taken in since what others have stored: that is no reason to send it again. */
async function beforeUniting(store: SessionStore, refs: Array<{ref: string; oid: string; noted: Array<string>}>): Promise<Array<{ref: string; oid: string}>> {
  const moved = refs.filter(({oid, noted}) => noted.length > 0 && !noted.includes(oid)).flatMap(({oid, noted}) => noted.map(commit => ({commit, from: [oid]})));
  const apart = moved.length === 0 ? new Set() : await notReachable(store.repo, store.env, moved);
  return await Promise.all(refs.map(async ({ref, oid, noted}) => {
    const parsed = parseSessionRef(ref)!;
    const header = async (commit: string) => await readHeader(store.reader, {...parsed, commit}).catch(ignoreBad);
    const now    = noted.length === 0 || noted.includes(oid) ? null : await header(oid);
    for (const commit of now === null ? [] : noted)
      if (!apart.has(commit) && isDeepStrictEqual(await header(commit), now))
        return {ref, oid: commit};

    return {ref, oid};
  }));
}
