import {readdir}                                      from 'node:fs/promises';
import path                                           from 'node:path';

import {isSafeId}                                     from '../interchange/index.ts';
import type {FidelityReport, Json, Lineage, Repair}   from '../interchange/index.ts';
import {hashOf, isCode, readIfThere, removeIfThere, writeAtomic} from '../system/files.ts';

import type {Joined}                                  from './continuation.ts';

/** How far one file of a session has been read and stored. */
export type FileState = {
  name: string;
  stream?: string;
  /** Bytes of the file that are in the store. */
  offset: number;
  /** Hash of the bytes before `offset`: has the file only grown? */
  tail: string;
  /** Number of the next record. */
  seq: number;
  /** State of the reader at `offset`. */
  reader?: Json;
  /** For a session that goes on from another one: what was learnt of the part that is not its own (see `Continuation`). */
  joined?: Joined;
  /** Opaque files: what they were like when they were stored. */
  size?: number;
  mtimeMs?: number;
};

/** One mirror: a file in the store of another agent. */
export type MirrorState = {
  agent: string;
  id: string;
  path: string;
  /** Working folder that its first lines name. */
  cwd?: string;
  generation: number;
  /** Next record of the main stream to be written. */
  seq: number;
  /** Size of the file after our last write, and hash of what stands before. */
  size: number;
  tail: string;
  writer?: Json;
  report: FidelityReport;
  /** Records written, for people. */
  records: number;
  updated?: string;
  title?: string;
  /** Name from beside the transcript that was last written. */
  named?: string;
  /** The live end is not the newest record: every new record may move it. */
  pinned?: boolean;
  listed?: boolean;
  /** Why it is behind or left alone at the moment. */
  note?: string;
  /** Set when it was left alone for good: the agent went on with it, or removed it. */
  stopped?: string;
  /** Mirrors before this one that the agent has taken over. */
  previous: Array<{id: string; generation: number; records: number; seq?: number; path?: string; size?: number; tail?: string; reason: string}>;
};

export type Checkpoint = {
  format: 1;
  session: string;
  agent: string;
  nativeId: string;
  path: string;
  cwd?: string;
  /** What the first records said; a mirror that is made again must begin as it did. */
  first?: {cwd?: string; branch?: string; prompt?: string};
  /** Names of folders as this machine has them, as the records in the store have them replaced. */
  roots?: {[token: string]: string};
  /** Other names of the same folders, since they were moved. */
  moved?: Array<{[token: string]: string}>;
  title?: string;
  /** Name that a person gave it, where the agent keeps that beside the transcript. */
  named?: string;
  /** The store does not know that name yet. */
  nameDue?: true;
  /** What the session that it goes on from is called. */
  inherited?: {title?: string; named?: string};
  created?: string;
  updated?: string;
  branch?: string;
  commit?: string;
  dirty?: boolean;
  files: Array<FileState>;
  mirrors: Array<MirrorState>;
  /** For a session that an agent went on with. */
  lineage?: Lineage;
  store?: {commit: string; sequence: number; records: number};
  /** What speaks for the session's having made commits (evidence.ts). */
  evidence?: Json;
  counts: {[kind: string]: number};
  repairs: Array<Repair>;
  redactions: {[rule: string]: number};
  /** What went wrong last time, if anything. */
  problem?: string;
  /** Size of the transcript when the person had the session cleaned away: it comes back only when it grows. */
  cleanedAt?: number;
};

/**
 * States of readers and writers stand in a file of their own: `status` and `list` read every checkpoint, and these are
 * most of its bytes. `stamp` ties the two together; where they do not fit, the states are made again from the files.
 */
type States = {readers: {[file: string]: Json}; writers: {[agent: string]: Json}; evidence?: Json};
type Summary = Checkpoint & {stamp: string};

/** Checkpoints are derived: one that is lost or torn is made again from the transcript and the store. */
export class Checkpoints {
  constructor(private readonly folder: string) {}

  /** With `states: false`, without what only a sync needs. */
  async read(session: string, {states = true}: {states?: boolean} = {}): Promise<Checkpoint | null> {
    const text = await readIfThere(this.fileOf(session));
    const summary = parse<Summary>(text);
    if (summary === null || summary.format !== 1 || summary.session !== session || !Array.isArray(summary.files) || !Array.isArray(summary.mirrors))
      return null;
    if (!states)
      return summary;

    const stored = await readIfThere(this.statesOf(session));
    const known = stored !== null && hashOf(stored) === summary.stamp ? parse<States>(stored) : null;
    for (const file of summary.files)
      file.reader = known?.readers[file.name];
    for (const mirror of summary.mirrors)
      mirror.writer = known?.writers[mirror.agent];
    summary.evidence = known?.evidence;
    return summary;
  }

  async write(checkpoint: Checkpoint) {
    const states: States = {
      readers: Object.fromEntries(checkpoint.files.flatMap(file => file.reader === undefined ? [] : [[file.name, file.reader]])),
      writers: Object.fromEntries(checkpoint.mirrors.flatMap(mirror => mirror.writer === undefined ? [] : [[mirror.agent, mirror.writer]])),
      ...checkpoint.evidence !== undefined ? {evidence: checkpoint.evidence} : {},
    };
    const text = JSON.stringify(states);
    await writeAtomic(this.statesOf(checkpoint.session), text);
    const summary: Summary = {
      ...checkpoint,
      files: checkpoint.files.map(({reader: _, ...file}) => file),
      mirrors: checkpoint.mirrors.map(({writer: _, ...mirror}) => mirror),
      evidence: undefined,
      stamp: hashOf(text),
    };
    await writeAtomic(this.fileOf(checkpoint.session), JSON.stringify(summary));
  }

  async remove(session: string) {
    await removeIfThere(this.fileOf(session));
    await removeIfThere(this.statesOf(session));
    for (const name of await readdir(this.folder).catch(() => []))
      if (name.startsWith(`${session}.`) && name.endsWith(`.intent`))
        await removeIfThere(path.join(this.folder, name));
  }

  async list(): Promise<Array<Checkpoint>> {
    let names: Array<string>;
    try {
      names = await readdir(this.folder);
    } catch (error) {
      if (isCode(error, `ENOENT`))
        return [];
      throw error;
    }
    const checkpoints: Array<Checkpoint> = [];
    for (const name of names.sort()) {
      const session = name.slice(0, -`.json`.length);
      if (!name.endsWith(`.json`) || !isSafeId(session))
        continue;
      const checkpoint = await this.read(session, {states: false});
      if (checkpoint !== null)
        checkpoints.push(checkpoint);
    }
    return checkpoints;
  }

  private fileOf(session: string) {
    if (!isSafeId(session))
      throw new Error(`Assertion failed: ${JSON.stringify(session)} is no session id`);
    return path.join(this.folder, `${session}.json`);
  }

  private statesOf(session: string) {
    return this.fileOf(session).replace(/json$/, `states`);
  }
}

function parse<T>(text: string | null): T | null {
  try {
    return text === null ? null : JSON.parse(text) as T;
  } catch {
    return null;
  }
}
