import * as fs                    from 'node:fs/promises';
import path                       from 'node:path';
import {setTimeout as sleep}      from 'node:timers/promises';

import {gitError, runGit}         from './git.ts';
import type {MachineEnv}          from './git.ts';
import type {Repository}          from './types.ts';

/** `from` and `to` null: the ref does not exist before, after. */
export type RefChange = {ref: string; from: string | null; to: string | null};

/** Git holds the lock of one ref for milliseconds; one of ours that is this old was left by a killed process. */
export const STALE_LOCK_MS = 5000;
/** Loose refs that are worth packing: `git log --decorate` over 10,000 takes 123 ms loose and 7 ms packed. */
const LOOSE_REFS = 300;
/** Commits that one git is asked about. */
const PAIRS = 500;

/**
 * Changes refs, all or none, if each still has its old value; false if one has not. A lock that a killed process left in
 * our namespaces is removed once it is older than `staleMs`.
 */
export async function updateRefs(repo: Repository, env: MachineEnv, changes: Array<RefChange>, staleMs = STALE_LOCK_MS): Promise<boolean> {
  const zero  = `0`.repeat(repo.objectFormat === `sha1` ? 40 : 64);
  const input = changes.map(({ref, from, to}) => to === null ? `delete ${ref} ${from ?? zero}\n` : `update ${ref} ${to} ${from ?? zero}\n`).join(``);

  for (let waited = 0; ; waited += 100) {
    const result = await runGit([`update-ref`, `--stdin`], {repo, env, input});
    if (result.code === 0)
      return true;

    if (isLocked(result.stderr) && waited < staleMs + 2000) {
      await clearStaleLocks(repo, changes.map(({ref}) => ref), staleMs);
      await sleep(100);
    } else if (/but expected|reference already exists|unable to resolve reference|reference is missing/.test(result.stderr)) {
      return false;
    } else {
      throw gitError(`update-ref`, result);
    }
  }
}

export function isLocked(stderr: string) {
  return /Unable to create '[^']*\.lock'/.test(stderr) && /File exists/.test(stderr);
}

/** Removes locks of these refs that nobody can hold any more. */
export async function clearStaleLocks(repo: Repository, refs: Array<string>, staleMs = STALE_LOCK_MS) {
  for (const ref of refs) {
    // Never a lock of the person's own refs, whatever the caller says.
    if (!/^refs\/session-sync(?:-remotes|-shadow|-pruned)?\//.test(ref))
      continue;

    const file = path.join(repo.commonDir, `${ref}.lock`);
    const stat = await fs.lstat(file).catch(() => null);
    if (stat?.isFile() && Math.abs(Date.now() - stat.mtimeMs) > staleMs)
      await fs.rm(file, {force: true});
  }
}

/** Is `ancestor` the same commit as `commit` or one before it? */
export async function isAncestor(repo: Repository, env: MachineEnv, ancestor: string, commit: string) {
  const result = await runGit([`merge-base`, `--is-ancestor`, ancestor, commit], {repo, env});
  if (result.code !== 0 && result.code !== 1)
    throw gitError(`merge-base`, result);

  return result.code === 0;
}

/** Which of the commits none of those it is compared with is or has before it, also where it is not here at all. One git process for 500. */
export async function notReachable(repo: Repository, env: MachineEnv, pairs: Array<{commit: string; from: Array<string>}>): Promise<Set<string>> {
  const missing = new Set<string>();
  for (let at = 0; at < pairs.length; at += PAIRS) {
    const some  = pairs.slice(at, at + PAIRS);
    const input = some.map(({commit, from}) => `${commit}\n${from.map(oid => `^${oid}\n`).join(``)}`).join(``);
    const found = await runGit([`rev-list`, `--stdin`], {repo, env, input});
    const seen  = new Set(found.stdout.split(`\n`));
    for (const {commit} of some)
      if (found.code !== 0 || seen.has(commit))
        missing.add(commit);
  }

  return missing;
}

/** Packs refs when more than 300 of ours are loose. True if it did. */
export async function packRefs(repo: Repository, env: MachineEnv, threshold = LOOSE_REFS) {
  let count = 0;
  for (const space of [`session-sync`, `session-sync-shadow`, `session-sync-remotes`, `session-sync-pruned`])
    count += await countFiles(path.join(repo.commonDir, `refs`, space), threshold + 1 - count);

  if (count <= threshold)
    return false;

  // Only ours where git can (2.43 and later), else all, which is what `git gc` does as well.
  const ours = await runGit([`pack-refs`, `--include`, `refs/session-sync*/*`, `--include`, `refs/session-sync*`], {repo, env});
  if (ours.code === 129)
    await runGit([`pack-refs`, `--all`], {repo, env});

  return true;
}

async function countFiles(folder: string, limit: number): Promise<number> {
  let count = 0;
  for (const entry of await fs.readdir(folder, {withFileTypes: true}).catch(() => [])) {
    if (count >= limit)
      break;

    count += entry.isDirectory() ? await countFiles(path.join(folder, entry.name), limit - count) : 1;
  }

  return count;
}
