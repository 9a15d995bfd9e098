import {createHash}                                from 'node:crypto';

import {FastImport}                                from './fastImport.ts';
import {gitError}                                  from './git.ts';
import {byLead, dateOf, headCommands, readHeads}   from './heads.ts';
import {
  MAX_ATTACHMENT_BYTES, MAX_HEADER_BYTES, MAX_TREE_ENTRIES, MAX_WRITERS, SESSION_REFS, TRACKING_REFS,
  attachmentPath, parseSessionRef, sessionRef, shadowRef,
} from './layout.ts';
import type {ObjectReader}                         from './objects.ts';
import {SessionTree, WRITER_FOLDERS}               from './read.ts';
import type {Stored, WriterPart}                   from './read.ts';
import {clearStaleLocks, notReachable, updateRefs} from './refs.ts';
import type {SessionStore, StoreProblem}           from './store.ts';
import {StoreError}                                from './types.ts';
import type {StoredRef}                            from './types.ts';
import {readWorktree}                              from './worktree.ts';

/** What a session's tree holds: of each writer its state, and everybody's attachments. */
export type Holding = {parts: ReadonlyMap<string, WriterPart>; attachments: ReadonlyMap<string, string>};

export type UniteResult = {
  /** Sessions whose own ref took something in, and from which writers' refs. */
  united: Array<{session: string; writers: Array<string>}>;
  /** Own refs of which somebody else holds a state that this clone never made: its writer id is in use elsewhere. */
  foreign: Array<string>;
  problems: Array<StoreProblem>;
};

/** Attachments of a united tree; half of what readers take. */
const MAX_ATTACHMENTS = MAX_TREE_ENTRIES / 2;

/**
 * The newer of two states of one writer: the most syncs; where the numbers are the same and the states are not, an order
 * that is the same everywhere.
 */
export function newerPart(a: WriterPart, b: WriterPart): WriterPart {
  const [left, right] = [keyOf(a), keyOf(b)];
  return a.header.sequence !== b.header.sequence ? a.header.sequence > b.header.sequence ? a : b : left >= right ? a : b;
}

function keyOf({header, oid, folders}: WriterPart) {
  return [header.updated ?? ``, oid, ...WRITER_FOLDERS.map(kind => folders[kind] ?? ``)].join(` `);
}

/**
 * Of every writer the newer state: whatever is joined with whatever in whichever order, as often as one likes, comes to
 * the same.
 */
export function joinParts(a: ReadonlyMap<string, WriterPart>, b: ReadonlyMap<string, WriterPart>): Map<string, WriterPart> {
  const all = new Map(a);
  for (const [writer, part] of b) {
    const known = all.get(writer);
    all.set(writer, known === undefined ? part : newerPart(known, part));
  }

  return all;
}

/**
 * Takes into this clone's own refs what other writers have stored of the same sessions, as far as it is known here: their
 * refs in the local namespace, those fetched from remotes, and the states in the trees of both. A session of which this
 * clone has stored nothing is left as it is, and a ref that cannot be used is in `problems`. `session`: only that one.
 */
export async function unite(store: SessionStore, {session}: {session?: string} = {}): Promise<UniteResult> {
  const result: UniteResult = {united: [], foreign: [], problems: []};
  await store.healShadow();
  const own    = new Map<string, string>();
  const others = new Map<string, Array<StoredRef>>();
  for (const {ref, oid} of await store.reader.refs([SESSION_REFS, TRACKING_REFS])) {
    const parsed = parseSessionRef(ref);
    if (!parsed || (session !== undefined && parsed.session !== session))
      continue;
    if (parsed.remote === undefined && parsed.writer === store.writer)
      own.set(parsed.session, oid);
    else
      others.set(parsed.session, [...others.get(parsed.session) ?? [], {...parsed, commit: oid}]);
  }

  // What an own commit has before it is in its tree. That one question settles nearly all.
  const pairs = [...own].flatMap(([id, commit]) => (others.get(id) ?? []).filter(other => other.commit !== commit).map(other => ({commit: other.commit, from: [commit]})));
  const open  = await notReachable(store.repo, store.env, pairs);
  for (const [id] of own) {
    const news = (others.get(id) ?? []).filter(({commit}) => open.has(commit));
    if (news.length > 0)
      await uniteOne(store, id, news, result).catch(error => result.problems.push(problemOf(sessionRef(id, store.writer), error)));
  }

  return result;
}

async function uniteOne(store: SessionStore, session: string, news: Array<StoredRef>, result: UniteResult) {
  for (let attempt = 0; attempt < 3; attempt++) {
    const own = await store.head(session);
    if (own === null)
      return;

    const steps: Array<Step> = [];
    let held = await holdingOf(store.reader, own);
    const mine = held.parts.get(store.writer)!;
    const problems: Array<StoreProblem> = [];
    for (const other of inOrder(news)) {
      try {
        const theirs = await holdingOf(store.reader, other);
        const copy   = theirs.parts.get(store.writer);
        if (other.writer === store.writer || (copy !== undefined && newerPart(mine, copy) !== mine && copy.oid !== mine.oid)) {
          result.foreign.push(own.ref);
          continue;
        }

        const joined = await join(store.reader, held, theirs, other);
        if (joined !== held)
          steps.push({other, held: joined});
        held = joined;
      } catch (error) {
        problems.push(problemOf(other.ref, error));
      }
    }

    if (steps.length > 0 && !await commitSteps(store, own, steps))
      continue;
    result.problems.push(...problems);
    if (steps.length > 0)
      result.united.push({session, writers: [...new Set(steps.map(({other}) => other.writer))]});
    return;
  }
}

export function problemOf(ref: string, error: unknown): StoreProblem {
  if (!(error instanceof StoreError) || error.code === `NO_GIT` || error.code === `GIT_FAILED` || error.code === `DISK_FULL`)
    throw error;

  return {ref, code: error.code, message: error.message};
}

/** By writer, so that the commits come in the same order on every machine that knows the same refs. */
export function inOrder<T extends StoredRef>(refs: Array<T>): Array<T> {
  const key = ({writer, remote, commit}: StoredRef) => `${writer} ${commit} ${remote ?? ``}`;
  return [...refs].sort((a, b) => key(a) < key(b) ? -1 : 1).filter(({commit}, index, all) => commit !== all[index - 1]?.commit);
}

export async function holdingOf(reader: ObjectReader, ref: StoredRef): Promise<Holding> {
  const writers = [...(await readHeads(reader, ref)).keys()];
  const parts   = await Promise.all(writers.map(async writer => [writer, await new SessionTree(reader, {...ref, writer}).part()] as const));
  return {parts: new Map(parts), attachments: await new SessionTree(reader, ref).attachmentIds()};
}

/** `held` itself where there is nothing new in `theirs`. What is new is checked first. Throws BAD_DATA, TOO_LARGE. */
export async function join(reader: ObjectReader, held: Holding, theirs: Holding, from: StoredRef): Promise<Holding> {
  const parts = joinParts(held.parts, theirs.parts);
  const fresh = [...parts].filter(([writer, part]) => held.parts.get(writer) !== part);
  for (const [writer] of fresh) {
    await new SessionTree(reader, {...from, writer}).check();
    await readWorktree(reader, {...from, writer});
  }

  const attachments = new Map(held.attachments);
  for (const [sha256, oid] of theirs.attachments)
    attachments.set(sha256, await truer(reader, sha256, oid, attachments.get(sha256) ?? oid));
  if (parts.size > MAX_WRITERS || attachments.size > MAX_ATTACHMENTS)
    throw new StoreError(`TOO_LARGE`, `Session ${from.session} would have more than ${MAX_WRITERS} writers or ${MAX_ATTACHMENTS} attachments`);

  const same = fresh.length === 0 && attachments.size === held.attachments.size && [...attachments].every(([sha256, oid]) => held.attachments.get(sha256) === oid);
  return same ? held : {parts, attachments};
}

/** Of two contents under the name of one hash the one that has it; else, so that it is the same everywhere, the smaller id. */
async function truer(reader: ObjectReader, sha256: string, a: string, b: string) {
  if (a === b)
    return a;

  for (const oid of [a, b].sort()) {
    const blob = await reader.object(oid, MAX_ATTACHMENT_BYTES);
    if (blob !== null && createHash(`sha256`).update(blob.body).digest(`hex`) === sha256)
      return oid;
  }

  return a < b ? a : b;
}

export type Step = {other: StoredRef; held: Holding};

/** A commit a step on the own ref, and its shadow; false where the ref has moved. */
async function commitSteps(store: SessionStore, own: Stored, steps: Array<Step>): Promise<boolean> {
  const {repo, env, reader} = store;
  const ref    = sessionRef(own.session, store.writer);
  const shadow = shadowRef(own.session, store.writer);
  await clearStaleLocks(repo, [ref, shadow]);

  const importer = new FastImport(repo, env);
  try {
    let before = `${own.commit}^0`;
    let held   = await holdingOf(reader, own);
    let mark   = 0;
    for (const step of steps) {
      mark = importer.nextMark();
      await importer.send(commitText(ref, mark, [before, `${step.other.commit}^0`], own.session, step.other.writer, step.held));
      await importer.send(changesBetween(held, step.held));
      [before, held] = [`:${mark}`, step.held];
    }

    const result = await importer.finish(`\nreset ${shadow}\nfrom :${mark}\n\nget-mark :${mark}\n`);
    const commit = /^[0-9a-f]{40,64}$/m.exec(result.stdout)?.[0];
    if (commit === undefined)
      throw gitError(`fast-import`, result);

    return result.code === 0 || await settle(store, {ref, shadow, from: own.commit, to: commit});
  } finally {
    await importer.abort();
  }
}

/** The commit is there, but a ref did not move: it was no longer what it was, or a lock was in the way. */
async function settle({repo, env, reader}: SessionStore, {ref, shadow, from, to}: {ref: string; shadow: string; from: string; to: string}) {
  const [current, kept] = await Promise.all([ref, shadow].map(async name => (await reader.object(name, MAX_HEADER_BYTES))?.oid ?? null));
  const changes = [{ref, from, to}, {ref: shadow, from: kept!, to}].filter(change => change.from !== to);
  return current === to ? changes.length < 2 || await updateRefs(repo, env, changes.slice(1)) : current === from && await updateRefs(repo, env, changes);
}

/** Header of a `commit` command; all of it follows from what is united. */
export function commitText(ref: string, mark: number, parents: Array<string>, session: string, writer: string, {parts}: Holding) {
  const headers = [...parts.values()].map(({header}) => header).sort(byLead);
  const {agent, updated} = headers[0]!;
  const time    = Math.floor(Date.parse(updated ?? ``) / 1000);
  const person  = `session-sync <session-sync@localhost>`;
  const message = [
    `${agent.id} session ${session.slice(0, 8)}: united with what ${writer} has of it`, ``,
    `Session: ${session}`, `Writers: ${headers.map(header => header.writer).sort().join(` `)}`, ``,
  ].join(`\n`);
  return [
    `commit ${ref}`, `mark :${mark}`,
    `author ${person} ${Number.isFinite(time) && time > 0 ? time : 0} +0000`, `committer ${person} ${dateOf(parts.values())} +0000`,
    `data ${Buffer.byteLength(message)}`, message,
    ...parents.map((parent, index) => `${index === 0 ? `from` : `merge`} ${parent}`), ``,
  ].join(`\n`);
}

/** What makes the tree of `before` that of `after`; folders go in by their ids, nothing in them is read. */
export function changesBetween(before: Holding, after: Holding): string {
  const lines: Array<string> = [];
  for (const [writer, part] of after.parts)
    for (const kind of WRITER_FOLDERS) {
      const [old, now] = [before.parts.get(writer)?.folders[kind], part.folders[kind]];
      if (old !== now)
        lines.push(now === undefined ? `D ${kind}/${writer}\n` : `M 040000 ${now} ${kind}/${writer}\n`);
    }
  for (const [sha256, oid] of after.attachments)
    if (before.attachments.get(sha256) !== oid)
      lines.push(`M 100644 ${oid} ${attachmentPath(sha256)}\n`);

  lines.push(...headCommands([...after.parts.values()].map(({header, oid}) => ({header, blob: oid}))));
  return lines.join(``);
}
