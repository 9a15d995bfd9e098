import {mkdtemp, rm, writeFile}                   from 'node:fs/promises';
import path                                       from 'node:path';

import {checkoutBeside, configValue, foldedName, isSecretName, mergeFiles, staysInside, treeStatus} from '../store/index.ts';
import type {CheckedOut, SessionStore}            from '../store/index.ts';
import type {StoredRef, WorktreeChange, WorktreeState} from '../store/types.ts';
import type {Project}                             from '../sync/project.ts';
import {makeFolder}                               from '../system/files.ts';

import {lineEndsHere, withLineEnds}               from './lineEnds.ts';
import type {AsHere}                              from './lineEnds.ts';
import {applyActions, look, readLaidOut, sameContent} from './workFiles.ts';
import type {Action, Content, Found}              from './workFiles.ts';

/**
 * `written`, `deleted`: as it was. `merged`: united with what changed here since. `conflict`: the same, with marks where
 * both changed the same lines. `unchanged`: it is like that already. `left`: nothing was done, `reason` says why.
 */
export type ChangeOutcome = `written` | `deleted` | `merged` | `conflict` | `unchanged` | `left`;
export type PlannedChange = {path: string; outcome: ChangeOutcome; reason?: string; action?: Action};

export type ChangePlan = {
  changes: Array<PlannedChange>;
  /** Tracked files of this working tree that are not as in HEAD. */
  dirty: Array<string>;
  /** The commit that the files were changed from: the one that is checked out here, another, or none that is known. */
  base: `same` | `other` | `unknown`;
};

/** What is asked of a file: its content then, what it was changed from, and what is here now. */
type Sides = {change: WorktreeChange; theirs: Content | null; base: Content | null; found: Found};

/**
 * What it takes to have the uncommitted files of a session in this working tree: those that are as they were in the
 * commit that they were changed from are written; the others are united with what is here. Changes nothing.
 *
 * Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT, GIT_FAILED.
 */
export async function planChanges({project, store, stored, state}: {project: Project; store: SessionStore; stored: StoredRef; state: WorktreeState}): Promise<ChangePlan> {
  const {repository, machine: {env}} = project;
  const status = (await treeStatus(repository, env, {untracked: false}))!;
  await makeFolder(project.paths.folder);
  const folder = await mkdtemp(path.join(project.paths.folder, `changes-`));
  try {
    const laid = state.base === undefined ? new Map<string, CheckedOut>()
      : await checkoutBeside(repository, env, {commit: state.base, paths: state.files.map(file => file.path), folder});
    const planner = new Planner(project.root, env, folder, state, laid, await ignoresCase(project), await lineEndsHere(project, state));
    const changes: Array<PlannedChange> = [];
    // What goes may make room for the others.
    for (const deleted of [true, false])
      for (const change of state.files)
        if ((change.change === `deleted`) === deleted)
          changes.push(await planner.plan(change, async () => await store.readWorktreeFile(stored, change)));
    changes.sort((a, b) => a.path < b.path ? -1 : 1);
    return {
      changes, dirty: status.entries.filter(({kind}) => kind !== `untracked`).map(entry => entry.path),
      base: laid === null ? `unknown` : status.git.commit === state.base ? `same` : `other`,
    };
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

/** Throws ApplyError. */
export async function applyChanges(project: Project, {changes}: ChangePlan) {
  await applyActions(project.root, changes.flatMap(({action}) => action === undefined ? [] : [action]));
}

/** Does the file system take names for one that differ in case? Git asked it when the repository was made. */
async function ignoresCase({repository, machine}: Project) {
  return await configValue(repository, machine.env, `core.ignorecase`) === `true`;
}

class Planner {
  /** What the plan removes. */
  private readonly going = new Set<string>();
  private readonly twice = new Set<string>();

  constructor(
    private readonly root: string, private readonly env: Project[`machine`][`env`], private readonly folder: string,
    state: WorktreeState, private readonly laid: Map<string, CheckedOut> | null, ignoreCase: boolean, private readonly asHere: AsHere,
  ) {
    const seen = new Map<string, string>();
    for (const {path: name} of ignoreCase ? state.files : []) {
      const other = seen.get(foldedName(name));
      if (other !== undefined)
        this.twice.add(name).add(other);
      seen.set(foldedName(name), name);
    }
  }

  async plan(change: WorktreeChange, read: () => Promise<Buffer>): Promise<PlannedChange> {
    const {path: name} = change;
    const left = (reason: string): PlannedChange => ({path: name, outcome: `left`, reason});
    if (isSecretName(name))
      return left(`its name says that it holds secrets`);
    if (this.twice.has(name))
      return left(`this file system takes its name and another for one`);
    const entry = this.laid?.get(name);
    if (entry?.mode === `160000`)
      return left(`a submodule`);
    if (entry?.failed)
      return left(`a filter that git needs for it does not work here`);

    const found = await look(this.root, name, this.going);
    if (found.kind === `beyond`)
      return change.change === `deleted` ? {path: name, outcome: `unchanged`} : left(found.reason);
    if (found.kind === `other`)
      return left(found.reason);
    if (found.kind === `folder` && (change.change === `deleted` || ![...this.going].some(gone => gone.startsWith(`${name}/`))))
      return change.change === `deleted` ? {path: name, outcome: `unchanged`} : left(`a folder is there`);

    const theirs = change.change === `deleted` ? null : {mode: change.mode!, bytes: await read()};
    if (theirs?.mode === `120000` && !staysInside(name, theirs.bytes.toString()))
      return left(`a link that leads out of the tree`);
    const base = entry === undefined ? null : await readLaidOut(entry.file);
    return await this.unite({change, theirs: theirs === null ? null : this.asHere(name, theirs, base), base, found});
  }

  private async unite({change: {path: name}, theirs, base, found}: Sides): Promise<PlannedChange> {
    const left = (reason: string): PlannedChange => ({path: name, outcome: `left`, reason});
    const here = found.kind === `file` ? found.content : null;
    if (sameContent(here, theirs))
      return {path: name, outcome: `unchanged`};
    if (this.laid === null && here !== null)
      return left(`the commit that it was changed from is not known here, and another file is there`);
    if (here === null && base === null)
      return theirs === null ? {path: name, outcome: `unchanged`} : this.write(name, theirs, here);
    if (here === null)
      return theirs === null ? {path: name, outcome: `unchanged`} : left(`it is not there any more`);
    if (base !== null && sameText(here, base))
      return this.write(name, theirs, here);
    if (theirs === null)
      return left(base === null ? `another file is there` : `it was deleted, and has changed here`);
    return await this.merge(name, theirs, base, here) ?? left(base === null ? `another file is there` : `both have changed it, and it is no text`);
  }

  private write(name: string, wanted: Content | null, before: Content | null): PlannedChange {
    if (wanted === null)
      this.going.add(name);
    return {path: name, outcome: wanted === null ? `deleted` : `written`, action: {path: name, wanted, before}};
  }

  private async merge(name: string, theirs: Content, base: Content | null, here: Content): Promise<PlannedChange | null> {
    if ([theirs, base ?? theirs, here].some(({mode, bytes}) => mode === `120000` || bytes.includes(0)))
      return null;
    const sides = {ours: {content: here.bytes, label: `here`}, base: {content: base?.bytes ?? Buffer.alloc(0), label: `recorded commit`}, theirs: {content: theirs.bytes, label: `session`}};
    const carriage = endsInCarriageReturns(here.bytes);
    const files = {} as {[side in keyof typeof sides]: {file: string; label: string}};
    for (const [side, {content, label}] of Object.entries(sides)) {
      const file = path.join(this.folder, `merge-${side}`);
      await writeFile(file, withLineEnds(content, carriage), {mode: 0o600});
      files[side as keyof typeof sides] = {file, label};
    }
    const united = await mergeFiles(this.env, this.folder, files);
    if (united === null)
      return null;
    const mode = base === null || theirs.mode !== base.mode ? theirs.mode : here.mode;
    const wanted = {mode, bytes: united.bytes};
    if (sameContent(wanted, here))
      return {path: name, outcome: `unchanged`};
    return {path: name, outcome: united.conflicts > 0 ? `conflict` : `merged`, action: {path: name, wanted, before: here}};
  }
}

/** Equal but for the ends of lines, which git may have written otherwise on another machine. */
function sameText(a: Content, b: Content) {
  return a.mode === b.mode && (a.bytes.equals(b.bytes) || withLineEnds(a.bytes, false).equals(withLineEnds(b.bytes, false)));
}

function endsInCarriageReturns(bytes: Buffer) {
  const first = bytes.indexOf(10);
  return first > 0 && bytes[first - 1] === 13;
}
