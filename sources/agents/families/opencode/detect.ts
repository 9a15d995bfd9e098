import path                       from 'node:path';

import {findProgram, isFolder, isNewer, mayWrite, versionOf} from '../../../system/programs.ts';
import {sizeOf}                   from '../../../system/files.ts';
import type {Detection, Machine}  from '../../types.ts';

import {configFolder, dataFolder, databasePath} from './places.ts';
import type {Variant}             from './variant.ts';

export async function detect(machine: Machine, variant: Variant): Promise<Detection> {
  const store = dataFolder(machine, variant);
  const database = databasePath(machine, variant);
  const binary = await findProgram(machine, variant.program);
  const version = binary === undefined ? undefined : await versionOf(machine, binary);
  const hasSessions = await sizeOf(database).catch(() => -1) >= 0;

  const notes: Array<string> = [];
  if (binary !== undefined && version === undefined)
    notes.push(`${binary} --version gave no version`);
  if (version !== undefined && isNewer(version, variant.proven))
    notes.push(`${variant.name} ${version} is newer than ${variant.proven}, with which this was tried`);
  if (binary === undefined && hasSessions)
    notes.push(`${variant.program} is not on PATH: its sessions can neither be read nor written`);
  if (hasSessions && !await mayWrite(database))
    notes.push(`${database} cannot be written to`);
  const config = configFolder(machine, variant);
  if (binary !== undefined && !await isFolder(path.join(config, `node_modules`)))
    notes.push(`${variant.name} fetches a package into ${config} once, for plugins: each start takes a minute longer where it cannot reach the registry`);

  return {
    found: binary !== undefined || hasSessions,
    ...binary === undefined ? {} : {binary},
    ...version === undefined ? {} : {version},
    store,
    notes,
  };
}

/** The program, or sessions of it, are on this machine. Starts nothing. */
export async function present(machine: Machine, variant: Variant): Promise<boolean> {
  return await findProgram(machine, variant.program) !== undefined;
}
