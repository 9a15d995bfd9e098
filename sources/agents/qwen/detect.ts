import path                           from 'node:path';

import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}      from '../types.ts';

import {homeOf, readSettings, runtimeOf} from './settings.ts';

export const PROVEN = `0.24.4`;

/** See `AgentAdapter.detect`. Starts the program once, for its version. */
export async function detect(machine: Machine): Promise<Detection> {
  const store = runtimeOf(machine, machine.home);
  const binary = await findProgram(machine, `qwen`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const there = await isFolder(path.join(store, `projects`)) || await isFolder(homeOf(machine));

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`qwen does not say its version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Qwen Code ${version} is newer than ${PROVEN}, with which this was tried`);
  if (await isFolder(store) && !await mayWrite(store))
    notes.push(`${store} cannot be written to`);
  const settings = readSettings(machine);
  if (settings.unrecorded)
    notes.push(`general.chatRecording is off: Qwen Code keeps no sessions that could be read or gone on with`);
  if (settings.unhooked)
    notes.push(`disableAllHooks is on: sessions of Qwen Code are only read by session-sync sync`);

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
  return await isFolder(homeOf(machine)) || await findProgram(machine, `qwen`) !== undefined;
}
