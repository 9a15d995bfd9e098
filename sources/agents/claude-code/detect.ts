import path                       from 'node:path';

import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}  from '../types.ts';

import {configRoot}               from './places.ts';

export const PROVEN = `2.1.330`;

/** See `AgentAdapter.detect`. Starts the binary once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = configRoot(machine);
  const binary = await findProgram(machine, `claude`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const hasStore = await isFolder(path.join(store, `projects`));

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`claude does not say its version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Claude Code ${version} is newer than ${PROVEN}, the version this was proven with`);
  if (hasStore && !await mayWrite(path.join(store, `projects`)))
    notes.push(`${store} cannot be written`);

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
  return await isFolder(path.join(configRoot(machine), `projects`)) || await findProgram(machine, `claude`) !== undefined;
}
