import {BULK_CHUNK_BYTES, CHUNK_BYTES, MAX_CHUNK_BYTES} from './layout.ts';

/**
 * Cuts a stream into chunks: at the newline that brings one to its size, or in the middle of a line that is longer than
 * a chunk may be. While bytes keep coming chunks are large; what is left at the end is cut small, since its last piece
 * is written again by the next append.
 */
export class Chunker {
  private pieces: Array<Buffer> = [];
  private held = 0;
  /** A newline came since the last cut: without one there is nothing to look for. */
  private newline = false;

  /** The bytes are not copied and must not change. */
  constructor(open: Buffer | null = null) {
    if (open)
      this.add(open);
  }

  /** Bytes that are in no chunk yet. */
  get length() {
    return this.held;
  }

  add(bytes: Buffer) {
    if (bytes.length === 0)
      return;

    this.pieces.push(bytes);
    this.held += bytes.length;
    this.newline ||= bytes.includes(10);
  }

  /** Chunks that are complete by now. */
  * take(): Generator<Buffer> {
    if (this.held >= MAX_CHUNK_BYTES || (this.held >= BULK_CHUNK_BYTES && this.newline))
      yield * this.cut(BULK_CHUNK_BYTES);
  }

  /** Everything that is left; the last chunk may be open. */
  * end(): Generator<Buffer> {
    yield * this.cut(CHUNK_BYTES);
    if (this.held > 0)
      yield this.join();

    this.pieces = [];
    this.held = 0;
  }

  private * cut(size: number): Generator<Buffer> {
    let rest = this.join();
    while (rest.length >= size) {
      const newline = rest.indexOf(10, size - 1);
      const length  = newline < 0 || newline >= MAX_CHUNK_BYTES ? MAX_CHUNK_BYTES : newline + 1;
      if (rest.length < length)
        break;

      yield rest.subarray(0, length);
      rest = rest.subarray(length);
    }

    this.pieces = rest.length > 0 ? [rest] : [];
    this.held = rest.length;
    this.newline = false;
  }

  private join() {
    const all = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces);
    this.pieces = [all];
    return all;
  }
}

/** May more bytes be put into this chunk? */
export function isOpen(chunk: Buffer) {
  return chunk.length < CHUNK_BYTES || (chunk.length < MAX_CHUNK_BYTES && chunk[chunk.length - 1] !== 10);
}
