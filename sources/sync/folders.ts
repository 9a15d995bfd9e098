import {readdir, realpath}        from 'node:fs/promises';
import path                       from 'node:path';

import {stableJson}               from '../interchange/index.ts';
import type {Repository}          from '../store/types.ts';
import {isGone, readIfThere, writeAtomic} from '../system/files.ts';

import type {Project}             from './project.ts';

/** More folders than these one repository has hardly had; the oldest are forgotten first. */
const MOST_FOLDERS = 200;

/** A working folder of the repository. `worktree`: git's name of a linked one; absent for the main one. */
export type Folder = {folder: string; worktree?: string};

/** A folder that the repository has had and that is there no more, and the one that its sessions belong to now. */
export type Move = {from: string; to: string};

/** Working folders of all worktrees of the repository, as git knows them: sessions of any of them belong to the project. */
export async function currentFolders({repository}: Pick<Project, `repository`>): Promise<Array<Folder>> {
  const {commonDir, gitDir, workTree} = repository;
  const folders = new Map<string, Folder>();
  const main = mainFolder({repository});
  if (main !== null)
    folders.set(main, {folder: main});

  const worktrees = path.join(commonDir, `worktrees`);
  const names = await readdir(worktrees).catch(() => []);
  for (const name of names) {
    // The file names the `.git` file of the worktree; one whose folder is gone has sessions still.
    const gitFile = (await readIfThere(path.join(worktrees, name, `gitdir`)))?.trim();
    if (gitFile && path.isAbsolute(gitFile) && !folders.has(path.dirname(gitFile)))
      folders.set(path.dirname(gitFile), {folder: path.dirname(gitFile), worktree: name});
  }
  // A linked worktree that was moved by hand: git does not know it there before `git worktree repair`.
  if (workTree !== null && !folders.has(workTree))
    folders.set(workTree, {folder: workTree, ...path.dirname(gitDir) === worktrees ? {worktree: path.basename(gitDir)} : {}});
  return [...folders.values()].sort((a, b) => a.folder < b.folder ? -1 : 1);
}

/**
 * The repository as the working tree that holds a folder sees it, with that one's HEAD, index and reflog: one worker serves
 * the sessions of all of them. One tree may lie within another. What lies in none is told of the tree that we were started in.
 */
export async function repositoryAt(project: Pick<Project, `repository`>, cwd: string | undefined): Promise<Repository> {
  const {repository} = project;
  if (cwd === undefined || repository.workTree === null)
    return repository;
  const folder  = await realpath(cwd).catch(() => cwd);
  const holding = (await currentFolders(project)).filter(one => isWithin(folder, one.folder)).sort((a, b) => b.folder.length - a.folder.length)[0];
  if (holding === undefined || holding.folder === repository.workTree || await isGone(holding.folder))
    return repository;
  const gitDir = holding.worktree === undefined ? repository.commonDir : path.join(repository.commonDir, `worktrees`, holding.worktree);
  return {...repository, workTree: holding.folder, gitDir};
}

/** The main working folder; null in a bare repository. */
function mainFolder({repository: {commonDir, gitDir, workTree}}: Pick<Project, `repository`>): string | null {
  if (workTree !== null && gitDir === commonDir)
    return workTree;
  return path.basename(commonDir) === `.git` ? path.dirname(commonDir) : null;
}

/**
 * Keeps a note of the folders that the repository has, so that their sessions are known when they have been renamed,
 * moved or removed. Called by whoever syncs.
 */
export async function noteFolders(project: Project, more: Array<Folder> = []) {
  const noted = await notedFolders(project);
  const fresh = [...await currentFolders(project), ...more].filter(({folder, worktree}) => !noted.some(one => one.folder === folder && one.worktree === worktree));
  if (fresh.length > 0)
    await writeAtomic(fileOf(project), stableJson({folders: [...noted, ...fresh].slice(-MOST_FOLDERS)}));
}

/** What was noted, oldest first; nothing where the note is lost or torn. */
export async function notedFolders(project: Project): Promise<Array<Folder>> {
  try {
    const {folders} = JSON.parse(await readIfThere(fileOf(project)) ?? `{}`) as {folders?: unknown};
    return Array.isArray(folders) ? folders.filter(isFolder) : [];
  } catch {
    return [];
  }
}

function isFolder(value: unknown): value is Folder {
  const one = value as Partial<Folder> | null;
  return typeof one === `object` && one !== null && typeof one.folder === `string` && path.isAbsolute(one.folder) && !one.folder.includes(`\0`)
    && (one.worktree === undefined || typeof one.worktree === `string`);
}

/**
 * Where the folders that the repository has had have gone. One in whose place there is something now is left out: it may
 * be somebody else's. The innermost first.
 */
export async function moves(project: Project, more: Array<Folder> = []): Promise<Array<Move>> {
  const current = await currentFolders(project);
  const main = mainFolder(project) ?? project.root;
  const found = new Map<string, Move>();
  for (const {folder, worktree} of [...await notedFolders(project), ...more]) {
    if (found.has(folder) || !await isGone(folder))
      continue;
    // A worktree that git still knows may lie elsewhere; the sessions of one that was removed go to the main folder.
    const there = worktree === undefined ? undefined : current.find(one => one.worktree === worktree && one.folder !== folder)?.folder;
    found.set(folder, {from: folder, to: there !== undefined && !await isGone(there) ? there : main});
  }
  return [...found.values()].sort((a, b) => b.from.length - a.from.length || (a.from < b.from ? -1 : 1));
}

/** Folders whose sessions belong to the project: those that it has, and those that it has had and nobody has now. */
export async function projectFolders(project: Project): Promise<Array<string>> {
  const [current, gone] = await Promise.all([currentFolders(project), moves(project)]);
  return [...new Set([...current.map(({folder}) => folder), ...gone.map(({from}) => from)])].sort();
}

/** Where a folder that went with a move is now: the same one in the new place where it is there, else the new place. */
export async function folderAfter(cwd: string, {from, to}: Move): Promise<string> {
  const inside = path.join(to, path.relative(from, cwd));
  return await isGone(inside) ? to : inside;
}

export function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}

function fileOf(project: Pick<Project, `paths`>) {
  return path.join(project.paths.folder, `folders`);
}
