import {git, gitError, runGit} from './git.ts';
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

/** Changed files that are named; the others are counted. */
const MOST_CHANGES = 200;

const NONE = `000000`;

/**
 * What differs from HEAD, in one process that writes nothing: neither the index nor anything else. Untracked files are
 * those that are not ignored. Null in a bare repository.
 *
 * Throws GIT_FAILED, TOO_LARGE.
 */
export async function treeStatus(repo: Repository, env: MachineEnv, {untracked, timeoutMs = TIMEOUT_MS}: {untracked: boolean; timeoutMs?: number}): Promise<TreeStatus | null> {
  if (repo.workTree === null)
    return null;
  const args = [`status`, `--porcelain=v2`, `-z`, `--branch`, `--no-ahead-behind`, `--no-renames`, `--ignore-submodules=dirty`, untracked ? `-uall` : `-uno`];
  // With git ends what it has started: a filter that hangs.
  const options = {cwd: repo.workTree, env, timeoutMs, apart: true};
  let result = await runGit(args, options);
  // A required filter whose program is not there ends git. Without filters, what they are for counts as changed.
  if (result.timedOut || (result.code !== 0 && result.stderr.includes(`filter`))) {
    const {drivers} = await conversions(repo, env);
    if (drivers.length > 0)
      result = await runGit([...drivers.flatMap(name => [`clean=`, `process=`, `required=false`].flatMap(value => [`-c`, `filter.${name}.${value}`])), ...args], options);
  }
  if (result.code !== 0)
    throw gitError(`status`, result);

  const state: GitState = {dirty: false};
  const entries = new Map<string, StatusEntry>();
  for (const line of result.stdout.split(`\0`)) {
    if (line.startsWith(`# branch.oid `)) {
      const commit = line.slice(`# branch.oid `.length);
      if (OBJECT_ID.test(commit))
        state.commit = commit;
    } else if (line.startsWith(`# branch.head `)) {
      const branch = line.slice(`# branch.head `.length);
      if (branch !== `(detached)`)
        state.branch = branch;
    } else if (line !== `` && !line.startsWith(`#`)) {
      const entry = parse(line);
      // A file that was only taken out of the index stands there twice.
      if (!entries.has(entry.path))
        entries.set(entry.path, entry);
    }
  }
  const sorted = [...entries.values()].sort((a, b) => a.path < b.path ? -1 : 1);
  const changed = sorted.filter(({kind}) => kind !== `untracked`).map(entry => entry.path);
  return {git: {...state, ...changesOf(changed)}, entries: sorted};
}

/** What is said of changed files in the facts about a working tree. */
export function changesOf(files: Array<string>): Pick<GitState, `dirty` | `changes`> {
  return files.length === 0 ? {dirty: false} : {dirty: true, changes: {files: files.slice(0, MOST_CHANGES), ...files.length > MOST_CHANGES ? {more: files.length - MOST_CHANGES} : {}}};
}

/** What git makes of files on their way in and out, by the configuration of this machine. */
export type Conversions = {
  /** Filters that have a program, by name. */
  drivers: Array<string>;
  autocrlf: boolean;
};

export async function conversions(repo: Repository, env: MachineEnv): Promise<Conversions> {
  const {stdout} = await runGit([`config`, `-z`, `--get-regexp`, `^(filter\\..*\\.(clean|process)|core\\.autocrlf)$`], {cwd: repo.workTree!, env});
  const entries = stdout.split(`\0`).filter(entry => entry !== ``).map(entry => entry.split(`\n`, 2) as [string, string?]);
  const names = entries.map(([name]) => name).filter(name => name.startsWith(`filter.`));
  return {
    drivers: [...new Set(names.map(name => name.slice(`filter.`.length, name.lastIndexOf(`.`))))],
    autocrlf: /^(?:true|yes|on|1)$/i.test(entries.findLast(([name]) => name === `core.autocrlf`)?.[1] ?? ``),
  };
}

/**
 * Of these files, those that git keeps in another form than they have here, by a filter. Not those of LFS: what git keeps
 * of them says only where they are.
 *
 * Throws GIT_FAILED.
 */
export async function filteredPaths(repo: Repository, env: MachineEnv, {drivers}: Conversions, paths: Array<string>): Promise<Set<string>> {
  const names = new Set(drivers.filter(name => name !== `lfs`));
  if (names.size === 0 || paths.length === 0)
    return new Set();
  return new Set((await attributes(repo, env, [`filter`], paths)).filter(({value}) => names.has(value)).map(({path}) => path));
}

/** What `.gitattributes` say of the ends of a file's lines; `unspecified` where nothing. */
export type LineEndRules = {text: string; eol: string};

/**
 * Of each of these files.
 *
 * Throws GIT_FAILED.
 */
export async function lineEndRules(repo: Repository, env: MachineEnv, paths: Array<string>): Promise<Map<string, LineEndRules>> {
  const rules = new Map(paths.map(name => [name, {text: `unspecified`, eol: `unspecified`}]));
  for (const {path, name, value} of paths.length === 0 ? [] : await attributes(repo, env, [`text`, `eol`], paths))
    Object.assign(rules.get(path) ?? {}, {[name]: value});
  return rules;
}

async function attributes(repo: Repository, env: MachineEnv, names: Array<string>, paths: Array<string>) {
  const {stdout} = await git([`check-attr`, `-z`, `--stdin`, ...names], {cwd: repo.workTree!, env, input: paths.map(name => `${name}\0`).join(``)});
  const fields = stdout.split(`\0`);
  return Array.from({length: Math.floor(fields.length / 3)}, (_, at) => ({path: fields[at * 3]!, name: fields[at * 3 + 1]!, value: fields[at * 3 + 2]!}));
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
