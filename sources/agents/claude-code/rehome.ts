import {realpath}                       from 'node:fs/promises';
import path                             from 'node:path';

import {isFolder}                       from '../../system/programs.ts';
import type {RehomeAdapter, RehomeStep} from '../types.ts';

import {isSafeName, slugOf}             from './places.ts';

/**
 * Claude Code lists the sessions of the folder that is named like the project's, whatever their lines say of theirs, and
 * goes on with them where it was started (2.1.330). So files only get another name.
 */
export const rehome: RehomeAdapter = {
  async plan(_machine, {path: file, nativeId}, to) {
    if (!isSafeName(nativeId))
      throw new Error(`${nativeId} is no name of a session`);
    const projects = path.dirname(path.dirname(file));
    const folder = path.join(projects, slugOf(await realpath(to).catch(() => to)));
    if (path.dirname(file) === folder)
      return {path: file, steps: []};

    const side = file.replace(/\.jsonl$/, ``);
    const target = path.join(folder, `${nativeId}.jsonl`);
    // The transcript last: a session whose side files are missing is worse than one that is not there yet.
    const steps: Array<RehomeStep> = [
      ...await isFolder(side) ? [{do: `move` as const, from: side, to: path.join(folder, nativeId)}] : [],
      {do: `move`, from: file, to: target},
    ];
    return {path: target, steps};
  },
};
