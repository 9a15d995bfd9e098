import path           from 'node:path';

import type {Machine} from '../../types.ts';

import {setting}      from './variant.ts';
import type {Variant} from './variant.ts';

type Place = Pick<Machine, `env` | `home`>;

/** Folder with the database, the logs and the snapshots. */
export function dataFolder(machine: Place, {program}: Variant) {
  return path.join(machine.env.XDG_DATA_HOME || path.join(machine.home, `.local`, `share`), program);
}

/** Folder with the person's settings and plugins for all projects. */
export function configFolder(machine: Place, {program}: Variant) {
  return path.join(machine.env.XDG_CONFIG_HOME || path.join(machine.home, `.config`), program);
}

/** Folder where the model that was chosen last is noted. */
export function stateFolder(machine: Place, {program}: Variant) {
  return path.join(machine.env.XDG_STATE_HOME || path.join(machine.home, `.local`, `state`), program);
}

export function databasePath(machine: Place, variant: Variant) {
  const file = setting(machine, variant, `DB`) ?? `${variant.program}.db`;
  return path.resolve(dataFolder(machine, variant), file);
}

/** Ids stand in paths, in SQL and on command lines. */
export function isSessionId(id: unknown): id is string {
  return typeof id === `string` && /^ses_[0-9A-Za-z-]{4,80}$/.test(id);
}

export function isMessageId(id: unknown): id is string {
  return typeof id === `string` && /^msg_[0-9A-Za-z-]{4,80}$/.test(id);
}
