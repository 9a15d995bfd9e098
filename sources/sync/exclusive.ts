import path                                         from 'node:path';
import {setTimeout as sleep}                        from 'node:timers/promises';

import {readIfThere, removeAbandoned, removeIfThere, writeAtomic} from '../system/files.ts';
import {tryLock}                                    from '../system/flock.ts';
import type {Lock}                                  from '../system/flock.ts';
import {startOf}                                    from '../system/processes.ts';

import type {StatePaths}                            from './project.ts';

export type Held = {release(): Promise<void>};

/** How long is waited between two looks at the lock: each starts a program. */
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 500;

/** The worker that runs, as `doctor` and `status` name it. */
export async function runningWorker(paths: StatePaths): Promise<number | null> {
  return await livingProcess(paths.worker);
}

/** The process that a file names by its number and start time (a number alone may be somebody else's by now), if it lives. */
async function livingProcess(file: string): Promise<number | null> {
  const [pid, start] = (await readIfThere(file) ?? ``).trim().split(` `);
  if (!pid || !/^\d+$/.test(pid))
    return null;
  const begun = await startOf(Number(pid));
  return begun !== null && (start === undefined || start === begun) ? Number(pid) : null;
}

/** Names who asks the holder of the lock to let go when it can (see `isAskedToYield`). */
function yieldFile(paths: StatePaths) {
  return path.join(paths.folder, `yield`);
}

/** Does somebody wait for the lock who goes first? One who was killed while waiting asks no more. */
export async function isAskedToYield(paths: StatePaths) {
  return await livingProcess(yieldFile(paths)) !== null;
}

async function writeOwn(file: string) {
  await writeAtomic(file, `${process.pid} ${await startOf(process.pid)}\n`);
}

async function removeOwn(file: string) {
  if (await livingProcess(file) === process.pid)
    await removeIfThere(file);
}

/**
 * The right to write the project's mirrors, checkpoints and refs. The lock belongs to an open file of this process, so
 * that a killed process leaves none behind. Null when somebody else still has it after `waitMs`; a worker gets null as
 * soon as another worker is there, which will see every event that came before.
 */
export async function acquire(paths: StatePaths, {waitMs, ask, worker}: {waitMs: number; ask: boolean; worker: boolean}): Promise<Held | null> {
  try {
    for (let waited = 0, pause = FIRST_PAUSE_MS; ; waited += pause, pause = Math.min(pause * 1.2, LAST_PAUSE_MS)) {
      const lock = worker && await isAskedToYield(paths) ? null : await tryLock(paths.lock);
      if (lock !== null)
        return await hold(paths, lock, worker);
      if (worker && await runningWorker(paths) !== null) {
        // A hook that saw us starting relies on us: only a worker that is there after nobody sees us any more has its event.
        await removeIfThere(paths.waking);
        if (await runningWorker(paths) !== null)
          return null;
      }
      if (waited >= waitMs)
        return null;
      if (ask && !await isAskedToYield(paths))
        await writeOwn(yieldFile(paths));
      await sleep(pause);
    }
  } finally {
    if (ask)
      await removeOwn(yieldFile(paths));
  }
}

async function hold(paths: StatePaths, lock: Lock, worker: boolean): Promise<Held> {
  for (const folder of [paths.folder, paths.sessions, paths.spool])
    await removeAbandoned(folder);
  if (worker) {
    await writeOwn(paths.worker);
    await removeIfThere(paths.waking);
  }
  return {
    async release() {
      if (worker)
        await removeIfThere(paths.worker);
      await lock.release();
    },
  };
}
