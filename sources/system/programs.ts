import {execFile}      from 'node:child_process';
import {constants}     from 'node:fs';
import {access, stat}  from 'node:fs/promises';
import path            from 'node:path';

import type {Machine}  from '../agents/types.ts';

/** Long, since all agents are asked at once, and some need seconds to start. */
const VERSION_MS = 20_000;

/** Path of a program on PATH; undefined when it is on none of its folders. */
export async function findProgram({env, platform}: Pick<Machine, `env` | `platform`>, name: string): Promise<string | undefined> {
  const endings = platform === `win32` ? [`.exe`, `.cmd`] : [``];
  for (const folder of (env.PATH ?? env.Path ?? ``).split(platform === `win32` ? `;` : `:`)) {
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

/** What a program that we start gets to see: nothing that tells it that an agent, or a hook of git, is around it. */
export function cleanEnv(env: Machine[`env`]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(CLAUDE(?!_CONFIG_DIR$)|AI_AGENT$|NODE_OPTIONS$|GIT_DIR$|GIT_INDEX_FILE$|GIT_WORK_TREE$)/.test(name)));
}

/** What `--version` says, in good time; undefined when it says nothing like a version. */
export function versionOf({env, platform}: Pick<Machine, `env` | `platform`>, binary: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const child = execFile(binary, [`--version`], {
      env: cleanEnv(env), timeout: VERSION_MS, killSignal: `SIGKILL`, maxBuffer: 1 << 16, shell: platform === `win32` && binary.endsWith(`.cmd`),
    }, (error, stdout) => {
      resolve(error ? undefined : /\d+\.\d+\.\d+(?:[.+-][0-9A-Za-z]+)*/.exec(String(stdout))?.[0]);
    });
    child.stdin?.end();
  });
}

/** Compares the numbers of two versions; what follows a `-` or `+` is ignored. */
export function isNewer(version: string, than: string): boolean {
  const [a, b] = [version, than].map(text => text.split(/[.+-]/).slice(0, 3).map(Number)) as [Array<number>, Array<number>];
  for (let at = 0; at < 3; at++)
    if (a[at] !== b[at])
      return (a[at] ?? 0) > (b[at] ?? 0);
  return false;
}

export async function isFolder(folder: string) {
  return await stat(folder).then(info => info.isDirectory(), () => false);
}

export async function mayWrite(file: string) {
  return await access(file, constants.W_OK).then(() => true, () => false);
}
