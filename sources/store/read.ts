import {
  CHUNKS_PER_FOLDER, MAX_ATTACHMENT_BYTES, MAX_CHUNK_BYTES, MAX_HEADER_BYTES, MAX_TREE_BYTES, MAX_TREE_ENTRIES, MAX_WRITERS, CHUNK_BYTES,
  attachmentPath, checkId, decodeComponent, headPath, parseStream, streamPath,
} from './layout.ts';
import {checkedHeader, writerOf}           from './heads.ts';
import type {Head}                         from './heads.ts';
import {commitTree, parseTree}             from './objects.ts';
import type {GitObject, ObjectReader, TreeEntry} from './objects.ts';
import {StoreError}                        from './types.ts';
import type {StoredHeader, StoredRef, StreamState} from './types.ts';

const DIRECTORY = `40000`;
const FILE      = `100644`;
/** Folders of a tree that have one folder a writer. */
export const WRITER_FOLDERS = [`rec`, `native`, `worktree`] as const;
export type WriterPart = {header: StoredHeader; oid: string; folders: {[kind in typeof WRITER_FOLDERS[number]]?: string}};
/** Chunks that are asked for ahead of the reader. */
const AHEAD = 8;

/**
 * Reads one commit of a session, wherever it came from: every tree entry must be what the layout says (a plain folder or
 * a plain file with an expected name), within bounds. Anything else is BAD_DATA or TOO_LARGE.
 */
export class SessionTree {
  private entries = 0;
  private root: Map<string, TreeEntry> | null = null;
  private known: {header: StoredHeader; oid: string; writers: Set<string>} | null = null;

  constructor(private readonly reader: ObjectReader, private readonly ref: StoredRef) {
    checkId(ref.session);
    checkId(ref.writer, `writer`);
  }

  /** Throws MISSING_OBJECT, BAD_DATA, TOO_LARGE. */
  async header(): Promise<StoredHeader> {
    return (await this.heads()).header;
  }

  /** This writer's header, and the writers of all the states in the tree. */
  private async heads() {
    if (this.known)
      return this.known;

    const root = await this.rootEntries();
    const file = root.get(`header.json`);
    if (!file)
      throw this.bad(`it has no header.json`);

    const lead    = checkedHeader((await this.need(file.oid, `blob`, MAX_HEADER_BYTES)).body, {session: this.ref.session});
    const others  = await this.folder(root.get(`heads`), name => writerOf(name) !== null, FILE);
    const writers = new Set([lead.writer, ...[...others.keys()].map(name => writerOf(name)!)]);
    if (writers.size !== others.size + 1 || writers.size > MAX_WRITERS)
      throw this.bad(`it has an unexpected header`);
    if (lead.writer === this.ref.writer)
      return this.known = {header: lead, oid: file.oid, writers};

    const own = others.get(headPath(this.ref.writer).slice(`heads/`.length));
    if (!own)
      throw this.bad(`its header is one of another writer`);

    const header = checkedHeader((await this.need(own.oid, `blob`, MAX_HEADER_BYTES)).body, this.ref);
    return this.known = {header, oid: own.oid, writers};
  }

  /** Streams that the header names and the tree has. Throws BAD_DATA where the two differ. */
  async streams(): Promise<Array<{name: string} & StreamState>> {
    const {header, writers: known} = await this.heads();
    const found  = new Set<string>();
    for (const kind of [`rec`, `native`] as const) {
      const writers = await this.folder((await this.rootEntries()).get(kind), name => known.has(name));
      for (const entry of await this.folder(writers.get(this.ref.writer), name => kind === `native` ? /^[a-z][a-z0-9-]{0,31}$/.test(name) : decodeComponent(name) !== null).then(map => [...map.values()])) {
        if (kind === `rec`) {
          found.add(`rec/${decodeComponent(entry.name)!}`);
          continue;
        }
        for (const file of (await this.folder(entry, name => decodeComponent(name) !== null)).keys())
          found.add(`native/${entry.name}/${decodeComponent(file)!}`);
      }
    }

    for (const name of found)
      if (!parseStream(name) || !Object.hasOwn(header.streams, name))
        throw this.bad(`it has a stream that its header does not name`);
    for (const [name, state] of Object.entries(header.streams))
      if (state.bytes > 0 && !found.has(name))
        throw this.bad(`its header names a stream that is not there: ${name}`);

    return Object.entries(header.streams).map(([name, state]) => ({name, ...state}));
  }

  /** Bytes of a stream, chunk by chunk; exactly as many as the header says, or BAD_DATA. */
  async * read(name: string): AsyncGenerator<Buffer> {
    const header = await this.header();
    const state  = Object.hasOwn(header.streams, name) ? header.streams[name] : undefined;
    if (!state)
      throw new StoreError(`BAD_DATA`, `Session ${this.ref.session} has no stream ${JSON.stringify(name.slice(0, 200))}`);

    let bytes = 0;
    const pending: Array<Promise<GitObject>> = [];
    try {
      for await (const oid of this.chunks(name)) {
        const chunk = this.need(oid, `blob`, MAX_CHUNK_BYTES + CHUNK_BYTES);
        // Asked for ahead: a failure is seen when its turn comes, or not at all when the reader stops before.
        chunk.catch(() => {});
        pending.push(chunk);
        if (pending.length < AHEAD)
          continue;

        const {body} = await pending.shift()!;
        bytes += body.length;
        if (bytes > state.bytes)
          throw this.bad(`${name} is longer than its header says`);
        yield body;
      }

      for (const chunk of pending) {
        const {body} = await chunk;
        bytes += body.length;
        if (bytes > state.bytes)
          throw this.bad(`${name} is longer than its header says`);
        yield body;
      }
    } finally {
      await Promise.allSettled(pending);
    }

    if (bytes !== state.bytes)
      throw this.bad(`${name} is shorter than its header says`);
  }

  async attachment(sha256: string): Promise<Buffer> {
    const name   = attachmentPath(sha256).slice(`att/`.length);
    const folder = await this.folder((await this.rootEntries()).get(`att`), entry => /^[0-9a-f]{64}$/.test(entry), FILE);
    const entry  = folder.get(name);
    if (!entry)
      throw new StoreError(`MISSING_OBJECT`, `Session ${this.ref.session} has no attachment ${name}`);

    return (await this.need(entry.oid, `blob`, MAX_ATTACHMENT_BYTES)).body;
  }

  /** Names of all attachments. */
  async attachments(): Promise<Array<string>> {
    return [...(await this.attachmentIds()).keys()];
  }

  /** Object id of each attachment. */
  async attachmentIds(): Promise<Map<string, string>> {
    const folder = await this.folder((await this.rootEntries()).get(`att`), entry => /^[0-9a-f]{64}$/.test(entry), FILE);
    return new Map([...folder].map(([name, {oid}]) => [name, oid]));
  }

  /** Object ids of this writer's header, and of its folder in each part of the tree that it has something in. */
  async part(): Promise<WriterPart> {
    const {header, oid} = await this.heads();
    const part: WriterPart = {header, oid, folders: {}};
    for (const kind of WRITER_FOLDERS) {
      const entry = (await this.folder((await this.rootEntries()).get(kind), () => true, null)).get(this.ref.writer);
      if (entry !== undefined)
        part.folders[kind] = entry.mode === DIRECTORY ? entry.oid : this.fail(`it has an unexpected entry`);
    }

    return part;
  }

  /** Looks at every name of this writer's streams, down to the chunks, whose contents stay unread. Throws BAD_DATA, TOO_LARGE. */
  async check() {
    for (const {name} of await this.streams())
      for await (const _ of this.chunks(name));
  }

  /** Object ids of a stream's chunks, in order; every folder but the last is full. */
  async * chunks(name: string): AsyncGenerator<string> {
    let entry: TreeEntry | undefined;
    let folder = await this.rootEntries();
    const parts = streamPath(name, this.ref.writer).split(`/`);
    for (const part of parts) {
      entry  = folder.get(part);
      folder = entry === undefined ? new Map() : await this.folder(entry, () => true, null);
      if (entry === undefined)
        return;
    }

    const folders = [...folder.values()];
    for (const [index, part] of folders.entries()) {
      if (part.mode !== DIRECTORY || part.name !== String(index).padStart(4, `0`))
        throw this.bad(`${name} has an unexpected entry`);

      const files = [...(await this.folder(part, () => true, FILE)).values()];
      if (files.length === 0 || files.length > CHUNKS_PER_FOLDER || (index < folders.length - 1 && files.length !== CHUNKS_PER_FOLDER))
        throw this.bad(`${name} has a gap`);

      for (const [number, file] of files.entries()) {
        if (file.name !== String(number).padStart(2, `0`))
          throw this.bad(`${name} has a gap`);
        yield file.oid;
      }
    }
  }

  private async rootEntries() {
    if (!this.root) {
      const commit = await this.need(this.ref.commit, `commit`, MAX_HEADER_BYTES);
      const root   = await this.tree(commitTree(commit));
      for (const {name, mode} of root.values())
        if (name === `header.json` ? mode !== FILE : ![`heads`, `att`, ...WRITER_FOLDERS].includes(name) || mode !== DIRECTORY)
          throw this.bad(`it has an unexpected entry`);

      this.root = root;
    }

    return this.root;
  }

  /** Entries of a folder, all of one mode (null: any of the two) and with expected names; none where it does not exist. */
  private async folder(entry: TreeEntry | undefined, expected: (name: string) => boolean, mode: string | null = DIRECTORY) {
    if (entry === undefined)
      return new Map<string, TreeEntry>();
    if (entry.mode !== DIRECTORY)
      throw this.bad(`${entry.name.slice(0, 80)} is not a folder`);

    const entries = await this.tree(entry.oid);
    for (const child of entries.values())
      if (!expected(child.name) || (mode === null ? child.mode !== DIRECTORY && child.mode !== FILE : child.mode !== mode))
        throw this.bad(`it has an unexpected entry`);

    return entries;
  }

  private async tree(oid: string) {
    const object  = await this.need(oid, `tree`, MAX_TREE_BYTES);
    const entries = parseTree(object.body, oid.length / 2);
    this.entries += entries.length;
    if (this.entries > MAX_TREE_ENTRIES)
      throw new StoreError(`TOO_LARGE`, `Session ${this.ref.session} has more than ${MAX_TREE_ENTRIES} files`);

    const map = new Map(entries.map(entry => [entry.name, entry]));
    if (map.size !== entries.length)
      throw this.bad(`a name stands twice in a folder`);

    return map;
  }

  private async need(oid: string, type: string, limit: number) {
    const object = await this.reader.object(oid, limit);
    if (!object)
      throw new StoreError(`MISSING_OBJECT`, `Object ${oid} of session ${this.ref.session} is missing: in a partial clone, or one whose last fetch was cut off, \`session-sync pull\` fetches it`, {oid});
    if (object.type !== type)
      throw this.bad(`an object is a ${object.type} instead of a ${type}`);

    return object;
  }

  private fail(reason: string): never {
    throw this.bad(reason);
  }

  private bad(reason: string) {
    return new StoreError(`BAD_DATA`, `Session ${this.ref.session} as stored by ${this.ref.writer} cannot be used: ${reason}`, {ref: this.ref.ref});
  }
}

export type Stored = StoredRef & {header: StoredHeader};

/** The newest of several states: the longest chain of syncs, then the most bytes; the same choice everywhere. */
export function newest<T extends Stored>(refs: Array<T>): T | null {
  return [...refs].sort((a, b) => b.header.sequence - a.header.sequence || size(b) - size(a) || (a.commit < b.commit ? -1 : a.commit > b.commit ? 1 : 0) || Number(a.remote !== undefined) - Number(b.remote !== undefined))[0] ?? null;
}

/** Sessions with one state a writer, the newest that is known of it; writers sorted. */
export function unionRefs<T extends Stored>(refs: Array<T>): Array<{session: string; refs: Array<T>}> {
  const sessions = new Map<string, Map<string, Array<T>>>();
  for (const ref of refs) {
    const writers = sessions.get(ref.session) ?? new Map<string, Array<T>>();
    writers.set(ref.writer, [...writers.get(ref.writer) ?? [], ref]);
    sessions.set(ref.session, writers);
  }

  return [...sessions].sort(([a], [b]) => a < b ? -1 : 1).map(([session, writers]) => ({
    session,
    refs: [...writers].sort(([a], [b]) => a < b ? -1 : 1).map(([, states]) => newest(states)!),
  }));
}

/** States in the tree of one ref: its writer's, and those of the others with `via`. Throws BAD_DATA where its writer has none. */
export function statesOf(ref: StoredRef, heads: Map<string, Head>): Array<Stored> {
  if (!heads.has(ref.writer))
    throw new StoreError(`BAD_DATA`, `The header of session ${ref.session} is one of another writer than ${ref.writer}`);

  const {[ref.writer]: own, ...others} = Object.fromEntries([...heads].sort(([a], [b]) => a < b ? -1 : 1));
  return [{...ref, header: own!.header}, ...Object.values(others).map(({header}) => ({...ref, writer: header.writer, via: ref.writer, header}))];
}

/** Without the states of united trees that a ref of their own writer has as well, or a later one. Of those left, one a writer. */
export function withoutRepeats(states: Array<Stored>): Array<Stored> {
  const best = new Map<string, Stored>();
  for (const state of states) {
    const key   = `${state.session} ${state.writer}`;
    const known = best.get(key);
    if (known === undefined || state.header.sequence > known.header.sequence || (state.header.sequence === known.header.sequence && state.via === undefined))
      best.set(key, state);
  }

  return states.filter(state => state.via === undefined || best.get(`${state.session} ${state.writer}`) === state);
}

function size(ref: Stored) {
  return Object.values(ref.header.streams).reduce((sum, {bytes}) => sum + bytes, 0);
}
