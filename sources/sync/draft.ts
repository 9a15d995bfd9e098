import {open, rename, rm}                 from 'node:fs/promises';
import type {FileHandle}                  from 'node:fs/promises';
import path                               from 'node:path';

import {makeFolder, readAt, tailHash, temporaryName, writeAll} from '../system/files.ts';

import {sameBytes}                        from './intent.ts';

/** Text beyond this goes to a file beside the target, so that a long session does not stand in memory. */
const SPILL = 1 << 20;

/** What is about to be written to a mirror: appended to its file, or put in its place. */
export class Draft {
  private text = ``;
  /** What comes before the text. */
  private spilled: {path: string; handle: FileHandle; size: number} | null = null;

  get empty() {
    return this.text === `` && this.spilled === null;
  }

  /** `target`: the file that it is for. */
  async add(text: string, target: string) {
    this.text += text;
    if (this.text.length > SPILL)
      await this.spill(target);
  }

  /** In pieces of a few megabytes. */
  async * pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; this.spilled !== null && at < this.spilled.size; at += SPILL)
      yield await readAt(this.spilled.handle, at, Math.min(SPILL, this.spilled.size - at));
    yield Buffer.from(this.text);
  }

  /** Its first `length` bytes, or more, or all. */
  async beginning(length: number): Promise<Buffer> {
    const first = this.spilled === null ? Buffer.alloc(0) : await readAt(this.spilled.handle, 0, Math.min(length, this.spilled.size));
    return first.length >= length ? first : Buffer.concat([first, Buffer.from(this.text)]);
  }

  /** How many of the `length` bytes of the file at `from` are this draft, or its begin. */
  async foundIn(handle: FileHandle, from: number, length: number): Promise<number> {
    const text = Buffer.from(this.text);
    const spilled = this.spilled?.size ?? 0;
    return await sameBytes(handle, from, length, spilled + text.length, async (position, count) => {
      const first = this.spilled !== null && position < spilled ? await readAt(this.spilled.handle, position, Math.min(count, spilled - position)) : Buffer.alloc(0);
      const at = position + first.length - spilled;
      return Buffer.concat([first, text.subarray(at, at + count - first.length)]);
    });
  }

  /** Puts all of it on the disk, beside the target. */
  async settle(target: string): Promise<{size: number; tail: string}> {
    const {handle, size} = await this.spill(target);
    await handle.sync();
    return {size, tail: await tailHash(handle, size)};
  }

  /** What was settled becomes the target. `finish`: last touches before it does. */
  async become(target: string, finish: (file: string) => Promise<void>) {
    const {handle, path: file} = this.spilled!;
    await handle.close();
    await finish(file);
    await rename(file, target);
    this.spilled = null;
  }

  async discard() {
    this.text = ``;
    if (this.spilled === null)
      return;
    await this.spilled.handle.close();
    await rm(this.spilled.path, {force: true});
    this.spilled = null;
  }

  private async spill(target: string) {
    if (this.spilled === null) {
      await makeFolder(path.dirname(target));
      const file = temporaryName(target);
      this.spilled = {path: file, handle: await open(file, `wx+`, 0o600), size: 0};
    }
    const bytes = Buffer.from(this.text);
    await writeAll(this.spilled.handle, bytes, this.spilled.size);
    this.spilled.size += bytes.length;
    this.text = ``;
    return this.spilled;
  }
}
