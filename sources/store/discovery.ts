import {stableJson}                     from '../interchange/canonical.ts';

import {FastImport, blobId}             from './fastImport.ts';
import {gitError}                       from './git.ts';
import {parseBounded, verifyHeader}     from './header.ts';
import {MAX_HEADER_BYTES, MAX_TREE_BYTES, MAX_TREE_ENTRIES, OBJECT_ID, indexRef, sessionRef, shardOf} from './layout.ts';
import {commitTree, parseTree}          from './objects.ts';
import type {ObjectReader}              from './objects.ts';
import type {SessionStore, StoreProblem} from './store.ts';
import {StoreError}                     from './types.ts';
import type {StoredHeader}              from './types.ts';

/** One session in an index: its header, and the commit of its ref at that time. */
export type IndexEntry = {commit: string; header: StoredHeader};

const SMALL = 64 * 1024;

/**
 * Brings this clone's index (`refs/session-sync/index/<writer>`: one JSON file a session, nothing else) up to date with
 * its refs, so that others can list sessions without fetching them. Entries of sessions that are no longer here stay,
 * unless `keep` says no: a remote may have them still. Resolves to the index's commit; null while there is no session.
 */
export async function updateIndex(store: SessionStore, keep: (session: string) => boolean = () => true): Promise<string | null> {
  for (let attempt = 0; ; attempt++) {
    const {refs} = await store.list();
    const own    = refs.filter(({remote, writer}) => remote === undefined && writer === store.writer);
    const ref    = indexRef(store.writer);
    const base   = await store.reader.object(ref, SMALL);
    const known  = base ? await entriesOf(store.reader, base.oid) : new Map<string, string>();

    const lines: Array<string> = [];
    const wanted = new Map(own.map(({session, commit, header}) => [session, Buffer.from(stableJson({commit, header}))] as const));
    for (const session of known.keys())
      if (!wanted.has(session) && !keep(session))
        lines.push(`D h/${shardOf(session)}/${session}.json\n`);

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

/**
 * Sessions of an index, which anybody may have written. What is not as it should be is left out and reported.
 */
export async function readIndex(reader: ObjectReader, ref: string, commit: string, writer: string): Promise<{entries: Array<IndexEntry>; problems: Array<StoreProblem>}> {
  const problems: Array<StoreProblem> = [];
  const entries  = await Promise.all([...await entriesOf(reader, commit)].map(async ([session, oid]) => {
    try {
      const blob = await reader.object(oid, MAX_HEADER_BYTES);
      if (blob?.type !== `blob`)
        throw new StoreError(`MISSING_OBJECT`, `the entry of session ${session} is missing`);

      return checkedEntry(blob.body, session, writer);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === `NO_GIT` || error.code === `GIT_FAILED`)
        throw error;

      problems.push({ref, code: error.code, message: error.message});
      return null;
    }
  }));

  return {entries: entries.filter(entry => entry !== null), problems};
}

function checkedEntry(body: Buffer, session: string, writer: string): IndexEntry {
  const json = parseBounded(body, `an entry of the index`) as {commit?: unknown; header?: unknown} | null;
  if (typeof json !== `object` || json === null || typeof json.commit !== `string` || !OBJECT_ID.test(json.commit))
    throw new StoreError(`BAD_DATA`, `the entry of session ${session} is not one`);

  const header = verifyHeader(JSON.stringify(json.header ?? null));
  if (header.session !== session || header.writer !== writer)
    throw new StoreError(`BAD_DATA`, `the entry of session ${session} is one of another session or writer`);

  return {commit: json.commit, header};
}

/** Blob of each session. Throws BAD_DATA where the tree is not that of an index, TOO_LARGE. */
async function entriesOf(reader: ObjectReader, commit: string): Promise<Map<string, string>> {
  const bad  = () => new StoreError(`BAD_DATA`, `An index of sessions has an unexpected entry`);
  const tree = async (oid: string) => {
    const object = await reader.object(oid, MAX_TREE_BYTES);
    if (!object)
      throw new StoreError(`MISSING_OBJECT`, `A folder of an index of sessions is missing`);
    if (object.type !== `tree`)
      throw bad();

    return parseTree(object.body, object.oid.length / 2);
  };

  const object = await reader.object(commit, SMALL);
  if (!object)
    throw new StoreError(`MISSING_OBJECT`, `An index of sessions is missing`);

  const found = new Map<string, string>();
  for (const top of await tree(commitTree(object))) {
    if (top.name !== `h` || top.mode !== `40000`)
      throw bad();

    for (const shard of await tree(top.oid)) {
      if (shard.mode !== `40000` || !/^[0-9a-z]{2}$/.test(shard.name))
        throw bad();

      for (const entry of await tree(shard.oid)) {
        const session = entry.name.slice(0, -`.json`.length);
        if (entry.mode !== `100644` || !entry.name.endsWith(`.json`) || !isOf(session, shard.name))
          throw bad();

        found.set(session, entry.oid);
        if (found.size > MAX_TREE_ENTRIES)
          throw new StoreError(`TOO_LARGE`, `An index has more than ${MAX_TREE_ENTRIES} sessions`);
      }
    }
  }

  return found;
}

function isOf(session: string, shard: string) {
  try {
    return shardOf(session) === shard;
  } catch {
    return false;
  }
}

/** Names of the refs that an index speaks of. */
export function refOf(entry: IndexEntry) {
  return sessionRef(entry.header.session, entry.header.writer);
}
