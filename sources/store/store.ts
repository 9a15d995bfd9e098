import {removeCrashReports}                     from './fastImport.ts';
import {git}                                    from './git.ts';
import type {MachineEnv}                        from './git.ts';
import {readHeader, readHeads}                  from './heads.ts';
import {
  PRUNED_REFS, SESSION_REFS, SHADOW_REFS, TRACKING_REFS, MAX_HEADER_BYTES, checkId, parseArchiveRef, parseIndexRef, parseSessionRef, sessionRef, shadowRef,
} from './layout.ts';
import {CatFile}                                from './objects.ts';
import type {ObjectReader}                      from './objects.ts';
import {SessionTree, statesOf, withoutRepeats}  from './read.ts';
import type {Stored}                            from './read.ts';
import {renewedWriter}                          from './repository.ts';
import {STALE_LOCK_MS, isAncestor, packRefs, updateRefs} from './refs.ts';
import {StoreError}                             from './types.ts';
import type {Appender, Repository, StoredRef, StreamState, WorktreeChange, WorktreeState} from './types.ts';
import {readWorktree, readWorktreeFile}         from './worktree.ts';
import {GitAppender}                            from './write.ts';

export type StoreProblem = {ref: string; code: string; message: string};

export type StoreOptions = {
  /** Reads through this instead of through git (fallback.ts). Such a store cannot write. */
  reader?: ObjectReader;
  /** Age from which a lock in our namespaces counts as left behind. */
  staleLockMs?: number;
};

/** States of one session that are looked back at. */
const MAX_PAST = 20_000;

/** New sessions after which a store looks whether refs want packing. */
const PACK_EVERY = 100;

/** The sessions of one repository, as this clone (`writer`) writes them and as others have. */
export class SessionStore {
  readonly reader: ObjectReader;
  private readonly canWrite: boolean;
  private readonly staleLockMs: number;
  private created = 0;
  private tidied  = false;
  private id: string;

  constructor(readonly repo: Repository, readonly env: MachineEnv, writer: string, options: StoreOptions = {}) {
    this.id = checkId(writer, `writer`);
    this.canWrite    = options.reader === undefined;
    this.reader      = options.reader ?? new CatFile(repo, env);
    this.staleLockMs = options.staleLockMs ?? STALE_LOCK_MS;
  }

  /** Under which id this clone writes. */
  get writer() {
    return this.id;
  }

  /** Takes over the id that this clone has been given meanwhile (renew.ts); false while it is the one that is known. */
  async follow(): Promise<boolean> {
    const renewed = await renewedWriter(this.repo, this.id);
    this.id = renewed ?? this.id;
    return renewed !== null;
  }

  /**
   * What this clone has stored of a session; null if nothing. A ref that a pruning or forced fetch took away or set back
   * before it was pushed is put back first.
   */
  async head(session: string): Promise<Stored | null> {
    const ref = sessionRef(session, this.writer);
    for (let attempt = 0; attempt < 3; attempt++) {
      const own    = (await this.reader.object(ref, MAX_HEADER_BYTES))?.oid ?? null;
      const shadow = this.canWrite ? (await this.reader.object(shadowRef(session, this.writer), MAX_HEADER_BYTES))?.oid ?? null : null;
      if (shadow !== null && shadow !== own && await this.heal(session, own, shadow))
        continue;
      if (own === null)
        return null;

      const stored = {session, writer: this.writer, ref, commit: own};
      return {...stored, header: await readHeader(this.reader, stored)};
    }

    throw new StoreError(`REF_MOVED`, `Session ${session} keeps moving`);
  }

  /**
   * Throws UNSAFE_NAME, BAD_DATA (what is stored cannot be gone on from), REF_MOVED (this clone has another writer id now,
   * and what it stored is to be looked at again).
   */
  async begin(session: string): Promise<Appender> {
    if (!this.canWrite)
      throw new StoreError(`NO_GIT`, `Storing a session needs the git program`);
    if (!this.tidied) {
      this.tidied = true;
      await removeCrashReports(this.repo.commonDir);
    }

    if (await this.follow())
      throw new StoreError(`REF_MOVED`, `This clone writes under another id since a moment ago`);

    const current  = await this.head(session);
    const appender = new GitAppender({repo: this.repo, env: this.env, writer: this.writer, reader: this.reader, staleLockMs: this.staleLockMs}, session, current);
    if (current !== null)
      return appender;

    const commit = appender.commit.bind(appender);
    appender.commit = async meta => {
      const result = await commit(meta);
      if (result !== null && this.created++ % PACK_EVERY === 0)
        await packRefs(this.repo, this.env);

      return result;
    };
    return appender;
  }

  /**
   * All sessions that are here: in this clone's own namespace (also those of other writers that a plain fetch put there)
   * and as last fetched from remotes. What cannot be trusted is left out and reported. A state that is known only from a
   * tree in which another writer united it with theirs has `via`.
   */
  async list(): Promise<{refs: Array<Stored>; problems: Array<StoreProblem>}> {
    const spaces = [SESSION_REFS, TRACKING_REFS, SHADOW_REFS];
    let all = await this.reader.refs(spaces);
    if (this.canWrite && (await this.healFrom(all)).length > 0)
      all = await this.reader.refs(spaces);

    const problems: Array<StoreProblem> = [];
    const found = await Promise.all(all.map(async ({ref, oid}) => {
      if (ref.startsWith(SHADOW_REFS) || parseIndexRef(ref) || parseArchiveRef(ref))
        return null;

      const parsed = parseSessionRef(ref);
      if (!parsed) {
        problems.push({ref, code: `UNSAFE_NAME`, message: `not the name of a session`});
        return null;
      }

      try {
        const stored = {...parsed, commit: oid};
        return statesOf(stored, await readHeads(this.reader, stored));
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === `NO_GIT` || error.code === `GIT_FAILED`)
          throw error;

        problems.push({ref, code: error.code, message: error.message});
        return null;
      }
    }));

    return {refs: withoutRepeats(found.flatMap(states => states ?? [])), problems: problems.sort((a, b) => a.ref < b.ref ? -1 : 1)};
  }

  /**
   * Is what stands under this clone's id of a session surely what it stored last? Not where it is pushed (then nothing is
   * noted of it), where a process was killed between two refs, or where plain git has put something else there.
   */
  async isLastStored(session: string): Promise<boolean> {
    const [own, shadow] = await Promise.all([sessionRef, shadowRef].map(async refOf => (await this.reader.object(refOf(session, this.writer), MAX_HEADER_BYTES))?.oid));
    return own !== undefined && own === shadow;
  }

  /** Ids of the sessions that this clone has stored, without a look into them. */
  async ownSessions(): Promise<Array<string>> {
    const refs = await this.reader.refs([SESSION_REFS]);
    return refs.flatMap(({ref}) => parseSessionRef(ref)).flatMap(parsed => parsed?.writer === this.writer ? [parsed.session] : []);
  }

  /** Names and facts of the streams. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
  async streams(ref: StoredRef): Promise<Array<{name: string} & StreamState>> {
    return await new SessionTree(this.reader, ref).streams();
  }

  /** Bytes of a stream in pieces of up to 1 MB. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
  readStream(ref: StoredRef, name: string): AsyncGenerator<Buffer> {
    return new SessionTree(this.reader, ref).read(name);
  }

  async readAttachment(ref: StoredRef, sha256: string): Promise<Buffer> {
    return await new SessionTree(this.reader, ref).attachment(sha256);
  }

  /**
   * The states of a session that one writer stored one after the other, the newest first, `ref` itself included. What
   * cannot be read any more is left out. Throws GIT_FAILED.
   */
  async * past(ref: StoredRef): AsyncGenerator<Stored> {
    const {stdout} = await git([`rev-list`, `--first-parent`, `--max-count=${MAX_PAST}`, ref.commit, `--`], {repo: this.repo, env: this.env});
    for (const commit of stdout.split(`\n`).filter(line => line !== ``)) {
      const state = {...ref, commit};
      try {
        yield {...state, header: await readHeader(this.reader, state)};
      } catch (error) {
        if (!(error instanceof StoreError) || (error.code !== `BAD_DATA` && error.code !== `MISSING_OBJECT` && error.code !== `TOO_LARGE`))
          throw error;
      }
    }
  }

  /** What was not committed of the working tree when this was stored; null where it was not kept. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
  async worktree(ref: StoredRef): Promise<WorktreeState | null> {
    return await readWorktree(this.reader, ref);
  }

  /** Bytes of one of its files; of a link, where it leads to. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
  async readWorktreeFile(ref: StoredRef, change: WorktreeChange): Promise<Buffer> {
    return await readWorktreeFile(this.reader, ref.session, change);
  }

  /** Puts back every ref of this clone that was lost or set back before it was pushed. Resolves to their names. */
  async healShadow(): Promise<Array<string>> {
    return await this.healFrom(await this.reader.refs([SHADOW_REFS, SESSION_REFS]));
  }

  private async healFrom(all: Array<{ref: string; oid: string}>) {
    const refs = new Map(all.map(({ref, oid}) => [ref, oid]));
    const healed: Array<string> = [];
    for (const [ref, shadow] of refs) {
      const parsed = ref.startsWith(SHADOW_REFS) ? parseSessionRef(ref) : null;
      if (parsed?.writer !== this.writer)
        continue;

      const own = sessionRef(parsed.session, this.writer);
      if (refs.get(own) !== shadow && await this.heal(parsed.session, refs.get(own) ?? null, shadow))
        healed.push(own);
    }

    return healed;
  }

  /** Ends the git process that reads. The store can not be used after. */
  async close() {
    await this.reader.close();
  }

  /** True if the ref was moved to what the shadow holds, or by somebody else meanwhile. */
  private async heal(session: string, own: string | null, shadow: string) {
    // The shadow of a commit that is just being made may be a step behind.
    if (own !== null && await isAncestor(this.repo, this.env, shadow, own))
      return false;

    await updateRefs(this.repo, this.env, [{ref: sessionRef(session, this.writer), from: own, to: shadow}], this.staleLockMs);
    return true;
  }
}

/**
 * Removes refs, each if it still is what `refs` says, with their shadows. What is pushed is the caller's to know.
 * Refs that have moved meanwhile stay and are named in `kept`.
 */
export async function removeRefs(store: SessionStore, refs: Array<StoredRef>): Promise<{removed: Array<string>; kept: Array<string>}> {
  const removed: Array<string> = [];
  const kept: Array<string> = [];
  const pruned = await store.reader.refs([PRUNED_REFS]);
  for (const {ref, commit} of refs) {
    const parsed = parseSessionRef(ref);
    if (!parsed)
      throw new StoreError(`UNSAFE_NAME`, `Not the ref of a session: ${JSON.stringify(ref.slice(0, 200))}`);

    const changes = [{ref, from: commit, to: null}];
    const shadow  = shadowRef(parsed.session, parsed.writer);
    const held    = parsed.remote === undefined ? (await store.reader.object(shadow, MAX_HEADER_BYTES))?.oid : undefined;
    if (held !== undefined)
      changes.push({ref: shadow, from: held, to: null});
    for (const noted of pruned.filter(one => parsed.remote === undefined && one.ref.endsWith(`/${ref.slice(SESSION_REFS.length)}`)))
      changes.push({ref: noted.ref, from: noted.oid, to: null});

    (await updateRefs(store.repo, store.env, changes) ? removed : kept).push(ref);
  }

  return {removed, kept};
}
