import {constants}                                   from 'node:fs';
import type {FileHandle}                             from 'node:fs/promises';
import path                                          from 'node:path';

import type {AgentAdapter, Machine, MirrorState as Judgement, RecordWriter, TargetAdapter, WriterTarget} from '../agents/types.ts';
import {LiveTree, isHistory}                         from '../interchange/index.ts';
import type {NeutralRecord, SessionHeader}           from '../interchange/index.ts';
import {openRegular, readAt, removeAbandoned, setTime, sizeOf, tailHash, writeAll} from '../system/files.ts';

import {Draft}                                       from './draft.ts';
import {inspectMirror, judgeTail}                    from './inspect.ts';
import type {Intent}                                 from './intent.ts';
import type {MirrorState}                            from './state.ts';

/** All records of the main stream from its begin to where the session has been read; can be taken several times. */
export type Replay = () => AsyncIterable<NeutralRecord>;

export type MirrorOutcome = {changed: boolean; waiting?: string};

/** A mirror as it is before anything was written. */
export function newMirror(agent: string, target: TargetAdapter, session: string, generation: number): MirrorState {
  return {
    agent, generation, id: target.mirrorId(session, generation), path: ``,
    seq: 0, size: 0, tail: ``, report: {kept: 0, reduced: 0, dropped: 0, items: []}, records: 0, previous: [],
  };
}

/**
 * Keeps one file in another agent's store in step with a session. Records come in order through `push`; `flush` puts
 * what they gave into the file while the agent is kept out of it, and never touches a file that the agent continued.
 */
export class Mirror {
  private writer: RecordWriter | null = null;
  private readonly draft = new Draft();
  /** The next record to be pushed; runs ahead of `state.seq` until a flush. */
  private next: number;
  /** Must be made again from a replay: it missed records, or the live branch moved. */
  private behind: `no` | `append` | `replace` = `no`;
  private begun: boolean;
  /** The agent had the session open at our last try. */
  private isOpen = false;
  private tidied = false;
  private written = false;
  private readonly waiting: Array<NeutralRecord> = [];
  /** Name that the file has, with what is pending. */
  private named: string | undefined;

  private readonly target: TargetAdapter;

  constructor(
    private readonly machine: Machine,
    private readonly adapter: AgentAdapter,
    /** `before`: the folder that it was in, where that is another one. `name`: the person's, where no record says it. */
    private readonly header: () => {header: SessionHeader; cwd: string; before?: string; name?: string},
    private readonly settings: WriterTarget[`settings`],
    public state: MirrorState,
    /** File of ours that says what is being written (see `Intent`). */
    private readonly intent: Intent | null = null,
  ) {
    this.target = adapter.target!;
    this.next = state.seq;
    this.named = state.named;
    this.begun = state.size > 0;
    if (this.begun && state.writer === undefined)
      this.behind = `replace`;
  }

  get stopped() {
    return this.state.stopped !== undefined;
  }

  /** Takes the next record of the main stream. Records that the file has already are passed over. */
  async push(record: NeutralRecord) {
    if (this.stopped || record.seq < this.next || this.behind === `replace`)
      return;
    if (record.seq > this.next || this.behind === `append`) {
      this.behind = this.behind === `no` ? `append` : this.behind;
      return;
    }
    const moves = !isHistory(record) || (record.parent !== undefined && record.parent !== record.seq - 1);
    if (moves || this.state.pinned === true) {
      await this.startOver(`replace`);
      return;
    }
    await this.take(record);
  }

  /** Brings the file up to date, to the record before `upTo` at least. Resolves what happened; errors of the disk are thrown, the file as it was. */
  async flush(replay: Replay, upTo = 0): Promise<MirrorOutcome> {
    if (this.stopped)
      return {changed: false};
    // An agent that came later, or whose store could not be written last time: nobody pushes the records before again.
    if (this.behind === `no` && this.next < upTo)
      this.behind = `append`;
    // Reading the whole session again is only worth it once the agent has let go.
    if (this.isOpen && await this.target.exclusively(this.machine, this.state.id, async () => true) === null)
      return {changed: false, waiting: this.state.note!};
    for (;;) {
      if (this.behind !== `no` && !await this.catchUp(replay))
        return {changed: false};
      await this.rename();
      if (!this.begun || this.draft.empty) {
        // Records that have no place in this agent's format count as written: there is nothing to do again for them.
        if (this.writer !== null && this.begun)
          this.save();
        return {changed: false};
      }
      const outcome = await this.target.exclusively(this.machine, this.state.id, () => this.place());
      if (outcome === null) {
        await this.startOver(`append`);
        this.isOpen = true;
        this.state.note = `open in ${this.adapter.name} right now; catches up when it is closed`;
        return {changed: false, waiting: this.state.note};
      }
      if (outcome === `again`)
        continue;
      this.isOpen = false;
      delete this.state.note;
      return {changed: outcome === `written`};
    }
  }

  /** Forgets what was not flushed. */
  async discard() {
    await this.draft.discard();
    this.writer = null;
    this.named = this.state.named;
    this.waiting.length = 0;
  }

  /** Makes the agent's own list know the session. True: the agent went on with it, and the next flush begins a new one. */
  async register(): Promise<boolean> {
    const {state} = this;
    if (state.size === 0 || this.stopped)
      return false;
    const {cwd} = this.where();
    const {listed, note, takenOver} = await this.target.register(this.machine, {
      id: state.id, path: state.path, cwd, settings: this.settings,
      ...state.title !== undefined ? {title: state.title} : {}, ...state.updated !== undefined ? {updated: state.updated} : {},
    });
    if (takenOver !== undefined) {
      await this.nextGeneration(`continued in ${this.adapter.name}`);
      return true;
    }
    state.listed = listed;
    if (note !== undefined)
      state.note = note;
    return false;
  }

  /** What was pushed since the last flush is lost to this mirror: it is read again next time. */
  missed() {
    this.next = this.state.seq;
    this.behind = this.behind === `replace` ? `replace` : `append`;
  }

  /** The checkpoint has the state as it is now. */
  async noted() {
    if (this.written)
      await this.intent?.clear();
    this.written = false;
  }

  /** What has become of the file since our last write. */
  async inspect(): Promise<Judgement> {
    return await inspectMirror(this.target, this.state);
  }

  private async take(record: NeutralRecord) {
    this.next = record.seq + 1;
    if (!this.begun) {
      // A session without a prompt would be an empty line in the agent's list; and only from here on it is known
      // what the file's first lines have to say.
      if (record.kind !== `prompt`) {
        this.waiting.push(record);
        return;
      }
      this.begun = true;
    }
    this.writer ??= await this.openWriter();
    for (const one of [...this.waiting.splice(0), record])
      await this.draft.add(this.writer.push(one), this.state.path);
  }

  /** A name that stands beside the transcript has no place among its records: it follows what was written so far. */
  private async rename() {
    const {name} = this.header();
    if (!this.begun || name === undefined || name === this.named)
      return;
    this.writer ??= await this.openWriter();
    await this.draft.add(this.writer.push({seq: Math.max(0, this.next - 1), kind: `title`, title: name, origin: `custom`}), this.state.path);
    this.named = name;
  }

  /** It stays with the folder that it was begun for, until `doctor` files it under another. */
  private where() {
    const {header, cwd} = this.header();
    return {header, cwd: this.state.cwd ?? cwd};
  }

  /** Nobody noted it, and the project was moved since: one that was begun for the folder of then is gone on with. */
  private async findEarlier(target: WriterTarget) {
    const {before} = this.header();
    if (before === undefined || this.state.generation > 0)
      return;
    const file = await this.target.pathOf(this.machine, {...target, cwd: before});
    if (await sizeOf(file) > 0) {
      target.cwd = before;
      this.state.path = file;
    }
  }

  private async openWriter() {
    const resumed = this.behind !== `replace` && this.state.size > 0;
    const {header, cwd} = this.where();
    const target: WriterTarget = {header, id: this.state.id, cwd, settings: this.settings};
    if (this.state.path === ``) {
      this.state.path = await this.target.pathOf(this.machine, target);
      await this.findEarlier(target);
    }
    this.state.cwd = target.cwd;

    const writer = this.target.openWriter(target, resumed ? this.state.writer : undefined);
    if (!resumed)
      await this.draft.add(writer.begin(), this.state.path);
    return writer;
  }

  private async startOver(how: `append` | `replace`) {
    await this.discard();
    this.behind = how;
    this.next = this.state.seq;
    this.begun = this.state.size > 0;
  }

  /** Reads the session again for what is missing. False: there is nothing to write yet. */
  private async catchUp(replay: Replay): Promise<boolean> {
    await this.discard();
    const tree = new LiveTree();
    for await (const record of replay())
      tree.add(`at` in record ? {seq: record.seq, kind: record.kind, parent: record.parent, at: record.at, exact: record.exact} : record);

    // Only as long as nothing before our last write has moved may the file be appended to.
    const live = tree.live();
    const linear = live.every(flag => flag === 1);
    const how = this.behind === `append` && linear && this.state.size > 0 && this.state.writer !== undefined ? `append` : `replace`;
    this.behind = how;
    this.begun = how === `append`;
    const from = how === `append` ? this.state.seq : 0;
    if (how === `replace`)
      this.named = undefined;
    for await (const record of replay()) {
      if (record.seq >= from && live[record.seq] === 1 && isHistory(record))
        await this.take(record);
      this.next = record.seq + 1;
    }
    this.state.pinned = tree.end() !== this.next - 1;
    if (this.begun && this.writer !== null)
      return true;
    await this.startOver(`append`);
    return false;
  }

  /** Under the agent's lock: from pending text to bytes in the file. */
  private async place(): Promise<`written` | `nothing` | `again`> {
    const replacing = this.behind === `replace` || this.state.size === 0;
    if (!this.tidied)
      await removeAbandoned(path.dirname(this.state.path), path.basename(this.state.path));
    this.tidied = true;
    const handle = await openRegular(this.state.path, constants.O_RDWR);
    try {
      if (handle === null && this.state.size > 0)
        return await this.followMove() ? `again` : await this.stop(`its file is gone (deleted or archived)`);
      if (handle === null)
        return await this.create();
      if (await this.recover(handle))
        return `again`;
      const {size} = await handle.stat();
      if (this.state.size === 0)
        return await this.adopt(handle, size);
      if (size < this.state.size || await tailHash(handle, this.state.size) !== this.state.tail)
        return await this.nextGeneration(`${this.adapter.name} rewrote it`);

      // After our own: bytes of ours that a killed process did not get to note, then what the agent wrote.
      const length = size - this.state.size;
      let ours = replacing ? 0 : await this.draft.foundIn(handle, this.state.size, length);
      if (ours === 0 && length > 0 && this.intent !== null) {
        ours = await this.intent.appended(this.state, handle, length);
        if (ours > 0 && !replacing) {
          await this.startOver(`replace`);
          return `again`;
        }
      }
      if (await judgeTail(this.target, handle, this.state.size + ours, size) === `continued`)
        return await this.nextGeneration(`continued in ${this.adapter.name}`);
      return replacing ? await this.create() : await this.append(handle, ours, size);
    } finally {
      await handle?.close();
    }
  }

  /** The home was renamed, or the project: is the file where it would be written today? */
  private async followMove(): Promise<boolean> {
    const {header, cwd} = this.where();
    const file = await this.target.pathOf(this.machine, {header, id: this.state.id, cwd, settings: this.settings});
    const judged = file === this.state.path ? `gone` : await inspectMirror(this.target, {...this.state, path: file});
    if (judged === `gone` || judged === `changed`)
      return false;
    this.state.path = file;
    await this.startOver(`append`);
    return true;
  }

  /** True: the file was replaced by us, and only the checkpoint did not know. It is made again, with what is new. */
  private async recover(handle: FileHandle): Promise<boolean> {
    const replacement = await this.intent?.replaced(this.state, handle) ?? null;
    if (replacement === null || (replacement.size === this.state.size && replacement.tail === this.state.tail))
      return false;
    Object.assign(this.state, replacement);
    await this.startOver(`replace`);
    return true;
  }

  /** A file that we know nothing of lies at our path: ours from before a crash, or the agent went on with it. */
  private async adopt(handle: FileHandle, size: number): Promise<`written` | `nothing` | `again`> {
    const ours = await this.draft.beginning(size);
    const theirs = await readAt(handle, 0, Math.min(size, ours.length));
    const common = Math.min(ours.length, theirs.length);
    if (ours.subarray(0, common).equals(theirs.subarray(0, common))) {
      if (await judgeTail(this.target, handle, ours.length, size) === `continued`)
        return await this.nextGeneration(`continued in ${this.adapter.name}`);
      return size >= ours.length ? await this.keep(handle, size) : await this.create();
    }
    return await this.nextGeneration(`another file of its name was there`);
  }

  private async keep(handle: FileHandle, size: number): Promise<`nothing`> {
    await this.draft.discard();
    this.state.size = size;
    this.state.tail = await tailHash(handle, size);
    this.save();
    return `nothing`;
  }

  private async create(): Promise<`written`> {
    const replacement = await this.draft.settle(this.state.path);
    await this.intent?.replace(this.state, replacement);
    await this.draft.become(this.state.path, file => this.touch(file));
    Object.assign(this.state, replacement);
    this.save();
    return `written`;
  }

  /** Appends what is pending at `end`, but for its first `skip` bytes, which the file has already. */
  private async append(handle: FileHandle, skip: number, end: number): Promise<`written`> {
    await this.intent?.append(this.state, this.draft.pieces());
    let position = end;
    const put = async (bytes: Buffer) => {
      const rest = bytes.subarray(Math.min(skip, bytes.length));
      skip -= bytes.length - rest.length;
      await writeAll(handle, rest, position);
      position += rest.length;
    };
    try {
      for await (const piece of this.draft.pieces())
        await put(piece);
      await handle.sync();
    } catch (error) {
      // A full disk: what we could not write whole is taken back; the agent is kept out, so that it is only ours.
      await handle.truncate(end).catch(() => undefined);
      throw error;
    }
    await this.draft.discard();
    this.state.size = position;
    this.state.tail = await tailHash(handle, position);
    await this.touch(this.state.path);
    this.save();
    return `written`;
  }

  private async touch(file: string) {
    await setTime(file, this.writer?.updated(), this.target.retentionDays);
  }

  private save() {
    const writer = this.writer!;
    this.behind = `no`;
    this.written = true;
    Object.assign(this.state, {seq: this.next, writer: writer.save(), report: writer.report()});
    this.state.records = this.state.report.kept + this.state.report.reduced;
    this.state.title = writer.title();
    if (this.named !== undefined)
      this.state.named = this.named;
    this.state.updated = writer.updated();
  }

  private async stop(reason: string): Promise<`nothing`> {
    await this.discard();
    this.state.stopped = reason;
    return `nothing`;
  }

  /** The agent's file is the agent's now: leaves it alone and goes on in a new one. */
  private async nextGeneration(reason: string): Promise<`again`> {
    await this.discard();
    const {id, generation, records, previous, seq, path: file, size, tail} = this.state;
    const session = this.header().header.session;
    this.state = {...newMirror(this.state.agent, this.target, session, generation + 1), previous: [...previous, {id, generation, records, seq, path: file, size, tail, reason}]};
    this.next = 0;
    this.behind = `replace`;
    return `again`;
  }
}
