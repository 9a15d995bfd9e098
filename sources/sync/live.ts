import path                                          from 'node:path';

import type {AgentAdapter, LocatedSession, ReaderFacts, SessionFile} from '../agents/types.ts';
import type {Json, NeutralRecord, Repair}            from '../interchange/index.ts';
import {tokenizer}                                   from '../interchange/paths.ts';
import type {Redactor}                               from '../redaction/index.ts';
import type {SessionStore}                           from '../store/index.ts';
import type {Snapshot}                               from '../store/index.ts';
import type {CommitMeta, GitState, Repository}       from '../store/types.ts';
import {sizeOf}                                      from '../system/files.ts';
import {follow}                                      from '../system/follow.ts';
import type {FollowedLine}                           from '../system/follow.ts';

import {fileRecords, parentOf, parentTitle}          from './ancestry.ts';
import {Continuation}                                from './continuation.ts';
import {Cursor, isUnchanged}                         from './cursor.ts';
import {Description, optional}                       from './description.ts';
import {StoreFeed}                                   from './feed.ts';
import {projectFolders, repositoryAt}                from './folders.ts';
import {Intent}                                      from './intent.ts';
import {Mirror, newMirror}                           from './mirror.ts';
import {newName}                                     from './naming.ts';
import {originOf}                                    from './origin.ts';
import type {Origin}                                 from './origin.ts';
import type {Project}                                from './project.ts';
import {isBetween, placeOf}                          from './rehomed.ts';
import type {Place}                                  from './rehomed.ts';
import {SideFiles}                                   from './sideFiles.ts';
import type {Checkpoint, FileState, MirrorState}     from './state.ts';
import {CodeTies}                                    from './ties.ts';

export type MirrorTarget = {adapter: AgentAdapter; settings: Json};

/** Nobody knows where the session lies. */
export class MoveInterruptedError extends Error {
  readonly code = `MOVE_INTERRUPTED`;

  constructor(agent: string) {
    super(`it was being filed under another folder in ${agent}, and that was interrupted: session-sync doctor --fix finishes it, with --undo puts it back`);
  }
}

export type LiveOptions = {
  project: Project;
  adapter: AgentAdapter;
  located: LocatedSession;
  /** Null: the session is only mirrored. */
  store: SessionStore | null;
  redactor: Redactor;
  targets: Array<MirrorTarget>;
  /** Facts about the session's working tree, taken when a commit is made; `known`: those that the look at its files has brought. */
  gitState: (repository: Repository, known?: GitState) => Promise<GitState>;
  author: () => Promise<{name: string; email: string}>;
  /** The uncommitted files, where the project wants them kept. */
  snapshot?: () => Promise<Snapshot | null>;
  machineName: string;
  onProgress?: (bytes: number, of: number) => void;
  /** Where the session comes from, when it went on with one that we had written. */
  lineage?: Origin;
};

/**
 * One session, kept in step: reads what is new in its files, feeds the mirrors and the store. `pump` may be called as
 * often as something happens; `commit` makes it durable in git.
 *
 * The order of events is what makes it safe to be killed at any point: mirrors are written first and recognise on a
 * restart what they have; the store moves its ref at once; the checkpoint is written last, and what it does not know
 * is read again with the same result.
 */
export class LiveSession {
  private readonly cursors = new Map<string, Cursor>();
  private readonly mirrors: Array<Mirror>;
  /** Null: the session is only mirrored. */
  private readonly feed: StoreFeed | null;
  private readonly sides: SideFiles | null;
  private dirty = false;
  /** Something was stored since the working tree was last kept with it. */
  private treeDue = false;
  private readonly problems: Array<Repair> = [];
  private readonly ties: CodeTies;
  private readonly description: Description;

  private constructor(private readonly options: LiveOptions, private readonly checkpoint: Checkpoint, private readonly place: Place, folders: Array<string>) {
    this.description = new Description({
      project: options.project, adapter: options.adapter, located: options.located, machineName: options.machineName, place, checkpoint, facts: () => this.facts,
      clean: async text => await this.feed?.clean(text),
    });
    this.feed = options.store === null ? null : new StoreFeed({
      store: options.store, session: checkpoint.session, agent: options.adapter.id, redactor: options.redactor,
      tokenizer: () => tokenizer(this.description.roots(), options.project.machine.platform, this.description.moved()),
      redactions: checkpoint.redactions,
    });
    this.sides = this.feed === null ? null : new SideFiles(this.feed, this.problems);
    this.mirrors = options.targets.map(({adapter, settings}) => new Mirror(
      options.project.machine, adapter, () => this.description.mirrorHeader(), settings,
      checkpoint.mirrors.find(mirror => mirror.agent === adapter.id) ?? newMirror(adapter.id, adapter.target!, checkpoint.session, 0),
      new Intent(path.join(options.project.paths.sessions, `${checkpoint.session}.${adapter.id}.intent`)),
    ));
    this.ties = new CodeTies({
      project: options.project, author: options.author, folders: () => [...folders, this.description.roots().root!], clean: async text => await this.feed?.clean(text) ?? ``,
    }, checkpoint.evidence);
  }

  static async open(options: LiveOptions): Promise<LiveSession> {
    const {located, adapter, project} = options;
    if (await isBetween(project, adapter.id, located.nativeId))
      throw new MoveInterruptedError(adapter.name);
    const checkpoint = await project.checkpoints.read(located.session) ?? {
      format: 1, session: located.session, agent: adapter.id, nativeId: located.nativeId, path: located.path,
      files: [], mirrors: [], counts: {}, repairs: [], redactions: {},
    };
    checkpoint.path = located.path;
    const place = await placeOf(project, adapter.id, located.nativeId, checkpoint.first?.cwd ?? located.cwd);
    // What was found when it was first taken stands: the file that it says it of may be gone later.
    if (options.lineage !== undefined)
      checkpoint.lineage ??= shifted(await originOf({...options.store !== null ? {writer: options.store.writer} : {}, ...options.lineage}, adapter, located, project.machine), -place.shift);
    const targets: Array<MirrorTarget> = [];
    for (const target of options.targets) {
      const mirror = checkpoint.mirrors.find(({agent}) => agent === target.adapter.id);
      if (mirror === undefined || !await isBetween(project, mirror.agent, mirror.id))
        targets.push(target);
    }
    return new LiveSession({...options, targets}, checkpoint, place, options.store === null ? [] : await projectFolders(project));
  }

  get session() {
    return this.checkpoint.session;
  }

  /** Something was read that is not in the store yet. */
  get pending() {
    return this.dirty;
  }

  /** The end of a turn, if it is one, has something to keep. */
  get unfinished() {
    return this.dirty || this.treeDue;
  }

  get facts(): ReaderFacts | null {
    return this.main?.facts() ?? null;
  }

  state(): Checkpoint {
    return this.checkpoint;
  }

  /** Reads everything that is new and brings the mirrors up to date. Resolves the number of new records. */
  async pump(): Promise<{records: number; waiting: Array<string>}> {
    const {source} = this.options.adapter;
    const session = {path: this.checkpoint.path, nativeId: this.checkpoint.nativeId};
    await source!.refresh?.(this.options.project.machine, session);
    const files = await source!.files(session);
    let records = 0;
    for (const file of files) {
      if (file.content === `records`)
        records += await this.readRecords(file);
      else if (await this.sides?.take(file, this.checkpoint.files) === true)
        this.dirty = true;
    }

    const waiting: Array<string> = [];
    const main = this.main;
    if (main !== undefined && main.seq > main.first)
      await this.learnName(session);
    // Opened by its agent, and nothing said yet: what it goes on from has its mirrors already.
    if (main !== undefined && (main.joined === null || main.seq > main.first)) {
      let moved = false;
      for (const mirror of this.mirrors) {
        // One agent's store that cannot be written must not starve the others, nor the store in git.
        try {
          const before = mirror.state.seq;
          const outcome = await mirror.flush(() => this.replay(main), main.seq);
          moved ||= outcome.changed || mirror.state.seq !== before;
          if (outcome.waiting !== undefined)
            waiting.push(`${mirror.state.agent}: ${outcome.waiting}`);
        } catch (error) {
          await mirror.discard();
          mirror.missed();
          mirror.state.note = (error as Error).message;
          moved = true;
          waiting.push(`${mirror.state.agent}: ${mirror.state.note}`);
        }
      }
      if (moved)
        await this.save();
    }
    return {records, waiting};
  }

  /** Puts everything read so far into one commit, at the end of a turn with the working tree. Without a store only the checkpoint moves on. */
  async commit({turnEnd = false}: {turnEnd?: boolean} = {}): Promise<{commit: string; sequence: number} | null> {
    const withTree = turnEnd && this.keepsTree();
    if (!this.dirty && !(withTree && this.treeDue))
      return null;
    const cursors = [...this.cursors.values()];
    const result = await this.feed?.commit(cursors.map(({file}) => file), async () => await this.commitMeta(cursors, withTree), {always: withTree || this.checkpoint.nameDue === true}) ?? null;
    this.treeDue = !withTree && this.keepsTree();
    if (result !== null)
      this.checkpoint.store = {...result, records: this.main?.seq ?? 0};
    for (const cursor of cursors)
      await cursor.settle();
    this.checkpoint.files = this.sides?.settle(this.checkpoint.files) ?? this.checkpoint.files;
    this.dirty = false;
    delete this.checkpoint.nameDue;
    delete this.checkpoint.problem;
    await this.save();
    return result;
  }

  /** Makes the targets' own lists know the mirrors. Slow (an agent is started), so not for every event. */
  async register() {
    const {main} = this;
    for (const mirror of this.mirrors) {
      // Once more where the agent has gone on with the one that was there.
      if (await mirror.register() && main !== undefined) {
        await mirror.flush(() => this.replay(main), main.seq);
        await mirror.register();
      }
    }
    await this.save();
  }

  /** Notes for `status` what went wrong; the cursors stay where the store is. */
  async fail(error: Error) {
    this.checkpoint.problem = error.message;
    await this.save();
  }

  async close() {
    await this.feed?.abort();
    for (const mirror of this.mirrors)
      await mirror.discard();
  }

  private async learnName(session: {path: string; nativeId: string}) {
    const {options: {adapter, project, store}, checkpoint} = this;
    if (checkpoint.lineage !== undefined)
      checkpoint.inherited ??= await parentTitle(project, store, checkpoint.lineage);
    const name = await newName(project.machine, adapter, session, checkpoint);
    if (name !== undefined)
      Object.assign(checkpoint, {named: name, nameDue: true});
    this.dirty ||= checkpoint.nameDue === true;
  }

  private get main() {
    return [...this.cursors.values()].find(cursor => cursor.file.stream === `main`);
  }

  private async readRecords(file: SessionFile): Promise<number> {
    const cursor = this.cursors.get(file.name) ?? await this.openCursor(file);
    if (cursor === null)
      return 0;

    const begun = cursor.seq;
    const size = await sizeOf(file.path);
    if (size >= 0 && size < cursor.offset)
      return this.refuse(file, `became shorter; what was kept of it is left as it is`);
    for await (const lines of follow(file.path, cursor.offset)) {
      for (const line of lines)
        await this.take(cursor, line);
      this.options.onProgress?.(cursor.offset, size);
    }
    if (file.stream === `main`) {
      const facts = cursor.facts();
      this.description.learn(facts, cursor.joined?.own(facts.counts) ?? facts.counts, this.problems);
    }
    return cursor.seq - begun;
  }

  private async openCursor(file: SessionFile): Promise<Cursor | null> {
    const known = this.checkpoint.files.find(state => state.name === file.name);
    const stored = await this.storedState(file);
    const {lineage} = this.checkpoint;
    const first = file.stream === `main` && lineage?.source !== undefined ? lineage.seq : 0;
    let base: FileState = {name: file.name, stream: file.stream, offset: 0, tail: ``, seq: first};
    // A checkpoint that is ahead of the store speaks of a ref that is gone; then all is read again.
    if (known !== undefined && known.reader !== undefined && known.offset <= stored.offset)
      base = known;

    if (base.offset > 0 && !await isUnchanged(file, base)) {
      this.refuse(file, `was rewritten; what was kept of it is left as it is`);
      return null;
    }
    const parent = this.parentOf(file);
    const joined = parent === null ? null : new Continuation(parent, base.joined, base.seq > first);
    const cursor = new Cursor(this.options.adapter.source!, file, base, stored, first, joined);
    this.cursors.set(file.name, cursor);
    return cursor;
  }

  private async storedState(file: SessionFile) {
    if (this.feed === null)
      return {offset: Infinity, records: Infinity};
    const stored = await this.feed.base();
    this.description.stored = stored;
    // What is stored is numbered by what it says itself.
    if (stored !== null && file.stream === `main`)
      this.checkpoint.lineage = stored.lineage;
    const {native, records} = this.feed.streamsOf(file);
    const source = stored?.streams[native]?.source ?? 0;
    return {offset: source === 0 ? 0 : source + this.shiftOf(file), records: stored?.streams[records]?.records ?? 0};
  }

  private parentOf(file: SessionFile) {
    const {lineage} = this.checkpoint;
    const {project, store, adapter} = this.options;
    return file.stream === `main` && lineage?.source !== undefined ? parentOf(project, store, adapter, file, shifted(lineage, this.place.shift)) : null;
  }

  /** The store counts the bytes of the file as it was before its first line was told of another folder. */
  private shiftOf({stream}: SessionFile) {
    return stream === `main` ? this.place.shift : 0;
  }

  /** First byte of the file that is the session's own, as the file is now. */
  private beginOf(file: SessionFile) {
    const source = this.checkpoint.lineage?.source;
    return source === undefined ? 0 : source + this.shiftOf(file);
  }

  private async take(cursor: Cursor, line: FollowedLine) {
    let records = await cursor.read(line);
    const {joined} = cursor;
    const begin = joined === null ? 0 : this.beginOf(cursor.file);
    const foreign = line.offset < begin;
    if (cursor.file.stream === `main` && foreign) {
      for (const record of records) {
        this.description.learnFirst(record);
        this.ties.see(cursor.file.stream!, record, true);
      }
    }
    if (joined !== null)
      records = await joined.take(line, records, () => cursor.facts().counts);
    if (line.tooLong === true)
      this.problems.push({code: `line-too-long`, message: `a line of ${line.length} bytes was left out`, at: line.offset});
    if (line.invalid === true)
      this.problems.push({code: `invalid-utf8`, message: `bytes that are no UTF-8 were replaced`, at: line.offset});

    if (cursor.file.stream === `main`) {
      for (const record of records) {
        this.description.learnFirst(record);
        for (const mirror of this.mirrors)
          await mirror.push(record);
      }
    }

    if (this.feed !== null)
      for (const record of records)
        this.ties.see(cursor.file.stream!, record, false);
    const fresh = foreign ? null : cursor.unstored(line, records);
    if (fresh !== null)
      await this.feed?.line(cursor.file, line, fresh);
    else if (!foreign)
      await this.feed?.again(cursor.file, line, begin);
    cursor.pass(line, records.length);
    this.dirty = true;
  }

  private refuse(file: SessionFile, what: string) {
    this.problems.push({code: `source-changed`, message: `${file.name} ${what}`});
    this.checkpoint.problem = `${file.name} ${what}`;
    return 0;
  }

  /** Only of the tree that the session works in. */
  private keepsTree() {
    const {snapshot, located, project} = this.options;
    const cwd = this.checkpoint.cwd ?? located.cwd ?? project.root;
    return snapshot !== undefined && this.feed !== null && (cwd === project.root || cwd.startsWith(`${project.root}${path.sep}`));
  }

  /** One that cannot be had must not keep the session from being stored. */
  private async takeTree() {
    try {
      return await this.options.snapshot!();
    } catch (error) {
      this.problems.push({code: `no-snapshot`, message: `the working tree was not kept: ${(error as Error).message}`});
      return null;
    }
  }

  private async commitMeta(cursors: Array<Cursor>, withTree: boolean): Promise<CommitMeta> {
    const repository = await repositoryAt(this.options.project, this.checkpoint.cwd ?? this.options.located.cwd);
    // Not of the tree around the one that it works in.
    const tree = withTree && repository.workTree === this.options.project.repository.workTree ? await this.takeTree() : null;
    const git = await this.options.gitState(repository, tree?.git);
    const ties = await this.ties.header(await this.feed!.base(), git, {...this.checkpoint, repository});
    return {
      header: {...await this.description.header(git), ...ties},
      streams: Object.fromEntries(cursors.flatMap(cursor => {
        const {native, records} = this.feed!.streamsOf(cursor.file);
        const reached = cursor.reached();
        return [[native, {source: reached.source - this.shiftOf(cursor.file)}], [records, {records: reached.records}]];
      })),
      git,
      author: await this.options.author(),
      ...optional({time: this.checkpoint.updated, worktree: tree?.worktree}),
    };
  }

  private async save() {
    // An agent that was opened and closed again has announced a session that never came to be.
    if (this.cursors.size === 0 && this.checkpoint.files.length === 0 && this.checkpoint.problem === undefined)
      return;
    // Also those that were refused: the next start must know where they were left.
    const kept = this.checkpoint.files.filter(file => !this.cursors.has(file.name));
    this.checkpoint.files = [...kept, ...[...this.cursors.values()].map(cursor => cursor.base)];
    // Mirrors into agents that are not here today keep their place, and those that were being moved the one that they have now.
    const isOther = ({agent}: MirrorState) => !this.mirrors.some(({state}) => state.agent === agent);
    const known = this.checkpoint.mirrors.some(isOther) ? await this.options.project.checkpoints.read(this.session) : null;
    this.checkpoint.mirrors = [...(known ?? this.checkpoint).mirrors.filter(isOther), ...this.mirrors.map(mirror => mirror.state)];
    if (this.feed !== null)
      this.checkpoint.evidence = this.ties.save();
    await this.options.project.checkpoints.write(this.checkpoint);
    for (const mirror of this.mirrors)
      await mirror.noted();
  }

  /** The history as mirrors have it: that of the session that this one goes on from, then its own. */
  private replay(cursor: Cursor): AsyncIterable<NeutralRecord> {
    return fileRecords(this.options.adapter, cursor.file, cursor.offset, this.parentOf(cursor.file));
  }
}

/** `source` counts the file's bytes as they were before it was told of another folder. */
function shifted<L extends {source?: number}>(lineage: L, by: number): L {
  return lineage.source === undefined || by === 0 ? lineage : {...lineage, source: lineage.source + by};
}
