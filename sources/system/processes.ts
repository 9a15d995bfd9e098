import {readFile} from 'node:fs/promises';
import process    from 'node:process';

import {isCode}   from './files.ts';

/**
 * When a process began, in clock ticks, as the 22nd field of its stat file has it; empty where there is no /proc. Null when
 * it does not run: a killed process that nobody asks after stays a zombie, in a container without an init as long as that
 * runs.
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
    return state === `Z` ? null : fields[18] ?? ``;
  } catch {
    return ``;
  }
}
