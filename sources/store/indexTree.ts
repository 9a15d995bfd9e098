import {isSafeId}                     from '../interchange/ids.ts';

import {checkHeader, parseBounded}    from './header.ts';
import {MAX_HEADER_BYTES, MAX_TREE_BYTES, MAX_TREE_ENTRIES, OBJECT_ID, YEAR} from './layout.ts';
import {commitTree, parseTree}        from './objects.ts';
import type {ObjectReader, TreeEntry} from './objects.ts';
import type {StoreProblem}            from './store.ts';
import {StoreError}                   from './types.ts';
import type {StoredHeader}            from './types.ts';

/** One session in an index or an archive: its header, and the commit of its ref at that time. */
export type IndexEntry = {commit: string; header: StoredHeader};
/** Where the files of entries are: name (without `.json`) to blob. */
export type EntryNames = Map<string, string>;
/** Folders at the top of an index or an archive. */
export type IndexFolders = {live: string | null; archived: Map<string, string>};

const SMALL = 64 * 1024;
/** Headers of one index that are taken in; 10,000 are some 10 MB. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/**
 * Folders of an index (`h`, and `a/<year>` of what is archived) or an archive (`h` only). Throws BAD_DATA where the tree
 * is not one of these, TOO_LARGE, MISSING_OBJECT.
 */
export async function indexFolders(reader: ObjectReader, commit: string): Promise<IndexFolders> {
  const object = await reader.object(commit, SMALL);
  if (!object)
    throw new StoreError(`MISSING_OBJECT`, `An index of sessions is missing`);

  const found: IndexFolders = {live: null, archived: new Map()};
  for (const top of await tree(reader, commitTree(object))) {
    if (top.mode !== `40000` || (top.name !== `h` && top.name !== `a`))
      throw unexpected();
    if (top.name === `h`) {
      found.live = top.oid;
      continue;
    }

    for (const year of await tree(reader, top.oid)) {
      if (year.mode !== `40000` || !YEAR.test(year.name))
        throw unexpected();
      found.archived.set(year.name, year.oid);
    }
  }

  return found;
}

/**
 * Files of a folder of entries: `<shard>/<session>.json`, or `<shard>/<session>.<writer>.json` where it is one of an
 * archive. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT.
 */
export async function entryNames(reader: ObjectReader, folder: string | null, {archive}: {archive: boolean}): Promise<EntryNames> {
  const names: EntryNames = new Map();
  if (folder === null)
    return names;

  const shards = await tree(reader, folder);
  if (shards.some(shard => shard.mode !== `40000` || !/^[0-9a-z]{2}$/.test(shard.name)))
    throw unexpected();

  // Side by side: an answer takes git no longer than the question takes to arrive.
  const contents = await Promise.all(shards.map(async shard => ({shard: shard.name, entries: await tree(reader, shard.oid)})));
  for (const {shard, entries} of contents) {
    for (const {mode, name, oid} of entries) {
      const [session, writer, ...rest] = name.slice(0, -`.json`.length).split(`.`);
      if (mode !== `100644` || !name.endsWith(`.json`) || rest.length > 0 || (writer !== undefined) !== archive || !isSafeId(session) || session.slice(0, 2) !== shard || (archive && !isSafeId(writer)))
        throw unexpected();

      names.set(name.slice(0, -`.json`.length), oid);
      if (names.size > MAX_TREE_ENTRIES)
        throw new StoreError(`TOO_LARGE`, `An index has more than ${MAX_TREE_ENTRIES} sessions`);
    }
  }

  return names;
}

/** Entries behind these names. One that is not as it should be is left out and reported. `writer`: that all have to be of. */
export async function readEntries(reader: ObjectReader, ref: string, names: EntryNames, writer?: string): Promise<{entries: Array<IndexEntry>; problems: Array<StoreProblem>}> {
  const problems: Array<StoreProblem> = [];
  let bytes = 0;
  const entries = await Promise.all([...names].map(async ([name, oid]) => {
    try {
      const blob = bytes > MAX_INDEX_BYTES ? null : await reader.object(oid, MAX_HEADER_BYTES);
      bytes += blob?.body.length ?? 0;
      if (bytes > MAX_INDEX_BYTES)
        throw new StoreError(`TOO_LARGE`, `an index has more than ${MAX_INDEX_BYTES} bytes`);
      if (blob?.type !== `blob`)
        throw new StoreError(`MISSING_OBJECT`, `the entry of session ${name} is missing`);

      return checkedEntry(blob.body, name, writer);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === `NO_GIT` || error.code === `GIT_FAILED`)
        throw error;

      problems.push({ref, code: error.code, message: error.message});
      return null;
    }
  }));

  return {entries: entries.filter(entry => entry !== null), problems};
}

function checkedEntry(body: Buffer, name: string, writer: string | undefined): IndexEntry {
  const json = parseBounded(body, `an entry of the index`) as {commit?: unknown; header?: unknown} | null;
  if (typeof json !== `object` || json === null || typeof json.commit !== `string` || !OBJECT_ID.test(json.commit))
    throw new StoreError(`BAD_DATA`, `the entry of session ${name} is not one`);

  const header = checkHeader(json.header);
  if (`${header.session}.${header.writer}` !== (writer === undefined ? name : `${name}.${writer}`))
    throw new StoreError(`BAD_DATA`, `the entry of session ${name} is one of another session or writer`);

  return {commit: json.commit, header};
}

async function tree(reader: ObjectReader, oid: string): Promise<Array<TreeEntry>> {
  const object = await reader.object(oid, MAX_TREE_BYTES);
  if (!object)
    throw new StoreError(`MISSING_OBJECT`, `A folder of an index of sessions is missing`);
  if (object.type !== `tree`)
    throw unexpected();

  return parseTree(object.body, object.oid.length / 2);
}

function unexpected() {
  return new StoreError(`BAD_DATA`, `An index of sessions has an unexpected entry`);
}
