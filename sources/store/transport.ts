import {fetchRefs, remoteRefs, transport}  from './connection.ts';
import type {TransportOptions}           from './connection.ts';
import {updateIndex}                     from './discovery.ts';
import {defaultRemote}                   from './facts.ts';
import {cleanText, gitError}             from './git.ts';
import {
  INDEX_REFS, SESSION_REFS, TRACKING_REFS, checkId, indexRef, parseSessionRef, sessionRef, shadowRef, shardOf, trackingRef,
} from './layout.ts';
import {unite}                           from './merge.ts';
import type {UniteResult}                from './merge.ts';
import {packRefs, updateRefs}            from './refs.ts';
import type {RefChange}                  from './refs.ts';
import type {SessionStore, StoreProblem} from './store.ts';
import {withheld}                        from './withheld.ts';

/** Refs of one `git push`; a batch that fails as a whole is tried again in smaller ones. */
const BATCH       = 200;
const SMALL_BATCH = 25;

export type PushedRef = {ref: string; session?: string; from: string | null; to: string};
export type PushResult = {
  remote: string;
  /** With `dryRun`: what would be pushed. */
  pushed: Array<PushedRef>;
  upToDate: Array<PushedRef>;
  rejected: Array<PushedRef & {reason: string}>;
  /** What the remote has had in this state and was taken from there, with what became of it. */
  withheld: Array<PushedRef & {reason: `archived` | `pruned`}>;
};

/**
 * Pushes the refs that this clone has written, each on its own and never by force, and (unless `sessions` chooses some)
 * its index. The shadow of what the
 * remote then has is dropped, and the tracking refs are set to it.
 *
 * Throws NO_REMOTE, GIT_FAILED (no connection, no rights …). Refs that the remote refuses are in `rejected`.
 */
export async function push(store: SessionStore, options: TransportOptions & {sessions?: Array<string>; dryRun?: boolean} = {}): Promise<PushResult> {
  const {repo, env, writer} = store;
  const remote  = await defaultRemote(repo, env, options.remote);
  const theirs  = await remoteRefs(repo, env, remote, options);
  const result: PushResult = {remote, pushed: [], upToDate: [], rejected: [], withheld: []};

  await store.healShadow();
  // Who pushes chosen sessions has not asked to name the others there, and the index names all.
  const withIndex = options.sessions === undefined;
  if (withIndex && !options.dryRun)
    await updateIndex(store, session => theirs.has(sessionRef(session, writer)));

  const ours = await store.reader.refs([SESSION_REFS, INDEX_REFS]);
  const away = options.sessions === undefined ? await withheld(store, remote, theirs, ours, options) : new Map<string, never>();
  const todo: Array<PushedRef> = [];
  for (const {ref, oid} of ours) {
    const session = parseSessionRef(ref);
    if (session ? session.writer !== writer || options.sessions?.includes(session.session) === false : !withIndex || ref !== indexRef(writer))
      continue;

    const item = {ref, ...session ? {session: session.session} : {}, from: theirs.get(ref) ?? null, to: oid};
    const reason = away.get(ref);
    if (reason !== undefined)
      result.withheld.push({...item, reason});
    else
      (item.from === oid ? result.upToDate : todo).push(item);
  }

  if (options.dryRun) {
    result.pushed = todo;
    return result;
  }

  await settle(store, remote, result.upToDate);
  for (let at = 0; at < todo.length; at += BATCH)
    await pushBatch(store, todo.slice(at, at + BATCH), result, options);

  return result;
}

async function pushBatch(store: SessionStore, batch: Array<PushedRef>, result: PushResult, options: TransportOptions) {
  const {repo, env} = store;
  const run = await transport(repo, env, [
    `push`, ...options.unattended ? [`--signed=no`] : [], `--porcelain`, `--progress`, `--no-follow-tags`, `--recurse-submodules=no`, `--no-atomic`, result.remote,
    ...batch.map(({ref, to}) => `${to}:${ref}`),
  ], options);

  const lines = new Map<string, {flag: string; summary: string}>();
  for (const line of run.stdout.split(`\n`)) {
    const match = /^([ +*=!-])\t[^\t]*:(refs\/[^\t]+)\t(.*)$/.exec(line);
    if (match)
      lines.set(match[2]!, {flag: match[1]!, summary: match[3]!});
  }

  if (lines.size === 0) {
    if (batch.length > SMALL_BATCH) {
      for (let at = 0; at < batch.length; at += SMALL_BATCH)
        await pushBatch(store, batch.slice(at, at + SMALL_BATCH), result, options);
      return;
    }
    throw gitError(`push`, run);
  }

  const done: Array<PushedRef> = [];
  for (const item of batch) {
    const line = lines.get(item.ref);
    if (line?.flag === `=`)
      result.upToDate.push(item);
    else if (line !== undefined && ` +*`.includes(line.flag))
      result.pushed.push(item);
    else
      result.rejected.push({...item, reason: reasonOf(line?.summary)});

    if (line !== undefined && line.flag !== `!`)
      done.push(item);
  }
  await settle(store, result.remote, done);
}

function reasonOf(summary: string | undefined) {
  if (summary === undefined)
    return `the remote did not answer for it`;
  if (/fetch first|non-fast-forward|stale info/.test(summary))
    return `the remote has another state of it, by the same writer: was this clone copied?`;

  return cleanText(summary, 300);
}

/** What the remote has needs no shadow any more, and is what the tracking ref says. */
export async function settle(store: SessionStore, remote: string, items: Array<PushedRef>) {
  const {repo, env, writer, reader} = store;
  const refs = new Map((await reader.refs([`refs/session-sync-shadow/`, `${TRACKING_REFS}${remote}/`])).map(({ref, oid}) => [ref, oid]));
  const changes: Array<RefChange> = [];
  for (const {ref, session, to} of items) {
    const tracking = trackingRef(remote, ref);
    const shadow   = session === undefined ? null : shadowRef(session, writer);
    if (refs.get(tracking) !== to)
      changes.push({ref: tracking, from: refs.get(tracking) ?? null, to});
    if (shadow !== null && refs.get(shadow) === to)
      changes.push({ref: shadow, from: to, to: null});
  }

  // Together if nobody else is at work, else one by one: each is only a note of what is so.
  if (changes.length > 0 && !await updateRefs(repo, env, changes))
    for (const change of changes)
      await updateRefs(repo, env, [change]);
}

export type PullResult = {
  remote: string;
  /** Number of tracking refs that are new or moved. */
  updated: number;
  refs: Array<{ref: string; from: string | null; to: string}>;
  /** Sessions of this clone that took in what others have stored of them, and from which writers' refs. */
  united: UniteResult[`united`];
  /** Refs that could not be united. */
  problems: Array<StoreProblem>;
};

/**
 * Fetches sessions into the tracking namespace; nothing of the user's own moves, nothing is pruned. `session`: only that
 * one, by its whole id. Sessions that this clone has stored, too, are united with what came (merge.ts).
 *
 * Throws NO_REMOTE, GIT_FAILED, DISK_FULL.
 */
export async function pull(store: SessionStore, options: TransportOptions & {session?: string} = {}): Promise<PullResult> {
  const {repo, env} = store;
  const remote = await defaultRemote(repo, env, options.remote);
  const prefix = `${TRACKING_REFS}${remote}/`;
  const before = new Map((await store.reader.refs([prefix])).map(({ref, oid}) => [ref, oid]));

  const part    = options.session === undefined ? `` : `s/${shardOf(checkId(options.session))}/${options.session}/`;
  const hasPart = part !== `` && [...before.keys()].some(ref => ref.startsWith(`${prefix}${part}`));
  // Not the archives: what lies there is fetched when it is asked for (archived.ts).
  await fetchRefs(repo, env, remote, (part === `` ? [`s/`, `index/`] : [part]).map(space => `+refs/session-sync/${space}*:${prefix}${space}*`), options, hasPart ? [`--negotiation-tip=${prefix}${part}*`] : []);

  const refs = (await store.reader.refs([prefix])).filter(({ref, oid}) => before.get(ref) !== oid).map(({ref, oid}) => ({ref, from: before.get(ref) ?? null, to: oid}));
  const {united, problems} = await unite(store, options.session === undefined ? {} : {session: options.session});
  await packRefs(repo, env);
  return {remote, updated: refs.length, refs, united, problems};
}

/** Has the remote, whose refs are `theirs`, this ref in just this state? */
export function isPushed({ref, commit}: {ref: string; commit: string}, theirs: Map<string, string>) {
  return theirs.get(ref) === commit;
}
