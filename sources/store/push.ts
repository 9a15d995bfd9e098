import {createHash}                                from 'node:crypto';
import {setTimeout as sleep}                       from 'node:timers/promises';

import {fetchRefs, remoteRefs, transport}          from './connection.ts';
import type {TransportOptions}                     from './connection.ts';
import {updateIndex}                               from './discovery.ts';
import {defaultRemote}                             from './facts.ts';
import {cleanText, gitError}                       from './git.ts';
import {INDEX_REFS, SESSION_REFS, TRACKING_REFS, indexRef, parseSessionRef, sessionRef, shadowRef, trackingRef} from './layout.ts';
import {notReachable, updateRefs}                  from './refs.ts';
import type {RefChange}                            from './refs.ts';
import {renewWriter, tidyFormer}                   from './renew.ts';
import type {Renewed}                              from './renew.ts';
import type {SessionStore}                         from './store.ts';
import {withheld}                                  from './withheld.ts';

/** Refs of one `git push`; a batch that fails as a whole is tried again in smaller ones. */
const BATCH       = 200;
const SMALL_BATCH = 25;
/** Pushes that are spent on finding the ref for whose sake a server refused many. */
const SPLITS      = 64;
/** How often refs are tried that another push was in the way of. */
const ROUNDS      = 5;
const PAUSE_MS    = 50;
const FETCH       = 100;

/** The remote has, or is just taking, something else: worth another look. */
const MOVED  = /fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|unable to lock|reference already exists|incorrect old value|remote failure/i;
/** A server that says this may have meant one ref of many. */
const SHARED = /pre-receive hook declined|unpack/i;
/** What git says where an object of ours cannot be read. */
const BROKEN = /pack-objects|bad object|unable to read|missing (?:blob|tree|commit)|corrupt|loose object|inflate/i;

export type PushedRef = {ref: string; session?: string; from: string | null; to: string};
export type PushResult = {
  remote: string;
  /** With `dryRun`: what would be pushed. */
  pushed: Array<PushedRef>;
  upToDate: Array<PushedRef>;
  rejected: Array<PushedRef & {reason: string}>;
  /** What the remote has had in this state and was taken from there, with what became of it. */
  withheld: Array<PushedRef & {reason: `archived` | `pruned`}>;
  /** This clone turned out to be one of two that wrote under the same id, and has taken another. */
  renewed?: Renewed;
};

/** Runs `work` while nobody else stores in this repository. */
export type Exclusively = <T>(work: () => Promise<T>) => Promise<T>;
export const alone: Exclusively = async work => await work();

/** `along`: sessions that go with the chosen ones, unless the remote has had them and archived or pruned them since. */
type Options = TransportOptions & {sessions?: Array<string>; along?: Array<string>; dryRun?: boolean; exclusively?: Exclusively};
type Refused = PushedRef & {reason: string};

/**
 * Pushes the refs that this clone has written, each on its own and never by force, and (unless `sessions` chooses some)
 * its index. The shadow of what the remote then has is dropped, and the tracking refs are set to it.
 *
 * A ref whose remote counterpart moved meanwhile is fetched and tried again, five times at most; where it was moved by a
 * copy of this clone, the clone takes a new writer id first (renew.ts). One ref never keeps the others.
 *
 * Throws NO_REMOTE, GIT_FAILED (no connection, no rights …). Refs that the remote refuses are in `rejected`.
 */
export async function push(store: SessionStore, options: Options = {}): Promise<PushResult> {
  const {repo, env} = store;
  const remote = await defaultRemote(repo, env, options.remote);
  const result: PushResult = {remote, pushed: [], upToDate: [], rejected: [], withheld: []};
  let theirs = await remoteRefs(repo, env, remote, options);

  await store.healShadow();
  if (options.dryRun) {
    const {todo, ...rest} = await compare(store, remote, theirs, options);
    return {...result, pushed: todo, ...rest};
  }

  await tidyFormer(store, remote);
  // Who pushes chosen sessions has not asked to name the others there, and the index names all.
  const withIndex = options.sessions === undefined;
  let wanted: Set<string> | null = null;
  for (let round = 1; ; round++) {
    const renewed = await isForeign(store, remote, theirs, options) ? await (options.exclusively ?? alone)(async () => await renewWriter(store, remote)) : undefined;
    if (renewed !== undefined)
      [result.renewed, wanted] = [renewed, null];
    if (withIndex && wanted === null)
      await updateIndex(store, session => theirs.has(sessionRef(session, store.writer)), theirs);

    const {todo, upToDate, withheld} = await compare(store, remote, theirs, options);
    if (wanted === null)
      result.withheld = withheld;
    const [tries, there] = [todo, upToDate].map(list => list.filter(({ref}) => wanted?.has(ref) !== false)) as [Array<PushedRef>, Array<PushedRef>];
    result.upToDate.push(...there);
    await settle(store, remote, there);

    const push = new Push(store, result, options);
    for (let at = 0; at < tries.length; at += BATCH)
      await push.batch(tries.slice(at, at + BATCH));

    if (push.moved.length === 0 || round === ROUNDS) {
      result.rejected.push(...push.moved);
      return result;
    }

    await sleep(pauseOf(store.writer, round));
    theirs = await remoteRefs(repo, env, remote, options);
    wanted = new Set(push.moved.map(({ref}) => ref));
  }
}

/** Refs of this clone that the remote has not, and those that it has. */
async function compare(store: SessionStore, remote: string, theirs: Map<string, string>, options: Options) {
  const ours = await store.reader.refs([SESSION_REFS, INDEX_REFS]);
  const {sessions, along = []} = options;
  const away = await withheld(store, remote, theirs, sessions === undefined ? ours : ours.filter(({ref}) => along.includes(parseSessionRef(ref)?.session ?? ``)), options);
  const found: {todo: Array<PushedRef>} & Pick<PushResult, `upToDate` | `withheld`> = {todo: [], upToDate: [], withheld: []};
  for (const {ref, oid} of ours) {
    const session = parseSessionRef(ref);
    if (session ? session.writer !== store.writer || sessions !== undefined && !sessions.includes(session.session) && !along.includes(session.session) : sessions !== undefined || ref !== indexRef(store.writer))
      continue;

    const item = {ref, ...session ? {session: session.session} : {}, from: theirs.get(ref) ?? null, to: oid};
    const reason = away.get(ref);
    if (reason !== undefined)
      found.withheld.push({...item, reason});
    else
      (item.from === oid ? found.upToDate : found.todo).push(item);
  }

  return found;
}

/**
 * Has the remote, below this clone's writer id, something that this clone has not made? Then whatever own ref is not as
 * here is fetched: it has to be known before the clone goes on under another id.
 */
async function isForeign(store: SessionStore, remote: string, theirs: Map<string, string>, options: Options) {
  const {repo, env, writer} = store;
  const own     = (await store.reader.refs([SESSION_REFS, INDEX_REFS])).filter(({ref}) => parseSessionRef(ref)?.writer === writer || ref === indexRef(writer));
  const differ  = own.filter(({ref, oid}) => theirs.has(ref) && theirs.get(ref) !== oid);
  const unknown = async () => differ.length === 0 ? new Set() : await notReachable(repo, env, differ.map(({ref, oid}) => ({commit: theirs.get(ref)!, from: [oid]})));
  if ((await unknown()).size === 0)
    return false;

  for (let at = 0; at < differ.length; at += FETCH)
    await fetchRefs(repo, env, remote, differ.slice(at, at + FETCH).map(({ref}) => `+${ref}:${trackingRef(remote, ref)}`), options);
  return (await unknown()).size > 0;
}

/** One round: what comes of each ref goes into the result, and what is worth another try into `moved`. */
class Push {
  readonly moved: Array<Refused> = [];
  private splits = SPLITS;

  constructor(private readonly store: SessionStore, private readonly result: PushResult, private readonly options: Options) {}

  async batch(batch: Array<PushedRef>): Promise<void> {
    const {repo, env} = this.store;
    const run = await transport(repo, env, [
      `push`, ...this.options.unattended ? [`--signed=no`] : [], `--porcelain`, `--progress`, `--no-follow-tags`, `--recurse-submodules=no`, `--no-atomic`, this.result.remote,
      ...batch.map(({ref, to}) => `${to}:${ref}`),
    ], this.options);

    const lines = new Map<string, {flag: string; summary: string}>();
    for (const line of run.stdout.split(`\n`)) {
      const match = /^([ +*=!-])\t[^\t]*:(refs\/[^\t]+)\t(.*)$/.exec(line);
      if (match)
        lines.set(match[2]!, {flag: match[1]!, summary: match[3]!});
    }

    const broken = run.code !== 0 && BROKEN.test(run.stderr) && ![...lines.values()].some(({flag}) => flag !== `!`);
    if ((broken || batch.every(({ref}) => SHARED.test(lines.get(ref)?.summary ?? ``))) && batch.length > 1 && this.splits > 0) {
      this.splits--;
      const half = Math.ceil(batch.length / 2);
      await this.batch(batch.slice(0, half));
      await this.batch(batch.slice(half));
      return;
    }

    if (lines.size === 0 && !broken) {
      if (batch.length <= SMALL_BATCH)
        throw gitError(`push`, run);
      for (let at = 0; at < batch.length; at += SMALL_BATCH)
        await this.batch(batch.slice(at, at + SMALL_BATCH));
      return;
    }

    const done: Array<PushedRef> = [];
    for (const item of batch) {
      const line = broken ? {flag: `!`, summary: lastOf(run.stderr)} : lines.get(item.ref);
      if (line?.flag === `=`)
        this.result.upToDate.push(item);
      else if (line !== undefined && ` +*`.includes(line.flag))
        this.result.pushed.push(item);
      else
        (!broken && MOVED.test(line?.summary ?? `fetch first`) ? this.moved : this.result.rejected).push({...item, reason: reasonOf(line?.summary)});

      if (line !== undefined && line.flag !== `!`)
        done.push(item);
    }
    await settle(this.store, this.result.remote, done);
  }
}

function reasonOf(summary: string | undefined) {
  if (summary === undefined)
    return `the remote did not answer for it`;
  if (/fetch first|non-fast-forward|stale info/.test(summary))
    return `the remote has another state of it and keeps changing it`;

  return cleanText(summary, 300);
}

function lastOf(stderr: string) {
  return stderr.split(/[\r\n]+/).filter(line => /^(?:fatal|error): /.test(line))[0] ?? stderr;
}

/** Longer from round to round, and not the same for two clones that met. */
function pauseOf(writer: string, round: number) {
  const share = createHash(`sha256`).update(`${writer} ${round}`).digest().readUInt16BE() / 0x10000;
  return PAUSE_MS * 2 ** round * (0.5 + share);
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
