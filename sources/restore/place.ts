import {open, rename, rm}                          from 'node:fs/promises';
import type {FileHandle}                           from 'node:fs/promises';
import path                                        from 'node:path';

import {makeFolder, openRegular, readAt, setTime, tailHash, temporaryName, writeAll} from '../system/files.ts';

const PIECE = 1 << 20;

/** `continued`: the file there has more than ours, by the agent; it was left as it is. `other`: it is not ours at all. */
export type Placed = `created` | `appended` | `unchanged` | `continued` | `other`;

/** A whole file that is written beside its place first, and compared with what lies there before anything is touched. */
export class Draft {
  private size = 0;
  /** What is in its place now and ours: its size, and the hash of its end. Null where nothing was placed. */
  ours: {size: number; tail: string} | null = null;

  private constructor(readonly target: string, private readonly file: string, private readonly handle: FileHandle) {}

  static async begin(target: string): Promise<Draft> {
    await makeFolder(path.dirname(target));
    const file = temporaryName(target);
    return new Draft(target, file, await open(file, `wx+`, 0o600));
  }

  async write(data: string | Buffer) {
    const bytes = typeof data === `string` ? Buffer.from(data) : data;
    await writeAll(this.handle, bytes, this.size);
    this.size += bytes.length;
  }

  /**
   * Puts the draft in its place: as a new file, as the missing end of a file that is its beginning, or not at all. A
   * file that goes another way than the draft is never changed.
   */
  async place({judge, updated, retentionDays}: {judge: (tail: string) => `opened` | `continued`; updated?: string; retentionDays?: number}): Promise<Placed> {
    const there = await openRegular(this.target, 2);
    try {
      this.ours = {size: this.size, tail: await tailHash(this.handle, this.size)};
      if (there === null)
        return await this.create(updated, retentionDays);

      const {size} = await there.stat();
      if (!await this.sameUpTo(there, Math.min(size, this.size)))
        return `other`;
      if (size === this.size)
        return `unchanged`;
      if (size > this.size) {
        const tail = await readAt(there, this.size, Math.min(size - this.size, PIECE));
        return judge(tail.toString(`utf8`)) === `continued` ? `continued` : `unchanged`;
      }
      await this.append(there, size);
      await setTime(this.target, updated, retentionDays);
      return `appended`;
    } finally {
      await there?.close();
    }
  }

  /** Begins the draft anew. */
  async clear() {
    await this.handle.truncate(0);
    this.size = 0;
  }

  async drop() {
    await this.handle.close().catch(() => undefined);
    await rm(this.file, {force: true});
  }

  private async create(updated: string | undefined, retentionDays: number | undefined): Promise<Placed> {
    await this.handle.sync();
    await setTime(this.file, updated, retentionDays);
    await rename(this.file, this.target);
    return `created`;
  }

  private async append(there: FileHandle, from: number) {
    try {
      for (let at = from; at < this.size; at += PIECE) {
        const bytes = await readAt(this.handle, at, Math.min(PIECE, this.size - at));
        await writeAll(there, bytes, at);
      }
      await there.sync();
    } catch (error) {
      await there.truncate(from).catch(() => undefined);
      throw error;
    }
  }

  private async sameUpTo(there: FileHandle, end: number) {
    for (let at = 0; at < end; at += PIECE) {
      const length = Math.min(PIECE, end - at);
      const [ours, theirs] = [await readAt(this.handle, at, length), await readAt(there, at, length)];
      if (!ours.equals(theirs))
        return false;
    }
    return true;
  }
}
