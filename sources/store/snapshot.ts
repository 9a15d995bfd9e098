import {lstat, readlink}                     from 'node:fs/promises';
import path                                  from 'node:path';

import {isCode, openRegular, readAt}         from '../system/files.ts';

import {blobId}                              from './fastImport.ts';
import type {MachineEnv}                     from './git.ts';
import {conversions, filteredPaths, treeStatus} from './status.ts';
import type {StatusEntry}                    from './status.ts';
import type {GitState, Repository, Worktree, WorktreeChange, WorktreeState} from './types.ts';
import {isSafeWorkPath, isSecretName, staysInside} from './workPaths.ts';

export const MAX_SNAPSHOT_FILE_BYTES = 1024 * 1024;
export const MAX_SNAPSHOT_BYTES      = 20 * 1024 * 1024;
export const MAX_SNAPSHOT_FILES      = 2000;
/** Names of files together: what lists them stays below the bound of a header. */
const MAX_LISTED_BYTES = 512 * 1024;
/** Files that were left out are named up to this many. */
const MAX_NAMED = 200;
const MAX_SHOWN_NAME = 1000;
/** Files that are read side by side. */
const AT_ONCE = 32;

export type SnapshotOptions = {
  /** `tracked`: files that git knows. `all`: also those that are neither known nor ignored. */
  scope: `tracked` | `all`;
  /** Is there no secret in this text? */
  isClean: (text: string) => boolean | Promise<boolean>;
  maxFiles?: number;
  maxBytes?: number;
};

export type Snapshot = {worktree: Worktree; git: GitState};

/**
 * The working tree as it differs from HEAD, staged or not, with the bytes that lie on the disk: no filter of git's is
 * between. Nothing is written, neither the index nor an object. Files that look like secrets, that are too large, binary
 * or not a file at all are left out and named. Null in a bare repository.
 */
export async function takeSnapshot(repo: Repository, env: MachineEnv, options: SnapshotOptions): Promise<Snapshot | null> {
  const status = await treeStatus(repo, env, {untracked: options.scope === `all`});
  if (status === null || repo.workTree === null)
    return null;

  const {git, entries} = status;
  // What git knows comes first, wherever a bound is.
  const ordered = [...entries.filter(({kind}) => kind !== `untracked`), ...entries.filter(({kind}) => kind === `untracked`)];
  const made    = await conversions(repo, env);
  const taking  = new Taking(repo, options, new Set(entries.map(({headBlob}) => headBlob)), await filteredPaths(repo, env, made, entries.map(entry => entry.path)));
  for (let at = 0; at < ordered.length; at += AT_ONCE)
    await taking.take(ordered.slice(at, at + AT_ONCE));
  taking.files.sort((a, b) => a.path < b.path ? -1 : 1);
  const state: WorktreeState = {
    format: `session-sync-worktree/1`, scope: options.scope,
    ...git.commit !== undefined ? {base: git.commit} : {},
    ...git.branch !== undefined ? {branch: git.branch} : {},
    ...made.autocrlf ? {autocrlf: true} : {},
    files: taking.files, leftOut: taking.leftOut, ...taking.more > 0 ? {more: taking.more} : {}, ...taking.moreTracked > 0 ? {moreTracked: taking.moreTracked} : {},
  };
  return {worktree: {state, contents: taking.contents}, git};
}

/** The change, null where there is none, or why it is left out. */
type Look = {change: WorktreeChange; content: Buffer | null} | string | null;

class Taking {
  readonly files: Array<WorktreeChange> = [];
  readonly leftOut: WorktreeState[`leftOut`] = [];
  readonly contents = new Map<string, Buffer>();
  more = 0;
  moreTracked = 0;
  private bytes = 0;
  private listed = 0;
  private readonly folders = new Map<string, Promise<boolean>>();

  /** `known`: blobs of HEAD, which are in git whatever is in them. `filtered`: files of which git keeps something else. */
  constructor(private readonly repo: Repository, private readonly options: SnapshotOptions, private readonly known: Set<string>, private readonly filtered: Set<string>) {}

  async take(entries: Array<StatusEntry>) {
    // One search for all of them: hardly ever is there a secret in a name.
    const named = this.isFull || await this.options.isClean(entries.map(entry => entry.path).join(`\n`));
    const found = this.isFull ? [] : await Promise.all(entries.map(async entry => await this.look(entry, named)));
    for (const [index, entry] of entries.entries())
      await this.add(entry, found[index] === undefined ? `too many files` : found[index]);
  }

  private get isFull() {
    return this.files.length >= (this.options.maxFiles ?? MAX_SNAPSHOT_FILES) || this.listed >= MAX_LISTED_BYTES;
  }

  private async add(entry: StatusEntry, found: Look) {
    if (typeof found === `string`)
      return await this.leave(entry, found);
    if (found === null)
      return;

    const {change, content} = found;
    const {maxBytes = MAX_SNAPSHOT_BYTES} = this.options;
    const listed = Buffer.byteLength(change.path) + 120;
    if (this.isFull)
      return await this.leave(entry, `too many files`);
    if (this.bytes + (content?.length ?? 0) > maxBytes)
      return await this.leave(entry, `too much in all`);

    this.bytes += content?.length ?? 0;
    this.listed += listed;
    this.files.push(change);
    if (content !== null)
      this.contents.set(change.blob!, content);
  }

  /** `named`: there is no secret in its name. */
  private async look(entry: StatusEntry, named: boolean): Promise<Look> {
    if (entry.submodule)
      return `a submodule`;
    if (entry.kind === `untracked` && entry.path.endsWith(`/`))
      return `a repository of its own`;
    if (!isSafeWorkPath(entry.path))
      return `its name`;
    if (isSecretName(entry.path))
      return `its name says that it holds secrets`;
    if (!named && !await this.options.isClean(entry.path))
      return `a secret in its name`;
    // What encrypts is a filter: the file has in the clear what git must not have.
    if (this.filtered.has(entry.path))
      return `git keeps it in another form, by a filter`;
    try {
      return await this.read(entry);
    } catch (error) {
      if (!isCode(error, `EACCES`, `EPERM`, `EIO`, `EBUSY`))
        throw error;
      return `it cannot be read`;
    }
  }

  private async read(entry: StatusEntry): Promise<Look> {
    const file = path.join(this.repo.workTree!, entry.path);
    const info = await this.isWithin(path.posix.dirname(entry.path)) ? await lstat(file).catch(ignoreMissing) : null;
    if (info === null || info.isDirectory())
      return entry.headMode === `000000` ? null : {change: {path: entry.path, change: `deleted`}, content: null};
    if (!info.isFile() && !info.isSymbolicLink())
      return `neither a file nor a link`;
    if (info.size > MAX_SNAPSHOT_FILE_BYTES)
      return `too large`;

    const content = info.isSymbolicLink() ? await readlink(file, {encoding: `buffer`}).catch(ignoreMissing) : await readWhole(file, info.size);
    if (content === null)
      return `it changed while it was read`;
    const mode = info.isSymbolicLink() ? `120000` : regularMode(entry, info.mode);
    const blob = blobId(content, this.repo.objectFormat);
    if (blob === entry.headBlob && mode === entry.headMode)
      return null;
    if (mode === `120000` && !staysInside(entry.path, content.toString()))
      return `a link that leads out of the tree`;
    if (content.includes(0) && !this.known.has(blob))
      return `binary: it cannot be searched for secrets`;
    if (!content.includes(0) && !await this.options.isClean(content.toString()))
      return `a secret in it`;
    const change = entry.kind === `untracked` ? `untracked` : entry.headMode === `000000` ? `added` : `modified`;
    return {change: {path: entry.path, change, mode, blob, bytes: content.length}, content};
  }

  /** Is every folder on the way one of this tree? Behind a link lies what is not the project's; for git such a file is gone. */
  private async isWithin(folder: string): Promise<boolean> {
    if (folder === `.`)
      return true;
    const known = this.folders.get(folder) ?? this.isWithin(path.posix.dirname(folder))
      .then(async within => within && (await lstat(path.join(this.repo.workTree!, folder)).catch(ignoreMissing))?.isDirectory() === true);
    this.folders.set(folder, known);
    return await known;
  }

  private async leave({path: name, kind}: StatusEntry, reason: string) {
    // A name that holds a secret cannot be told.
    if (this.leftOut.length < MAX_NAMED && name.length <= MAX_SHOWN_NAME && await this.options.isClean(name)) {
      this.leftOut.push({path: name, reason});
      return;
    }
    this.more += 1;
    this.moreTracked += kind === `untracked` ? 0 : 1;
  }
}

/** As git sees it, which knows file systems that have no such bit. */
function regularMode(entry: StatusEntry, mode: number): `100644` | `100755` {
  if (entry.mode === `100644` || entry.mode === `100755`)
    return entry.mode;
  return (mode & 0o100) !== 0 ? `100755` : `100644`;
}

/** Null where it is gone, became something else or grew. */
async function readWhole(file: string, size: number): Promise<Buffer | null> {
  const handle = await openRegular(file);
  if (handle === null)
    return null;
  try {
    const bytes = await readAt(handle, 0, size + 1);
    return bytes.length > size ? null : bytes;
  } finally {
    await handle.close();
  }
}

function ignoreMissing(error: Error): null {
  if (!isCode(error, `ENOENT`, `ENOTDIR`, `EINVAL`))
    throw error;
  return null;
}
