import {createHash}                        from 'node:crypto';

import {stableJson}                        from '../interchange/canonical.ts';

import {Chunker, isOpen}                   from './chunker.ts';
import {FastImport, blobId}                from './fastImport.ts';
import {gitError}                          from './git.ts';
import {verifyHeader}                      from './header.ts';
import {dateOf, headCommands, readHeads}   from './heads.ts';
import type {Head}                         from './heads.ts';
import {
  MAX_ATTACHMENT_BYTES, MAX_CHUNK_BYTES, CHUNKS_PER_FOLDER, CHUNK_BYTES, MAX_TREE_BYTES,
  attachmentPath, chunkPath, sessionRef, shadowRef, streamPath,
} from './layout.ts';
import {commitMessage, person}             from './message.ts';
import {parseTree}                         from './objects.ts';
import type {ObjectReader}                 from './objects.ts';
import {SessionTree}                       from './read.ts';
import type {Stored}                       from './read.ts';
import {clearStaleLocks, isLocked, updateRefs} from './refs.ts';
import type {MachineEnv}                   from './git.ts';
import {stageWorktree}                     from './worktree.ts';
import {StoreError}                        from './types.ts';
import type {Appender, CommitMeta, Repository, StoredHeader, StreamState} from './types.ts';

export type Place = {
  repo: Repository;
  env: MachineEnv;
  writer: string;
  reader: ObjectReader;
  staleLockMs: number;
};

type Stream = {chunker: Chunker; next: number; bytes: number};

/** See `Appender`. Git starts when the first chunk is full, or at the commit. */
export class GitAppender implements Appender {
  readonly base: StoredHeader | null;
  private readonly baseCommit: string | null;
  private importer: FastImport | null = null;
  private readonly streams = new Map<string, Stream>();
  private readonly deletes: Array<string> = [];
  private readonly changes: Array<string> = [];
  private attachments: Map<string, string> | null = null;
  private changed = false;
  private done = false;
  /** Calls run one after the other, in the order they were made. */
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly place: Place, private readonly session: string, current: Stored | null) {
    this.base = current?.header ?? null;
    this.baseCommit = current?.commit ?? null;
  }

  append(name: string, bytes: Buffer) {
    return this.inTurn(async () => {
      if (bytes.length === 0)
        return;

      const stream = this.streams.get(name) ?? await this.openStream(name);
      stream.chunker.add(bytes);
      stream.bytes += bytes.length;
      this.changed = true;
      for (const chunk of stream.chunker.take())
        await this.chunk(name, stream, chunk);
    });
  }

  replace(name: string, bytes: Buffer) {
    return this.inTurn(async () => {
      const path    = streamPath(name, this.place.writer);
      const chunker = new Chunker();
      chunker.add(bytes);
      const chunks = [...chunker.take(), ...chunker.end()];

      const before: Array<string> = [];
      if (this.baseCommit !== null && this.base && Object.hasOwn(this.base.streams, name)) {
        const tree = new SessionTree(this.place.reader, {session: this.session, writer: this.place.writer, ref: sessionRef(this.session, this.place.writer), commit: this.baseCommit});
        for await (const oid of tree.chunks(name))
          before.push(oid);
      }

      const after = chunks.map(chunk => blobId(chunk, this.place.repo.objectFormat));
      const known = this.base !== null && Object.hasOwn(this.base.streams, name);
      if (known && !this.streams.has(name) && before.length === after.length && before.every((oid, index) => oid === after[index]))
        return;

      if (before.length > 0 || this.streams.has(name))
        this.drop(path);

      const stream: Stream = {chunker: new Chunker(), next: 0, bytes: bytes.length};
      this.streams.set(name, stream);
      this.changed = true;
      for (const [index, chunk] of chunks.entries()) {
        if (before[index] === after[index])
          this.changes.push(`M 100644 ${after[index]} ${path}/${chunkPath(stream.next++)}\n`);
        else
          await this.chunk(name, stream, chunk);
      }
    });
  }

  attach(bytes: Buffer) {
    return this.inTurn(async () => {
      if (bytes.length > MAX_ATTACHMENT_BYTES)
        throw new StoreError(`TOO_LARGE`, `An attachment may have ${MAX_ATTACHMENT_BYTES} bytes; this one has ${bytes.length}`);

      const sha256 = createHash(`sha256`).update(bytes).digest(`hex`);
      const oid    = blobId(bytes, this.place.repo.objectFormat);
      this.attachments ??= await this.knownAttachments();
      // What another writer keeps under this name need not be it.
      if (this.attachments.get(sha256) !== oid) {
        this.attachments.set(sha256, oid);
        this.changed = true;
        this.changes.push(`M 100644 :${await this.git().blob(bytes)} ${attachmentPath(sha256)}\n`);
      }

      return sha256;
    });
  }

  commit(meta: CommitMeta) {
    return this.inTurn(async () => {
      this.done = true;
      try {
        return await this.finish(meta);
      } finally {
        await this.importer?.abort();
      }
    });
  }

  async abort() {
    await this.queue.catch(() => {});
    this.done = true;
    await this.importer?.abort();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.catch(() => {}).then(() => {
      if (this.done)
        throw new StoreError(`GIT_FAILED`, `This append has ended`);

      return work();
    });
    this.queue = result;
    result.catch(() => {});
    return result;
  }

  private git() {
    this.importer ??= new FastImport(this.place.repo, this.place.env);
    return this.importer;
  }

  private drop(path: string) {
    this.deletes.push(`D ${path}\n`);
    for (let index = this.changes.length - 1; index >= 0; index--)
      if (this.changes[index]!.includes(` ${path}/`))
        this.changes.splice(index, 1);
  }

  private async chunk(name: string, stream: Stream, bytes: Buffer) {
    const path = `${streamPath(name, this.place.writer)}/${chunkPath(stream.next)}`;
    this.changes.push(`M 100644 :${await this.git().blob(bytes)} ${path}\n`);
    stream.next++;
  }

  /** Goes on where the stream ends; its last chunk is read back if it is not full. */
  private async openStream(name: string): Promise<Stream> {
    const path   = streamPath(name, this.place.writer);
    const before = this.base && Object.hasOwn(this.base.streams, name) ? this.base.streams[name]! : null;
    const stream: Stream = {chunker: new Chunker(), next: 0, bytes: before?.bytes ?? 0};
    if (before && before.bytes > 0) {
      const folder = await this.last(`${this.baseCommit}:${path}`, /^\d{4}$/);
      const file   = await this.last(folder.oid, /^\d\d$/);
      const chunk  = await this.place.reader.object(file.oid, MAX_CHUNK_BYTES + CHUNK_BYTES);
      if (chunk?.type !== `blob`)
        throw new StoreError(`MISSING_OBJECT`, `The last chunk of ${name} in session ${this.session} is missing`);

      stream.next = Number(folder.name) * CHUNKS_PER_FOLDER + Number(file.name);
      if (isOpen(chunk.body))
        stream.chunker.add(chunk.body);
      else
        stream.next++;
    }

    this.streams.set(name, stream);
    return stream;
  }

  private async last(tree: string, expected: RegExp) {
    const object = await this.place.reader.object(tree, MAX_TREE_BYTES);
    if (!object)
      throw new StoreError(`MISSING_OBJECT`, `Session ${this.session} has no ${tree}`);

    const entry = object.type === `tree` ? parseTree(object.body, object.oid.length / 2).at(-1) : undefined;
    if (!entry || !expected.test(entry.name))
      throw new StoreError(`BAD_DATA`, `Session ${this.session} has an unexpected entry in ${tree}`);

    return entry;
  }

  private async knownAttachments() {
    const tree = this.baseCommit === null ? null : await this.place.reader.object(`${this.baseCommit}:att`, MAX_TREE_BYTES);
    return new Map(tree?.type === `tree` ? parseTree(tree.body, tree.oid.length / 2).map(({name, oid}) => [name, oid]) : []);
  }

  private async finish(meta: CommitMeta): Promise<{commit: string; sequence: number} | null> {
    if (meta.header.session !== this.session)
      throw new StoreError(`BAD_DATA`, `The header is one of session ${meta.header.session}, not of ${this.session}`);

    const worktree = meta.worktree === undefined ? [] : await stageWorktree(() => this.git(), this.place.reader, {base: this.baseCommit, writer: this.place.writer, worktree: meta.worktree});
    // A person may name a session at any time.
    const isNamed = this.base !== null && meta.header.title !== this.base.title;
    if (!this.changed && !isNamed && worktree.length === 0 && this.header(meta).worktree?.records === this.base?.worktree?.records)
      return null;

    // A look before the work: the ref itself is compared by git when it moves.
    const ref = sessionRef(this.session, this.place.writer);
    await this.expectUnmoved(ref);
    await clearStaleLocks(this.place.repo, [ref, shadowRef(this.session, this.place.writer)], this.place.staleLockMs);

    for (const [name, stream] of this.streams)
      for (const chunk of stream.chunker.end())
        await this.chunk(name, stream, chunk);

    const header = this.header(meta);
    const json   = Buffer.from(stableJson(header));
    verifyHeader(json);

    const others  = await this.others();
    const git     = this.git();
    const file    = await git.blob(json);
    const mark    = git.nextMark();
    const message = Buffer.from(commitMessage(header, meta));
    await git.send([
      `commit ${ref}`, `mark :${mark}`,
      `author ${person(meta.author)} ${seconds(meta.time ?? header.updated ?? header.created)} +0000`,
      `committer session-sync <session-sync@localhost> ${dateOf([{header}, ...others])} +0000`,
      `data ${message.length}\n`,
    ].join(`\n`));
    await git.send(message);
    await git.send(this.baseCommit === null ? `\n` : `\nfrom ${this.baseCommit}^0\n`);
    const heads = headCommands([{header, blob: `:${file}`}, ...others.map(({header, oid}) => ({header, blob: oid}))]);
    for (const change of [...this.deletes, ...this.changes, ...worktree, ...heads])
      await git.send(change);

    const shadow = shadowRef(this.session, this.place.writer);
    const result = await git.finish(`\nreset ${shadow}\nfrom :${mark}\n\nget-mark :${mark}\n`);
    const commit = /^[0-9a-f]{40,64}$/m.exec(result.stdout)?.[0];
    if (commit === undefined)
      throw gitError(`fast-import`, result);
    if (result.code !== 0)
      await this.settle(ref, shadow, commit, result);

    return {commit, sequence: header.sequence};
  }

  /** Headers of other writers, whose states this clone's ref holds as well. */
  private async others(): Promise<Array<Head>> {
    if (this.baseCommit === null)
      return [];

    const heads = await readHeads(this.place.reader, {session: this.session, commit: this.baseCommit});
    return [...heads.values()].filter(({header}) => header.writer !== this.place.writer);
  }

  /** The objects are there, but a ref did not move: another append was first, or a lock was in the way. */
  private async settle(ref: string, shadow: string, commit: string, result: {code: number | null; stderr: string}) {
    const {repo, env, reader, staleLockMs} = this.place;
    const current = (await reader.object(ref, MAX_CHUNK_BYTES))?.oid ?? null;
    if (current !== commit) {
      if (current !== this.baseCommit)
        throw this.moved(current);
      if (!isLocked(result.stderr) && !/cannot lock ref/.test(result.stderr))
        throw gitError(`fast-import`, result);
      if (!await updateRefs(repo, env, [{ref, from: this.baseCommit, to: commit}], staleLockMs))
        throw this.moved((await reader.object(ref, MAX_CHUNK_BYTES))?.oid ?? null);
    }

    const kept = (await reader.object(shadow, MAX_CHUNK_BYTES))?.oid ?? null;
    if (kept !== commit)
      await updateRefs(repo, env, [{ref: shadow, from: kept, to: commit}], staleLockMs);
  }

  private async expectUnmoved(ref: string) {
    const current = (await this.place.reader.object(ref, MAX_CHUNK_BYTES))?.oid ?? null;
    if (current !== this.baseCommit)
      throw this.moved(current);
  }

  private moved(current: string | null) {
    return new StoreError(`REF_MOVED`, `Session ${this.session} was stored by another process in the meantime; nothing of it was overwritten`, {expected: this.baseCommit, current});
  }

  private header(meta: CommitMeta): StoredHeader {
    const streams: {[name: string]: StreamState} = {...this.base?.streams};
    for (const [name, {bytes}] of this.streams)
      streams[name] = {...streams[name], bytes};
    for (const [name, facts] of Object.entries(meta.streams)) {
      streamPath(name, this.place.writer);
      streams[name] = {bytes: 0, ...streams[name], ...facts};
    }

    return {
      ...meta.header,
      branch:   meta.header.branch ?? meta.git.branch,
      commit:   meta.header.commit ?? meta.git.commit,
      dirty:    meta.header.dirty ?? meta.git.dirty,
      origin:   meta.header.origin ?? meta.git.origin,
      author:   meta.header.author ?? meta.author,
      writer:   this.place.writer,
      sequence: (this.base?.sequence ?? 0) + 1,
      streams,
      ...meta.worktree !== undefined ? {worktree: {records: streams[`rec/main`]?.records ?? 0}} : this.base?.worktree !== undefined ? {worktree: this.base.worktree} : {},
    };
  }
}

/** Seconds since 1970 of an ISO time; 0 where there is none, or one that git cannot hold. */
function seconds(time: string | undefined) {
  const value = Math.floor(Date.parse(time ?? ``) / 1000);
  return Number.isFinite(value) && value > 0 ? value : 0;
}
