import {isAscii}         from 'node:buffer';
import {TextDecoder}     from 'node:util';

import type {SourceLine} from '../agents/types.ts';
import {isTooDeep}       from '../interchange/depth.ts';
import type {Json}       from '../interchange/index.ts';

import {openRegular}     from './files.ts';

const READ = 1 << 20;

/** A longer line is not decoded: no agent writes one, and V8 could not hold the string of one of 512 MB. */
export const LONGEST_LINE = 64 << 20;

export type FollowedLine = SourceLine & {
  /** The line is longer than `LONGEST_LINE`: `text` is empty, `value` undefined. */
  tooLong?: boolean;
  /** The line is no valid UTF-8: `text` has replacement characters. */
  invalid?: boolean;
};

/**
 * Complete lines of a file from byte `offset` to `end` (default: what the file has when this begins), in batches of
 * about a megabyte. A last line without its newline is left for later. Memory is bounded by the longest line.
 */
export async function * follow(file: string, offset: number, end = Infinity): AsyncGenerator<Array<FollowedLine>> {
  const handle = await openRegular(file);
  if (handle === null)
    return;

  try {
    const limit = Math.min(end, (await handle.stat()).size);
    const decoder = new TextDecoder(`utf-8`, {fatal: true, ignoreBOM: true});
    let position = offset;
    let lineStart = offset;
    // Pieces of a line that began in an earlier read; dropped (but counted) once the line is too long.
    let pieces: Array<Buffer> = [];
    let held = 0;

    // One buffer for all reads: what is held over is copied, and lines are strings before the next read.
    const buffer = Buffer.allocUnsafe(Math.min(READ, Math.max(limit - offset, 0)));
    while (position < limit) {
      const {bytesRead} = await handle.read(buffer, 0, Math.min(buffer.length, limit - position), position);
      if (bytesRead === 0)
        break;
      position += bytesRead;

      const lines: Array<FollowedLine> = [];
      let start = 0;
      for (let newline = buffer.indexOf(10); newline !== -1 && newline < bytesRead; newline = buffer.indexOf(10, start)) {
        const length = held + newline - start + 1;
        if (length > LONGEST_LINE) {
          lines.push({text: ``, value: undefined, offset: lineStart, length, tooLong: true});
        } else {
          const last = buffer.subarray(start, newline);
          const bytes = pieces.length > 0 ? Buffer.concat([...pieces, last]) : last;
          lines.push(parseLine(bytes, lineStart, length, decoder));
        }
        lineStart += length;
        start = newline + 1;
        pieces = [];
        held = 0;
      }

      if (start < bytesRead) {
        held += bytesRead - start;
        if (held > LONGEST_LINE)
          pieces = [];
        else
          pieces.push(Buffer.from(buffer.subarray(start, bytesRead)));
      }
      if (lines.length > 0)
        yield lines;
    }
  } finally {
    await handle.close();
  }
}

function parseLine(bytes: Buffer, offset: number, length: number, decoder: TextDecoder): FollowedLine {
  let text: string;
  let invalid = false;
  // Most lines are ASCII, which is found and decoded ten times as fast as UTF-8.
  if (isAscii(bytes)) {
    text = bytes.toString(`latin1`);
  } else {
    try {
      text = decoder.decode(bytes);
    } catch {
      text = bytes.toString(`utf8`);
      invalid = true;
    }
  }

  let value: Json | undefined;
  try {
    value = isTooDeep(text) ? undefined : JSON.parse(text) as Json;
  } catch {
    value = undefined;
  }
  return {text, value, offset, length, ...invalid ? {invalid} : {}};
}
