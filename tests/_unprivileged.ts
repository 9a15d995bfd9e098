import {execFile}  from 'node:child_process';
import process     from 'node:process';
import {promisify} from 'node:util';

const NOBODY = 65_534;

/**
 * Runs something as a user whom files can be shut to. Root reads everything, and CI runs as root: there the folder is
 * given to somebody else, whose rights this process and the programs that it starts have meanwhile.
 */
export async function unprivileged<T>(folder: string, run: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0)
    return await run();
  await promisify(execFile)(`chown`, [`-R`, `${NOBODY}:${NOBODY}`, folder]);
  process.seteuid!(NOBODY);
  try {
    return await run();
  } finally {
    process.seteuid!(0);
  }
}
