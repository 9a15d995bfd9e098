import {realpath}                                  from 'node:fs/promises';
import path                                        from 'node:path';

import type {Machine}                              from '../agents/types.ts';
import {openFallback, openRepository, openWithoutGit, readWriter, SessionStore, StoreError} from '../store/index.ts';
import type {Repository}                           from '../store/types.ts';
import {makeFolder, removeIfThere, sizeOf, writeAtomic} from '../system/files.ts';

import {DEFAULT_CONFIG, readConfig}                from './config.ts';
import type {Config}                               from './config.ts';
import {Checkpoints}                               from './state.ts';

/** Where a project's own state lies, below the common git directory: one for all its worktrees. */
export type StatePaths = {folder: string; spool: string; sessions: string; log: string; lock: string; worker: string; waking: string; paused: string; side: string};

export type Project = {
  machine: Machine;
  repository: Repository;
  /** Without the git program sessions can be looked at and restored, but neither stored nor sent. */
  hasGit: boolean;
  /** Top of the working tree we were started in. */
  root: string;
  config: Config;
  paths: StatePaths;
  checkpoints: Checkpoints;
};

export function statePaths(commonDir: string): StatePaths {
  const folder = path.join(commonDir, `session-sync`);
  return {
    folder,
    spool: path.join(folder, `spool`),
    sessions: path.join(folder, `sessions`),
    log: path.join(folder, `log`),
    lock: path.join(folder, `lock`),
    worker: path.join(folder, `worker`),
    waking: path.join(folder, `waking`),
    paused: path.join(folder, `paused`),
    side: path.join(folder, `files`),
  };
}

/** The project of a folder. Throws StoreError where there is no repository, ConfigError where its configuration is broken. */
export async function openProject(cwd: string, machine: Machine): Promise<Project> {
  const {repository, hasGit} = await findRepository(cwd, machine);
  const root = repository.workTree ?? repository.commonDir;
  const paths = statePaths(repository.commonDir);
  const config = await readConfig(root) ?? DEFAULT_CONFIG;
  return {machine, repository, hasGit, root, config, paths, checkpoints: new Checkpoints(paths.sessions)};
}

async function findRepository(cwd: string, machine: Machine): Promise<{repository: Repository; hasGit: boolean}> {
  try {
    return {repository: await openRepository(cwd, machine.env), hasGit: true};
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== `NO_GIT`)
      throw error;
    return {repository: await openWithoutGit(cwd), hasGit: false};
  }
}

/** Does this clone take part? */
export async function isActive(project: Project): Promise<boolean> {
  return await exists(project.paths.spool);
}

export async function activate(project: Project) {
  for (const folder of [project.paths.folder, project.paths.spool, project.paths.sessions])
    await makeFolder(folder);
}

export async function isPaused(project: Project) {
  return await sizeOf(project.paths.paused) >= 0;
}

export async function setPaused(project: Project, paused: boolean) {
  if (paused)
    await writeAtomic(project.paths.paused, ``);
  else
    await removeIfThere(project.paths.paused);
}

export async function openStore(project: Project) {
  const {repository, hasGit, machine} = project;
  return new SessionStore(repository, machine.env, await readWriter(repository), hasGit ? {} : {reader: await openFallback(repository)});
}

/** Ids of the sessions that this clone has put into git. */
export async function storedByUs(project: Project): Promise<Array<string>> {
  const store = await openStore(project);
  try {
    return await store.ownSessions();
  } finally {
    await store.close();
  }
}

async function exists(folder: string) {
  try {
    await realpath(folder);
    return true;
  } catch {
    return false;
  }
}
