import {stableJson}                     from '../interchange/canonical.ts';

import {FastImport, blobId}             from './fastImport.ts';
import {gitError}                       from './git.ts';
import {ARCHIVE_REFS, DRAFT_REFS, PRUNED_REFS, TRACKING_REFS, archiveRef, indexRef, parseArchiveRef, sessionRef, shardOf, trackingRef} from './layout.ts';
import {entryNames, indexFolders, readEntries} from './indexTree.ts';
import type {EntryNames, IndexEntry, IndexFolders} from './indexTree.ts';
import type {ObjectReader}              from './objects.ts';
import type {SessionStore, StoreProblem} from './store.ts';
import type {StoredHeader, StoredRef}   from './types.ts';

export type {IndexEntry} from './indexTree.ts';

const SMALL = 64 * 1024;

/** The bytes of an entry, the same in an index and an archive. */
export function entryJson(commit: string, header: StoredHeader) {
  // A list has no use for what is long; the session itself has it.
  const {changes: _, edited: __, produced: ___, ...short} = header;
  return Buffer.from(stableJson({commit, header: short}));
}

/**
 * Brings this clone's index (`refs/session-sync/index/<writer>`: one JSON file a session, nothing else) up to date with
 * its refs, so that others can list sessions without fetching them. Entries of sessions that are no longer here stay,
 * unless `keep` says no: a remote may have them still. What lies in this clone's archives stands in folders of their own,
 * as the remote has them whose refs are `theirs`; without a remote they stay as they are. What was taken off all remotes
 * does not stand in it. Resolves to the index's commit; null while there is no session.
 */
export async function updateIndex(store: SessionStore, keep: (session: string) => boolean = () => true, theirs?: Map<string, string>): Promise<string | null> {
  await store.follow();
  for (let attempt = 0; ; attempt++) {
    const {refs} = await store.list();
    const own    = refs.filter(({remote, writer, via}) => remote === undefined && via === undefined && writer === store.writer);
    const ref    = indexRef(store.writer);
    const base   = await store.reader.object(ref, SMALL);
    const before: IndexFolders = base ? await indexFolders(store.reader, base.oid) : {live: null, archived: new Map()};
    const known  = await entryNames(store.reader, before.live, {archive: false});

    const stored   = theirs === undefined ? before.archived : await storedFolders(store, theirs, before.archived);
    const archives = await Promise.all([...stored].map(async ([year, folder]) => ({year, folder, names: await entryNames(store.reader, folder, {archive: true})})));
    const pruned   = await prunedStates(store, own);
    const lines: Array<string> = [];
    const wanted = new Map(own.map(({session, commit, header}) => [session, entryJson(commit, header)] as const));
    for (const [session, json] of wanted)
      if (pruned.has(session) || archives.some(({names}) => names.get(`${session}.${store.writer}`) === blobId(json, store.repo.objectFormat)))
        wanted.delete(session);

    const gone = new Set(own.map(({session}) => session).filter(session => !wanted.has(session)));
    for (const session of known.keys())
      if (!wanted.has(session) && (gone.has(session) || !keep(session)))
        lines.push(`D h/${shardOf(session)}/${session}.json\n`);
    for (const {year, folder} of archives)
      if (before.archived.get(year) !== folder)
        lines.push(`M 040000 ${folder} a/${year}\n`);
    for (const year of before.archived.keys())
      if (!stored.has(year))
        lines.push(`D a/${year}\n`);

    const fresh = [...wanted].filter(([session, json]) => known.get(session) !== blobId(json, store.repo.objectFormat));
    if (fresh.length === 0 && lines.length === 0)
      return base?.oid ?? null;

    const importer = new FastImport(store.repo, store.env);
    try {
      for (const [session, json] of fresh)
        lines.push(`M 100644 :${await importer.blob(json)} h/${shardOf(session)}/${session}.json\n`);

      const previous = base ? Number(/^committer .* (\d+) \+0000$/m.exec(base.body.toString())?.[1] ?? 0) : 0;
      const message  = `session-sync index: ${wanted.size} ${wanted.size === 1 ? `session` : `sessions`}\n`;
      const person   = `session-sync <session-sync@localhost> ${previous + 1} +0000`;
      const mark     = importer.nextMark();
      await importer.send(`commit ${ref}\nmark :${mark}\nauthor ${person}\ncommitter ${person}\ndata ${message.length}\n${message}${base ? `from ${base.oid}^0\n` : ``}`);
      for (const line of lines)
        await importer.send(line);

      const result = await importer.finish(`\nget-mark :${mark}\n`);
      const commit = /^[0-9a-f]{40,64}$/m.exec(result.stdout)?.[0];
      if (result.code === 0 && commit !== undefined)
        return commit;
      if (attempt >= 3)
        throw gitError(`fast-import`, result);
    } finally {
      await importer.abort();
    }
  }
}

/** Folders of this clone's archives on a remote, by year; of one whose state is not here, as the index has it. */
async function storedFolders(store: SessionStore, theirs: Map<string, string>, before: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const here  = new Set((await store.reader.refs([TRACKING_REFS, ARCHIVE_REFS, DRAFT_REFS])).map(({oid}) => oid));
  const found = new Map<string, string>();
  for (const [ref, oid] of theirs) {
    const parsed = parseArchiveRef(ref);
    const folder = parsed?.writer !== store.writer ? null : here.has(oid) ? (await indexFolders(store.reader, oid)).live : before.get(parsed.year) ?? null;
    if (parsed && folder !== null)
      found.set(parsed.year, folder);
  }

  return found;
}

/** This clone's archives as a remote is known to have them: the folder of their entries, and the names in it. */
export async function ownArchives(store: SessionStore, remote: string): Promise<Array<{year: string; ref: string; commit: string; names: EntryNames}>> {
  const refs = await store.reader.refs([`${trackingRef(remote, `${ARCHIVE_REFS}${store.writer}`)}/`]);
  const all  = await Promise.all(refs.map(async ({ref, oid}) => {
    const year   = parseArchiveRef(ref)?.year;
    const folder = year === undefined ? null : (await indexFolders(store.reader, oid)).live;
    return year === undefined || folder === null ? null : {year, ref: archiveRef(store.writer, year), commit: oid, names: await entryNames(store.reader, folder, {archive: true})};
  }));

  return all.filter(archive => archive !== null);
}

/** Sessions that were taken off a remote in this very state, and that no other is known to have. */
async function prunedStates(store: SessionStore, own: Array<StoredRef>) {
  const refs   = await store.reader.refs([PRUNED_REFS]);
  const state  = (commit: string, ref: string) => [commit, ...ref.split(`/`).slice(-3)].join(` `);
  const states = new Set(refs.map(({ref, oid}) => state(oid, ref)));
  if (states.size === 0)
    return new Set<string>();

  const tracked = new Set((await store.reader.refs([TRACKING_REFS])).map(({ref, oid}) => state(oid, ref)));
  return new Set(own.filter(({session, commit}) => {
    const own = state(commit, sessionRef(session, store.writer));
    return states.has(own) && !tracked.has(own);
  }).map(({session}) => session));
}

/**
 * Sessions of an index, which anybody may have written. What is not as it should be is left out and reported.
 */
export async function readIndex(reader: ObjectReader, ref: string, commit: string, writer: string): Promise<{entries: Array<IndexEntry>; problems: Array<StoreProblem>}> {
  const {live} = await indexFolders(reader, commit);
  return await readEntries(reader, ref, await entryNames(reader, live, {archive: false}), writer);
}

/** Name of the ref that an entry speaks of. */
export function refOf(entry: IndexEntry) {
  return sessionRef(entry.header.session, entry.header.writer);
}
