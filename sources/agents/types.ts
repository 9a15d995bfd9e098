import type {FidelityReport, Json, NeutralRecord, Repair, SessionHeader} from '../interchange/types.ts';

/** What an adapter may know of the machine. No adapter reads `process.env` itself. */
export type Machine = {
  env: {[name: string]: string | undefined};
  home: string;
  platform: NodeJS.Platform;
  /** Folder for temporary files. */
  tmp: string;
};

export type Detection = {
  /** The program can be started, or its store exists. */
  found: boolean;
  binary?: string;
  version?: string;
  /** Root of its store (`~/.claude`, `~/.codex`), whether it exists or not. */
  store: string;
  /** What a person should know: newer than proven, store not writable … */
  notes: Array<string>;
};

/** One file of a session. `name` is relative, `/`-separated and safe (see store/layout.ts), unique within the session. */
export type SessionFile = {
  name: string;
  path: string;
  /** `records`: JSON lines that a reader understands; `opaque`: kept as bytes only. */
  content: `records` | `opaque`;
  /** Stream its records go to: `main` or `sub-<id>`. Only for `records`. */
  stream?: string;
};

export type LocatedSession = {
  agent: string;
  nativeId: string;
  /** Session id as the rest of the program names it: `[0-9a-z][0-9a-z-]{7,63}`. */
  session: string;
  /** The main transcript. */
  path: string;
  cwd?: string;
  size: number;
  mtimeMs: number;
  /**
   * For an agent that can tell by itself that we wrote the session: whether it has gone on with it since. Absent where
   * only the bytes of the file tell, which are then compared with what we wrote (sync/mine.ts).
   */
  mirror?: `untouched` | `continued`;
};

/** One complete line. `value` is undefined where it is not JSON. `offset` and `length` (with its newline) are bytes. */
export type SourceLine = {value: Json | undefined; text: string; offset: number; length: number};

/** What a reader has learnt so far, beside the records. */
export type ReaderFacts = {
  nativeId?: string;
  version?: string;
  cwd?: string;
  branch?: string;
  title?: string;
  model?: string;
  created?: string;
  updated?: string;
  counts: {[kind: string]: number};
  ignored: {[type: string]: number};
  repairs: Array<Repair>;
  /** The turn has ended (nothing is expected until the next prompt). */
  idle: boolean;
};

/**
 * Reads one file of a session, line by line, incrementally.
 *
 * Prefix-stable: what `push` returns never depends on lines that come later, nor on how often state was saved between.
 */
export interface RecordReader {
  /** Records that this line completes, already numbered. */
  push(line: SourceLine): Array<NeutralRecord>;
  /** State for `openReader`; its size is bounded whatever the length of the session. */
  save(): Json;
  facts(): ReaderFacts;
}

/** Thrown by a reader opened on bounded state when a line refers further back than the state reaches: start over at byte 0. */
export class NeedsFullRead extends Error {
  readonly code = `NEEDS_FULL_READ`;
}

export type EventSession = LocatedSession & {event: HookEvent};

export interface SourceAdapter {
  /**
   * Sessions whose working folder lies in one of `folders` (absolute, real paths). Cheap: no full read. An agent without
   * files that only grow brings the journals of these sessions up to date (see `refresh`).
   */
  locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>>;
  /**
   * For an agent whose store is no file that only grows (a database, a document that is rewritten): brings the journal
   * at `session.path`, an append-only file of ours (system/journal.ts), up to date from it. Called before the journal is
   * read; must be cheap when nothing has changed. Throws when the store cannot be read.
   */
  refresh?(machine: Machine, session: {path: string; nativeId: string}): Promise<void>;
  /**
   * For an agent that keeps sessions on somebody else's machine: brings one here, into a journal, because a person asked for
   * it. `cwd`: the folder it is wanted in. Throws an error with a code when it is not to be had.
   */
  fetch?(machine: Machine, nativeId: string, cwd: string): Promise<LocatedSession>;
  /** The session that an event of the hook names, without looking further. The file may not exist yet. */
  fromEvent(machine: Machine, event: Json): EventSession | null;
  /** What `LocatedSession.mirror` says, for a session that an event named; undefined where it is none of ours. */
  ownership?(machine: Machine, session: LocatedSession): Promise<LocatedSession[`mirror`]>;
  /**
   * For an agent with journals, about a session that we wrote: how many bytes at the begin of the journal at
   * `session.path` say what we wrote. Absent where the records' ids tell (sync/origin.ts).
   */
  repeated?(machine: Machine, session: {path: string; nativeId: string}): Promise<number>;
  /**
   * The name that a person gave the session, where the agent keeps it beside the transcript. Cheap: asked for whenever the
   * transcript is looked at. Undefined where there is none, or where it is not to be had.
   */
  name?(machine: Machine, session: {path: string; nativeId: string}): Promise<string | undefined>;
  /** All files of a session, main transcript first, the others sorted by name. */
  files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>>;
  /** `state` from an earlier reader's `save()`; `unbounded` keeps the whole index in memory (after NeedsFullRead). */
  openReader(file: Pick<SessionFile, `name` | `stream`>, state?: Json, options?: {unbounded?: boolean}): RecordReader;
  /** Tokens and folders beside `root`, `home`, `tmp` whose names stand in the session (`session`: its side files). */
  roots(session: {path: string; nativeId: string; cwd?: string}, machine: Machine): {[token: string]: string};
}

export type HookEvent = {
  name: string;
  /** Text that will appear in the transcript soon; wait for it, within bounds. */
  awaits?: string;
  /** The turn or the session ended: commit now. */
  turnEnd?: boolean;
  sessionEnd?: boolean;
  /** Process of the agent, when known. */
  pid?: number;
  cwd?: string;
};

/** What a writer must know of the place it writes for. */
export type WriterTarget = {
  header: SessionHeader;
  /** Native id of the session that is written. */
  id: string;
  /** Working folder to put into the session (absolute, on this machine). */
  cwd: string;
  /** Agent-specific settings that `prepare` found (Codex: the configured provider). */
  settings: Json;
};

/**
 * Turns records of the live branch into lines of the agent's own format. Pure: same target and records, same bytes.
 *
 * Takes records as `linearize` gives them: no branch or leaf records, calls and results paired, parents linear.
 */
export interface RecordWriter {
  /** Text before the first record (Codex: the session_meta line). */
  begin(): string;
  /** Whole lines to append for this record (empty for none). */
  push(record: NeutralRecord): string;
  /** Lines that close a session that will not grow from here now (restore). Not used for live mirrors. */
  end(): string;
  save(): Json;
  report(): FidelityReport;
  /** Title for the agent's list, when the session has one of its own. */
  title(): string | undefined;
  /** Time of the last record, ISO, for the file's mtime. */
  updated(): string | undefined;
}

/** What became of a file that we wrote: `same`; `opened` (agent bookkeeping only follows); `continued`; `changed` (prefix differs); `gone`. */
export type MirrorState = `same` | `opened` | `continued` | `changed` | `gone`;

/** `title`: of the session's own. `updated`: ISO time of its last record. `settings`: what `prepare` found. */
export type Registered = {id: string; path: string; cwd: string; title?: string; updated?: string; settings: Json};

/**
 * What `register` found. `takenOver`: the agent has gone on with the session, and has all of ours (`continued`) or not
 * (`diverged`); only for agents where the file at `pathOf` is a journal of ours and not what the agent itself writes.
 */
export type Registration = {listed: boolean; note?: string; takenOver?: `continued` | `diverged`; /** Instead of `resumeCommand`. */ command?: string};

/**
 * A target is one text file that only grows. Where the agent's store is something else (a database, a document, a
 * server), the file is a journal of ours (system/journal.ts) in whatever line format the adapter likes, and `register`
 * brings what it says into the store.
 */
export interface TargetAdapter {
  /** Sends the session to somebody else's machine: never a mirror, only `restore --agent` writes it, after this question was answered. */
  consent?: string;
  /** The agent deletes session files whose time is older than so many days; ours then keep the time of writing, not that of their last record. */
  retentionDays?: number;
  /** Native id for a mirror: UUIDv5 of session, agent and generation. */
  mirrorId(session: string, generation: number): string;
  /** Settings of this machine that the writer needs; throws a coded error when the store cannot be written. */
  prepare(machine: Machine): Promise<Json>;
  /** Absolute path of the file for this id. Stable: asked again after a restart it must be the same one. */
  pathOf(machine: Machine, target: WriterTarget): string | Promise<string>;
  openWriter(target: WriterTarget, state?: Json): RecordWriter;
  /** What do the bytes that follow our `text` mean? `tail` is what stands after it. */
  judge(tail: string): `opened` | `continued`;
  /**
   * Runs `write` while the agent is kept out of the session; resolves `null` without running it when the agent has it
   * open right now.
   */
  exclusively<T>(machine: Machine, id: string, write: () => Promise<T>): Promise<T | null>;
  /**
   * Makes the agent's own list know the session, with what lies beside the file: markers, an index, an import. Called at
   * the end of turns and after a restore. Idempotent. Never throws; says what it could not do.
   */
  register(machine: Machine, session: Registered): Promise<Registration>;
  /**
   * Takes the session out of the agent's store again, with all that `register` put there. Only called for a file that is as
   * we left it. Resolves why it stays, if it does. Absent where the file is all there is.
   */
  withdraw?(machine: Machine, session: {id: string; path: string}): Promise<string | undefined>;
  resumeCommand(id: string): string;
}

/** Restores the source agent's own bytes on another machine. */
export interface NativeAdapter {
  /** Absolute path for a file of the session, by its `SessionFile.name`. `cwd` is the new working folder. */
  pathOf(machine: Machine, session: {nativeId: string; cwd: string}, name: string): string;
  /** Tokens of `SourceAdapter.roots` with their values on this machine. */
  roots(machine: Machine, session: {nativeId: string; cwd: string}): {[token: string]: string};
  resumeCommand(nativeId: string): string;
  /** What do bytes after our own mean? */
  judge(tail: string): `opened` | `continued`;
  /** Where the agent has this session already, in whichever project; null when nowhere. */
  find(machine: Machine, nativeId: string): Promise<string | null>;
}

/**
 * `move`: a file or a folder gets another name, which nobody has. `edit`: the first bytes of a file, or all of them, which
 * are exactly `before`, become `after`. `tell`: the adapter sees to it that what its agent knows is `after` and no longer
 * `before` (a database, a log that only grows); `path` is the session's transcript at that time.
 */
export type RehomeStep =
  | {do: `move`; from: string; to: string}
  | {do: `edit`; path: string; before: string; after: string}
  | {do: `tell`; path: string; before: string; after: string};

/** `path`: the transcript after it, as `locate` will name it. No steps: the agent has the session there already. */
export type RehomePlan = {path: string; steps: Array<RehomeStep>};

/** What a session that is filed under a folder that is gone says of the repository it was recorded in. */
export type Stray = LocatedSession & {git: {origin?: string; commit?: string; rootCommit?: string}};

/**
 * Files a session under another folder, because the one it was recorded in was moved: afterwards the agent, started in the
 * new one, lists it and goes on with it. What was said in the session stays as it is.
 */
export interface RehomeAdapter {
  /** What has to be done. Changes nothing. Throws an error that says why it cannot be done. */
  plan(machine: Machine, session: Pick<LocatedSession, `path` | `nativeId` | `cwd`>, to: string): Promise<RehomePlan>;
  /**
   * For an agent whose plans have steps of the kind `tell`. `known`: which of the two its agent knows; null for neither.
   * `tell`: makes it know `after`, at once or not at all.
   */
  telling?: {
    known(machine: Machine, nativeId: string, step: RehomeStep & {do: `tell`}): Promise<`before` | `after` | null>;
    tell(machine: Machine, nativeId: string, step: RehomeStep & {do: `tell`}): Promise<void>;
  };
  /**
   * Names of the agent's program, where `exclusively` cannot tell that it has a session open: none may run in the folder
   * that the session is of.
   */
  programs?: Array<string>;
  /** Tells what else of the agent knows the folder (an index, a database), when the steps are done. Resolves what it could not do. */
  settle?(machine: Machine, session: Pick<LocatedSession, `path` | `nativeId`>, to: string): Promise<string | undefined>;
  /** Sessions whose folder is gone and that say themselves which repository they are of. Cheap: reads no whole session. */
  strays?(machine: Machine): Promise<Array<Stray>>;
}

export type HookChange = {
  path: string;
  before: string | null;
  after: string;
  /** What the change does, a line each. */
  summary: Array<string>;
};

export interface HookAdapter {
  /**
   * `project`: the file belongs to the project, shared by the team or the person's own. `user`: one file of the person
   * for all projects; the hook does nothing in those that have not been set up.
   */
  scope: `project` | `user`;
  /** What a person must do before the agent runs the hooks, a sentence; absent when nothing. */
  confirm?: string;
  /** File that `init` edits. With scope `project`: the shared one for the team, or the person's own with `local`. */
  settingsPath(machine: Machine, project: string, options: {local: boolean}): string;
  /** Text after our hooks are in. Throws `SettingsError` when `text` cannot be understood. Idempotent. */
  install(text: string | null): {text: string; summary: Array<string>};
  /** Text without our hooks, everything else untouched (`text: null`: the whole file is ours and goes); `null`: nothing of ours was there. */
  remove(text: string): {text: string | null; summary: Array<string>} | null;
  /** Are all our hooks there, and current? */
  installed(text: string | null): `yes` | `partly` | `no`;
}

export class SettingsError extends Error {
  readonly code = `SETTINGS_UNREADABLE`;
}

/** A line of the README's table, in Markdown, short. `-` where there is nothing. */
export type Support = {source: string; target: string; kept: string; reduced: string; dropped: string};

/** Everything that the rest of the program knows of an agent. */
export interface AgentAdapter {
  id: string;
  name: string;
  support: Support;
  /** Version whose real binary read what we write and wrote what we read. */
  proven: string;
  detect(machine: Machine): Promise<Detection>;
  /** Is it on this machine? Cheap, unlike `detect`: looks at its store and at PATH, starts nothing. */
  present(machine: Machine): Promise<boolean>;
  source?: SourceAdapter;
  target?: TargetAdapter;
  native?: NativeAdapter;
  rehome?: RehomeAdapter;
  hooks?: HookAdapter;
}
