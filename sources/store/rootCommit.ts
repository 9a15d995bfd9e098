import path                                from 'node:path';

import {readIfThere, writeAtomic}          from '../system/files.ts';

import {runGit}                            from './git.ts';
import type {MachineEnv}                   from './git.ts';
import {OBJECT_ID}                         from './layout.ts';
import type {Repository}                   from './types.ts';

/** A history of a million commits is walked in a few seconds, once. */
const TIMEOUT_MS = 10_000;

/**
 * The commit that the history of HEAD begins with: what a repository keeps when its folder, its remote and its branches
 * are called something else. Of several the first by name. Undefined in a shallow clone, before the first commit, or when
 * git takes too long.
 *
 * `cache`: a file of ours. What it says holds as long as HEAD has any commit in common with the one it was found for.
 */
export async function rootCommit(repo: Repository, env: MachineEnv, cache: string): Promise<string | undefined> {
  if (repo.shallow)
    return undefined;
  const place = {repo: {...repo, commonDir: repo.gitDir}, env: {...env, GIT_NO_LAZY_FETCH: `1`}, timeoutMs: TIMEOUT_MS};
  const head = (await runGit([`rev-parse`, `--quiet`, `--verify`, `HEAD^{commit}`], place)).stdout.trim();
  if (!OBJECT_ID.test(head))
    return undefined;

  const [knownHead = ``, knownRoot = ``] = (await readIfThere(cache).catch(() => null) ?? ``).trim().split(` `);
  const isKnown = OBJECT_ID.test(knownHead) && OBJECT_ID.test(knownRoot);
  if (isKnown && knownHead === head)
    return knownRoot;

  const shared = isKnown && (await runGit([`merge-base`, knownHead, head], place)).code === 0;
  const root = shared ? knownRoot : await walk(head, place);
  if (root !== undefined)
    await writeAtomic(cache, `${head} ${root}\n`).catch(() => undefined);
  return root;
}

/** Where the note of the last walk lies. */
export function rootCommitCache(commonDir: string) {
  return path.join(commonDir, `session-sync`, `root-commit`);
}

async function walk(head: string, place: Parameters<typeof runGit>[1]): Promise<string | undefined> {
  const {code, stdout} = await runGit([`rev-list`, `--max-parents=0`, head], place);
  const roots = stdout.split(`\n`).filter(line => OBJECT_ID.test(line)).sort();
  return code === 0 ? roots[0] : undefined;
}
