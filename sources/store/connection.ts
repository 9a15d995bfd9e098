import {cleanText, gitError, runGit}  from './git.ts';
import type {GitOptions, MachineEnv} from './git.ts';
import {OBJECT_ID}                   from './layout.ts';
import type {Repository}             from './types.ts';

export type TransportOptions = {
  /** A remote of the user's configuration; `defaultRemote` says which where it is left out. */
  remote?: string;
  /** A person sits in front: git may ask for a password. */
  tty?: boolean;
  /** Nobody sits there at all: nothing asks, by whatever window, and a remote that says nothing for so long is given up. */
  unattended?: {stallMs: number};
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
    `fetch`, `--progress`, `--no-prune`, `--no-prune-tags`, `--no-tags`, `--no-write-fetch-head`, `--no-recurse-submodules`, `--no-auto-gc`, `--refmap=`,
    // Else a partial clone would get the sessions without their contents.
    ...repo.partial ? [`--no-filter`] : [],
    // Thousands of names are more than a command line takes.
    ...more, `--stdin`, remote,
  ], options, [refspecs].flat().map(refspec => `${refspec}\n`).join(``));
  if (run.code !== 0)
    throw gitError(`fetch`, run);
}

/** Programs that would open a window; an empty GIT_ASKPASS keeps the others of its kind from being looked for. */
const NO_QUESTIONS = {GIT_ASKPASS: ``, SSH_ASKPASS: ``, GCM_INTERACTIVE: `never`};

/** The limit is for a git that outlives us. */
function quietly({stallMs}: {stallMs: number}) {
  return [`-c`, `credential.interactive=false`, `-c`, `http.lowSpeedLimit=1`, `-c`, `http.lowSpeedTime=${Math.ceil(stallMs / 1000) + 5}`];
}

/**
 * Runs where the person would: a remote's address may be relative to the working tree, and so may parts of the configuration.
 * Without hooks: a team's checks before a push are about its code, and our own hook would start another push.
 */
export async function transport(repo: Repository, env: MachineEnv, given: Array<string>, options: TransportOptions, input = ``) {
  const args = [`-c`, `core.hooksPath=/dev/null`, ...options.unattended ? quietly(options.unattended) : [], ...given];
  const run: GitOptions = {
    env: options.unattended ? {...env, ...NO_QUESTIONS} : env, tty: options.tty, input,
    ...options.unattended ? {stallMs: options.unattended.stallMs, apart: true} : {},
    ...repo.workTree ? {cwd: repo.workTree} : {cwd: repo.commonDir},
    ...options.onProgress ? {onStderr: (text: string) => text.split(/[\r\n]+/).map(line => cleanText(line, 300)).filter(line => line !== ``).forEach(options.onProgress!)} : {},
  };
  return await runGit(repo.workTree ? args : [`--git-dir=${repo.commonDir}`, ...args], run);
}
