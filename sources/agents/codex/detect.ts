import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../system/programs.ts';
import type {Detection, Machine}      from '../types.ts';

import {PROVEN}                       from './lines.ts';
import {storeOf}                      from './locate.ts';

export async function detect(machine: Machine): Promise<Detection> {
  const store = storeOf(machine);
  const binary = await findProgram(machine, `codex`);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const notes: Array<string> = [];

  const there = await isFolder(store);
  if (there && !await mayWrite(store))
    notes.push(`${store} cannot be written to`);
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, PROVEN))
    notes.push(`Codex ${version} is newer than ${PROVEN}, with which this was tried`);
  if (await findProgram(machine, `flock`) === undefined && await findProgram(machine, `perl`) === undefined)
    notes.push(`neither flock nor perl is there: sessions whose lock file exists in ${store} are left alone`);

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
  return await isFolder(storeOf(machine)) || await findProgram(machine, `codex`) !== undefined;
}
