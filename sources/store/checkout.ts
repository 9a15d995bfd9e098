import {mkdir, rm}       from 'node:fs/promises';
import path              from 'node:path';

import {git, gitError, runGit} from './git.ts';
import type {MachineEnv} from './git.ts';
import {OBJECT_ID}       from './layout.ts';
import type {Repository} from './types.ts';

/**
 * What a commit has of a path: its mode, and the file below the folder where it was laid out (not of a submodule).
 * `failed`: a filter that it needs does not work here.
 */
export type CheckedOut = {mode: string; blob: string; file: string; failed?: true};

/**
 * Lays files of a commit out below `folder`, as a checkout would: with its line ends and filters. Neither index nor
 * working tree take part. Resolves what the commit has of `paths`; null where the commit is not known here.
 *
 * Throws GIT_FAILED.
 */
export async function checkoutBeside(repo: Repository, env: MachineEnv, {commit, paths, folder}: {commit: string; paths: Array<string>; folder: string}): Promise<Map<string, CheckedOut> | null> {
  const found = new Map<string, CheckedOut>();
  // A partial clone would go and look for it on the remote.
  const exists = OBJECT_ID.test(commit) ? await runGit([`cat-file`, `-e`, `${commit}^{commit}`], {repo, env: {...env, GIT_NO_LAZY_FETCH: `1`}}) : null;
  if (exists?.code !== 0 || repo.workTree === null)
    return null;
  if (paths.length === 0)
    return found;

  const place = {cwd: repo.workTree, env, index: path.join(folder, `index`)};
  const files = path.join(folder, `files`);
  await mkdir(files, {recursive: true, mode: 0o700});
  try {
    // Without sparse patterns: what is asked for is wanted, whether it is checked out here or not.
    await git([`-c`, `core.sparseCheckout=false`, `-c`, `core.hooksPath=/dev/null`, `read-tree`, commit], place);
    const wanted = new Set(paths);
    const {stdout} = await git([`-c`, `core.sparseCheckout=false`, `ls-files`, `-s`, `-z`], {...place, maxBytes: 1 << 28});
    for (const line of stdout.split(`\0`)) {
      const [, mode, blob, name] = /^(\d{6}) ([0-9a-f]+) 0\t(.+)$/s.exec(line) ?? [];
      if (name !== undefined && wanted.has(name))
        found.set(name, {mode: mode!, blob: blob!, file: path.join(files, name)});
    }
    const laid = [...found].filter(([, {mode}]) => mode !== `160000`).map(([name]) => name);
    const lay = async (names: Array<string>) => await runGit([`-c`, `core.sparseCheckout=false`, `-c`, `core.hooksPath=/dev/null`, `checkout-index`, `-q`, `-f`, `-z`, `--stdin`, `--prefix=${files}/`], {...place, input: names.map(name => `${name}\0`).join(``)});
    const all = laid.length === 0 ? null : await lay(laid);
    if (all !== null && all.code !== 0 && !all.stderr.includes(`filter`))
      throw gitError(`checkout-index`, all);
    // A filter that fails ends git; one file must not keep the others back.
    if (all !== null && all.code !== 0)
      for (const name of laid)
        if ((await lay([name])).code !== 0)
          found.set(name, {...found.get(name)!, failed: true});
  } finally {
    await rm(place.index, {force: true});
  }
  return found;
}

/** Paths of which two commits differ, each with `A` (only the second has it), `D` (only the first) or another letter. Throws GIT_FAILED, TOO_LARGE. */
export async function changedPaths(repo: Repository, env: MachineEnv, from: string, to: string): Promise<Map<string, string>> {
  const {stdout} = await git([`diff-tree`, `-r`, `-z`, `--no-renames`, `--name-status`, from, to], {repo, env});
  const fields = stdout.split(`\0`);
  const changed = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2)
    changed.set(fields[at + 1]!, fields[at]!);
  return changed;
}

/**
 * What becomes of a text that both sides have changed: `git merge-file` of three files, with marks where they cannot be
 * united. Null where one of them is not text.
 */
export async function mergeFiles(env: MachineEnv, folder: string, {ours, base, theirs}: {[side in `ours` | `base` | `theirs`]: {file: string; label: string}}): Promise<{bytes: Buffer; conflicts: number} | null> {
  const result = await runGit([`merge-file`, `-p`, `-q`, ...[ours, base, theirs].flatMap(({label}) => [`-L`, label]), ours.file, base.file, theirs.file], {cwd: folder, env});
  return result.code === null || result.code > 127 ? null : {bytes: result.bytes, conflicts: result.code};
}
