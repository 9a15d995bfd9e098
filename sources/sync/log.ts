import {appendFile, rename} from 'node:fs/promises';

import {sizeOf}            from '../system/files.ts';

const LARGEST = 1 << 20;

/** A log of what the worker did and what failed, for `doctor`. Rotated once at a megabyte. Never throws. */
export class Log {
  constructor(private readonly file: string, private readonly now: () => Date) {}

  async write(message: string) {
    try {
      if (await sizeOf(this.file) > LARGEST)
        await rename(this.file, `${this.file}.1`);
      await appendFile(this.file, `${this.now().toISOString()} ${message.replaceAll(/\s+/g, ` `).slice(0, 2000)}\n`, {mode: 0o600});
    } catch {
      // A log that cannot be written must not stop what it would have told of.
    }
  }
}
