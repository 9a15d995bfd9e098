import {findProgram, isFolder, isNewer, versionOf} from '../../system/programs.ts';
import type {Detection, Machine} from '../types.ts';

import {dataFolder, threadsFolder} from './places.ts';

/** Newest version whose Linux program was whole in the registry. Amp counts in seconds since 1970. */
export const PROVEN = `0.0.1790142911`;

/** See `AgentAdapter.detect`. Starts the binary once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const binary = await findProgram(machine, `amp`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const hasThreads = await isFolder(threadsFolder(machine));

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`amp does not say its version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Amp ${version} is newer than ${PROVEN}, the version this was proven with`);

  return {
    found: binary !== undefined || hasThreads,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store: dataFolder(machine),
    notes,
  };
}

/** The program, or old threads of it, are on this machine. Starts nothing. */
export async function present(machine: Machine): Promise<boolean> {
  return await findProgram(machine, `amp`) !== undefined || await isFolder(threadsFolder(machine));
}
