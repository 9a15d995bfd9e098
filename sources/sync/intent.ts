import {open}                                        from 'node:fs/promises';
import type {FileHandle}                             from 'node:fs/promises';

import {openRegular, readAt, removeIfThere, tailHash} from '../system/files.ts';

const PIECE = 1 << 20;
const LONGEST_HEADER = 1 << 14;

/** What the checkpoint knows of the file that is written to. */
type Before = {path: string; size: number; tail: string};
type Header = Before & {replacement?: {size: number; tail: string}};

/**
 * What is about to be written into a mirror, noted beside the checkpoints until the checkpoint knows that it was. A
 * process that is killed in between leaves bytes in an agent's file that nothing else proves to be ours: where the
 * session's live branch moves before the next start, they are no part of what is pending then. Survives a killed
 * process; a machine that loses power may lose it, and then a mirror is begun anew beside the old one.
 */
export class Intent {
  constructor(private readonly file: string) {}

  /** Notes that these bytes are appended. */
  async append({path, size, tail}: Before, pieces: AsyncIterable<Buffer>) {
    await this.write({path, size, tail}, pieces);
  }

  /** Notes that the file is replaced by one of this size and tail. */
  async replace({path, size, tail}: Before, replacement: {size: number; tail: string}) {
    await this.write({path, size, tail, replacement}, null);
  }

  async clear() {
    await removeIfThere(this.file);
  }

  /** Bytes of `file` after the noted ones that are the begin of what was to be appended; 0 if they are anything else. */
  async appended(state: Before, file: FileHandle, length: number): Promise<number> {
    return await this.read(state, async (header, handle, begin) => {
      if (header.replacement !== undefined)
        return 0;
      const ours = Math.max(0, (await handle.stat()).size - begin);
      return await sameBytes(file, state.size, length, ours, async (position, count) => await readAt(handle, begin + position, count));
    }) ?? 0;
  }

  /** Size and tail of the replacement, if `file` begins with it. */
  async replaced(state: Before, file: FileHandle): Promise<{size: number; tail: string} | null> {
    return await this.read(state, async ({replacement}) => {
      if (replacement === undefined || (await file.stat()).size < replacement.size)
        return null;
      return await tailHash(file, replacement.size) === replacement.tail ? replacement : null;
    });
  }

  private async write(header: Header, pieces: AsyncIterable<Buffer> | null) {
    const handle = await open(this.file, `w`, 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(header)}\n`);
      for await (const piece of pieces ?? [])
        await handle.writeFile(piece);
    } finally {
      await handle.close();
    }
  }

  private async read<T>({path, size, tail}: Before, look: (header: Header, handle: FileHandle, begin: number) => Promise<T>): Promise<T | null> {
    const handle = await openRegular(this.file);
    if (handle === null)
      return null;
    try {
      const [first] = (await readAt(handle, 0, LONGEST_HEADER)).toString(`utf8`).split(`\n`, 1) as [string];
      const header = parse(first);
      if (header === null || header.path !== path || header.size !== size || header.tail !== tail)
        return null;
      return await look(header, handle, Buffer.byteLength(first) + 1);
    } finally {
      await handle.close();
    }
  }
}

/**
 * Compares `length` bytes of a file from `position` with `available` bytes that `read` gives. All that both have must be
 * the same; resolves how much that is, else 0.
 */
export async function sameBytes(file: FileHandle, position: number, length: number, available: number, read: (position: number, length: number) => Promise<Buffer>): Promise<number> {
  const common = Math.min(length, available);
  for (let at = 0; at < common; at += PIECE) {
    const count = Math.min(PIECE, common - at);
    if (!(await readAt(file, position + at, count)).equals(await read(at, count)))
      return 0;
  }
  return common;
}

function parse(text: string): Header | null {
  try {
    return JSON.parse(text) as Header;
  } catch {
    return null;
  }
}
