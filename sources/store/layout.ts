import {isSafeId}       from '../interchange/ids.ts';

import {StoreError}     from './types.ts';
import type {StoredRef} from './types.ts';

/** Namespaces of refs. The shadow and the tracking one lie outside `refs/session-sync/`, so that `push refs/session-sync/*` leaves them alone. */
export const SESSION_REFS  = `refs/session-sync/s/`;
export const INDEX_REFS    = `refs/session-sync/index/`;
export const TRACKING_REFS = `refs/session-sync-remotes/`;
export const SHADOW_REFS   = `refs/session-sync-shadow/`;
/** Sessions of many refs in one, a year and archiver. */
export const ARCHIVE_REFS  = `refs/session-sync/archive/`;
/** What this clone keeps and has taken off a remote; never pushed. */
export const PRUNED_REFS   = `refs/session-sync-pruned/`;
/** Archives that are on their way to a remote. */
export const DRAFT_REFS    = `${PRUNED_REFS}draft/`;

/** A live chunk closes at the first newline that brings it to this size. */
export const CHUNK_BYTES = 64 * 1024;
/** Chunks of one long append are larger: git finds four times the repetitions in them, and nobody rewrites them later. */
export const BULK_CHUNK_BYTES = 256 * 1024;
/** A line longer than this is split over chunks, so that no blob is giant. */
export const MAX_CHUNK_BYTES  = 1024 * 1024;
export const CHUNKS_PER_FOLDER = 64;
export const MAX_FOLDERS       = 10_000;
export const MAX_HEADER_BYTES     = 1024 * 1024;
export const MAX_ATTACHMENT_BYTES = 64 * 1024 * 1024;
export const MAX_TREE_ENTRIES     = 100_000;
export const MAX_TREE_BYTES       = 16 * 1024 * 1024;
/** Writers of one session whose states a tree may hold. */
export const MAX_WRITERS          = 1000;

const AGENT  = /^[a-z][a-z0-9-]{0,31}$/;
const STREAM = /^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$/;
const SHA256 = /^[0-9a-f]{64}$/;
export const YEAR = /^[0-9]{4}$/;
export const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

const MAX_NAME_LENGTH = 512;

/** Throws UNSAFE_NAME unless `id` is a session or writer id. */
export function checkId(id: string, what: `session` | `writer` = `session`) {
  if (!isSafeId(id))
    throw new StoreError(`UNSAFE_NAME`, `Not a ${what} id: ${JSON.stringify(String(id).slice(0, 80))}`);

  return id;
}

/** Throws UNSAFE_NAME unless `sha256` is one in hex. */
export function attachmentPath(sha256: string) {
  if (!SHA256.test(sha256))
    throw new StoreError(`UNSAFE_NAME`, `Not the name of an attachment: ${JSON.stringify(sha256.slice(0, 80))}`);

  return `att/${sha256}`;
}

/**
 * A file name that may be joined to a folder on any system: relative, `/` between its parts, no `.`, `..`, empty part,
 * backslash, colon or control character, at most 512 characters.
 */
export function isSafeFileName(name: unknown): name is string {
  if (typeof name !== `string` || name === `` || name.length > MAX_NAME_LENGTH || /[\ud800-\udfff]/u.test(name))
    return false;

  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\\:]/.test(name))
    return false;

  return name.split(`/`).every(part => part !== `` && part !== `.` && part !== `..` && part.trim() === part);
}

/**
 * One path component for a name: `[0-9A-Za-z_-]` and inner dots stand for themselves, every other byte is `%XX`, and so
 * is a leading dot. Reversible, and a file's name can never meet the chunk folders of another.
 */
export function encodeComponent(name: string) {
  let out = ``;
  for (const byte of Buffer.from(name)) {
    const char = String.fromCharCode(byte);
    out += /[0-9A-Za-z_-]/.test(char) || (char === `.` && out !== ``) ? char : `%${byte.toString(16).toUpperCase().padStart(2, `0`)}`;
  }

  return out;
}

/** Null where `component` is not what `encodeComponent` makes. */
export function decodeComponent(component: string) {
  if (component === `` || component.length > 3 * 4 * MAX_NAME_LENGTH || !/^(?:[0-9A-Za-z._-]|%[0-9A-F]{2})+$/.test(component))
    return null;

  try {
    const name = decodeURIComponent(component);
    return encodeComponent(name) === component ? name : null;
  } catch {
    return null;
  }
}

/** Where the header of a writer stands that is not the leading one. */
export function headPath(writer: string) {
  return `heads/${checkId(writer, `writer`)}.json`;
}

export type StreamName =
  | {kind: `rec`; stream: string}
  | {kind: `native`; agent: string; file: string};

/** Parts of `rec/<stream>` or `native/<agent>/<file>`; null where the name is not one. */
export function parseStream(name: unknown): StreamName | null {
  if (typeof name !== `string`)
    return null;

  if (name.startsWith(`rec/`)) {
    const stream = name.slice(4);
    return STREAM.test(stream) ? {kind: `rec`, stream} : null;
  }

  const match = /^native\/([^/]+)\/(.+)$/s.exec(name);
  return match && AGENT.test(match[1]!) && isSafeFileName(match[2]) ? {kind: `native`, agent: match[1]!, file: match[2]!} : null;
}

/** Folder of a stream's chunks. Throws UNSAFE_NAME. */
export function streamPath(name: string, writer: string) {
  const stream = parseStream(name);
  if (!stream)
    throw new StoreError(`UNSAFE_NAME`, `Not the name of a stream: ${JSON.stringify(String(name).slice(0, 200))}`);

  checkId(writer, `writer`);
  return stream.kind === `rec`
    ? `rec/${writer}/${encodeComponent(stream.stream)}`
    : `native/${writer}/${stream.agent}/${encodeComponent(stream.file)}`;
}

/** `<dddd>/<cc>` of the chunk with this number. Throws TOO_LARGE past the last (640,000 chunks). */
export function chunkPath(index: number) {
  const folder = Math.floor(index / CHUNKS_PER_FOLDER);
  if (folder >= MAX_FOLDERS)
    throw new StoreError(`TOO_LARGE`, `A stream has at most ${MAX_FOLDERS * CHUNKS_PER_FOLDER} chunks`);

  return `${String(folder).padStart(4, `0`)}/${String(index % CHUNKS_PER_FOLDER).padStart(2, `0`)}`;
}

export function shardOf(session: string) {
  return checkId(session).slice(0, 2);
}

export function sessionRef(session: string, writer: string) {
  return `${SESSION_REFS}${shardOf(session)}/${session}/${checkId(writer, `writer`)}`;
}

export function shadowRef(session: string, writer: string) {
  return `${SHADOW_REFS}${shardOf(session)}/${session}/${checkId(writer, `writer`)}`;
}

export function indexRef(writer: string) {
  return `${INDEX_REFS}${checkId(writer, `writer`)}`;
}

/** Throws UNSAFE_NAME unless `year` is one in four digits. */
export function archiveRef(writer: string, year: string) {
  if (!YEAR.test(year))
    throw new StoreError(`UNSAFE_NAME`, `Not a year: ${JSON.stringify(year.slice(0, 80))}`);

  return `${ARCHIVE_REFS}${checkId(writer, `writer`)}/${year}`;
}

/** Where it is noted that `ref` (`refs/session-sync/…`) was taken off a remote in this state. */
export function prunedRef(remote: string, ref: string) {
  return `${PRUNED_REFS}${remote}/${ref.slice(`refs/session-sync/`.length)}`;
}

/** Where pull keeps `ref` (`refs/session-sync/…`) of a remote. */
export function trackingRef(remote: string, ref: string) {
  return `${TRACKING_REFS}${remote}/${ref.slice(`refs/session-sync/`.length)}`;
}

/** Parts of a session's ref, own, tracking or shadow; null for any other name, also one with the wrong shard. */
export function parseSessionRef(ref: string): Omit<StoredRef, `commit`> | null {
  const match = /^(refs\/session-sync\/|refs\/session-sync-remotes\/(.+)\/)s\/([^/]+)\/([^/]+)\/([^/]+)$/s.exec(ref)
    ?? /^(refs\/session-sync-shadow\/)()([^/]+)\/([^/]+)\/([^/]+)$/s.exec(ref);
  if (!match)
    return null;

  const [, , remote, shard, session, writer] = match;
  if (!isSafeId(session) || !isSafeId(writer) || shard !== session.slice(0, 2))
    return null;

  return {session, writer, ref, ...(remote ? {remote} : {})};
}

/** Parts of an index ref, own or tracking. */
export function parseIndexRef(ref: string): {writer: string; remote?: string} | null {
  const match = /^(?:refs\/session-sync\/|refs\/session-sync-remotes\/(.+)\/)index\/([^/]+)$/s.exec(ref);
  if (!match || !isSafeId(match[2]))
    return null;

  return {writer: match[2], ...(match[1] ? {remote: match[1]} : {})};
}

/** Parts of an archive's ref, own or tracking. */
export function parseArchiveRef(ref: string): {writer: string; year: string; remote?: string} | null {
  const match = /^(?:refs\/session-sync\/|refs\/session-sync-remotes\/(.+)\/)archive\/([^/]+)\/([^/]+)$/s.exec(ref);
  if (!match || !isSafeId(match[2]) || !YEAR.test(match[3]!))
    return null;

  return {writer: match[2], year: match[3]!, ...(match[1] ? {remote: match[1]} : {})};
}
