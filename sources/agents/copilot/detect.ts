import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}      from '../types.ts';

import {PROVEN}                       from './lines.ts';
import {sessionsOf, storeOf}          from './places.ts';

/** See `AgentAdapter.detect`. Starts the binary once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = storeOf(machine);
  const sessions = sessionsOf(machine);
  const binary = await findProgram(machine, `copilot`);
  // It ends the sentence with a full stop (1.0.102).
  const version = binary === undefined ? undefined : (await versionOf(machine, binary))?.replace(/\.$/, ``);
  const hasStore = await isFolder(sessions);

  const notes: Array<string> = [];
  if (hasStore && !await mayWrite(sessions))
    notes.push(`${sessions} cannot be written to`);
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Copilot CLI ${version} is newer than ${PROVEN}, with which this was tried`);

  return {
    found: binary !== undefined || hasStore,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. */
export async function present(machine: Machine): Promise<boolean> {
  return await isFolder(sessionsOf(machine)) || await findProgram(machine, `copilot`) !== undefined;
}
