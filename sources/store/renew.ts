import {stableJson}                                 from '../interchange/canonical.ts';

import {readIndex}                                  from './discovery.ts';
import {defaultRemote}                              from './facts.ts';
import {FastImport, blobId}                         from './fastImport.ts';
import {gitError}                                   from './git.ts';
import {readHeader}                                 from './heads.ts';
import {MAX_HEADER_BYTES, SESSION_REFS, SHADOW_REFS, TRACKING_REFS, indexRef, parseSessionRef, sessionRef, shadowRef} from './layout.ts';
import {changesBetween, commitText, holdingOf, inOrder, join, problemOf} from './merge.ts';
import type {Holding}                               from './merge.ts';
import type {WriterPart}                            from './read.ts';
import {clearStaleLocks, isAncestor, notReachable, updateRefs} from './refs.ts';
import {formerWriters, placeWriter, successorOf}    from './repository.ts';
import type {SessionStore, StoreProblem}            from './store.ts';
import type {StoredHeader, StoredRef}               from './types.ts';

export type Renewed = {
  from: string;
  to: string;
  /** What this clone goes on with below the new id. The others it begins anew when they grow. */
  sessions: Array<string>;
  /** Refs that stay where they are. */
  problems: Array<StoreProblem>;
};

const NOTHING: Holding = {parts: new Map(), attachments: new Map()};

/** One session as a former writer id of this clone has it here, and as remotes have it under that id. */
type Old = {session: string; writer: string; commit: string; theirs: Array<StoredRef>};

/**
 * Gives this clone a new writer id: somebody else, a copy of this clone, writes under the one it has. What no remote is
 * known to have of this clone's own is put below refs of the new id, united with what the other has stored; the refs of
 * the old id become what the remote has. Nothing is left without a ref. What was fetched last is what counts.
 *
 * Whoever stores at the same time is told by `begin`; a process that is killed in between is gone on from by the next.
 */
export async function renewWriter(store: SessionStore, remote: string, {except}: {except?: string} = {}): Promise<Renewed> {
  const from = store.writer;
  // Another process was faster.
  if (await store.follow())
    return {from, to: store.writer, sessions: [], problems: []};

  await store.healShadow();
  const to    = await successorOf(store.repo, from);
  const moved = await moveOver(store, [from], to, remote, except);
  await placeWriter(store.repo, to);
  await store.follow();
  await setBack(store, [from], to, remote);
  return {from, to, ...moved};
}

/**
 * The same, where plain git has put what a copy of this clone stored of a session in place of this clone's own
 * (`git fetch` with both sides of the same name). That state is left where it is, under the id that it has: this clone
 * begins the session anew. The remote is only asked for what was fetched from it.
 */
export async function renewFor(store: SessionStore, session: string): Promise<void> {
  const {repo, env, reader} = store;
  const [head, shadow] = await Promise.all([sessionRef, shadowRef].map(async refOf => (await reader.object(refOf(session, store.writer), MAX_HEADER_BYTES))?.oid ?? null));
  // It would count as something that is not yet told under the new id.
  if (head && shadow && await isAncestor(repo, env, shadow, head))
    await updateRefs(repo, env, [{ref: shadowRef(session, store.writer), from: shadow, to: null}]);
  await renewWriter(store, await defaultRemote(repo, env).catch(ignoreNoRemote), {except: session});
}

function ignoreNoRemote(error: Error & {code?: string}) {
  if (error.code !== `NO_REMOTE`)
    throw error;

  return ``;
}

/** Ends what a process that was killed, or stored at the same time, has left below an id that this clone had before. */
export async function tidyFormer(store: SessionStore, remote: string) {
  await store.follow();
  const former = (await formerWriters(store.repo)).filter(writer => writer !== store.writer);
  if (former.length === 0)
    return;

  const shadows = await store.reader.refs([SHADOW_REFS]);
  const left    = former.filter(writer => shadows.some(({ref}) => parseSessionRef(ref)?.writer === writer));
  if (left.length === 0)
    return;

  await moveOver(store, left, store.writer, remote);
  await setBack(store, left, store.writer, remote);
}

async function oldRefs(store: SessionStore, writers: Array<string>): Promise<Array<Old>> {
  const found  = new Map<string, Old>();
  const theirs = new Map<string, Array<StoredRef>>();
  for (const {ref, oid} of await store.reader.refs([SESSION_REFS, TRACKING_REFS])) {
    const parsed = parseSessionRef(ref);
    if (!parsed || !writers.includes(parsed.writer))
      continue;

    const key = `${parsed.session} ${parsed.writer}`;
    if (parsed.remote === undefined)
      found.set(key, {session: parsed.session, writer: parsed.writer, commit: oid, theirs: []});
    else
      theirs.set(key, [...theirs.get(key) ?? [], {...parsed, commit: oid}]);
  }
  for (const [key, old] of found)
    old.theirs = theirs.get(key) ?? [];

  return [...found.values()];
}

async function moveOver(store: SessionStore, writers: Array<string>, to: string, remote: string, except?: string) {
  const all = (await oldRefs(store, writers)).filter(({session}) => session !== except);
  const missing = await notReachable(store.repo, store.env, all.map(({commit, theirs}) => ({commit, from: theirs.map(other => other.commit)})));
  const listed  = new Map(await Promise.all(writers.map(async writer => [writer, await listedAt(store, writer, remote)] as const)));
  // One that is pushed, but that nobody will find in the other's index, goes along.
  const moved = all.filter(({session, writer, commit}) => missing.has(commit) || listed.get(writer)?.has(session) === false);
  const problems: Array<StoreProblem> = [];
  for (const old of moved)
    await moveOne(store, old, to, new Set(moved.map(({session}) => session))).catch(error => problems.push(problemOf(sessionRef(old.session, old.writer), error)));

  return {sessions: moved.map(({session}) => session), problems};
}

/** Sessions in a writer's index as the remote has it; null where it has none that can be read. */
async function listedAt(store: SessionStore, writer: string, remote: string): Promise<Set<string> | null> {
  const ref   = `${TRACKING_REFS}${remote}/index/${writer}`;
  const index = await store.reader.object(ref, MAX_HEADER_BYTES);
  const read  = index === null ? null : await readIndex(store.reader, ref, index.oid, writer).catch(error => void problemOf(ref, error));
  return read ? new Set(read.entries.map(({header}) => header.session)) : null;
}

async function moveOne(store: SessionStore, {session, writer, commit, theirs}: Old, to: string, moved: Set<string>) {
  const {repo, env, reader} = store;
  const ref     = sessionRef(session, to);
  const current = (await reader.object(ref, MAX_HEADER_BYTES))?.oid ?? null;
  if (current !== null && await isAncestor(repo, env, commit, current))
    return;

  const stored = {session, writer, ref: sessionRef(session, writer), commit};
  const ours   = await holdingOf(reader, stored);
  const header = renamed(await readHeader(reader, stored), to, moved);
  const json   = Buffer.from(stableJson(header));

  await clearStaleLocks(repo, [ref, shadowRef(session, to)]);
  const importer = new FastImport(repo, env);
  try {
    await importer.blob(json);
    const place  = {session, writer: to, ref, commit: current ?? commit};
    const before = current === null ? NOTHING : await holdingOf(reader, place);
    const known  = before.parts.get(to);
    const part   = {...ours.parts.get(writer)!, header, oid: blobId(json, repo.objectFormat)};
    const own    = known !== undefined && bytesOf(known) >= bytesOf(part) ? known : part;

    const others = new Map(ours.parts);
    others.delete(writer);
    let held = await join(reader, {parts: others, attachments: ours.attachments}, before, place);
    const parents = current === null ? [commit] : [current, commit];
    for (const other of inOrder(theirs)) {
      try {
        held = await join(reader, held, await holdingOf(reader, other), other);
        if (!await isAncestor(repo, env, other.commit, commit))
          parents.push(other.commit);
      } catch (error) {
        // What cannot be used stays where it is; ours is not kept back for it.
        problemOf(other.ref, error);
      }
    }

    held = {...held, parts: new Map(held.parts).set(to, own)};
    const mark = importer.nextMark();
    await importer.send(commitText(ref, mark, parents.map(parent => `${parent}^0`), session, writer, held));
    await importer.send(`deleteall\n${changesBetween(NOTHING, held)}`);
    const result = await importer.finish(`\nreset ${shadowRef(session, to)}\nfrom :${mark}\n\n`);
    if (result.code !== 0)
      throw gitError(`fast-import`, result);
  } finally {
    await importer.abort();
  }
}

/** The header as the new writer has it, also where it says whose state of another session it goes on from. */
function renamed(header: StoredHeader, to: string, moved: Set<string>): StoredHeader {
  const {lineage} = header;
  return {
    ...header, writer: to,
    ...lineage?.writer === header.writer && moved.has(lineage.parent) ? {lineage: {...lineage, writer: to}} : {},
  };
}

function bytesOf({header}: WriterPart) {
  return Object.values(header.streams).reduce((sum, {bytes}) => sum + bytes, 0);
}

/** The refs of former ids become what the remote has; only where what they were is kept by another ref. */
async function setBack(store: SessionStore, writers: Array<string>, to: string, remote: string) {
  const {repo, env, reader} = store;
  const now  = new Map((await reader.refs([SESSION_REFS, SHADOW_REFS])).map(({ref, oid}) => [ref, oid]));
  const all  = await oldRefs(store, writers);
  const kept = (old: Old) => [...old.theirs.map(({commit}) => commit), ...now.has(sessionRef(old.session, to)) ? [now.get(sessionRef(old.session, to))!] : []];
  const lost = await notReachable(repo, env, all.map(old => ({commit: old.commit, from: kept(old)})));
  for (const old of all) {
    if (lost.has(old.commit))
      continue;

    const shadow = shadowRef(old.session, old.writer);
    const target = (old.theirs.find(other => other.remote === remote) ?? old.theirs[0])?.commit ?? null;
    const changes = [
      {ref: sessionRef(old.session, old.writer), from: old.commit, to: target},
      ...now.get(shadow) === old.commit ? [{ref: shadow, from: now.get(shadow)!, to: null}] : [],
    ].filter(change => change.from !== change.to);
    if (changes.length > 0)
      await updateRefs(repo, env, changes);
  }

  for (const writer of writers) {
    const ref     = indexRef(writer);
    const current = (await reader.object(ref, MAX_HEADER_BYTES))?.oid ?? null;
    const target  = (await reader.object(`${TRACKING_REFS}${remote}/index/${writer}`, MAX_HEADER_BYTES))?.oid ?? null;
    if (current !== null && current !== target)
      await updateRefs(repo, env, [{ref, from: current, to: target}]);
  }
}
