import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}      from '../types.ts';

import {PROVEN}                       from './lines.ts';
import {agentFolder}                  from './places.ts';

/** See `AgentAdapter.detect`. Starts the binary once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = agentFolder(machine);
  const binary = await findProgram(machine, `pi`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const there = await isFolder(store);

  const notes: Array<string> = [];
  if (there && !await mayWrite(store))
    notes.push(`${store} cannot be written to`);
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Pi ${version} is newer than ${PROVEN}, with which this was tried`);

  return {
    found: binary !== undefined || there,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. */
export async function present(machine: Machine): Promise<boolean> {
  return await isFolder(agentFolder(machine)) || await findProgram(machine, `pi`) !== undefined;
}
