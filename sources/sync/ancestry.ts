import path                                   from 'node:path';

import {agentById}                            from '../agents/index.ts';
import type {AgentAdapter, SessionFile}       from '../agents/types.ts';
import {placeholder}                          from '../interchange/index.ts';
import type {Lineage, NeutralRecord}          from '../interchange/index.ts';
import {readHistory, statesOf}                from '../restore/history.ts';
import type {Stored}                          from '../restore/history.ts';
import type {SessionStore}                    from '../store/index.ts';
import {sizeOf}                               from '../system/files.ts';
import {follow}                               from '../system/follow.ts';
import {isFolder}                             from '../system/programs.ts';

import {Continuation}                         from './continuation.ts';
import type {Joined, Parent}                  from './continuation.ts';
import type {Project}                         from './project.ts';

/** Legs of a session, one after the other, that are followed back at most. */
const MOST_LEGS = 1000;

/**
 * The records 0 to `seq - 1` of the session that another one goes on from: out of its own file where that is on this machine
 * (nothing in it is redacted), else out of git. What cannot be had leaves a note in its place.
 */
export async function * parentRecords(project: Project, store: SessionStore | null, lineage: Lineage, legs = 0): AsyncGenerator<NeutralRecord> {
  let seq = 0;
  for await (const record of await source(project, store, lineage, legs)) {
    if (record.seq >= lineage.seq)
      break;
    yield record;
    seq = record.seq + 1;
  }
  for (; seq < lineage.seq; seq++)
    yield placeholder(seq, `a record of ${lineage.parent} is not known here`);
}

async function source(project: Project, store: SessionStore | null, lineage: Lineage, legs: number): Promise<AsyncIterable<NeutralRecord>> {
  if (legs >= MOST_LEGS)
    return none();
  const checkpoint = await project.checkpoints.read(lineage.parent, {states: false});
  const adapter = agentById(checkpoint?.agent ?? ``);
  const own = lineage.writer === undefined || store === null || lineage.writer === store.writer;
  if (own && checkpoint !== null && adapter?.source !== undefined && await sizeOf(checkpoint.path) > 0) {
    const main = (await adapter.source.files(checkpoint)).find(({stream}) => stream === `main`);
    const known = checkpoint.files.find(({stream}) => stream === `main`);
    if (main !== undefined && known !== undefined)
      return fileRecords(adapter, main, known.offset, checkpoint.lineage?.source === undefined ? null : parentOf(project, store, adapter, main, checkpoint.lineage, legs + 1));
  }
  if (store === null)
    return none();
  const states = await statesOf(store, lineage.parent);
  const stored = states.find(({writer}) => writer === lineage.writer) ?? states[0];
  const rootsOf = async (leg: Stored) => await rootsHere(project, leg);
  return stored === undefined ? none() : readHistory(store, stored, {roots: await rootsOf(stored), rootsOf, platform: project.machine.platform, repairs: []});
}

/** Folders of a stored session; its own files are where they were, or where `restore` has put them. */
async function rootsHere({root, paths, machine: {home, tmp}}: Project, {session, header}: Stored) {
  const side = path.join(paths.side, session);
  const [files, transcript] = [await isFolder(side), await sizeOf(`${side}.jsonl`) >= 0];
  return {...header.roots, root, home, tmp, ...files ? {session: side} : {}, ...transcript ? {transcript: `${side}.jsonl`} : {}};
}

/** What the session is called that another one goes on from. `named`: by a person, and no record says it. */
export async function parentTitle({checkpoints}: Project, store: SessionStore | null, {parent}: Lineage): Promise<{title?: string; named?: string}> {
  const known = await checkpoints.read(parent, {states: false});
  if (known !== null) {
    const {title = known.inherited?.title} = known;
    const named = known.named ?? (known.title === undefined ? known.inherited?.named : undefined);
    return {...title !== undefined ? {title} : {}, ...named !== undefined ? {named} : {}};
  }
  const title = store === null ? undefined : (await statesOf(store, parent))[0]?.header.title;
  return title === undefined ? {} : {title};
}

/** What `Continuation` must know of the session that `file` goes on from. `lineage.source` is known. */
export function parentOf(project: Project, store: SessionStore | null, adapter: AgentAdapter, file: SessionFile, lineage: Lineage, legs = 0): Parent {
  return {
    seq: lineage.seq, source: lineage.source ?? 0,
    records: () => parentRecords(project, store, lineage, legs),
    repeated: () => fileRecords(adapter, file, lineage.source ?? 0, null),
  };
}

/** All records of a file up to byte `end`, and before them those of the session that it goes on from. */
export async function * fileRecords(adapter: AgentAdapter, file: SessionFile, end: number, parent: Parent | null): AsyncGenerator<NeutralRecord> {
  if (parent !== null)
    yield * parent.records();
  const reader = adapter.source!.openReader(file, undefined, {unbounded: true});
  const continuation = parent === null ? null : new Continuation(parent);
  for await (const lines of follow(file.path, 0, end)) {
    for (const line of lines) {
      const records = reader.push(line);
      yield * continuation === null ? records : await continuation.take(line, records, () => reader.facts().counts);
    }
  }
}

async function * none(): AsyncGenerator<NeutralRecord> {
  // Nothing is known: the caller fills the places.
}

export type {Joined};
