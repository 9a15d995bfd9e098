import {readFile} from 'node:fs/promises';
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
