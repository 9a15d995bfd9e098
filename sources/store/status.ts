import {gitError, runGit}      from './git.ts';
import type {MachineEnv}       from './git.ts';
import {OBJECT_ID}             from './layout.ts';
import {StoreError}            from './types.ts';
import type {GitState, Repository} from './types.ts';

/** Of 100,000 files on a slow disk; nobody waits for it but the worker. */
const TIMEOUT_MS = 120_000;

/** A path that differs from HEAD, in the index or in the working tree. */
export type StatusEntry = {
  path: string;
  kind: `tracked` | `unmerged` | `untracked`;
  /** Mode and blob in HEAD; `000000` where it has none. */
  headMode: string;
  headBlob: string;
  /** Mode in the index and in the working tree, as git sees them. */
  indexMode: string;
  mode: string;
  submodule: boolean;
};

export type TreeStatus = {git: GitState; entries: Array<StatusEntry>};

const NONE = `000000`;

/**
 * What differs from HEAD, in one process that writes nothing: neither the index nor anything else. Untracked files are
 * those that are not ignored. Null in a bare repository.
 *
 * Throws GIT_FAILED, TOO_LARGE.
 */
export async function treeStatus(repo: Repository, env: MachineEnv, {untracked}: {untracked: boolean}): Promise<TreeStatus | null> {
  if (repo.workTree === null)
    return null;
  const result = await runGit([
    `status`, `--porcelain=v2`, `-z`, `--branch`, `--no-ahead-behind`, `--no-renames`, `--ignore-submodules=dirty`, untracked ? `-uall` : `-uno`,
  ], {cwd: repo.workTree, env, timeoutMs: TIMEOUT_MS});
  if (result.code !== 0)
    throw gitError(`status`, result);

  const git: GitState = {dirty: false};
  const entries = new Map<string, StatusEntry>();
  for (const line of result.stdout.split(`\0`)) {
    if (line.startsWith(`# branch.oid `)) {
      const commit = line.slice(`# branch.oid `.length);
      if (OBJECT_ID.test(commit))
        git.commit = commit;
    } else if (line.startsWith(`# branch.head `)) {
      const branch = line.slice(`# branch.head `.length);
      if (branch !== `(detached)`)
        git.branch = branch;
    } else if (line !== `` && !line.startsWith(`#`)) {
      const entry = parse(line);
      git.dirty ||= entry.kind !== `untracked`;
      // A file that was only taken out of the index stands there twice.
      if (!entries.has(entry.path))
        entries.set(entry.path, entry);
    }
  }
  return {git, entries: [...entries.values()].sort((a, b) => a.path < b.path ? -1 : 1)};
}

function parse(line: string): StatusEntry {
  if (line.startsWith(`? `))
    return {path: line.slice(2), kind: `untracked`, headMode: NONE, headBlob: ``, indexMode: NONE, mode: NONE, submodule: false};
  const tracked = /^1 .. (.)... (\d{6}) (\d{6}) (\d{6}) ([0-9a-f]+) [0-9a-f]+ (.+)$/s.exec(line);
  if (tracked) {
    const [, sub, headMode, indexMode, mode, headBlob, path] = tracked as unknown as Array<string>;
    return {path: path!, kind: `tracked`, headMode: headMode!, headBlob: headBlob!, indexMode: indexMode!, mode: mode!, submodule: sub === `S` || headMode === `160000` || indexMode === `160000`};
  }
  // Of a conflict HEAD is stage 2.
  const unmerged = /^u .. (.)... \d{6} (\d{6}) \d{6} (\d{6}) [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ (.+)$/s.exec(line);
  if (unmerged) {
    const [, sub, headMode, mode, headBlob, path] = unmerged as unknown as Array<string>;
    return {path: path!, kind: `unmerged`, headMode: headMode!, headBlob: headBlob!, indexMode: headMode!, mode: mode!, submodule: sub === `S` || headMode === `160000`};
  }
  throw new StoreError(`GIT_FAILED`, `git status printed something unexpected: ${JSON.stringify(line.slice(0, 200))}`);
}
