import {readFile}                                   from 'node:fs/promises';
import path                                         from 'node:path';
import {setTimeout as sleep}                        from 'node:timers/promises';

import {readIfThere, removeIfThere, sizeOf, writeAtomic} from '../system/files.ts';
import {tryLock}                                    from '../system/flock.ts';

import type {StatePaths}                            from './project.ts';

export type Held = {release(): Promise<void>};

/** The worker that runs, as `doctor` and `status` name it. */
export async function runningWorker(paths: StatePaths): Promise<number | null> {
  const [pid, start] = (await readIfThere(paths.worker) ?? ``).trim().split(` `);
  if (!pid || !/^\d+$/.test(pid))
    return null;
  try {
    process.kill(Number(pid), 0);
  } catch {
    return null;
  }
  return start === undefined || start === await startTime(Number(pid)) ? Number(pid) : null;
}

/** Asks whoever holds the lock to let go when it can (see `isAskedToYield`). */
function yieldFile(paths: StatePaths) {
  return path.join(paths.folder, `yield`);
}

export async function isAskedToYield(paths: StatePaths) {
  return await sizeOf(yieldFile(paths)) >= 0;
}

/**
 * The right to write the project's mirrors, checkpoints and refs. The lock belongs to an open file of this process, so
 * that a killed process leaves none behind. Null when somebody else still has it after `waitMs`.
 */
export async function acquire(paths: StatePaths, {waitMs, ask, worker}: {waitMs: number; ask: boolean; worker: boolean}): Promise<Held | null> {
  let asked = false;
  for (let waited = 0; ; waited += 50) {
    const lock = await tryLock(paths.lock);
    if (lock !== null) {
      if (asked || !worker)
        await removeIfThere(yieldFile(paths));
      if (worker)
        await writeAtomic(paths.worker, `${process.pid} ${await startTime(process.pid)}\n`);
      return {
        async release() {
          if (worker)
            await removeIfThere(paths.worker);
          await lock.release();
        },
      };
    }
    if (waited >= waitMs) {
      if (asked)
        await removeIfThere(yieldFile(paths));
      return null;
    }
    if (ask && !asked) {
      await writeAtomic(yieldFile(paths), ``);
      asked = true;
    }
    await sleep(50);
  }
}

/** Start time of a process in clock ticks, as the 22nd field of its stat file has it; empty where there is no /proc. */
async function startTime(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, `utf8`);
    return text.slice(text.lastIndexOf(`) `) + 2).split(` `)[19] ?? ``;
  } catch {
    return ``;
  }
}
