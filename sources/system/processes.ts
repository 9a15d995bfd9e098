import {execFile} from 'node:child_process';
import {readFile, readdir, readlink} from 'node:fs/promises';
import path       from 'node:path';
import process    from 'node:process';

import {isCode}   from './files.ts';

/** PF_EXITING: killed, and giving back its memory, which takes a big program milliseconds in which it still "runs". */
const EXITING = 4;

/**
 * When a process began, in clock ticks, as the 22nd field of its stat file has it; empty where there is no /proc. Null when
 * it does not run: a killed process that nobody asks after stays a zombie, in a container without an init as long as that
 * runs, and one that is on its way out does nothing any more.
 */
export async function startOf(pid: number): Promise<string | null> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (isCode(error, `ESRCH`))
      return null;
  }
  try {
    const text = await readFile(`/proc/${pid}/stat`, `utf8`);
    const [state, ...fields] = text.slice(text.lastIndexOf(`) `) + 2).split(` `);
    return state === `Z` || (Number(fields[5]) & EXITING) !== 0 ? null : fields[18] ?? ``;
  } catch {
    return ``;
  }
}

const LSOF_MS = 10_000;

/** A process of one of these programs whose working folder lies in one of the folders (real paths); null for none, or where nothing tells. */
export async function runningIn(folders: Array<string>, programs: Array<string>): Promise<number | null> {
  const found = process.platform === `linux` ? await workersOfProc(programs) : await workersOfLsof(programs);
  return found.find(({cwd}) => folders.some(folder => cwd === folder || cwd.startsWith(`${folder}/`)))?.pid ?? null;
}

type Working = {pid: number; cwd: string};

async function workersOfProc(programs: Array<string>): Promise<Array<Working>> {
  const pids = (await readdir(`/proc`).catch(() => [])).filter(name => /^\d+$/.test(name));
  const all = await Promise.all(pids.map(async (name): Promise<Array<Working>> => {
    try {
      // Most are not ours to look at.
      const cwd = await readlink(`/proc/${name}/cwd`);
      const words = (await readFile(`/proc/${name}/cmdline`, `utf8`)).split(/[\0 ]/);
      return isOneOf(words, programs) ? [{pid: Number(name), cwd: cwd.replace(/ \(deleted\)$/, ``)}] : [];
    } catch {
      return [];
    }
  }));
  return all.flat();
}

/** `kimi`, also `node /usr/bin/kimi`. */
function isOneOf(words: Array<string>, programs: Array<string>) {
  return words.slice(0, 2).some(word => programs.includes(path.basename(word).replace(/\.(?:[cm]?js|exe)$/, ``)));
}

function workersOfLsof(programs: Array<string>): Promise<Array<Working>> {
  return new Promise(resolve => {
    execFile(`lsof`, [`-a`, `-d`, `cwd`, ...programs.flatMap(name => [`-c`, name]), `-Fn`], {timeout: LSOF_MS}, (_error, stdout) => {
      let pid = 0;
      resolve(String(stdout).split(`\n`).flatMap(line => {
        pid = line.startsWith(`p`) ? Number(line.slice(1)) : pid;
        return line.startsWith(`n`) ? [{pid, cwd: line.slice(1)}] : [];
      }));
    });
  });
}
