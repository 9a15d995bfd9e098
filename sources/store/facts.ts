import {readFile}                           from 'node:fs/promises';
import path                                 from 'node:path';

import {git, gitError, cleanText, runGit, stripControl} from './git.ts';
import type {MachineEnv}                    from './git.ts';
import {OBJECT_ID}                          from './layout.ts';
import {readOwnSettings}                    from './ownSettings.ts';
import {changesOf}                          from './status.ts';
import {StoreError}                         from './types.ts';
import type {GitState, Repository}          from './types.ts';

const STATUS_TIMEOUT_MS = 5000;

/** How to ask about this working tree, which may be a linked one; a bare repository has only its folder. */
export function here(repo: Repository, env: MachineEnv) {
  return repo.workTree ? {cwd: repo.workTree, env} : {repo: {...repo, commonDir: repo.gitDir}, env};
}

/**
 * Branch, commit and changed files (tracked ones only) of the working tree, and the address of `origin` without
 * credentials. A tree that takes longer than 5 s to look through counts as dirty. `known`: what a look at all of it has just
 * said already.
 */
export async function gitState(repo: Repository, env: MachineEnv, known?: GitState): Promise<GitState> {
  const place  = here(repo, env);
  const status = repo.workTree && known === undefined
    ? runGit([`status`, `--porcelain=v2`, `-z`, `--branch`, `--no-ahead-behind`, `--ignore-submodules=dirty`, `-uno`], {...place, timeoutMs: STATUS_TIMEOUT_MS})
    : null;
  const [origin, result] = await Promise.all([
    runGit([`config`, `--get`, `remote.origin.url`], {...place, timeoutMs: STATUS_TIMEOUT_MS}),
    status,
  ]);

  const state: GitState = {dirty: false, ...known};
  if (result?.code === 0) {
    const files: Array<string> = [];
    const entries = result.stdout.split(`\0`);
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index]!;
      if (entry.startsWith(`# branch.oid `)) {
        const commit = entry.slice(`# branch.oid `.length);
        if (OBJECT_ID.test(commit))
          state.commit = commit;
      } else if (entry.startsWith(`# branch.head `)) {
        const branch = entry.slice(`# branch.head `.length);
        if (branch !== `(detached)`)
          state.branch = branch;
      } else if (entry !== `` && !entry.startsWith(`#`)) {
        files.push(changedPath(entry));
        // A renamed file's former name is an entry of its own.
        if (entry.startsWith(`2 `))
          index += 1;
      }
    }
    Object.assign(state, changesOf(files));
  } else if (known === undefined) {
    const [branch, commit] = await Promise.all([
      runGit([`symbolic-ref`, `--quiet`, `--short`, `HEAD`], place),
      runGit([`rev-parse`, `--quiet`, `--verify`, `HEAD^{commit}`], place),
    ]);
    if (branch.code === 0)
      state.branch = branch.stdout.trim();
    if (commit.code === 0)
      state.commit = commit.stdout.trim();

    state.dirty = result !== null;
  }

  const url = origin.stdout.split(`\n`)[0];
  if (url)
    state.origin = publicUrl(url);

  return state;
}

/** Commits whose parents a shallow clone has not got: what they changed cannot be told, they look like the beginning of all. */
export async function shallowCommits(repo: Repository): Promise<Set<string>> {
  const text = repo.shallow ? await readFile(path.join(repo.commonDir, `shallow`), `utf8`).catch(() => ``) : ``;
  return new Set(text.split(`\n`).filter(name => OBJECT_ID.test(name)));
}

/** A value of git's configuration here; null where it is not set. */
export async function configValue(repo: Repository, env: MachineEnv, name: string): Promise<string | null> {
  const result = await runGit([`config`, `--get`, name], {...here(repo, env), timeoutMs: STATUS_TIMEOUT_MS});
  return result.code === 0 ? result.stdout.replace(/\n$/, ``) : null;
}

/** The path in an entry of `git status --porcelain=v2 -z`, after as many fields as its kind has. */
function changedPath(entry: string) {
  const fields = entry.startsWith(`1 `) ? 8 : entry.startsWith(`2 `) ? 9 : 10;
  return entry.split(` `).slice(fields).join(` `);
}

/** An address as others may see it: without user and password (the bare user of ssh stays), query and fragment. */
export function publicUrl(url: string) {
  const clean = stripControl(url).replace(/\s+/g, ` `).trim().slice(0, 1000);
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/]*)@)?([^?#]*)/i.exec(clean);
  if (!match)
    return clean;

  const [, scheme, user, rest] = match;
  return `${scheme}://${/ssh/i.test(scheme!) && user ? `${user.split(`:`)[0]}@` : ``}${rest}`;
}

/** The person that git would name as an author here. Never empty. */
export async function identity(repo: Repository, env: MachineEnv): Promise<{name: string; email: string}> {
  const result = await runGit([`var`, `GIT_AUTHOR_IDENT`], {...here(repo, env), timeoutMs: STATUS_TIMEOUT_MS});
  const match  = /^(.*) <(.*)> \d+ [+-]\d{4}$/.exec(result.stdout.trim());
  return {name: match?.[1] || `unknown`, email: match?.[2] || `unknown@localhost`};
}

/** `2.39.5`. Throws NO_GIT. */
export async function gitVersion(env: MachineEnv) {
  const {stdout} = await git([`--version`], {env});
  return stdout.replace(/^git version /, ``).trim();
}

/**
 * How far the checkout at `current` is from `recorded`. Counts are null where they cannot be known: no commit, a missing
 * one, or a shallow clone.
 */
export async function distance(repo: Repository, env: MachineEnv, recorded: string | undefined, current: string | undefined): Promise<{missing: boolean; ahead: number | null; behind: number | null}> {
  const unknown = {missing: false, ahead: null, behind: null};
  if (recorded === undefined)
    return unknown;
  if (!OBJECT_ID.test(recorded))
    return {...unknown, missing: true};

  // A partial clone would go and look for it on the remote.
  const quiet  = {...env, GIT_NO_LAZY_FETCH: `1`};
  const exists = await runGit([`cat-file`, `-e`, `${recorded}^{commit}`], {repo, env: quiet, timeoutMs: STATUS_TIMEOUT_MS});
  if (exists.code !== 0)
    return {...unknown, missing: true};
  if (current === undefined || !OBJECT_ID.test(current) || repo.shallow)
    return unknown;

  const result = await runGit([`rev-list`, `--left-right`, `--count`, `${recorded}...${current}`], {repo, env: quiet, timeoutMs: STATUS_TIMEOUT_MS});
  const match  = /^(\d+)\t(\d+)/.exec(result.stdout);
  return match ? {missing: false, ahead: Number(match[2]), behind: Number(match[1])} : unknown;
}

/** Is there a branch of this name, here or as last fetched from a remote? */
export async function hasBranch(repo: Repository, env: MachineEnv, branch: string): Promise<boolean> {
  if (!isBranchName(branch))
    return false;

  const result = await runGit([`for-each-ref`, `--count=1`, `--format=%(refname)`, `refs/heads/${branch}`, `refs/remotes/*/${branch}`], {repo, env, timeoutMs: STATUS_TIMEOUT_MS});
  return result.code !== 0 || result.stdout.trim() !== ``;
}

/** A name that git could give to a branch; others may have written anything. Nothing in it means more than itself to git. */
export function isBranchName(name: string) {
  return name !== `` && name.length <= 1024 && !/[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|\/\.|[/.]$|\.lock(?:\/|$)/.test(name);
}

/** A new worktree at `folder` with `commit` checked out, on no branch. Throws GIT_FAILED (the folder exists, no such commit …). */
export async function addWorktree(repo: Repository, env: MachineEnv, {folder, commit}: {folder: string; commit: string}) {
  if (!OBJECT_ID.test(commit))
    throw new StoreError(`BAD_DATA`, `Not a commit: ${cleanText(commit, 100)}`);

  await git([`worktree`, `add`, `--quiet`, `--detach`, folder, commit], here(repo, env));
}

/** Names of the remotes of the user's own configuration. */
export async function remotes(repo: Repository, env: MachineEnv): Promise<Array<string>> {
  const result = await git([`remote`], here(repo, env));
  return result.stdout.split(`\n`).filter(name => name !== ``);
}

/**
 * The remote to talk to: `name` if a person typed one, else the one of this clone's own settings (`init --remote`), else
 * `shared`, which a file of the repository may name, else the one that git would push to, else the only one. Always one
 * of the user's configuration, never an address, so that a file of a cloned repository cannot say where sessions go.
 *
 * Throws NO_REMOTE: also where the clone's own settings name one that is gone, since another one was not meant.
 */
export async function defaultRemote(repo: Repository, env: MachineEnv, name?: string, {shared}: {shared?: string | undefined} = {}): Promise<string> {
  const known = await remotes(repo, env);
  const wanted = name ?? (await readOwnSettings(repo, env)).remote ?? shared;
  if (wanted !== undefined) {
    if (!known.includes(wanted))
      throw new StoreError(`NO_REMOTE`, `No remote named ${cleanText(wanted, 100)} in this repository's configuration (known: ${listOf(known)})`);

    return wanted;
  }

  const chosen = await gitRemote(repo, env, known);
  if (chosen === null)
    throw new StoreError(`NO_REMOTE`, known.length === 0
      ? `This repository has no remote: add one with git remote add origin <address>`
      : `There are several remotes and none is the default: name one of ${listOf(known)}`);

  return chosen;
}

function listOf(known: Array<string>) {
  return known.map(remote => cleanText(remote, 100)).join(`, `) || `none`;
}

/** The remote that git itself would push to from here, else the only one; null where there is no telling. */
export async function gitRemote(repo: Repository, env: MachineEnv, known: Array<string>): Promise<string | null> {
  const branch = (await runGit([`symbolic-ref`, `--quiet`, `--short`, `HEAD`], here(repo, env))).stdout.trim();
  const config = await runGit([`config`, `-z`, `--get-regexp`, `^(remote\\.pushdefault|branch\\..*\\.(pushremote|remote))$`], here(repo, env));
  const values = new Map(config.stdout.split(`\0`).filter(entry => entry !== ``).map(entry => {
    const newline = entry.indexOf(`\n`);
    return [entry.slice(0, newline), entry.slice(newline + 1)] as const;
  }));

  for (const wanted of [values.get(`branch.${branch}.pushremote`), values.get(`remote.pushdefault`), values.get(`branch.${branch}.remote`), `origin`])
    if (wanted !== undefined && known.includes(wanted))
      return wanted;

  return known.length === 1 ? known[0]! : null;
}

/** Where a push to a remote goes, rewritten by `url.*.insteadOf` as git tells it to its hooks; null when it has no address. */
export async function pushAddress(repo: Repository, env: MachineEnv, remote: string): Promise<string | null> {
  const {code, stdout} = await runGit([`remote`, `get-url`, `--push`, remote], here(repo, env));
  return code === 0 ? stdout.split(`\n`)[0]! : null;
}

/**
 * Lets git tidy up if it thinks it is time (`git gc --auto`, which respects `gc.auto`): many small syncs leave many loose
 * objects. Resolves to what went wrong, or null.
 */
export async function maintain(repo: Repository, env: MachineEnv): Promise<StoreError | null> {
  const result = await runGit([`gc`, `--auto`, `--quiet`], here(repo, env));
  return result.code === 0 ? null : gitError(`gc`, result);
}
