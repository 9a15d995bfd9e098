import {parseDiffs}              from './diff.ts';
import type {CommitDiff}         from './diff.ts';
import {here, isBranchName, shallowCommits} from './facts.ts';
import {runGit}                  from './git.ts';
import type {GitOptions, MachineEnv} from './git.ts';
import {OBJECT_ID}               from './layout.ts';
import {StoreError}              from './types.ts';
import type {Repository}         from './types.ts';

/** Entries of a reflog, or commits of a history, that one look takes in. */
const MOST_COMMITS = 1000;
const TIMEOUT_MS   = 20_000;
const FETCH_MS     = 60_000;
/** Diffs of this many commits are asked for at once. */
const BATCH        = 50;
/** A commit with a longer diff is known by its name only. */
const MOST_DIFF    = 16 << 20;
/** Commits that cannot be read, after which no more are tried: of a partial clone it will be all. */
const MOST_UNREAD  = 100;

/** Times in seconds since 1970. `email`: of the committer, `author`: of the author. */
export type CommitFacts = {commit: string; parents: Array<string>; authored: number; committed: number; email: string; author: string};

/**
 * How a commit came to be here: made anew, or made of an earlier one by a rebase, a cherry-pick, a mail. `time` is when.
 */
export type MadeHere = CommitFacts & {how: `made` | `moved`; time: number};

export type Change = CommitDiff & {patch?: string};

const MADE  = /^(?:commit(?: \([a-z-]+\))?|revert): |: Merge made by /;
const MOVED = /^(?:cherry-pick|am|rebase)(?: -\S+)*: (?!checkout|aborting|fast-?forward|updating|moving)|^(?:rebase|pull)\b[^:]*\((?:pick|squash|fixup|reword|edit|continue|merge)\): |^commit \((?:cherry-pick|rebase)\): /i;

/**
 * Commits that the working tree's own reflog says were made here from `since` on, newest first: not what was fetched,
 * checked out or reset to. `reaches`: the reflog goes back to `since`, so that there are no others.
 */
export async function madeHere(repo: Repository, env: MachineEnv, since: number): Promise<{made: Array<MadeHere>; reaches: boolean}> {
  const result = await runGit([`log`, `--walk-reflogs`, `-n`, `${MOST_COMMITS}`, `-z`, `--no-show-signature`, `--date=raw`, `--format=%H%x00%gd%x00%P%x00%at%x00%ct%x00%ce%x00%ae%x00%gs`, `HEAD`, `--`], quietly(repo, env));
  const made: Array<MadeHere> = [];
  let reaches = false;
  for (const [commit, selector, parents, authored, committed, email, author, message] of result.code === 0 ? rows(result.stdout, 8) : []) {
    const time = Number(/\{(\d+)/.exec(selector!)?.[1] ?? NaN);
    // The first entry of a clone, or of a repository, is the beginning of all.
    reaches ||= time < since || /^(?:clone: |commit \(initial\): )/.test(message!);
    const moved = MOVED.test(message!);
    if (time >= since && (moved || MADE.test(message!)))
      made.push({...facts(commit!, parents!, authored!, committed!, email!, author!), how: moved ? `moved` : `made`, time});
  }
  return {made, reaches};
}

/** Commits of HEAD, and of `branch` where there is such, by a committer between two times. For want of a reflog. */
export async function committedBy(repo: Repository, env: MachineEnv, {email, branch, since, until}: {email: string; branch?: string; since: number; until: number}): Promise<Array<CommitFacts>> {
  const refs = [`HEAD`];
  if (branch !== undefined && isBranchName(branch) && (await runGit([`rev-parse`, `--verify`, `--quiet`, `refs/heads/${branch}^{commit}`], quietly(repo, env))).code === 0)
    refs.push(`refs/heads/${branch}`);
  const found = await factsOf(repo, env, [`-n`, `${MOST_COMMITS}`, `--since=@${since}`, `--until=@${until}`, ...refs, `--`]);
  return found.filter(commit => commit.email === email);
}

/** The commits among `names`, which may be the beginnings of names. */
export async function knownCommits(repo: Repository, env: MachineEnv, names: Array<string>): Promise<Array<CommitFacts>> {
  const wanted = names.filter(name => /^[0-9a-f]{7,64}$/.test(name));
  if (wanted.length === 0)
    return [];
  const checked = await runGit([`cat-file`, `--batch-check=%(objectname) %(objecttype)`], {...quietly(repo, env), input: wanted.map(name => `${name}\n`).join(``)});
  const commits = checked.stdout.split(`\n`).flatMap(line => /^([0-9a-f]{40,64}) commit$/.exec(line)?.[1] ?? []);
  return commits.length === 0 ? [] : await factsOf(repo, env, [`--no-walk=unsorted`, ...commits, `--`]);
}

async function factsOf(repo: Repository, env: MachineEnv, args: Array<string>): Promise<Array<CommitFacts>> {
  const result = await runGit([`log`, `-z`, `--no-show-signature`, `--format=%H%x00%P%x00%at%x00%ct%x00%ce%x00%ae`, ...args], quietly(repo, env));
  return result.code === 0 ? rows(result.stdout, 6).map(([commit, parents, authored, committed, email, author]) => facts(commit!, parents!, authored!, committed!, email!, author!)) : [];
}

/**
 * What commits change: files, marks of lines, and the id that `git patch-id --stable` gives to it. A merge changes nothing
 * of its own, and of what is too long, or at the end of a shallow clone, nothing is said. `unread`: commits whose files are
 * not here; with `fetch` git gets them for a partial clone.
 */
export async function changesOf(repo: Repository, env: MachineEnv, commits: Array<string>, {fetch = false}: {fetch?: boolean} = {}): Promise<{changes: Map<string, Change>; unread: Array<string>}> {
  const place  = fetch ? {...here(repo, env), timeoutMs: FETCH_MS} : quietly(repo, env);
  const cut    = await shallowCommits(repo);
  const wanted = [...new Set(commits)].filter(commit => OBJECT_ID.test(commit) && !cut.has(commit));
  const found  = {changes: new Map<string, Change>(), unread: [] as Array<string>};
  const read = async (batch: Array<string>) => {
    const output = found.unread.length < MOST_UNREAD ? await diffsOf(place, batch) : null;
    if (output === `too long` && batch.length === 1)
      return;
    if (output === null && (batch.length === 1 || found.unread.length >= MOST_UNREAD)) {
      found.unread.push(...batch);
    } else if (output === null || output === `too long`) {
      // One commit that cannot be had hides those that are asked for with it.
      const half = Math.ceil(batch.length / 2);
      await read(batch.slice(0, half));
      await read(batch.slice(half));
    } else if (output !== ``) {
      const patches = await patchIds(place, output);
      for (const diff of parseDiffs(output))
        found.changes.set(diff.commit, {...diff, ...patches.has(diff.commit) ? {patch: patches.get(diff.commit)!} : {}});
    }
  };
  for (let from = 0; from < wanted.length; from += BATCH)
    await read(wanted.slice(from, from + BATCH));
  return found;
}

/** Null: not to be had. What the person's configuration says of diffs has no part in it. */
async function diffsOf(place: GitOptions, commits: Array<string>): Promise<string | null> {
  try {
    const args = [`-c`, `core.quotePath=false`, `diff-tree`, `--stdin`, `-r`, `-p`, `--root`, `-U3`, `--diff-algorithm=myers`, `--indent-heuristic`, `--no-renames`, `--no-ext-diff`, `--no-textconv`, `--no-color`, `--full-index`, `--src-prefix=a/`, `--dst-prefix=b/`];
    const result = await runGit(args, {...place, input: commits.map(commit => `${commit}\n`).join(``), maxBytes: MOST_DIFF});
    return result.code === 0 ? result.stdout : null;
  } catch (error) {
    if (error instanceof StoreError && error.code === `TOO_LARGE`)
      return `too long`;
    throw error;
  }
}

async function patchIds(place: GitOptions, diffs: string): Promise<Map<string, string>> {
  const result = await runGit([`patch-id`, `--stable`], {...place, input: diffs});
  return new Map(result.stdout.split(`\n`).flatMap(line => {
    const match = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64})$/.exec(line);
    return match ? [[match[2]!, match[1]!] as const] : [];
  }));
}

function quietly(repo: Repository, env: MachineEnv) {
  // A partial clone would go and look for contents on the remote.
  return {...here(repo, {...env, GIT_NO_LAZY_FETCH: `1`}), timeoutMs: TIMEOUT_MS};
}

/** Records of `width` fields in what git prints with NUL after each. */
function rows(output: string, width: number): Array<Array<string>> {
  const fields = output.split(`\0`);
  return Array.from({length: Math.floor(fields.length / width)}, (_, row) => fields.slice(row * width, (row + 1) * width));
}

function facts(commit: string, parents: string, authored: string, committed: string, email: string, author: string): CommitFacts {
  return {commit, parents: parents.split(` `).filter(parent => parent !== ``), authored: Number(authored), committed: Number(committed), email, author};
}
