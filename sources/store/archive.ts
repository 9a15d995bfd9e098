import {fetchRefs}                       from './connection.ts';
import {entryJson, ownArchives, updateIndex} from './discovery.ts';
import {FastImport, blobId}              from './fastImport.ts';
import {gitError}                        from './git.ts';
import {ARCHIVE_REFS, DRAFT_REFS, PRUNED_REFS, YEAR, archiveRef, indexRef, parseArchiveRef, prunedRef, sessionRef, shardOf, trackingRef} from './layout.ts';
import {pushIndex}                       from './prune.ts';
import type {RemovalResult}              from './prune.ts';
import {pushRefs, removeRemote, secure}  from './removal.ts';
import type {Removal, RemovalOptions, RemovalPlan} from './removal.ts';
import {updateRefs}                      from './refs.ts';
import type {RefChange}                  from './refs.ts';
import type {SessionStore}               from './store.ts';
import {settle}                          from './push.ts';
import {StoreError}                      from './types.ts';

/** Sessions that one commit of an archive brings; each is a parent of it. */
const PARENTS = 200;

/** An archive as it shall be on a remote, below `ref`. */
type Draft = {draft: string; ref: string; to: string};

/** The year that a session is archived in: of its newest record, as its header says; null where it says none. */
export function yearOf({header}: Pick<Removal, `header`>): string | null {
  const time = Date.parse(header.updated ?? ``);
  const year = Number.isNaN(time) ? `` : String(new Date(time).getUTCFullYear());
  return YEAR.test(year) ? year : null;
}

/**
 * Moves sessions of a remote into this clone's archives there (`refs/session-sync/archive/<writer>/<year>`): first the
 * archives and the index that names what is in them go there, then each ref, if it still is what was archived. This
 * clone's own refs stay.
 *
 * Throws NO_INDEX, REF_MOVED (the remote has another state of an archive), GIT_FAILED, DISK_FULL.
 */
export async function archive(store: SessionStore, plan: RemovalPlan, options: RemovalOptions = {}): Promise<RemovalResult & {archives: Array<string>}> {
  const {remote, theirs} = plan;
  if (!theirs.has(indexRef(store.writer)))
    throw new StoreError(`NO_INDEX`, `${remote} has no index of this clone, without which nobody finds what is archived: session-sync push sends it`);

  const secured = await secure(store, plan, options);
  const chosen  = secured.chosen.filter(one => yearOf(one) !== null);
  const left    = [...secured.left, ...secured.chosen.filter(one => yearOf(one) === null).map(({ref, session}) => ({ref, session, reason: `its header does not say when it was`}))];
  if (chosen.length === 0)
    return {remote, removed: [], left, problems: [], archives: []};

  await fetchOwnArchives(store, remote, theirs, options);
  const drafts = await writeArchives(store, remote, chosen);
  await arrive(store, remote, theirs, drafts.map(({ref, to}) => ({ref, oid: to})), options).finally(async () => {
    for (const one of drafts.filter(({ref, to}) => theirs.get(ref) === to))
      await noteArchive(store, remote, one);
  });
  // Only now: who lists in between finds every session somewhere.
  const index = await updateIndex(store, session => theirs.has(sessionRef(session, store.writer)), theirs);
  await arrive(store, remote, theirs, [{ref: indexRef(store.writer), oid: index!}], options);

  const gone = await removeRemote(store, {...secured, chosen}, options);
  await settle(store, remote, gone.removed.filter(({own}) => own).map(({ref, session, commit, keep}) => ({ref, session, from: commit, to: keep})));
  for (const {ref} of gone.removed)
    theirs.delete(ref);

  return {
    remote, removed: gone.removed, left: [...left, ...gone.left],
    archives: [...new Set(chosen.map(one => archiveRef(store.writer, yearOf(one)!)))],
    problems: await pushIndex(store, remote, theirs, options),
  };
}

/** Pushes what the remote has not in this state; `theirs` says then what it has. Throws REF_MOVED where it does not take one. */
async function arrive(store: SessionStore, remote: string, theirs: Map<string, string>, refs: Array<{ref: string; oid: string}>, options: RemovalOptions) {
  const news = refs.filter(({ref, oid}) => theirs.get(ref) !== oid);
  const answers = news.length === 0 ? new Map<string, string | null>() : await pushRefs(store, remote, news.map(({ref, oid}) => `${oid}:${ref}`), options);
  for (const {ref, oid} of news)
    if (answers.get(ref) === null)
      theirs.set(ref, oid);

  for (const {ref} of news)
    if (answers.get(ref) !== null)
      throw new StoreError(`REF_MOVED`, `${remote} did not take ${ref}, so that nothing was removed there: ${answers.get(ref) ?? `no answer`}`);
}

/** Notes what a remote has of an archive now, which was put together as `draft`. A push may have done so: some configure it. */
export async function noteArchive(store: SessionStore, remote: string, {draft, ref, to}: {draft: string; ref: string; to: string | null}) {
  const tracking = trackingRef(remote, ref);
  const from     = (await store.reader.object(tracking, 1 << 20))?.oid ?? null;
  const changes: Array<RefChange> = from === to ? [] : [{ref: tracking, from, to}];
  await updateRefs(store.repo, store.env, to === null ? changes : [...changes, {ref: draft, from: to, to: null}]);
}

/**
 * Brings here what this clone has archived on a remote: an archive goes on from what that remote has, since each may have
 * another, and an answer may have been lost. `theirs` says then what was fetched.
 */
export async function fetchOwnArchives(store: SessionStore, remote: string, theirs: Map<string, string>, options: RemovalOptions) {
  const own  = (ref: string) => parseArchiveRef(ref)?.writer === store.writer;
  const read = async () => new Map((await store.reader.refs([ARCHIVE_REFS, trackingRef(remote, ARCHIVE_REFS), PRUNED_REFS])).map(({ref, oid}) => [ref, oid]));
  const known   = await read();
  const missing = [...theirs.keys()].filter(ref => own(ref) && known.get(trackingRef(remote, ref)) !== theirs.get(ref));
  if (missing.length > 0)
    await fetchRefs(store.repo, store.env, remote, missing.map(ref => `+${ref}:${trackingRef(remote, ref)}`), options);

  const here = await read();
  const changes: Array<RefChange> = [];
  for (const [ref, oid] of here) {
    const parsed = parseArchiveRef(ref);
    if (parsed?.writer !== store.writer || (parsed.remote ?? remote) !== remote)
      continue;

    const name = archiveRef(parsed.writer, parsed.year);
    if (parsed.remote === undefined) {
      // As plain git or an older version put it there: a plain push would bring back what is pruned.
      if (here.get(trackingRef(remote, name)) === oid && theirs.has(name))
        changes.push({ref, from: oid, to: null});
    } else if (theirs.has(name)) {
      theirs.set(name, oid);
    } else {
      // It is gone there, by whomever; what it alone has is not thrown away.
      const noted = `${prunedRef(remote, name)}/${oid}`;
      changes.push({ref, from: oid, to: null}, ...here.has(noted) ? [] : [{ref: noted, from: null, to: oid}]);
    }
  }

  for (const [ref, oid] of here)
    if (ref.startsWith(`${DRAFT_REFS}${store.writer}/`))
      changes.push({ref, from: oid, to: null});
  if (changes.length > 0)
    await updateRefs(store.repo, store.env, changes);
}

/** Where an archive is put together. */
export function draftRef(writer: string, year: string) {
  return `${DRAFT_REFS}${writer}/${year}`;
}

/**
 * Drafts of the archives of these years, with each session's commit as a parent and its header in the tree. What is in
 * already changes nothing.
 */
async function writeArchives(store: SessionStore, remote: string, chosen: Array<Removal>): Promise<Array<Draft>> {
  const known = new Map((await ownArchives(store, remote)).map(archive => [archive.year, archive]));
  const years = new Map<string, Array<Removal>>();
  for (const one of chosen) {
    const year = yearOf(one)!;
    const json = entryJson(one.keep, one.header);
    if (known.get(year)?.names.get(`${one.session}.${one.writer}`) !== blobId(json, store.repo.objectFormat))
      years.set(year, [...years.get(year) ?? [], one]);
  }

  const drafts: Array<Draft> = [];
  for (const [year, sessions] of [...years].sort(([a], [b]) => a < b ? -1 : 1)) {
    const [draft, from] = [draftRef(store.writer, year), known.get(year)?.commit];
    await writeArchive(store, draft, year, sessions, from === undefined ? {} : {from});
    drafts.push({draft, ref: archiveRef(store.writer, year), to: (await store.reader.object(draft, 1 << 20))!.oid});
  }

  return drafts;
}

/**
 * Commits that keep these sessions, on `ref`: going on `from` the archive as it is, or anew and only `after` it by their
 * number.
 */
export async function writeArchive(store: SessionStore, ref: string, year: string, sessions: Array<Pick<Removal, `session` | `writer` | `keep` | `header`>>, {from, after = from}: {from?: string; after?: string}) {
  const importer = new FastImport(store.repo, store.env);
  try {
    const body = after === undefined ? undefined : (await store.reader.object(after, 1 << 20))?.body.toString();
    let number = body === undefined ? 0 : Number(/^committer .* (\d+) \+0000$/m.exec(body)?.[1] ?? 0);
    for (let at = 0; at < sessions.length; at += PARENTS) {
      const batch = sessions.slice(at, at + PARENTS);
      const marks: Array<number> = [];
      for (const {keep, header} of batch)
        marks.push(await importer.blob(entryJson(keep, header)));

      const message = `session-sync archive ${year}: ${batch.length} ${batch.length === 1 ? `session` : `sessions`}\n`;
      const person  = `session-sync <session-sync@localhost> ${++number} +0000`;
      await importer.send(`commit ${ref}\nauthor ${person}\ncommitter ${person}\ndata ${message.length}\n${message}`
        + (at === 0 && from !== undefined ? `from ${from}^0\n` : ``)
        + batch.map(({keep}) => `merge ${keep}^0\n`).join(``)
        + batch.map(({session, writer}, index) => `M 100644 :${marks[index]!} h/${shardOf(session)}/${session}.${writer}.json\n`).join(``)
        + `\n`);
    }

    const result = await importer.finish(``);
    if (result.code !== 0)
      throw gitError(`fast-import`, result);
  } finally {
    await importer.abort();
  }
}
