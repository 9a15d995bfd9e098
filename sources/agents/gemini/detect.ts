import path                       from 'node:path';

import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}  from '../types.ts';

import {storeOf}                  from './places.ts';

/** Version that read what is written here, and wrote what is read. */
export const PROVEN = `0.61.0`;

/** See `AgentAdapter.detect`. Starts the program once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = storeOf(machine);
  const binary = await findProgram(machine, `gemini`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const there = await isFolder(path.join(store, `tmp`));

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Gemini CLI ${version} is newer than ${PROVEN}, with which this was tried`);
  if (there && !await mayWrite(path.join(store, `tmp`)))
    notes.push(`${store} cannot be written to`);

  return {
    found: binary !== undefined || there,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. Other programs keep files in `~/.gemini`, too. */
export async function present(machine: Machine): Promise<boolean> {
  return await isFolder(path.join(storeOf(machine), `tmp`)) || await findProgram(machine, `gemini`) !== undefined;
}
