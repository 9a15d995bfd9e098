import {existsSync}                             from 'node:fs';
import {readFile, realpath}                     from 'node:fs/promises';
import {devNull}                                from 'node:os';
import path                                     from 'node:path';
import process                                  from 'node:process';
import {fileURLToPath}                          from 'node:url';

import {NO_SETTINGS, readOwnSettings}           from '../store/index.ts';
import type {OwnSettings}                       from '../store/index.ts';
import {runGit}                                 from '../store/git.ts';
import {HookError, hookMentions, installHook, removeHook} from '../system/gitHooks.ts';
import {isCode, readIfThere, removeIfThere, writeAtomic} from '../system/files.ts';

import {forgetOutcome}                          from './autoShare.ts';
import {keepPresent}                            from './present.ts';
import type {Project, StatePaths}               from './project.ts';

/** Which hooks of git each part needs. */
const HOOKS = {
  autoPush: [`pre-push`],
  // Git has no hook for a fetch but one that runs at every move of every ref: a rebase of 50 commits took four times as long.
  autoPull: [`post-merge`, `post-rewrite`],
  // After the editor: before it, a trailer would make a message of an empty one, which is how a person calls a commit off.
  trailer: [`commit-msg`],
} as const;
const PARTS = [`autoPush`, `autoPull`, `trailer`] as const;

/** Our script in the git directory is called by this name, whoever wrote the line that calls it. */
const SCRIPT = `session-sync/git-hook`;
const FOLDER = path.dirname(fileURLToPath(import.meta.url));

/** `changed`: the hook was brought up to date (with `dryRun`: would be). `problem`: why it was not, and what a person can do. */
export type HookChange = {hook: string; file: string; changed: boolean; problem?: string};

export async function ownSettings({repository, hasGit, machine}: Project): Promise<OwnSettings> {
  return hasGit ? await readOwnSettings(repository, machine.env) : NO_SETTINGS;
}

/** What a person writes into a hook that is not ours to change; for others who run that hook it does nothing. */
export function lineFor(hook: string) {
  return `h=$(git rev-parse --git-common-dir)/${SCRIPT}; [ ! -r "$h" ] || sh "$h" ${hook} "$@"`;
}

/**
 * Brings git's hooks in line with what the person has opted into: puts our part in, or takes it out, and says what it had
 * to leave alone. A folder of hooks outside the git directory is never touched: it is the team's, or serves all repositories.
 */
export async function arrangeHooks(project: Project, settings: OwnSettings, {dryRun = false}: {dryRun?: boolean} = {}): Promise<Array<HookChange>> {
  const {paths, repository} = project;
  const usual = await realpath(path.join(repository.commonDir, `hooks`)).catch(() => path.join(repository.commonDir, `hooks`));
  const {folder, inside} = await hooksFolder(project);
  const changes: Array<HookChange> = [];
  const any = PARTS.some(part => settings[part]);
  if (any && !dryRun)
    await writeScript(paths);

  for (const part of PARTS) {
    for (const hook of HOOKS[part]) {
      // A folder that was set later than our hooks were written leaves them where git does not look any more.
      for (const place of new Set([folder, usual])) {
        const wanted = settings[part] && place === folder;
        if (place === folder && !inside && (!wanted || !await isCalledAt(folder, hook)))
          changes.push(...wanted ? [outside(folder, hook, folder === usual)] : []);
        else if (place !== folder || inside)
          changes.push(...await arrange(place, hook, wanted ? scriptPath(paths) : null, dryRun));
      }
    }
  }

  if (!dryRun) {
    await keepPresent(paths, settings.trailer);
    if (!settings.autoPush)
      await forgetOutcome(paths, `push`);
    if (!settings.autoPull)
      await forgetOutcome(paths, `pull`);
    if (!any)
      for (const file of [scriptPath(paths), programPath(paths)])
        await removeIfThere(file);
  }
  return changes;
}

/** Is the script that the hooks call the one of this version? */
export async function isScriptCurrent(paths: StatePaths) {
  return await readIfThere(scriptPath(paths)) === await readFile(path.join(FOLDER, `git-hook.sh`), `utf8`);
}

async function arrange(folder: string, hook: string, script: string | null, dryRun: boolean): Promise<Array<HookChange>> {
  const file = path.join(folder, hook);
  try {
    if (script === null)
      return await removeHook(folder, hook, {dryRun}) ? [{hook, file, changed: true}] : [];
    return [{hook, file, changed: (await installHook(folder, hook, {script, dryRun})).changed}];
  } catch (error) {
    const refused = isCode(error, `EACCES`, `EPERM`, `EROFS`, `EEXIST`, `ENOTDIR`);
    if (!(error instanceof HookError) && !refused)
      throw error;
    const reason = refused ? `${file} could not be written (${error.code})` : error.message;
    return [{hook, file, changed: false, problem: script === null ? reason : `${reason}. Add this line at its end by hand: ${lineFor(hook)}`}];
  }
}

/** `linked`: git's own folder of hooks leads there. */
function outside(folder: string, hook: string, linked: boolean): HookChange {
  if (!linked && folder === devNull)
    return {hook, file: folder, changed: false, problem: `core.hooksPath names ${folder}: git runs no hooks here, and so nothing of ours either`};
  const file = isHusky(folder) ? path.join(path.dirname(folder), hook) : path.join(folder, hook);
  return {
    hook, file, changed: false,
    problem: `${linked ? `Git's folder of hooks is a link to` : `core.hooksPath names`} ${folder}, which is not this clone's own: nothing was written there. Add this line to ${file} by hand, at its end (where session-sync is not set up it does nothing): ${lineFor(hook)}`,
  };
}

async function isCalledAt(folder: string, hook: string) {
  return await hookMentions(path.join(folder, hook), SCRIPT) || isHusky(folder) && await hookMentions(path.join(path.dirname(folder), hook), SCRIPT);
}

/** Its `_` is made by a program; people write into the folder above. */
function isHusky(folder: string) {
  return path.basename(folder) === `_`;
}

/** Where git looks for hooks, and whether that is in this clone's git directory. */
async function hooksFolder({repository, machine}: Project): Promise<{folder: string; inside: boolean}> {
  const {stdout} = await runGit([`rev-parse`, `--path-format=absolute`, `--git-path`, `hooks`], {cwd: repository.workTree ?? repository.gitDir, env: machine.env});
  const named = stdout.replace(/\n$/, ``) || path.join(repository.commonDir, `hooks`);
  const folder = await realpath(named).catch(error => {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return named;
    throw error;
  });
  const way = path.relative(repository.commonDir, folder);
  return {folder, inside: way !== `` && !way.startsWith(`..`) && !path.isAbsolute(way)};
}

function scriptPath({folder}: StatePaths) {
  return path.join(folder, `git-hook`);
}

function programPath({folder}: StatePaths) {
  return path.join(folder, `program`);
}

async function writeScript(paths: StatePaths) {
  await writeAtomic(scriptPath(paths), await readFile(path.join(FOLDER, `git-hook.sh`)));
  const cli = path.join(FOLDER, `cli.js`);
  if (existsSync(cli) && !/\n/.test(process.execPath + cli))
    await writeAtomic(programPath(paths), `${process.execPath}\n${cli}\n`);
}
