import {NeedsFullRead}                               from '../agents/types.ts';
import type {RecordReader, SessionFile, SourceAdapter} from '../agents/types.ts';
import type {NeutralRecord}                          from '../interchange/index.ts';
import {openRegular, tailHash}                       from '../system/files.ts';
import {follow}                                      from '../system/follow.ts';
import type {FollowedLine}                           from '../system/follow.ts';

import type {Continuation}                           from './continuation.ts';
import type {FileState}                              from './state.ts';

/** How far one file of records has been read, beside what is stored of it. */
export class Cursor {
  offset: number;
  seq: number;
  private reader: RecordReader;
  /** Bytes and records before these are in the store already (it may be ahead of a lost checkpoint). */
  private stored: {offset: number; seq: number};

  constructor(
    private readonly source: SourceAdapter,
    readonly file: SessionFile,
    /** What the store has; a restart begins here. */
    public base: FileState,
    stored: {offset: number; records: number},
    /** First record that is the session's own. */
    readonly first: number,
    /** Where the file begins with what another session says. */
    readonly joined: Continuation | null,
  ) {
    this.offset = base.offset;
    this.seq = base.seq;
    this.stored = {offset: stored.offset, seq: first + stored.records};
    this.reader = source.openReader(file, base.reader);
  }

  facts() {
    return this.reader.facts();
  }

  /** What the reader makes of the next line. */
  async read(line: FollowedLine): Promise<Array<NeutralRecord>> {
    try {
      return this.reader.push(line);
    } catch (error) {
      if (!(error instanceof NeedsFullRead))
        throw error;
      // The line reaches further back than the reader remembers: the same reader, with everything before this line.
      const reader = this.source.openReader(this.file, undefined, {unbounded: true});
      for await (const earlier of follow(this.file.path, 0, line.offset))
        for (const one of earlier)
          reader.push(one);
      this.reader = reader;
      return reader.push(line);
    }
  }

  /** The records of a line that the store has not; null when it has the line itself. */
  unstored(line: FollowedLine, records: Array<NeutralRecord>): Array<NeutralRecord> | null {
    return line.offset < this.stored.offset ? null : records.filter(({seq}) => seq >= this.stored.seq);
  }

  /** A line is done with that gave so many records. */
  pass(line: FollowedLine, records: number) {
    this.offset = line.offset + line.length;
    this.seq += records;
  }

  /** How much there is, read or stored. */
  reached(): {source: number; records: number} {
    return {source: Math.max(this.offset, this.stored.offset), records: Math.max(this.seq, this.stored.seq) - this.first};
  }

  /** The store has what was read: the next start begins here. */
  async settle() {
    const handle = await openRegular(this.file.path);
    let tail = ``;
    if (handle !== null) {
      tail = await tailHash(handle, this.offset);
      await handle.close();
    }
    this.base = {
      name: this.file.name, stream: this.file.stream, offset: this.offset, tail, seq: this.seq, reader: this.reader.save(),
      ...this.joined !== null ? {joined: this.joined.save()} : {},
    };
    this.stored = {offset: Math.max(this.offset, this.stored.offset), seq: Math.max(this.seq, this.stored.seq)};
  }
}

/** Has the file only grown since? */
export async function isUnchanged(file: SessionFile, base: FileState): Promise<boolean> {
  const handle = await openRegular(file.path);
  if (handle === null)
    return false;
  try {
    return (await handle.stat()).size >= base.offset && await tailHash(handle, base.offset) === base.tail;
  } finally {
    await handle.close();
  }
}
