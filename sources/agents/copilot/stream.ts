import {constants}                     from 'node:fs';
import {open}                          from 'node:fs/promises';

import type {JsonObject}               from '../../interchange/index.ts';
import {hashOf, openRegular, sizeOf}   from '../../system/files.ts';
import {follow}                        from '../../system/follow.ts';
import {isObject, stringAt}            from '../values.ts';

/** A line of ours: the events from `upTo` on are no part of the session any more. */
export const REWOUND = `session-sync.rewound`;

/** One file of a journal as it is brought up to date. */
export class Stream {
  private text = ``;
  private at = 0;

  /** `known`: keys that the file has already, as long as they are the same; `torn`: its last line was cut off. */
  private constructor(private readonly file: string, private known: Array<string> | null, private readonly torn: boolean) {}

  static async open(file: string, grown: boolean): Promise<Stream> {
    const size = await sizeOf(file);
    return grown || size <= 0 ? new Stream(file, null, false) : new Stream(file, await keysIn(file), await isTorn(file, size));
  }

  async put(key: string, text: string) {
    if (this.known !== null) {
      if (this.known[this.at] === key) {
        this.at += 1;
        return;
      }
      this.rewind();
    }
    this.text += `${text}\n`;
    if (this.text.length > 1 << 20)
      await this.flush();
  }

  async end() {
    if (this.known !== null && this.at < this.known.length)
      this.rewind();
    await this.flush();
  }

  /** What the journal has beyond this point was taken back. */
  private rewind() {
    const upTo = this.known?.[this.at];
    this.known = null;
    if (this.torn)
      this.text += `\n`;
    if (upTo !== undefined)
      this.text += `${JSON.stringify({type: REWOUND, data: {upTo}})}\n`;
  }

  private async flush() {
    if (this.text === ``)
      return;
    const handle = await open(this.file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
    try {
      await handle.writeFile(this.text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    this.text = ``;
  }
}

/** Keys of the lines that are still part of the session. */
async function keysIn(file: string): Promise<Array<string>> {
  const keys: Array<string> = [];
  for await (const lines of follow(file, 0))
    for (const {value, text} of lines) {
      const object = isObject(value) ? value : {};
      const upTo = object.type === REWOUND ? stringAt(isObject(object.data) ? object.data : undefined, `upTo`) : undefined;
      if (upTo !== undefined)
        keys.length = Math.max(0, keys.lastIndexOf(upTo));
      else if (text.trim() !== ``)
        keys.push(keyOf(object, text));
    }
  return keys;
}

export function keyOf(value: JsonObject, text: string) {
  return stringAt(value, `id`) ?? `#${hashOf(text)}`;
}

async function isTorn(file: string, size: number) {
  const handle = await openRegular(file);
  if (handle === null)
    return false;
  try {
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, size - 1);
    return last[0] !== 0x0A;
  } finally {
    await handle.close();
  }
}
