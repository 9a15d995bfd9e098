import path                                        from 'node:path';

import type {AgentAdapter, RecordWriter, WriterTarget} from '../agents/types.ts';
import {LiveTree, isHistory}            from '../interchange/index.ts';
import type {FidelityReport, NeutralRecord, Repair, SessionHeader} from '../interchange/index.ts';
import {mapper}                                    from '../interchange/paths.ts';
import type {Roots}                                from '../interchange/paths.ts';
import type {SessionStore}                         from '../store/index.ts';
import {openingOf}                                 from '../sync/description.ts';
import type {Project}                              from '../sync/project.ts';

import {firstRecord, missingParent, readHistory, recordCount, wholeOf} from './history.ts';
import type {Stored}                               from './history.ts';
import {Draft}                                     from './place.ts';
import type {Placed}                               from './place.ts';

/** After this many files of one session that an agent went on with, something else is wrong. */
const MOST_GENERATIONS = 50;
const PIECE = 1 << 20;

export type Restored = {
  agent: string;
  /** The agent's own id of the session, for its resume command. */
  id: string;
  path: string;
  outcome: Exclude<Placed, `other`> | `planned`;
  /** How many files before this one the agent went on with; they are left alone. */
  generation: number;
  command: string;
  records: number;
  report?: FidelityReport;
  repairs: Array<Repair>;
  listed?: boolean;
  note?: string;
  /** How much of the file is ours, the hash of its end, and the first record of the session that it has not. */
  ours?: {size: number; tail: string; seq?: number};
};

export type RestoreOptions = {
  project: Project;
  store: SessionStore;
  stored: Stored;
  adapter: AgentAdapter;
  /** Working folder that the session goes on in (absolute). */
  cwd: string;
  /** `seq` of the record to end with: an abandoned branch, or an earlier point. */
  at?: number;
  dryRun?: boolean;
  /** A fork that is not this clone's own: it gets ids of its own, so that neither stands in the other's way. */
  apart?: boolean;
  /** Also where an earlier part is not known here: then it gets ids of its own, for the whole one may come later. */
  incomplete?: boolean;
};

export class RestoreError extends Error {
  constructor(readonly code: `OPEN_IN_AGENT` | `NO_RECORDS` | `NOT_A_TARGET` | `PARENT_UNKNOWN`, message: string) {
    super(message);
  }
}

/**
 * Writes a stored session into an agent's store on this machine, exactly where it is the agent's own. What ends at an
 * earlier record (`at`) is a session of its own there, beside the whole one.
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const {adapter, stored} = options;
  // Of a session that goes on from another one git has only its own lines.
  if (adapter.native !== undefined && stored.header.agent.id === adapter.id && options.at === undefined && options.apart !== true && firstRecord(stored.header) === 0)
    return await restoreNative(options);
  if (adapter.target !== undefined)
    return await restoreTranslated(options);
  if (options.at !== undefined && stored.header.agent.id === adapter.id)
    throw new RestoreError(`NOT_A_TARGET`, `a session of ${adapter.name} comes back as a whole only: its own lines are not cut`);
  throw new RestoreError(`NOT_A_TARGET`, `${adapter.name} sessions can be read, but a session of ${stored.header.agent.id} cannot be written into ${adapter.name} yet`);
}

/** Why a session whose begin is missing is not written, and what to do about it. */
export function describeMissing(session: string, parent: string) {
  return `session ${parent.slice(0, 8)}, which this one goes on from, is not known here: \`session-sync pull --session ${session.slice(0, 8)}\` fetches both; \`restore --incomplete\` takes what there is`;
}

/** Names of folders for this machine. One that has no counterpart here is where it was in its home, or keeps its name. */
function localRoots({project, stored, cwd}: RestoreOptions): Roots {
  const {roots, platform = project.machine.platform} = stored.header;
  const side = path.join(project.paths.side, stored.session);
  const here: Roots = {root: cwd, home: project.machine.home, tmp: project.machine.tmp, session: side, transcript: `${side}.jsonl`};
  const map = mapper(roots, here, platform as NodeJS.Platform, project.machine.platform, stored.header.moved);
  const others = Object.entries(roots).filter(([token]) => !Object.hasOwn(here, token)).map(([token, folder]) => [token, JSON.parse(map(JSON.stringify(folder))) as string]);
  return {...Object.fromEntries(others), ...here};
}

async function restoreTranslated(options: RestoreOptions): Promise<Restored> {
  const {project, adapter, stored} = options;
  const target = adapter.target!;
  const settings = await target.prepare(project.machine);
  const {first, header} = await describe(options);
  const missing = await missingParent(options.store, stored);
  if (missing !== null && options.incomplete !== true)
    throw new RestoreError(`PARENT_UNKNOWN`, describeMissing(stored.session, missing));
  const variant = [options.apart === true ? `~${stored.writer}` : ``, options.at === undefined ? `` : `@${options.at}`, missing === null ? `` : `-${missing}`].join(``);

  for (let generation = 0; generation < MOST_GENERATIONS; generation++) {
    const id = target.mirrorId(`${stored.session}${variant}`, generation);
    const writing: WriterTarget = {header, id, cwd: options.cwd, settings};
    const file = await target.pathOf(project.machine, writing);
    if (options.dryRun === true)
      return {agent: adapter.id, id, path: file, outcome: `planned`, generation, command: target.resumeCommand(id), records: first.records, repairs: first.repairs};

    const repairs: Array<Repair> = [];
    const draft = await Draft.begin(file);
    try {
      const writer = await write(options, writing, draft, repairs);
      const placed = await target.exclusively(project.machine, id, async () => await draft.place({judge: tail => target.judge(tail), updated: writer.updated(), ...target.retentionDays !== undefined ? {retentionDays: target.retentionDays} : {}}));
      if (placed === null)
        throw new RestoreError(`OPEN_IN_AGENT`, `${adapter.name} has this session open right now. Close it there, or go on with it: ${target.resumeCommand(id)}`);
      // Somebody else's file, or one that went its own way while the session grew: a new one beside it.
      if (placed === `other`)
        continue;
      for (const leg of await wholeOf(options.store, stored))
        await placeSideFiles({...options, stored: leg});
      const report = writer.report();
      const title = writer.title() ?? await ownTitle(options);
      const updated = writer.updated();
      const {listed, note, takenOver, command} = await target.register(project.machine, {
        id, path: file, cwd: options.cwd, settings, ...title !== undefined ? {title} : {}, ...updated !== undefined ? {updated} : {},
      });
      if (takenOver === `diverged`)
        continue;
      return {
        agent: adapter.id, id, path: file, outcome: takenOver ?? placed, generation, command: command ?? target.resumeCommand(id),
        records: report.kept + report.reduced, report, repairs, listed, ours: {...draft.ours!, seq: options.at === undefined ? first.records : options.at + 1}, ...note !== undefined ? {note} : {},
      };
    } finally {
      await draft.drop();
    }
  }
  throw new Error(`Assertion failed: ${MOST_GENERATIONS} mirrors of ${stored.session} are in the way`);
}

/** One look through the session: how many records, and what the first ones say. */
async function describe(options: RestoreOptions): Promise<{first: {records: number; repairs: Array<Repair>}; header: SessionHeader}> {
  const {stored} = options;
  const records = recordCount(stored.header);
  if (records === 0)
    throw new RestoreError(`NO_RECORDS`, `the store has no records of this session`);
  let branch: string | undefined;
  let seen = 0;
  for await (const record of history(options, [])) {
    branch = record.head?.branch;
    if (branch !== undefined || ++seen >= 100)
      break;
  }
  const {session, agent, created} = stored.header;
  // As the mirror on the first machine begins: what changes from sync to sync must not be in the file's first line.
  return {
    first: {records, repairs: []},
    header: {format: `session-sync/1`, session, agent: {id: agent.id, nativeId: agent.nativeId}, ...created !== undefined ? {created} : {}, ...branch !== undefined ? {branch} : {}, roots: {}, counts: {}},
  };
}

/** A title that no record says: the person's name for it, or that of the session that it goes on from. Not its first words. */
async function ownTitle(options: RestoreOptions): Promise<string | undefined> {
  const {title} = options.stored.header;
  if (title === undefined)
    return undefined;
  for await (const record of history(options, [])) {
    const opening = openingOf(record);
    if (opening !== undefined)
      return opening === title ? undefined : title;
  }
  return title;
}

function history(options: RestoreOptions, repairs: Array<Repair>) {
  const {store, stored, project} = options;
  return readHistory(store, stored, {roots: localRoots(options), rootsOf: leg => localRoots({...options, stored: leg}), platform: project.machine.platform, repairs});
}

/** Most sessions never branched and are written as they are read; the others are read twice. */
async function write(options: RestoreOptions, writing: WriterTarget, draft: Draft, repairs: Array<Repair>): Promise<RecordWriter> {
  const tree = new LiveTree();
  if (options.at === undefined) {
    const pass = new Pass(options.adapter.target!.openWriter(writing), draft);
    let linear = true;
    for await (const record of history(options, repairs)) {
      tree.add(record);
      linear &&= isHistory(record) && (record.parent === undefined || record.parent === record.seq - 1);
      if (linear)
        await pass.take(record);
    }
    if (linear)
      return await pass.end();
    await draft.clear();
  } else {
    for await (const record of history(options, repairs))
      tree.add(record);
  }

  const live = tree.live(options.at);
  const pass = new Pass(options.adapter.target!.openWriter(writing), draft);
  for await (const record of history(options, []))
    if (live[record.seq] === 1 && isHistory(record))
      await pass.take(record);
  return await pass.end();
}

/**
 * Neither closes the last turn nor answers its open calls: the session may grow where it comes from, and then this file
 * must be the beginning of the longer one.
 */
class Pass {
  private text: string;

  constructor(private readonly writer: RecordWriter, private readonly draft: Draft) {
    this.text = writer.begin();
  }

  async take(record: NeutralRecord) {
    this.text += this.writer.push(record);
    if (this.text.length > PIECE)
      await this.flush();
  }

  async end() {
    await this.flush();
    return this.writer;
  }

  private async flush() {
    await this.draft.write(this.text);
    this.text = ``;
  }
}

/**
 * Files that the session speaks of by name, into the git directory, where `{session}` and `{transcript}` point for this
 * machine: large outputs, and the transcript itself where a summary refers to it for what it leaves out.
 */
async function placeSideFiles(options: RestoreOptions) {
  const {store, stored, project} = options;
  const {header} = stored;
  const side = path.join(project.paths.side, stored.session);
  const prefix = `native/${header.agent.id}/`;
  const map = mapper(header.roots, localRoots(options), (header.platform ?? project.machine.platform) as NodeJS.Platform, project.machine.platform, header.moved);
  for (const name of Object.keys(header.streams).filter(name => name.startsWith(prefix))) {
    const file = name.slice(prefix.length);
    const isMain = !file.includes(`/`) && file.endsWith(`.jsonl`);
    if (isMain ? (header.counts.compaction ?? 0) === 0 : !file.includes(`/`) || header.streams[name]!.source !== undefined)
      continue;
    const draft = await Draft.begin(isMain ? `${side}.jsonl` : path.join(side, ...file.split(`/`)));
    try {
      await mapLines(store.readStream(stored, name), map, draft);
      await draft.place({judge: () => `continued`});
    } finally {
      await draft.drop();
    }
  }
}

async function restoreNative(options: RestoreOptions): Promise<Restored> {
  const {project, store, stored, adapter, cwd} = options;
  const native = adapter.native!;
  const session = {nativeId: stored.header.agent.nativeId, cwd};
  const prefix = `native/${adapter.id}/`;
  const names = Object.keys(stored.header.streams).filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length)).sort();
  const [main] = names.filter(name => !name.includes(`/`) && name.endsWith(`.jsonl`));
  if (main === undefined)
    throw new RestoreError(`NO_RECORDS`, `the store has no transcript of this session`);

  const target = native.pathOf(project.machine, session, main);
  const result: Restored = {
    agent: adapter.id, id: session.nativeId, path: target, outcome: `planned`, generation: 0,
    command: native.resumeCommand(session.nativeId), records: stored.header.streams[`rec/main`]?.records ?? 0, repairs: [],
  };
  const elsewhere = await native.find(project.machine, session.nativeId);
  if (elsewhere !== null && elsewhere !== target)
    return {...result, path: elsewhere, outcome: `unchanged`, note: `${adapter.name} has this session already, for another folder; a second file of the same id would hide both`};
  if (options.dryRun === true)
    return result;

  const roots = {...localRoots(options), ...native.roots(project.machine, session)};
  const platform = (stored.header.platform ?? project.machine.platform) as NodeJS.Platform;
  const map = mapper(stored.header.roots, roots, platform, project.machine.platform, stored.header.moved);
  // The transcript last: a session whose side files are missing is worse than one that is not there yet.
  for (const name of [...names.filter(name => name !== main), main]) {
    const draft = await Draft.begin(native.pathOf(project.machine, session, name));
    try {
      await mapLines(store.readStream(stored, `${prefix}${name}`), map, draft);
      const placed = await draft.place({judge: tail => native.judge(tail), ...adapter.target?.retentionDays !== undefined ? {retentionDays: adapter.target.retentionDays} : {}, ...stored.header.updated !== undefined ? {updated: stored.header.updated} : {}});
      if (placed === `other`)
        result.note = `${path.basename(draft.target)} is there and goes another way; it was left as it is`;
      if (name === main)
        result.outcome = placed === `other` ? `continued` : placed;
    } finally {
      await draft.drop();
    }
  }
  return result;
}

async function mapLines(chunks: AsyncIterable<Buffer>, map: (text: string) => string, draft: Draft) {
  let rest: Array<Buffer> = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(10) + 1;
    if (end === 0) {
      rest.push(chunk);
      continue;
    }
    await draft.write(map(Buffer.concat([...rest, chunk.subarray(0, end)]).toString(`utf8`)));
    rest = [chunk.subarray(end)];
  }
  const last = Buffer.concat(rest);
  if (last.length > 0)
    await draft.write(map(last.toString(`utf8`)));
}
