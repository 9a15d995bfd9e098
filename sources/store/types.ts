import type {PathList, SessionHeader} from '../interchange/types.ts';

/** Where git keeps things for a working folder. All paths absolute and real. */
export type Repository = {
  /** Top of the working tree (of this worktree); null in a bare repository. */
  workTree: string | null;
  /** Git directory of this worktree. */
  gitDir: string;
  /** Common git directory: objects, refs, and our own `session-sync/` folder. */
  commonDir: string;
  objectFormat: `sha1` | `sha256`;
  bare: boolean;
  shallow: boolean;
  partial: boolean;
};

/** State of the working tree, for the trailers of a commit. */
export type GitState = {branch?: string; commit?: string; dirty: boolean; changes?: PathList; origin?: string; rootCommit?: string};

/**
 * One append-only byte stream of a session, in the order of its chunks.
 * `rec/<stream>`: neutral records, JSON lines. `native/<agent>/<file name>`: the agent's own lines after redaction.
 */
export type StreamState = {
  /** Bytes stored. */
  bytes: number;
  /** Records (lines) stored; only for `rec/`. */
  records?: number;
  /** Bytes of the source file that these come from (redaction changes lengths); what the next sync starts from. */
  source?: number;
};

/** `header.json` of a session's commit: the header and the shape of what lies beside it. */
export type StoredHeader = SessionHeader & {
  writer: string;
  /** Number of syncs so far; also the committer date. */
  sequence: number;
  streams: {[name: string]: StreamState};
  /** The working tree is kept as well, as it was when the main stream had so many records. */
  worktree?: {records: number};
};

/** One file that differed from the base commit; without mode and blob it was deleted. */
export type WorktreeChange = {
  /** As `isSafeWorkPath` allows it. */
  path: string;
  change: `added` | `modified` | `deleted` | `untracked`;
  mode?: `100644` | `100755` | `120000`;
  blob?: string;
  bytes?: number;
};

/** `worktree/<writer>/state.json`: what of a working tree was not committed. Paths sorted, each once. */
export type WorktreeState = {
  format: `session-sync-worktree/1`;
  /** Were files looked at that git does not know? */
  scope: `tracked` | `all`;
  /** Commit that it differs from; absent before the first one. */
  base?: string;
  branch?: string;
  /** Git put CRLF into text there (`core.autocrlf`), and takes it out again for a commit. */
  autocrlf?: boolean;
  files: Array<WorktreeChange>;
  /** Files that differed, too, but are not kept. */
  leftOut: Array<{path: string; reason: string}>;
  /** How many more were left out and are not named, and how many of those git knows. */
  more?: number;
  moreTracked?: number;
};

/** A state with the bytes of its files by blob. */
export type Worktree = {state: WorktreeState; contents: Map<string, Buffer>};

/** One ref: a session as one writer (one clone) has stored it. */
export type StoredRef = {
  session: string;
  writer: string;
  ref: string;
  commit: string;
  /** Name of the remote whose tracking ref this is; absent for this clone's own namespace. */
  remote?: string;
  /** Set where the state was found in the tree of a ref of another writer, which united it with theirs: that writer. */
  via?: string;
};

export type CommitMeta = {
  header: SessionHeader;
  /** Extra facts of each stream after this commit. */
  streams: {[name: string]: {records?: number; source?: number}};
  git: GitState;
  author: {name: string; email: string};
  /** ISO time of the newest record. */
  time?: string;
  /** The working tree as it is now. Absent: what was kept of it before stays. */
  worktree?: Worktree;
};

/**
 * A running append to one session. Bytes go to `git fast-import` as they come, in chunks, so that memory stays flat;
 * nothing is visible before `commit`.
 */
export interface Appender {
  /** What the session's ref held when this began; null for a new session. */
  readonly base: StoredHeader | null;
  append(stream: string, bytes: Buffer): Promise<void>;
  /** Replaces an `opaque` file that is not append-only. Same bytes as before: no change. */
  replace(stream: string, bytes: Buffer): Promise<void>;
  /** Stores a big value once; resolves to its sha256 in hex. */
  attach(bytes: Buffer): Promise<string>;
  /** Moves the ref, if it still is where it was. Nothing appended, and no other working tree: no commit, null. */
  commit(meta: CommitMeta): Promise<{commit: string; sequence: number} | null>;
  abort(): Promise<void>;
}

export class StoreError extends Error {
  constructor(readonly code: StoreErrorCode, message: string, readonly data: {[key: string]: unknown} = {}) {
    super(message);
    this.name = `StoreError`;
  }
}
export type StoreErrorCode =
  | `NOT_A_REPOSITORY` | `UNSUPPORTED_REPOSITORY` | `NO_GIT` | `GIT_FAILED` | `REF_MOVED` | `UNSAFE_NAME`
  | `BAD_DATA` | `TOO_LARGE` | `MISSING_OBJECT` | `UNKNOWN_SESSION` | `NO_REMOTE` | `NO_INDEX` | `DISK_FULL`;

/** For `catch`: null where what somebody stored cannot be used; anything else is thrown on. */
export function ignoreBad(error: unknown): null {
  if (!(error instanceof StoreError) || error.code === `NO_GIT` || error.code === `GIT_FAILED`)
    throw error;

  return null;
}
