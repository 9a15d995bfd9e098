import {stat}                 from 'node:fs/promises';

import type {SessionFile}     from '../agents/types.ts';
import type {Repair}          from '../interchange/index.ts';
import {openRegular, readAt}  from '../system/files.ts';

import type {StoreFeed}       from './feed.ts';
import type {FileState}       from './state.ts';

/** A side file larger than this is named in the store, but not kept. */
const LARGEST = 64 << 20;

/** Files of a session that are no records (long outputs): each goes into the store as it is, again when it has changed. */
export class SideFiles {
  /** As they go into the next commit: the checkpoint must not know of them before. */
  private readonly taken = new Map<string, FileState>();

  constructor(private readonly feed: StoreFeed, private readonly problems: Array<Repair>) {}

  /** `states`: of the files that are stored. True: there is something for the next commit. */
  async take(file: SessionFile, states: Array<FileState>): Promise<boolean> {
    const info = await stat(file.path).catch(() => null);
    if (info === null)
      return false;
    const known = this.taken.get(file.name) ?? states.find(state => state.name === file.name);
    if (known?.size === info.size && known.mtimeMs === info.mtimeMs)
      return false;
    if (info.size > LARGEST) {
      this.problems.push({code: `side-file-too-large`, message: `${file.name} (${info.size} bytes) was left out`});
      return false;
    }
    const handle = await openRegular(file.path);
    if (handle === null)
      return false;
    let bytes: Buffer;
    try {
      bytes = await readAt(handle, 0, info.size);
    } finally {
      await handle.close();
    }
    if (bytes.includes(0))
      this.problems.push({code: `binary-side-file`, message: `${file.name} is binary: it cannot be searched for secrets and was left out`});
    else
      await this.feed.replace(file, bytes);
    this.taken.set(file.name, {name: file.name, offset: 0, tail: ``, seq: 0, size: info.size, mtimeMs: info.mtimeMs});
    return true;
  }

  /** They are stored now: `states` with what is known of them. */
  settle(states: Array<FileState>): Array<FileState> {
    const settled = [...states.filter(({name}) => !this.taken.has(name)), ...this.taken.values()];
    this.taken.clear();
    return settled;
  }
}
