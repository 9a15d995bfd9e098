import {findProgram}               from '../../system/programs.ts';
import type {Machine, Registration} from '../types.ts';

/** Pi has no index: it reads the files of the project's folder each time, the newest time first. There is nothing to do. */
export async function register(machine: Machine): Promise<Registration> {
  if (await findProgram(machine, `pi`) === undefined)
    return {listed: true, note: `pi is not on PATH here`};
  return {listed: true};
}

/** Pi takes no lock and keeps no file open (1.5.2): nothing tells whether it has a session open. */
export async function exclusively<T>(_machine: Machine, _id: string, write: () => Promise<T>): Promise<T | null> {
  return await write();
}
