import {randomBytes}       from 'node:crypto';
import * as fs             from 'node:fs/promises';
import path                from 'node:path';

import {isSafeId}          from '../interchange/ids.ts';

import {cleanText, runGit} from './git.ts';
import type {MachineEnv}   from './git.ts';
import {checkId}           from './layout.ts';
import {StoreError}        from './types.ts';
import type {Repository}   from './types.ts';

/**
 * Finds the repository that holds `cwd`: main or linked worktree, submodule, bare, separate git directory, shallow or
 * partial clone. One git process.
 *
 * Throws NOT_A_REPOSITORY, NO_GIT, UNSUPPORTED_REPOSITORY (git itself refuses it, or is too old to describe it).
 */
export async function openRepository(cwd: string, env: MachineEnv): Promise<Repository> {
  const result = await runGit([
    `rev-parse`, `--path-format=absolute`, `--show-object-format`, `--is-bare-repository`, `--is-shallow-repository`,
    `--is-inside-work-tree`, `--git-dir`, `--git-common-dir`, `--show-toplevel`,
  ], {cwd, env});

  // Without a working tree only the last question fails, and the answers before it stand.
  const lines = result.stdout.split(`\n`);
  if (result.code !== 0 && !/must be run in a work tree/.test(result.stderr)) {
    if (/not a git repository/i.test(result.stderr))
      throw new StoreError(`NOT_A_REPOSITORY`, `${cleanText(cwd)} is not in a git repository`);

    throw new StoreError(`UNSUPPORTED_REPOSITORY`, `git does not open the repository of ${cleanText(cwd)}: ${cleanText(result.stderr)}`);
  }

  const [objectFormat, bare, shallow, inside, gitDir, commonDir, top] = lines;
  if ((objectFormat !== `sha1` && objectFormat !== `sha256`) || !path.isAbsolute(gitDir ?? ``) || !path.isAbsolute(commonDir ?? ``) || lines.length !== (inside === `true` ? 8 : 7))
    throw new StoreError(`UNSUPPORTED_REPOSITORY`, `git described the repository of ${cleanText(cwd)} in an unexpected way: git 2.31 or later is needed, and no line break in the folder's name`);

  const real = await fs.realpath(commonDir!);
  return {
    workTree: inside === `true` ? await fs.realpath(top!) : null,
    gitDir:   await fs.realpath(gitDir!),
    commonDir: real,
    objectFormat,
    bare:    bare === `true`,
    shallow: shallow === `true`,
    partial: await isPartial(real),
  };
}

/** A clone that fetches objects when they are needed says so in its own configuration. */
export async function isPartial(commonDir: string) {
  const config = await fs.readFile(path.join(commonDir, `config`), `utf8`).catch(() => ``);
  return /^\s*(?:promisor\s*=\s*true|partialclone\s*=)/im.test(config);
}

/** This clone's writer id, made up once and kept in `session-sync/writer` of the common directory. */
export async function readWriter(repo: Repository): Promise<string> {
  return await readId(repo, `writer`);
}

/**
 * The writer id that comes after `old`, the same to every process that asks. It is this clone's once `placeWriter` has
 * been called with it.
 */
export async function successorOf(repo: Repository, old: string): Promise<string> {
  return await readId(repo, path.join(`former`, checkId(old, `writer`)));
}

export async function placeWriter(repo: Repository, writer: string) {
  const file = path.join(repo.commonDir, `session-sync`, `writer`);
  const temp = `${file}.${process.pid}.${writer}`;
  await fs.writeFile(temp, `${checkId(writer, `writer`)}\n`, {mode: 0o600});
  await fs.rename(temp, file);
}

/** The id that this clone has now, if `writer` is one that it had before; else null. */
export async function renewedWriter(repo: Repository, writer: string): Promise<string | null> {
  const folder = path.join(repo.commonDir, `session-sync`);
  if (await fs.stat(path.join(folder, `former`, checkId(writer, `writer`))).catch(ignoreMissing) === undefined)
    return null;

  const now = (await fs.readFile(path.join(folder, `writer`), `utf8`).catch(ignoreMissing) ?? ``).trim();
  return isSafeId(now) && now !== writer ? now : null;
}

/** Ids that this clone has had before, or is just about to give up. */
export async function formerWriters(repo: Repository): Promise<Array<string>> {
  return (await fs.readdir(path.join(repo.commonDir, `session-sync`, `former`)).catch(ignoreMissing) ?? []).filter(isSafeId).sort();
}

/** An id in a file of our folder; made up where there is none. */
async function readId(repo: Repository, name: string): Promise<string> {
  const file   = path.join(repo.commonDir, `session-sync`, name);
  const folder = path.dirname(file);

  for (let attempt = 0; attempt < 20; attempt++) {
    const text = (await fs.readFile(file, `utf8`).catch(ignoreMissing) ?? ``).trim();
    if (isSafeId(text))
      return text;

    const id   = randomBytes(8).toString(`hex`);
    const temp = path.join(repo.commonDir, `session-sync`, `writer.${process.pid}.${id}`);
    await fs.mkdir(folder, {recursive: true, mode: 0o700});
    await fs.writeFile(temp, `${id}\n`, {mode: 0o600, flag: `wx`});
    try {
      // A link fails where the file exists, so that of several processes one wins; a torn file is put out of the way.
      if (text !== `` || await isEmpty(file))
        await fs.rename(temp, file);
      else
        await fs.link(temp, file).catch(error => placeWithoutLink(error, file, id));
    } finally {
      await fs.rm(temp, {force: true});
    }
  }

  throw new StoreError(`GIT_FAILED`, `Could not settle on a writer id in ${file}`);
}

async function placeWithoutLink(error: NodeJS.ErrnoException, file: string, id: string) {
  if (error.code === `EEXIST`)
    return;
  if (error.code !== `EPERM` && error.code !== `ENOTSUP` && error.code !== `ENOSYS`)
    throw error;

  await fs.writeFile(file, `${id}\n`, {mode: 0o600, flag: `wx`}).catch((again: NodeJS.ErrnoException) => {
    if (again.code !== `EEXIST`)
      throw again;
  });
}

async function isEmpty(file: string) {
  const stat = await fs.stat(file).catch(ignoreMissing);
  return stat?.size === 0;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== `ENOENT`)
    throw error;
}
