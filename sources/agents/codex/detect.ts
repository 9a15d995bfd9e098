import {execFile}                     from 'node:child_process';
import {constants}                    from 'node:fs';
import {access, stat}                 from 'node:fs/promises';
import path                           from 'node:path';

import type {Detection, Machine}      from '../types.ts';

import {PROVEN}                       from './lines.ts';
import {storeOf}                      from './locate.ts';

const SECONDS = 5;

export async function detect(machine: Machine): Promise<Detection> {
  const store = storeOf(machine);
  const binary = await findProgram(machine, `codex`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const notes: Array<string> = [];

  const there = await isFolder(store);
  if (there && !await mayWrite(store))
    notes.push(`${store} cannot be written to`);
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Codex ${version} is newer than ${PROVEN}, with which this was tried`);
  if (await findProgram(machine, `flock`) === undefined && await findProgram(machine, `perl`) === undefined)
    notes.push(`neither flock nor perl is there: sessions whose lock file exists in ${store} are left alone`);

  return {
    found: binary !== undefined || there,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. */
export async function present(machine: Machine): Promise<boolean> {
  return await isFolder(storeOf(machine)) || await findProgram(machine, `codex`) !== undefined;
}

/** Path of a program on PATH. */
export async function findProgram({env, platform}: Pick<Machine, `env` | `platform`>, name: string): Promise<string | undefined> {
  const endings = platform === `win32` ? [`.exe`, `.cmd`] : [``];
  for (const folder of (env.PATH ?? ``).split(path.delimiter)) {
    if (!path.isAbsolute(folder))
      continue;
    for (const ending of endings) {
      const file = path.join(folder, `${name}${ending}`);
      try {
        await access(file, constants.X_OK);
        if ((await stat(file)).isFile())
          return file;
      } catch {
        // Not there, or not for us: the next folder.
      }
    }
  }
  return undefined;
}

/** What a program that we start gets to see: nothing that tells it that another agent is around it. */
export function cleanEnv(env: Machine[`env`]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(CLAUDE|AI_AGENT$|NODE_OPTIONS$|GIT_DIR$|GIT_INDEX_FILE$|GIT_WORK_TREE$)/.test(name)));
}

function versionOf(machine: Machine, binary: string): Promise<string | undefined> {
  return new Promise(resolve => {
    execFile(binary, [`--version`], {env: cleanEnv(machine.env), timeout: SECONDS * 1000, killSignal: `SIGKILL`, maxBuffer: 64 * 1024}, (_error, stdout) => {
      resolve(/\b(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)\b/.exec(String(stdout))?.[1]);
    });
  });
}

/** Compares the numbers of two versions; what follows a `-` is ignored. */
export function isNewer(version: string, than: string): boolean {
  const [a, b] = [version, than].map(text => text.split(`-`)[0]!.split(`.`).map(Number)) as [Array<number>, Array<number>];
  for (let index = 0; index < 3; index += 1)
    if (a[index] !== b[index])
      return (a[index] ?? 0) > (b[index] ?? 0);
  return false;
}

async function isFolder(folder: string) {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

async function mayWrite(folder: string) {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
