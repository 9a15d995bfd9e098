import {lstat, readFile, realpath, stat} from 'node:fs/promises';
import path                        from 'node:path';

import {StoreError}                from '../../store/index.ts';
import {blame, resolveCommit}      from '../../store/log.ts';
import type {BlamedLine}           from '../../store/log.ts';
import type {Project}              from '../../sync/project.ts';
import {safe}                      from '../../terminal/safe.ts';
import {CommandError}              from '../Base.ts';

const MOST_LINES = 500;
const LARGEST_FILE = 64 << 20;

/**
 * The lines that `src/cart.js:12` or `src/cart.js:12-30` means, with the commits that they come from. `file` is relative to
 * the top of the working tree. Throws BAD_USAGE, NO_WORKING_TREE, OUTSIDE, NO_SUCH_FILE, NO_SUCH_LINE, BINARY_FILE,
 * BAD_REVISION.
 */
export async function linesToBlame(project: Project, cwd: string, given: string, revision: string | undefined): Promise<{file: string; lines: Array<BlamedLine>}> {
  const {repository, machine} = project;
  const [, name, first, second] = /^(.+):(\d{1,9})(?:-(\d{1,9}))?$/s.exec(given) ?? [];
  if (name === undefined)
    throw new CommandError(`BAD_USAGE`, `Say which line: why <file>:<line>, or why <file>:<from>-<to>.`);
  const [from, to] = [Number(first), Number(second ?? first)];
  if (from < 1 || to < from || to - from >= MOST_LINES)
    throw new CommandError(`BAD_USAGE`, `${safe(given)} is no range of 1 to ${MOST_LINES} lines, counted from 1.`);
  if (repository.workTree === null)
    throw new CommandError(`NO_WORKING_TREE`, `This repository has no working tree.`);

  const file = await below(repository.workTree, path.resolve(cwd, name));
  if (file === null)
    throw new CommandError(`OUTSIDE`, `${safe(name)} lies outside of the working tree of this repository.`);
  const commit = revision === undefined ? undefined : await resolveCommit(repository, machine.env, revision);
  if (commit === null)
    throw new CommandError(`BAD_REVISION`, `${safe(revision!)} is no commit that is here.`);

  const inside = await repositoryWithin(repository.workTree, file);
  if (inside !== null)
    throw new CommandError(`OUTSIDE`, inside === `.git` ? `${safe(file)} is git's own.` : `${safe(file)} is in ${safe(inside)}, a repository of its own: ask there (cd ${safe(inside)}).`);

  const content = commit === undefined ? await contentOf(path.join(repository.workTree, file)) : null;
  if (commit === undefined && content === null)
    throw new CommandError(`NO_SUCH_FILE`, `There is no file ${safe(file)} in the working tree; --rev names a commit that has it.`);
  if (content?.includes(0) === true)
    throw new CommandError(`BINARY_FILE`, `${safe(file)} is binary: it has no lines.`);
  try {
    const lines = await blame(repository, machine.env, {path: file, from, to, ...commit !== undefined ? {revision: commit} : {}});
    if (lines.some(({text}) => text.includes(`\0`)))
      throw new CommandError(`BINARY_FILE`, `${safe(file)} is binary: it has no lines.`);
    return {file, lines};
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== `GIT_FAILED`)
      throw error;
    const [, count] = /has only (\d+) lines?/.exec(error.message) ?? [];
    if (count !== undefined)
      throw new CommandError(`NO_SUCH_LINE`, `${safe(file)} has only ${count} lines.`);
    // Nobody has committed it yet: git has nothing to say of it.
    if (content !== null && /no such path|no such ref|bad revision/i.test(error.message))
      return {file, lines: uncommitted(content, file, from, to)};
    if (/no such path/i.test(error.message))
      throw new CommandError(`NO_SUCH_FILE`, `${safe(revision ?? `HEAD`)} has no file ${safe(file)}.`);
    throw error;
  }
}

function uncommitted(content: Buffer, file: string, from: number, to: number): Array<BlamedLine> {
  const lines = content.toString().replace(/\n$/, ``).split(`\n`);
  if (to > lines.length || content.length === 0)
    throw new CommandError(`NO_SUCH_LINE`, `${safe(file)} has only ${content.length === 0 ? 0 : lines.length} lines.`);
  return lines.slice(from - 1, to).map((text, index) => ({line: from + index, text, commit: null, path: file, number: from + index}));
}

/** The submodule, or other repository, that a file is in; `.git` for a file of git. */
async function repositoryWithin(workTree: string, file: string): Promise<string | null> {
  const folders = file.split(`/`).slice(0, -1);
  if (folders[0]?.toLowerCase() === `.git`)
    return `.git`;
  for (const [index] of folders.entries()) {
    const folder = folders.slice(0, index + 1).join(`/`);
    if (await lstat(path.join(workTree, folder, `.git`)).then(() => true, () => false))
      return folder;
  }
  return null;
}

/** With `/`; null for what is not below the folder, also by another name of it. */
async function below(folder: string, file: string): Promise<string | null> {
  for (const candidate of [file, path.join(await realpath(path.dirname(file)).catch(() => path.dirname(file)), path.basename(file))]) {
    const relative = path.relative(folder, candidate);
    if (relative !== `` && relative !== `..` && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative))
      return relative.split(path.sep).join(`/`);
  }
  return null;
}

async function contentOf(file: string): Promise<Buffer | null> {
  const info = await stat(file).catch(() => null);
  return info === null || !info.isFile() || info.size > LARGEST_FILE ? null : await readFile(file);
}
