import {spawn}      from 'node:child_process';
import {existsSync} from 'node:fs';
import process      from 'node:process';

import {StoreError}           from './types.ts';
import type {Repository}      from './types.ts';

export type MachineEnv = {[name: string]: string | undefined};

/** `git rev-parse --local-env-vars` of 2.39 to 2.51, and two more that point a command at another repository's objects or refs. */
const LOCAL_ENV = [
  `GIT_ALTERNATE_OBJECT_DIRECTORIES`, `GIT_CONFIG`, `GIT_CONFIG_PARAMETERS`, `GIT_CONFIG_COUNT`, `GIT_OBJECT_DIRECTORY`,
  `GIT_DIR`, `GIT_WORK_TREE`, `GIT_IMPLICIT_WORK_TREE`, `GIT_GRAFT_FILE`, `GIT_INDEX_FILE`, `GIT_NO_REPLACE_OBJECTS`,
  `GIT_REPLACE_REF_BASE`, `GIT_PREFIX`, `GIT_SHALLOW_FILE`, `GIT_COMMON_DIR`, `GIT_INTERNAL_SUPER_PREFIX`,
  `GIT_REFERENCE_BACKEND`, `GIT_QUARANTINE_PATH`, `GIT_NAMESPACE`,
];

/**
 * Environment for a git process: nothing of the repository that a hook may have left in it, messages in English (they
 * are matched), no pager, no replaced objects. Without `tty` git asks no questions, since nobody would see them.
 */
export function gitEnv(env: MachineEnv, {tty = false}: {tty?: boolean} = {}): NodeJS.ProcessEnv {
  const out: NodeJS.ProcessEnv = {...env};
  for (const name of LOCAL_ENV)
    delete out[name];

  out.GIT_OPTIONAL_LOCKS     = `0`;
  out.GIT_NO_REPLACE_OBJECTS = `1`;
  out.GIT_PAGER = `cat`;
  out.LC_ALL    = `C`;
  delete out.LANGUAGE;

  if (!tty) {
    out.GIT_TERMINAL_PROMPT = `0`;
    // ssh would open a window where a display is there.
    out.SSH_ASKPASS_REQUIRE = `never`;
  }

  return out;
}

/** `text` without control characters, escape sequences and marks that reorder text; line feeds stay. */
export function stripControl(text: string) {
  return text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, ``).replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, ` `);
}

/** Text of others for a message: control characters and the credentials of addresses taken out, the end of it where it is long. */
export function cleanText(text: string, limit = 2000) {
  const clean = stripControl(text).replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/gi, `$1`).trim();
  return clean.length > limit ? `…${clean.slice(-limit)}` : clean;
}

export type GitOptions = {
  env: MachineEnv;
  /** Runs on the common directory of this repository, whatever the working folder. */
  repo?: Repository;
  cwd?: string;
  /** Another index than the repository's own. */
  index?: string;
  input?: string;
  timeoutMs?: number;
  /** Ends git when it has printed nothing for so long: what is at work over a slow line says so (`--progress`). */
  stallMs?: number;
  /** In a session of its own: nothing that git starts has a terminal to ask on, and all of it ends with git. */
  apart?: boolean;
  /** Bytes of standard output that are waited for; more ends the process with TOO_LARGE. */
  maxBytes?: number;
  /** A person sits in front: git may ask for credentials. */
  tty?: boolean;
  onStderr?: (text: string) => void;
};
export type GitResult = {code: number | null; stdout: string; /** Standard output as it came. */ bytes: Buffer; stderr: string; timedOut: boolean};

/** Arguments that make git work on the common directory, without hooks: a reference-transaction hook would run at every sync. */
export function onCommonDir(repo: Repository) {
  return [`--git-dir=${repo.commonDir}`, `-c`, `core.hooksPath=/dev/null`, `-c`, `core.filesRefLockTimeout=1000`, `-c`, `core.packedRefsTimeout=5000`];
}

/** Runs git to its end. Throws NO_GIT, NOT_A_REPOSITORY (the folder is gone) or TOO_LARGE; any exit code is the caller's to judge. */
export function runGit(args: Array<string>, options: GitOptions): Promise<GitResult> {
  const cwd  = options.cwd ?? options.repo?.commonDir;
  const full = options.repo && !options.cwd ? [...onCommonDir(options.repo), ...args] : args;

  return new Promise((resolve, reject) => {
    const child = spawn(`git`, full, {cwd, env: {...gitEnv(options.env, {tty: options.tty}), ...options.index === undefined ? {} : {GIT_INDEX_FILE: options.index}}, stdio: [`pipe`, `pipe`, `pipe`], windowsHide: true, detached: options.apart === true});
    const out: Array<Buffer> = [];
    let size = 0;
    let stderr = ``;
    let timedOut = false;
    let tooLarge = false;

    const end = () => {
      if (options.apart === true && child.pid !== undefined)
        endGroup(child.pid);
      child.kill(`SIGKILL`);
    };
    const giveUp = () => {
      timedOut = true;
      end();
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(giveUp, options.timeoutMs);
    const stall = options.stallMs === undefined ? undefined : setTimeout(giveUp, options.stallMs);

    child.stdout.on(`data`, (chunk: Buffer) => {
      stall?.refresh();
      size += chunk.length;
      if (size > (options.maxBytes ?? 64 * 1024 * 1024)) {
        tooLarge = true;
        end();
      } else {
        out.push(chunk);
      }
    });
    child.stderr.on(`data`, (chunk: Buffer) => {
      stall?.refresh();
      stderr = `${stderr}${chunk.toString()}`.slice(-64 * 1024);
      options.onStderr?.(chunk.toString());
    });
    // The process may end before it has read everything; its exit code says why.
    child.stdin.on(`error`, () => {});
    child.stdin.end(options.input ?? ``);

    child.on(`error`, error => {
      clearTimeout(timer);
      clearTimeout(stall);
      reject(spawnError(error, cwd));
    });
    child.on(`close`, code => {
      clearTimeout(timer);
      clearTimeout(stall);
      if (tooLarge)
        reject(new StoreError(`TOO_LARGE`, `git ${args[0]} printed more than expected`));
      else
        resolve({code, stdout: Buffer.concat(out).toString(), bytes: Buffer.concat(out), stderr, timedOut});
    });
  });
}

/** Ends a process that leads a group, with what it started. */
function endGroup(leader: number) {
  try {
    process.kill(-leader, `SIGKILL`);
  } catch {
    // It has ended by itself.
  }
}

/** Like `runGit`; throws GIT_FAILED or DISK_FULL unless git exits with 0. */
export async function git(args: Array<string>, options: GitOptions) {
  const result = await runGit(args, options);
  if (result.code !== 0)
    throw gitError(args.find(arg => !arg.startsWith(`-`)) ?? `git`, result);

  return result;
}

export function gitError(what: string, result: {code: number | null; stderr: string; timedOut?: boolean}) {
  if (isDiskFull(result.stderr))
    return new StoreError(`DISK_FULL`, `No space left for git's objects; nothing stored so far is damaged`, {stderr: cleanText(result.stderr)});

  const reason = result.timedOut ? `took too long` : cleanText(result.stderr) || `exit code ${result.code}`;
  return new StoreError(`GIT_FAILED`, `git ${what}: ${reason}`, {exitCode: result.code});
}

export function isDiskFull(stderr: string) {
  // The last is what fast-import of git 2.39 says itself.
  return /No space left on device|Disk quota exceeded|Out of diskspace/.test(stderr);
}

export function spawnError(error: Error, cwd: string | undefined) {
  if ((error as NodeJS.ErrnoException).code !== `ENOENT`)
    return error;

  // Node reports a missing working folder and a missing program alike.
  if (cwd !== undefined && !existsSync(cwd))
    return new StoreError(`NOT_A_REPOSITORY`, `No such folder: ${cleanText(cwd)}`);

  return new StoreError(`NO_GIT`, `The git program was not found in PATH`);
}
