/**
 * The neutral model of a coding-agent session: what every reader produces and every writer takes.
 *
 * A session is a header and one or more *streams* of records (`main`, and one a sub-agent). A stream is an
 * append-only log: `seq` counts from 0, and the records of a longer transcript always begin with the records of a
 * shorter one. Records form a tree through `parent`; `linearize` picks the live branch out of it.
 */
export type Json = null | boolean | number | string | Array<Json> | {[key: string]: Json};
export type JsonObject = {[key: string]: Json};

/** A piece of text or an image, in the order the model saw them. */
export type Part =
  | {type: `text`; text: string}
  /** `data` is base64; in the store it is replaced by `attachment` (sha256 of the decoded bytes, hex). */
  | {type: `image`; mediaType: string; data?: string; attachment?: string; bytes?: number}
  /** Anything else that a message can hold, kept as the source had it. */
  | {type: `other`; name: string; value: Json};

/** What a tool does, whatever its agent calls it. */
export type ToolKind =
  | `shell` | `read` | `edit` | `write` | `search` | `fetch` | `plan` | `agent` | `mcp` | `ask` | `other`;

/** Normal arguments by kind. Paths are as the source wrote them. `input` on the call keeps the native ones always. */
export type ShellArgs  = {command: string; workdir?: string; timeoutMs?: number; background?: boolean};
export type ReadArgs   = {path: string; offset?: number; limit?: number};
export type EditArgs   = {path: string; edits: Array<{old: string; new: string; all?: boolean}>};
export type WriteArgs  = {path: string; content: string};
export type SearchArgs = {pattern: string; path?: string; glob?: string; mode: `content` | `files`};
export type FetchArgs  = {url?: string; query?: string; prompt?: string};
export type PlanItem   = {step: string; status: `pending` | `in_progress` | `completed`};
export type PlanArgs   = {items?: Array<PlanItem>; text?: string};
export type AgentArgs  = {prompt: string; description?: string; role?: string; background?: boolean};
export type McpArgs    = {server: string; tool: string; arguments: Json};

type Base = {
  /** Position in its stream, from 0. */
  seq: number;
  /** `seq` of the record that this one follows; absent: the one before it (`seq - 1`); -1: a new root. */
  parent?: number;
  /** The source's own id for the line this came from. Several records may share it. */
  id?: string;
  /** ISO 8601 with milliseconds, from the source record; absent where the source has none. */
  time?: string;
  /** Branch name and commit of the working tree, where the source names one and it changed. */
  head?: {branch?: string; commit?: string};
  /** Working folder, where it differs from the one before (the first record that knows one has it). */
  cwd?: string;
};

/** What a person typed (also mid-turn), with images. Starts a turn unless `midTurn`. */
export type PromptRecord = Base & {kind: `prompt`; content: Array<Part>; midTurn?: boolean};
/** One block of assistant text. `message` groups the blocks and calls of one model answer. `final`: it ended the turn. */
export type ReplyRecord = Base & {kind: `reply`; text: string; message?: string; model?: string; final?: boolean; partial?: boolean; error?: boolean};
/** Thinking. `signature` is only good for the provider that made it. */
export type ReasoningRecord = Base & {kind: `reasoning`; text: string; message?: string; signature?: string; provider?: string};
/** A tool call. `call` is unique in the session (readers make it so). */
export type CallRecord = Base & {kind: `call`; call: string; name: string; message?: string; model?: string; input: Json} & (
  | {tool: `shell`; args: ShellArgs}
  | {tool: `read`; args: ReadArgs}
  | {tool: `edit`; args: EditArgs}
  | {tool: `write`; args: WriteArgs}
  | {tool: `search`; args: SearchArgs}
  | {tool: `fetch`; args: FetchArgs}
  | {tool: `plan`; args: PlanArgs}
  | {tool: `agent`; args: AgentArgs}
  | {tool: `mcp`; args: McpArgs}
  | {tool: `ask` | `other`; args?: undefined}
);
/** A change of one file as a unified diff without file header (`@@ -1,3 +1,3 @@` hunks). */
export type FilePatch = {path: string; change: `add` | `update` | `delete`; diff?: string; content?: string};
/** What a call gave back, as the model saw it. */
export type ResultRecord = Base & {
  kind: `result`; call: string; content: Array<Part>;
  error?: boolean; exitCode?: number; interrupted?: boolean; denied?: boolean;
  /** Made up by us: the source has a call without a result. */
  healed?: boolean;
  /** Where the whole output lies when the model saw only a part; `path` as the source wrote it. */
  full?: {path: string; bytes?: number};
  patch?: Array<FilePatch>;
  /** Stream that holds the sub-agent's own records (`sub-<id>`). */
  stream?: string;
};
/** The plan as it stands after a plan tool ran. */
export type PlanRecord = Base & {kind: `plan`; items?: Array<PlanItem>; text?: string};
/**
 * From here on the model sees `summary`, then the records `keep` (their `seq`, in order), then what follows.
 * `parent` still points at the last record before it, so that the whole history can be had.
 */
export type CompactionRecord = Base & {kind: `compaction`; summary: string; trigger?: `manual` | `auto`; keep?: Array<number>; tokensBefore?: number};
/** The live branch leaves the records before it: `parent` says where it goes on. `reason`: edited prompt, second process … */
export type BranchRecord = Base & {kind: `branch`; reason?: string};
/** The source says which record is the live end: `at` (its `seq`; -1: the newest, whatever was said before). `exact`: also when records descend from it. */
export type LeafRecord = Base & {kind: `leaf`; at: number; exact?: boolean};
/** The person stopped the model. `during`: while it answered, or while a tool ran or asked. */
export type InterruptRecord = Base & {kind: `interrupt`; during: `reply` | `tool`; text?: string};
export type TitleRecord = Base & {kind: `title`; title: string; origin: `custom` | `generated`};
export type ModelRecord = Base & {kind: `model`; model: string};
/**
 * Context that is neither prompt nor answer. `visible`: the source's model sees `text` as a user message and a writer
 * must carry it (shell mode, hook feedback, results of background tasks); otherwise the harness makes its own on each
 * start and only its name and size are kept.
 */
export type NoteRecord = Base & {kind: `note`; what: string; visible?: boolean; text?: string; bytes?: number};

export type NeutralRecord =
  | PromptRecord | ReplyRecord | ReasoningRecord | CallRecord | ResultRecord | PlanRecord | CompactionRecord
  | BranchRecord | LeafRecord | InterruptRecord | TitleRecord | ModelRecord | NoteRecord;
export type RecordKind = NeutralRecord[`kind`];

/** A record without the position that its stream gives it. */
export type Unplaced<T extends NeutralRecord = NeutralRecord> = T extends NeutralRecord ? Omit<T, `seq`> : never;

/** What was wrong in the source and what was made of it. `at` is a byte offset in its file. */
export type Repair = {code: string; message: string; at?: number; count?: number};

/** What happened to one record, or to a class of them, on the way to an agent. */
export type FidelityItem = {seq?: number; kind: RecordKind | `session`; outcome: `kept` | `reduced` | `dropped`; reason?: string; count?: number};
/** `kept + reduced + dropped` is the number of records seen. Items list what was not kept, same reason and kind folded, first `seq` named. */
export type FidelityReport = {kept: number; reduced: number; dropped: number; items: Array<FidelityItem>};

/** Paths below the top of the working tree, with `/`; `more`: how many others there are. */
export type PathList = {files: Array<string>; more?: number};

/** A commit that was made while the session ran. */
export type Produced = {
  commit: string;
  /** `git patch-id --stable` of what it changes; absent where it changes nothing, or too much, and for a merge. */
  patch?: string;
  /** Committer time, ISO 8601. */
  time?: string;
  /** A call of the session made it; it has lines that the session wrote; or nothing but the time speaks for it. */
  by: `call` | `edits` | `time`;
  /** Marks of the lines that it adds and removes, six characters each (store/marks.ts). */
  lines?: string;
};

/** Everything about a session that is not one of its records. */
export type SessionHeader = {
  format: `session-sync/1`;
  /** `[0-9a-z][0-9a-z-]{7,63}` */
  session: string;
  agent: {id: string; version?: string; nativeId: string};
  title?: string;
  created?: string;
  updated?: string;
  model?: string;
  /** Names as the source machine had them, for mapping; see paths.ts. */
  roots: {[token: string]: string};
  /** Other names of the same folders, each set from one move; absent where nothing was moved. */
  moved?: Array<{[token: string]: string}>;
  platform?: string;
  branch?: string;
  commit?: string;
  dirty?: boolean;
  /** Tracked files that differed from the commit. */
  changes?: PathList;
  /** Files that the session wrote to through its tools, the last first. */
  edited?: PathList;
  /** Commits made by it, oldest first; also those that were amended or rebased away since. */
  produced?: Array<Produced>;
  origin?: string;
  /** First commit of the history (of several, the first by name); absent where it is not known. */
  rootCommit?: string;
  author?: {name: string; email: string};
  machine?: string;
  counts: {[kind: string]: number};
  ignored?: {[type: string]: number};
  repairs?: Array<Repair>;
  redactions?: {[rule: string]: number};
  lineage?: Lineage;
};

/** Where a session comes from that an agent went on with after we had written it. */
export type Lineage = {
  parent: string;
  /** First record of the parent that this session has not. */
  seq: number;
  /** The clone whose state of the parent it was. */
  writer?: string;
  /**
   * Bytes at the begin of the session's own file that say what the parent says. With it the session has only its own
   * records, numbered on from `seq`; without it, it has those of the parent again, as its agent gave them back.
   */
  source?: number;
};
