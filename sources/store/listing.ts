import {fetchRefs, remoteRefs}           from './connection.ts';
import type {TransportOptions}           from './connection.ts';
import {defaultRemote}                   from './facts.ts';
import type {MachineEnv}                 from './git.ts';
import {TRACKING_REFS, archiveRef, parseArchiveRef, parseIndexRef, parseSessionRef, sessionRef, trackingRef} from './layout.ts';
import {entryNames, indexFolders, readEntries} from './indexTree.ts';
import type {IndexEntry}                 from './indexTree.ts';
import {CatFile}                         from './objects.ts';
import type {ObjectReader}               from './objects.ts';
import type {StoreProblem}               from './store.ts';
import type {Repository, StoredHeader}   from './types.ts';

/** A session's ref on a remote; `header` as its writer's index has it, which may be a state behind, or not at all. */
export type RemoteState = {ref: string; session: string; writer: string; commit: string; header?: StoredHeader};
/** A session in an archive: `archive` is the ref that keeps `commit`. */
export type ArchivedState = {session: string; writer: string; commit: string; header: StoredHeader; archive: string};

export type RemoteListing = {
  remote: string;
  /** All refs of ours that the remote has. */
  theirs: Map<string, string>;
  states: Array<RemoteState>;
  /** May name one session and writer several times; read only when asked for. */
  archived: Array<ArchivedState>;
  problems: Array<StoreProblem>;
};

/**
 * One index: what it says of its writer's sessions, and of those in its archives, as far as these are on the remote.
 * `stored`: all that it names as archived; `more`: there is such, read or not.
 */
type Part = {live: Array<IndexEntry>; archived: Array<ArchivedState>; stored: Array<IndexEntry>; more: boolean; problems: Array<StoreProblem>};

type ListOptions = Omit<TransportOptions, `remote`> & {archived?: boolean};

/** All that a remote has, without fetching a transcript: only the small indexes are transferred. */
export async function listRemote(repo: Repository, env: MachineEnv, name: string, options: ListOptions = {}): Promise<RemoteListing> {
  const remote = await defaultRemote(repo, env, name);
  const theirs = await remoteRefs(repo, env, remote, options);
  const reader = new CatFile(repo, env);
  try {
    const prefix  = `${TRACKING_REFS}${remote}/index/`;
    const known   = new Map((await reader.refs([prefix])).map(({ref, oid}) => [ref, oid]));
    const indexes = [...theirs].filter(([ref]) => parseIndexRef(ref));
    if (indexes.some(([ref, oid]) => known.get(trackingRef(remote, ref)) !== oid))
      await fetchRefs(repo, env, remote, `+refs/session-sync/index/*:${prefix}*`, options);

    const read = async (archived: boolean) => await Promise.all(indexes.map(async ([ref, commit]) => await readPart(reader, ref, commit, theirs, archived)));
    let parts  = await read(options.archived === true);
    let states = statesOf(theirs, parts);
    // The remote may have the ref of one that its writer counts as archived: it refused to remove it, or the archive.
    if (!options.archived && states.some(({header}) => header === undefined) && parts.some(({more}) => more)) {
      parts  = await read(true);
      states = statesOf(theirs, parts);
    }

    const problems = parts.flatMap(part => part.problems);
    const archived = parts.flatMap(part => part.archived);
    for (const ref of theirs.keys())
      if (!parseIndexRef(ref) && !parseArchiveRef(ref) && !parseSessionRef(ref))
        problems.push({ref, code: `UNSAFE_NAME`, message: `not the name of a session`});

    return {remote, theirs, states, archived, problems};
  } finally {
    await reader.close();
  }
}

function statesOf(theirs: Map<string, string>, parts: Array<Part>) {
  const listed = new Map(parts.flatMap(part => [...part.stored, ...part.live]).map(({header}) => [sessionRef(header.session, header.writer), header]));
  const states: Array<RemoteState> = [];
  for (const [ref, commit] of theirs) {
    const parsed = parseSessionRef(ref);
    const header = listed.get(ref);
    if (parsed)
      states.push({ref, session: parsed.session, writer: parsed.writer, commit, ...header ? {header} : {}});
  }

  return states;
}

async function readPart(reader: ObjectReader, ref: string, commit: string, theirs: Map<string, string>, withArchived: boolean): Promise<Part> {
  const {writer} = parseIndexRef(ref)!;
  const part: Part = {live: [], archived: [], stored: [], more: false, problems: []};
  try {
    const folders = await indexFolders(reader, commit);
    const live    = await readEntries(reader, ref, await entryNames(reader, folders.live, {archive: false}), writer);
    part.live = live.entries;
    part.more = folders.archived.size > 0;
    part.problems.push(...live.problems);
    for (const [year, folder] of withArchived ? folders.archived : []) {
      const archive = archiveRef(writer, year);
      const read    = await readEntries(reader, ref, await entryNames(reader, folder, {archive: true}));
      part.stored.push(...read.entries);
      if (theirs.has(archive)) {
        part.problems.push(...read.problems);
        part.archived.push(...read.entries.map(({commit, header}) => ({session: header.session, writer: header.writer, commit, header, archive})));
      }
    }

    return part;
  } catch (error) {
    const {code, message} = error as Error & {code?: string};
    return {...part, live: [], archived: [], stored: [], problems: [{ref, code: code ?? `BAD_DATA`, message}]};
  }
}

/**
 * What a remote has, newest first, one entry a session, its newest. Sessions that plain git pushed without an index are in
 * `problems`. `archived`: those in its archives instead, but for what it has outside of them as well.
 */
export async function remoteSessions(repo: Repository, env: MachineEnv, name: string, options: ListOptions = {}): Promise<{sessions: Array<StoredHeader>; problems: Array<StoreProblem>; archives: number}> {
  const {theirs, states, archived, problems} = await listRemote(repo, env, name, options);
  const live = new Set(states.map(({session}) => session));
  const sessions = new Map<string, StoredHeader>();
  const add = (header: StoredHeader) => {
    const known = sessions.get(header.session);
    if (known === undefined || isNewer(header, known))
      sessions.set(header.session, header);
  };

  for (const {header} of archived)
    if (!live.has(header.session))
      add(header);
  for (const {ref, header} of options.archived ? [] : states) {
    if (header)
      add(header);
    else
      problems.push({ref, code: `MISSING_OBJECT`, message: `it was pushed without an entry in the index: session-sync pull brings it`});
  }

  return {
    sessions: [...sessions.values()].sort((a, b) => isNewer(a, b) ? -1 : 1), problems,
    archives: [...theirs.keys()].filter(ref => parseArchiveRef(ref)).length,
  };
}

function isNewer(a: StoredHeader, b: StoredHeader) {
  const [left, right] = [a.updated ?? ``, b.updated ?? ``];
  return left === right ? a.session === b.session ? a.sequence > b.sequence : a.session < b.session : left > right;
}
