import {recordLine}                     from '../interchange/index.ts';
import type {Json, NeutralRecord, Part} from '../interchange/index.ts';
import type {SessionFile}               from '../agents/types.ts';
import {PLACEHOLDER}                    from '../redaction/detect.ts';
import type {Redacted, Redactor}        from '../redaction/index.ts';
import {StoreError, renewFor}           from '../store/index.ts';
import type {SessionStore}              from '../store/index.ts';
import type {Appender, CommitMeta, StoredHeader} from '../store/types.ts';
import {follow}                         from '../system/follow.ts';
import type {FollowedLine}              from '../system/follow.ts';

/** Image data beyond this is left out of git. */
const LARGEST_IMAGE = 16 << 20;
/** Text for one stream is handed to the store in pieces of about this. */
const PIECE = 1 << 18;

export type FeedOptions = {
  store: SessionStore;
  session: string;
  agent: string;
  redactor: Redactor;
  /** Puts tokens for folders into a record's line; asked for when the first one comes. */
  tokenizer: () => (text: string) => string;
  /** Counters by rule, of which the feed is the only one to add. */
  redactions: {[rule: string]: number};
};

type Pending = {native: Array<string>; records: Array<string>; size: number};

/**
 * What of a session goes into git: its own lines, redacted, and their records, redacted and with tokens for folders.
 * Once something has failed nothing more is taken until a new feed begins: `commit` throws it. The mirrors, on another
 * disk, must not be kept from their records by that.
 */
export class StoreFeed {
  private appender: Appender | null = null;
  private failure: Error | null = null;
  private tokenize: ((text: string) => string) | null = null;
  private readonly pending = new Map<string, Pending>();
  /** Number of the last sync that is known. */
  private sequence: number | null = null;
  /** Lines of files as the store has them, from where they are read again; null where there is nothing to compare. */
  private readonly kept = new Map<string, AsyncGenerator<string> | null>();

  constructor(private readonly options: FeedOptions) {}

  /** What the store has of the session; null when nothing, or when it cannot be had (then `commit` says why). */
  async base(): Promise<StoredHeader | null> {
    let base: StoredHeader | null = null;
    await this.guarded(async () => {
      ({base} = await this.begin());
    });
    return base;
  }

  streamsOf(file: SessionFile) {
    return {native: `native/${this.options.agent}/${file.name}`, records: `rec/${file.stream}`};
  }

  async line(file: SessionFile, line: FollowedLine, records: Array<NeutralRecord>) {
    await this.guarded(async () => {
      const text = textOf(line);
      const clean = this.redact(text, line.value);
      const native = typeof clean === `string` ? clean : await clean;
      const pending = this.pendingOf(file);
      pending.native.push(native, `\n`);
      pending.size += native.length;
      for (const record of records) {
        const kept = hasImage(record) ? await this.externalise(record) : record;
        let json = recordLine(kept);
        // What a record only took over from its line is as clean as the line. What a reader puts together is looked at
        // again: a key that stood in pieces may be whole in it.
        if (native !== text || isComposed(kept))
          json = await this.redact(json, kept as unknown as Json);
        this.tokenize ??= this.options.tokenizer();
        json = this.tokenize(json);
        pending.records.push(json, `\n`);
        pending.size += json.length;
      }
      if (pending.size > PIECE)
        await this.flush(file, pending);
    });
  }

  /**
   * A line that the store has already, of a file whose own lines begin at byte `begin`. Where the store has another one in
   * its place, plain git has put there what a copy of this clone stored: this clone takes a new id, and `commit` throws
   * REF_MOVED.
   */
  async again(file: SessionFile, line: FollowedLine, begin: number) {
    await this.guarded(async () => {
      const {store, session} = this.options;
      if (!this.kept.has(file.name))
        this.kept.set(file.name, await store.isLastStored(session) ? null : await this.keptLines(file, await countLines(file.path, begin, line.offset)));
      const kept = await this.kept.get(file.name)?.next();
      // The first line may have been told of another folder since.
      if (kept === undefined || kept.done === true || line.offset === 0)
        return;
      const text = textOf(line);
      // What is redacted today may not have been then, and the other way round.
      if (kept.value === text || PLACEHOLDER.test(kept.value ?? ``) || (await this.options.redactor.line(text, line.value)).text !== text)
        return;
      await renewFor(store, session);
      throw new StoreError(`REF_MOVED`, `What is stored of ${file.name} under this clone's id is by a copy of this clone: it stores under another from now on`);
    });
  }

  /** A side file as a whole, in place of what was stored of it. */
  async replace(file: SessionFile, bytes: Buffer) {
    await this.guarded(async () => {
      const text = this.count(await this.options.redactor.text(bytes.toString(`utf8`)));
      await (await this.begin()).replace(this.streamsOf(file).native, Buffer.from(text));
    });
  }

  /** Text that goes into the header. */
  async clean(text: string): Promise<string> {
    return (await this.options.redactor.text(text)).text;
  }

  /** Makes everything that was taken one commit; null when there was nothing new. `always`: there may be news that are not in the files. */
  async commit(files: Array<SessionFile>, meta: () => Promise<CommitMeta>, {always = false}: {always?: boolean} = {}): Promise<{commit: string; sequence: number} | null> {
    for (const file of files)
      await this.guarded(async () => await this.flush(file, this.pendingOf(file)));
    if (always)
      await this.guarded(async () => void await this.begin());
    if (this.failure !== null)
      throw this.failure;
    const {appender} = this;
    if (appender === null)
      return null;
    const complete = await meta();
    this.appender = null;
    const result = await appender.commit(complete);
    this.sequence = result?.sequence ?? this.sequence;
    return result;
  }

  async abort() {
    await this.appender?.abort();
    this.appender = null;
  }

  private async guarded(work: () => Promise<void>) {
    if (this.failure !== null)
      return;
    try {
      await work();
    } catch (error) {
      this.failure = error as Error;
    }
  }

  private async begin() {
    if (this.appender !== null)
      return this.appender;
    const appender = await this.options.store.begin(this.options.session);
    const sequence = appender.base?.sequence ?? 0;
    // What comes next follows what was read, not what plain git has put in its place.
    if (this.sequence !== null && this.sequence !== sequence) {
      await appender.abort();
      throw new StoreError(`REF_MOVED`, `What is stored of session ${this.options.session} is not what was stored last`);
    }
    this.sequence = sequence;
    this.appender = appender;
    return appender;
  }

  private async keptLines(file: SessionFile, skip: number): Promise<AsyncGenerator<string> | null> {
    const head = await this.options.store.head(this.options.session);
    return head === null ? null : linesAfter(this.options.store.readStream(head, this.streamsOf(file).native), skip);
  }

  private pendingOf(file: SessionFile) {
    const pending = this.pending.get(file.name) ?? {native: [], records: [], size: 0};
    this.pending.set(file.name, pending);
    return pending;
  }

  private async flush(file: SessionFile, {native, records}: Pending) {
    if (native.length === 0)
      return;
    this.pending.delete(file.name);
    const appender = await this.begin();
    const streams = this.streamsOf(file);
    await appender.append(streams.native, Buffer.from(native.join(``)));
    if (records.length > 0)
      await appender.append(streams.records, Buffer.from(records.join(``)));
  }

  /** Not a promise where there is nothing to take out, which is nearly always. */
  private redact(text: string, value: Json | undefined): string | Promise<string> {
    const outcome = this.options.redactor.line(text, value);
    return outcome instanceof Promise ? outcome.then(found => this.count(found)) : this.count(outcome);
  }

  private count({text, counts}: Redacted): string {
    if (counts !== null)
      for (const [rule, count] of Object.entries(counts))
        this.options.redactions[rule] = (this.options.redactions[rule] ?? 0) + count;
    return text;
  }

  /** Image data leaves the record and is stored once, by its hash. */
  private async externalise(record: NeutralRecord): Promise<NeutralRecord> {
    if (record.kind !== `prompt` && record.kind !== `result`)
      return record;
    const content: Array<Part> = [];
    for (const part of record.content) {
      if (part.type !== `image` || part.data === undefined) {
        content.push(part);
        continue;
      }
      const bytes = Buffer.from(part.data, `base64`);
      const attachment = bytes.length <= LARGEST_IMAGE ? await (await this.begin()).attach(bytes) : undefined;
      content.push({type: `image`, mediaType: part.mediaType, ...attachment !== undefined ? {attachment} : {}, bytes: bytes.length});
    }
    return {...record, content};
  }
}

function textOf(line: FollowedLine) {
  return line.tooLong === true ? JSON.stringify({type: `session-sync-omitted`, bytes: line.length}) : line.text;
}

async function countLines(file: string, begin: number, end: number) {
  let count = 0;
  for await (const lines of end > begin ? follow(file, begin, end) : [])
    count += lines.length;
  return count;
}

async function * linesAfter(bytes: AsyncIterable<Buffer>, skip: number) {
  let rest = Buffer.alloc(0);
  for await (const chunk of bytes) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let newline = rest.indexOf(10); newline !== -1; newline = rest.indexOf(10, start)) {
      if (skip-- <= 0)
        yield rest.toString(`utf8`, start, newline);
      start = newline + 1;
    }
    rest = rest.subarray(start);
  }
}

function hasImage(record: NeutralRecord) {
  return (record.kind === `prompt` || record.kind === `result`) && record.content.some(part => part.type === `image` && part.data !== undefined);
}

/** Does it hold text that does not stand like that in its line? */
function isComposed(record: NeutralRecord) {
  return record.kind === `plan` || record.kind === `compaction` || (record.kind === `result` && record.patch !== undefined);
}
