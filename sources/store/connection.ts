import {cleanText, gitError, runGit}  from './git.ts';
import type {GitOptions, MachineEnv} from './git.ts';
import {OBJECT_ID}                   from './layout.ts';
import type {Repository}             from './types.ts';

export type TransportOptions = {
  /** A remote of the user's configuration; `defaultRemote` says which where it is left out. */
  remote?: string;
  /** A person sits in front: git may ask for a password. */
  tty?: boolean;
  /** Lines of git's own progress. */
  onProgress?: (text: string) => void;
};

/** Refs of ours that the remote has, by name. One connection. */
export async function remoteRefs(repo: Repository, env: MachineEnv, remote: string, options: TransportOptions = {}): Promise<Map<string, string>> {
  const run = await transport(repo, env, [`ls-remote`, `--refs`, remote, `refs/session-sync/*`], options);
  if (run.code !== 0)
    throw gitError(`ls-remote`, run);

  return new Map(run.stdout.split(`\n`).map(line => line.split(`\t`) as [string, string]).filter(([oid, ref]) => OBJECT_ID.test(oid) && ref?.startsWith(`refs/session-sync/`)).map(([oid, ref]) => [ref, oid]));
}

/** Fetches what `refspecs` say, and nothing else: no tags, nothing pruned. Throws GIT_FAILED, DISK_FULL. */
export async function fetchRefs(repo: Repository, env: MachineEnv, remote: string, refspecs: string | Array<string>, options: TransportOptions, more: Array<string> = []) {
  const run = await transport(repo, env, [
    `-c`, `core.hooksPath=/dev/null`,
    `fetch`, `--progress`, `--no-prune`, `--no-prune-tags`, `--no-tags`, `--no-write-fetch-head`, `--no-recurse-submodules`, `--no-auto-gc`, `--refmap=`,
    // Else a partial clone would get the sessions without their contents.
    ...repo.partial ? [`--no-filter`] : [],
    // Thousands of names are more than a command line takes.
    ...more, `--stdin`, remote,
  ], options, [refspecs].flat().map(refspec => `${refspec}\n`).join(``));
  if (run.code !== 0)
    throw gitError(`fetch`, run);
}

/** Runs where the person would: a remote's address may be relative to the working tree, and so may parts of the configuration. */
export async function transport(repo: Repository, env: MachineEnv, args: Array<string>, options: TransportOptions, input = ``) {
  const run: GitOptions = {
    env, tty: options.tty, input,
    ...repo.workTree ? {cwd: repo.workTree} : {cwd: repo.commonDir},
    ...options.onProgress ? {onStderr: (text: string) => text.split(/[\r\n]+/).map(line => cleanText(line, 300)).filter(line => line !== ``).forEach(options.onProgress!)} : {},
  };
  return await runGit(repo.workTree ? args : [`--git-dir=${repo.commonDir}`, ...args], run);
}
