import {isSafeId}                            from '../interchange/ids.ts';

import {verifyHeader}                        from './header.ts';
import {MAX_HEADER_BYTES, MAX_TREE_BYTES, MAX_WRITERS, headPath} from './layout.ts';
import {parseTree}                           from './objects.ts';
import type {ObjectReader}                   from './objects.ts';
import {StoreError}                          from './types.ts';
import type {StoredHeader, StoredRef}        from './types.ts';

const TINY = 64 * 1024;

/** A writer's header in a session's tree: what it says, and the blob that says it. */
export type Head = {header: StoredHeader; oid: string};

/**
 * Order of the writers of one session: the first has its header in `header.json`. The latest record, then the most syncs,
 * then the smaller writer, so that every machine finds the same one.
 */
export function byLead(a: StoredHeader, b: StoredHeader) {
  const [left, right] = [a.updated ?? ``, b.updated ?? ``];
  if (left !== right)
    return left > right ? -1 : 1;

  return b.sequence - a.sequence || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0);
}

/** Commands for `git fast-import` that put the headers of all writers in their places. `blob`: object id or mark. */
export function headCommands(heads: Array<{header: StoredHeader; blob: string}>): Array<string> {
  const [lead, ...others] = [...heads].sort((a, b) => byLead(a.header, b.header));
  return [
    `D heads\n`,
    `M 100644 ${lead!.blob} header.json\n`,
    ...others.map(({header, blob}) => `M 100644 ${blob} ${headPath(header.writer)}\n`),
  ];
}

/** Committer date of a session's commit: never less than that of what it goes on from, so that git walks in order. */
export function dateOf(heads: Iterable<{header: StoredHeader}>) {
  return Math.max(...[...heads].map(({header}) => header.sequence));
}

/** A header that belongs to this session, and to this writer. Throws BAD_DATA, TOO_LARGE. */
export function checkedHeader(body: Buffer, {session, writer}: {session: string; writer?: string}) {
  const header = verifyHeader(body);
  if (header.session !== session || (writer !== undefined && header.writer !== writer))
    throw new StoreError(`BAD_DATA`, `The header of session ${session}${writer === undefined ? `` : ` by ${writer}`} is one of another session or writer`);

  return header;
}

/** Header of one ref's writer in one question to git, or two where several have written; enough for a list. */
export async function readHeader(reader: ObjectReader, ref: Pick<StoredRef, `session` | `writer` | `commit`>) {
  const lead = await readLead(reader, ref);
  if (lead.header.writer === ref.writer)
    return lead.header;

  const own = await reader.object(`${ref.commit}:${headPath(ref.writer)}`, MAX_HEADER_BYTES);
  if (own?.type !== `blob`)
    throw new StoreError(`BAD_DATA`, `The header of session ${ref.session} is one of another writer than ${ref.writer}`);

  return checkedHeader(own.body, ref);
}

/** Headers of all writers in a commit of a session. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
export async function readHeads(reader: ObjectReader, ref: Pick<StoredRef, `session` | `commit`>): Promise<Map<string, Head>> {
  const [lead, folder] = await Promise.all([readLead(reader, ref), reader.object(`${ref.commit}:heads`, MAX_TREE_BYTES)]);
  const heads = new Map([[lead.header.writer, lead]]);
  if (folder === null)
    return heads;

  const names = folder.type === `tree` ? parseTree(folder.body, folder.oid.length / 2) : [];
  if (names.length === 0 || names.length >= MAX_WRITERS)
    throw new StoreError(`BAD_DATA`, `Session ${ref.session} has an unexpected entry`);

  const others = await Promise.all(names.map(async ({mode, name, oid}) => {
    const writer = writerOf(name);
    const object = writer !== null && mode === `100644` ? await reader.object(oid, MAX_HEADER_BYTES) : null;
    if (writer === null || object?.type !== `blob` || heads.has(writer))
      throw new StoreError(`BAD_DATA`, `Session ${ref.session} has an unexpected header`);

    return {header: checkedHeader(object.body, {session: ref.session, writer}), oid};
  }));
  for (const head of others)
    heads.set(head.header.writer, head);

  return heads;
}

/** Writer whose header a file in `heads/` is; null where it is none. */
export function writerOf(name: string) {
  const writer = name.endsWith(`.json`) ? name.slice(0, -`.json`.length) : ``;
  return isSafeId(writer) ? writer : null;
}

async function readLead(reader: ObjectReader, {session, commit}: Pick<StoredRef, `session` | `commit`>): Promise<Head> {
  const object = await reader.object(`${commit}:header.json`, MAX_HEADER_BYTES);
  if (!object)
    throw new StoreError(await reader.object(commit, TINY) ? `BAD_DATA` : `MISSING_OBJECT`, `Session ${session} has no header that can be read`);
  if (object.type !== `blob`)
    throw new StoreError(`BAD_DATA`, `The header of session ${session} is not a file`);

  return {header: checkedHeader(object.body, {session}), oid: object.oid};
}
