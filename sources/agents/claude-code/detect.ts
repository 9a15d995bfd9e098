import {execFile}                 from 'node:child_process';
import {constants}                from 'node:fs';
import {access, stat}             from 'node:fs/promises';
import path                       from 'node:path';

import type {Detection, Machine}  from '../types.ts';

import {configRoot}               from './places.ts';

export const PROVEN = `2.1.330`;
const PATIENCE = 5000;

/** See `AgentAdapter.detect`. Starts the binary once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = configRoot(machine);
  const binary = await findBinary(machine);
  const version = binary === undefined ? undefined : await versionOf(binary, machine);
  const hasStore = await isFolder(path.join(store, `projects`));

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`claude does not say its version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Claude Code ${version} is newer than ${PROVEN}, the version this was proven with`);
  if (hasStore && !await isWritable(path.join(store, `projects`)))
    notes.push(`${store} cannot be written`);

  return {
    found: binary !== undefined || hasStore,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. */
export async function present(machine: Machine): Promise<boolean> {
  return await isFolder(path.join(configRoot(machine), `projects`)) || await findBinary(machine) !== undefined;
}

async function findBinary({env, platform}: Machine) {
  const names = platform === `win32` ? [`claude.exe`, `claude.cmd`] : [`claude`];
  for (const folder of (env.PATH ?? env.Path ?? ``).split(platform === `win32` ? `;` : `:`)) {
    if (!path.isAbsolute(folder))
      continue;
    for (const name of names) {
      const file = path.join(folder, name);
      if (await isProgram(file))
        return file;
    }
  }
  return undefined;
}

function versionOf(binary: string, {env}: Machine): Promise<string | undefined> {
  return new Promise(resolve => {
    const child = execFile(binary, [`--version`], {env: env as NodeJS.ProcessEnv, timeout: PATIENCE, killSignal: `SIGKILL`, maxBuffer: 1 << 16, shell: binary.endsWith(`.cmd`)}, (error, stdout) => {
      resolve(error ? undefined : /\d+\.\d+\.\d+[0-9A-Za-z.+-]*/.exec(stdout)?.[0]);
    });
    child.stdin?.end();
  });
}

function isNewer(version: string, than: string) {
  const [a, b] = [version, than].map(text => text.split(/[.+-]/).slice(0, 3).map(Number)) as [Array<number>, Array<number>];
  for (let at = 0; at < 3; at++)
    if (a[at] !== b[at])
      return (a[at] ?? 0) > (b[at] ?? 0);
  return false;
}

async function isProgram(file: string) {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

async function isFolder(folder: string) {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

async function isWritable(folder: string) {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
