import {mkdtemp, rm}                              from 'node:fs/promises';
import path                                       from 'node:path';

import {changedPaths, checkoutBeside, isAncestor, isSafeWorkPath, isSecretName, staysInside, takeSnapshot, treeStatus} from '../store/index.ts';
import type {CheckedOut, SessionStore, StatusEntry, TreeStatus} from '../store/index.ts';
import type {WorktreeChange, WorktreeState}       from '../store/types.ts';
import type {Project}                             from '../sync/project.ts';
import {makeFolder}                               from '../system/files.ts';

import {lineEndsHere}                             from './lineEnds.ts';
import type {AsHere}                              from './lineEnds.ts';
import type {Keepsake}                            from './keepsakes.ts';
import type {Turn}                                from './turns.ts';
import {look, readLaidOut, sameContent}           from './workFiles.ts';
import type {Action, Content, Found}              from './workFiles.ts';

/** Of more paths a worktree of its own is the better way. */
const MOST_PATHS = 20_000;

export type RewindPlan = {
  actions: Array<Action>;
  /** Files that are, or were then, not as in the commit, and stay as they are. */
  left: Array<{path: string; reason: string}>;
  /** The commit that is checked out, and the one that the files come from. */
  head?: string;
  base?: string;
};

export class RewindError extends Error {
  constructor(readonly code: `OTHER_COMMIT` | `UNMERGED` | `NO_WORK_TREE` | `TOO_MUCH`, message: string) {
    super(message);
  }
}

export type RewindOptions = {
  project: Project;
  store: SessionStore;
  turn: Turn;
  state: WorktreeState;
  isClean: (text: string) => boolean | Promise<boolean>;
};

/**
 * What it takes to have the working tree as it was at a turn; HEAD and the index stay. Only what is known to have been
 * otherwise changes: a file that was not kept then, or would not be kept now, stays as it is. Changes nothing.
 *
 * Throws RewindError, BAD_DATA, TOO_LARGE, MISSING_OBJECT, GIT_FAILED.
 */
export async function planRewind(options: RewindOptions): Promise<RewindPlan> {
  const {project: {repository, machine: {env}, paths}, state} = options;
  const status = await treeStatus(repository, env, {untracked: state.scope === `all`});
  if (status === null)
    throw new RewindError(`NO_WORK_TREE`, `This is a bare repository: there are no files to bring back.`);
  if (status.entries.some(({kind}) => kind === `unmerged`))
    throw new RewindError(`UNMERGED`, `A merge has conflicts that are not solved. Finish it, or end it with \`git merge --abort\`, first.`);

  const since = await commitsSince(options, status);
  const names = [...new Set([...status.entries.map(entry => entry.path), ...since.keys(), ...state.files.map(file => file.path)])].sort();
  if (names.length > MOST_PATHS)
    throw new RewindError(`TOO_MUCH`, `${names.length} files differ from what they were then.`);

  await makeFolder(paths.folder);
  const folder = await mkdtemp(path.join(paths.folder, `rewind-`));
  try {
    const laid = state.base === undefined ? new Map<string, CheckedOut>() : await checkoutBeside(repository, env, {commit: state.base, paths: names, folder});
    if (laid === null)
      throw otherCommit(state, `is not in this repository`);
    const planner = new Planner(options, status, since, laid, await keptNow(options), await lineEndsHere(options.project, state));
    await planner.run(names);
    return {
      actions: planner.actions, left: planner.left,
      ...status.git.commit !== undefined ? {head: status.git.commit} : {}, ...state.base !== undefined ? {base: state.base} : {},
    };
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

/** Paths that commits have changed since then, where they were made on top of it. */
async function commitsSince({project: {repository, machine: {env}}, state}: RewindOptions, {git}: TreeStatus): Promise<Map<string, string>> {
  if (state.base === git.commit)
    return new Map();
  if (state.base === undefined || git.commit === undefined)
    throw otherCommit(state, `does not lead to this checkout`);
  if (!await isAncestor(repository, env, state.base, git.commit).catch(() => false))
    throw otherCommit(state, `does not lead to this checkout, or is not in this repository`);
  return await changedPaths(repository, env, state.base, git.commit);
}

function otherCommit({base}: WorktreeState, why: string) {
  return new RewindError(`OTHER_COMMIT`, `The files were at ${base === undefined ? `a time before the first commit, which` : `commit ${base.slice(0, 8)}, which`} ${why}.`);
}

/** Untracked files that a snapshot of now would have: of the others it is not known whether they were there. */
async function keptNow({project: {repository, machine: {env}}, state, isClean}: RewindOptions): Promise<Set<string>> {
  const snapshot = state.scope === `all` ? await takeSnapshot(repository, env, {scope: `all`, isClean}) : null;
  return new Set(snapshot?.worktree.state.files.map(file => file.path));
}

class Planner {
  readonly actions: Array<Action> = [];
  readonly left: RewindPlan[`left`] = [];
  private readonly entries: Map<string, StatusEntry>;
  private readonly files: Map<string, WorktreeChange>;
  private readonly leftOut: Map<string, string>;

  constructor(
    private readonly options: RewindOptions, status: TreeStatus, private readonly since: Map<string, string>,
    private readonly laid: Map<string, CheckedOut>, private readonly kept: Set<string>, private readonly asHere: AsHere,
  ) {
    this.entries = new Map(status.entries.map(entry => [entry.path, entry]));
    this.files = new Map(options.state.files.map(file => [file.path, file]));
    this.leftOut = new Map(options.state.leftOut.map(({path: name, reason}) => [name, reason]));
  }

  async run(names: Array<string>) {
    const wanted = new Map<string, Content | null>();
    for (const name of names) {
      const then = await this.then(name);
      if (typeof then === `string`)
        this.left.push({path: name, reason: then});
      else if (then !== undefined)
        wanted.set(name, then.content);
    }
    // What goes may make room for the others.
    const going = new Set<string>();
    for (const [name] of [...wanted].filter(([, content]) => content === null))
      if (await this.compare(name, null, going))
        going.add(name);
    for (const [name, content] of [...wanted].filter(([, content]) => content !== null))
      await this.compare(name, content, going);
    this.actions.sort((a, b) => a.path < b.path ? -1 : 1);
  }

  /** What the file was then; why that is not known, or nothing where it is none of our business. */
  private async then(name: string): Promise<{content: Content | null} | string | undefined> {
    const {state, store, turn} = this.options;
    const entry = this.entries.get(name);
    const base = this.laid.get(name);
    const file = this.files.get(name);
    if (entry?.submodule === true || base?.mode === `160000`)
      return `a submodule`;
    if (!isSafeWorkPath(name))
      return `its name`;
    if (isSecretName(name))
      return `its name says that it holds secrets`;
    if (this.leftOut.has(name))
      return `it was not kept then: ${this.leftOut.get(name)}`;
    if (file !== undefined) {
      const bytes = file.change === `deleted` ? null : await store.readWorktreeFile(turn.stored, file);
      if (file.mode === `120000` && !staysInside(name, bytes!.toString()))
        return `a link that leads out of the tree`;
      return {content: bytes === null ? null : this.asHere(name, {mode: file.mode!, bytes}, base === undefined || base.failed ? null : await readLaidOut(base.file))};
    }
    if (((base === undefined ? state.more : state.moreTracked) ?? 0) > 0)
      return `too much had changed then to know whether it was kept`;
    if (base?.failed)
      return `a filter that git needs for it does not work here`;
    if (base !== undefined)
      return {content: await readLaidOut(base.file)};
    if (entry?.kind === `untracked`)
      return this.kept.has(name) ? {content: null} : `it would not be kept now, and so is not known to be new`;
    if (entry !== undefined && entry.headMode === `000000` && state.scope === `tracked`)
      return `a new file: only tracked ones were kept then`;
    return {content: null};
  }

  /** True where there is something to do. */
  private async compare(name: string, content: Content | null, going: Set<string>): Promise<boolean> {
    const found = await look(this.options.project.root, name, going);
    const before = found.kind === `file` ? found.content : null;
    const reason = whyNot(found, name, content, going)
      // HEAD has it, and git does not miss it: it is outside of what is checked out here.
      ?? (found.kind === `absent` && content !== null && !this.entries.has(name) && this.since.get(name) !== `D` && this.laid.has(name) ? `it is not checked out here` : null);
    if (reason !== null)
      this.left.push({path: name, reason});
    if (reason !== null || sameContent(before, content))
      return false;
    this.actions.push({path: name, wanted: content, before});
    return true;
  }
}

/** What it takes to have the files again that were kept. What is in their place now is in the plan, to be kept as well. */
export async function planForward({root}: Project, {files}: Keepsake, read: (file: Keepsake[`files`][number]) => Promise<Content | null>): Promise<RewindPlan> {
  const plan: RewindPlan = {actions: [], left: []};
  const going = new Set<string>();
  for (const kept of [...files].sort((a, b) => Number(a.file !== undefined) - Number(b.file !== undefined))) {
    const wanted = await read(kept);
    const found = await look(root, kept.path, going);
    const before = found.kind === `file` ? found.content : null;
    const reason = whyNot(found, kept.path, wanted, going);
    if (reason !== null) {
      plan.left.push({path: kept.path, reason});
    } else if (!sameContent(before, wanted) || (wanted !== null && wanted.mode !== `120000` && before?.permissions !== wanted.permissions)) {
      plan.actions.push({path: kept.path, wanted, before});
      if (wanted === null)
        going.add(kept.path);
    }
  }
  return plan;
}

/** Why a file cannot become this, whatever it is; null where it can. What is no file of this tree need not go. */
function whyNot(found: Found, name: string, content: Content | null, going: Set<string>): string | null {
  if (found.kind === `beyond`)
    return content === null ? null : found.reason;
  if (found.kind === `other`)
    return found.reason;
  return found.kind === `folder` && content !== null && ![...going].some(gone => gone.startsWith(`${name}/`)) ? `a folder is there` : null;
}
