import {realpath}                       from 'node:fs/promises';
import path                             from 'node:path';

import {readIfThere}                    from '../../system/files.ts';
import type {RehomeAdapter}             from '../types.ts';

import {folderOf}                       from './places.ts';
import {inFolder}                       from './workspace.ts';

/** Copilot goes on with a session in the folder that `workspace.yaml` names, if it is there; its list has all (1.0.102). */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: journal, nativeId}, to) {
    const file = path.join(folderOf(machine, nativeId), `workspace.yaml`);
    const before = await readIfThere(file);
    const after = before === null ? null : inFolder(before, await realpath(to).catch(() => to));
    return {path: journal, steps: before === null || after === null || after === before ? [] : [{do: `edit`, path: file, before, after}]};
  },
};
