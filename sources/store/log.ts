import {here, shallowCommits} from './facts.ts';
import {unquote}           from './diff.ts';
import {cleanText, gitError, runGit} from './git.ts';
import type {MachineEnv}   from './git.ts';
import {StoreError}        from './types.ts';
import type {Repository}   from './types.ts';

/**
 * A commit as a list shows it. `trailers`: values of `Session-Sync` lines, wherever in the message: a squash has the
 * messages of what it holds one after the other. `committed`: seconds since 1970.
 */
export type LoggedCommit = {
  commit: string; parents: Array<string>; author: {name: string; email: string}; date: string; committed: number; subject: string; trailers: Array<string>;
};

/**
 * One line of a file. `commit`: null where it is not committed yet. `path` and `number`: where it stood in that commit.
 * `cut`: or one before it, which a shallow clone has not got.
 */
export type BlamedLine = {line: number; text: string; commit: string | null; path: string; number: number; cut?: true};

const TIMEOUT_MS = 60_000;
const FORMAT = [`%H`, `%P`, `%an`, `%ae`, `%aI`, `%ct`, `%s`, `%B`];
const TRAILER = /^[ \t]*Session-Sync:[ \t]*(\S.*)$/gim;
/** Sessions that one message may name. */
const MOST_TRAILERS = 100;

/** Commits as `git log` finds them, newest first. Throws GIT_FAILED, such as for a range that git does not understand. */
export async function commitLog(repo: Repository, env: MachineEnv, {revisions, paths = [], max, walk = true}: {revisions: Array<string>; paths?: Array<string>; max: number; walk?: boolean}): Promise<Array<LoggedCommit>> {
  const args = [`log`, `-z`, `-n`, `${max}`, `--no-show-signature`, `--encoding=UTF-8`, `--no-color`, `--no-patch`, ...walk ? [] : [`--no-walk=unsorted`], `--format=${FORMAT.join(`%x00`)}`, `--end-of-options`, ...revisions, `--`, ...paths];
  const result = await runGit(args, {...here(repo, env), timeoutMs: TIMEOUT_MS});
  if (result.code !== 0)
    throw gitError(`log`, result);

  const fields = result.stdout.split(`\0`);
  return Array.from({length: Math.floor(fields.length / FORMAT.length)}, (_, index) => {
    const [commit, parents, name, email, date, committed, subject, message] = fields.slice(index * FORMAT.length, (index + 1) * FORMAT.length) as [string, string, string, string, string, string, string, string];
    return {commit, parents: parents.split(` `).filter(parent => parent !== ``), author: {name, email}, date, committed: Number(committed), subject, trailers: trailersIn(message)};
  });
}

function trailersIn(message: string): Array<string> {
  const values = [...message.matchAll(TRAILER)].flatMap(([, value]) => value!.split(/[\s,]+/)).filter(value => value !== ``);
  return [...new Set(values)].slice(0, MOST_TRAILERS);
}

/** The commit that a revision names; null for none. */
export async function resolveCommit(repo: Repository, env: MachineEnv, revision: string): Promise<string | null> {
  const result = await runGit([`rev-parse`, `--verify`, `--quiet`, `--end-of-options`, `${revision}^{commit}`], here(repo, env));
  return result.code === 0 ? /^[0-9a-f]{40,64}$/m.exec(result.stdout)?.[0] ?? null : null;
}

/** Does git take this for a revision, or a range of revisions? */
export async function isRevision(repo: Repository, env: MachineEnv, text: string): Promise<boolean> {
  if (text.startsWith(`-`) || text === ``)
    return false;
  return (await runGit([`rev-list`, `-n`, `1`, `--end-of-options`, text, `--`], {...here(repo, env), timeoutMs: TIMEOUT_MS})).code === 0;
}

/**
 * Which commits the lines `from` to `to` (from 1) of a file come from. Lines that were moved or only indented anew belong
 * to who wrote them; commits that the person's configuration ignores (`blame.ignoreRevsFile`) are ignored.
 *
 * Throws GIT_FAILED: no such file, or line.
 */
export async function blame(repo: Repository, env: MachineEnv, {path, from, to, revision}: {path: string; from: number; to: number; revision?: string}): Promise<Array<BlamedLine>> {
  const args = [`blame`, `--line-porcelain`, `-w`, `-M`, `-C`, `-L`, `${from},${to}`, ...revision !== undefined ? [revision] : [], `--`, path];
  const result = await runGit([`-c`, `core.quotePath=false`, ...args], {...here(repo, env), timeoutMs: TIMEOUT_MS});
  if (result.code !== 0 && /could not open object name list/.test(result.stderr))
    throw new StoreError(`GIT_FAILED`, `git blame does not work here: blame.ignoreRevsFile in git's configuration names a file that is not there (${cleanText(result.stderr, 300)})`);
  if (result.code !== 0)
    throw result.timedOut ? new StoreError(`GIT_FAILED`, `git blame took too long`) : gitError(`blame`, result);

  const cut = await shallowCommits(repo);
  const lines: Array<BlamedLine> = [];
  let next: BlamedLine | null = null;
  for (const line of result.stdout.split(`\n`)) {
    const head: RegExpExecArray | null = next === null ? /^([0-9a-f]{40,64}) (\d+) (\d+)/.exec(line) : null;
    if (head !== null) {
      next = {line: Number(head[3]), text: ``, commit: /^0+$/.test(head[1]!) ? null : head[1]!, path, number: Number(head[2]), ...cut.has(head[1]!) ? {cut: true} : {}};
    } else if (next !== null && line.startsWith(`filename `)) {
      next.path = unquote(line.slice(`filename `.length));
    } else if (next !== null && line.startsWith(`\t`)) {
      lines.push({...next, text: line.slice(1)});
      next = null;
    }
  }
  return lines;
}
