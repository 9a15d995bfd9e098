import {realpath}                       from 'node:fs/promises';

import type {Json}                      from '../../interchange/index.ts';
import {isFolder}                       from '../../system/programs.ts';
import {firstLineOf, renameField}       from '../families/rehome.ts';
import type {RehomeAdapter, RehomeStep} from '../types.ts';
import {isObject, stringAt}             from '../values.ts';

import {chatPath, isUuid, sideFolder}   from './places.ts';

/** Qwen Code lists a session in the folder that is named like the project's, if its first record says the same (0.24.4). */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: file, nativeId}, to) {
    if (!isUuid(nativeId))
      throw new Error(`${nativeId} is no id of a session`);
    const folder = await realpath(to).catch(() => to);
    const target = chatPath(machine, folder, nativeId);
    const line = await firstLineOf(file);
    const from = line === null ? undefined : folderIn(line);
    if (line === null || from === undefined)
      throw new Error(`${file} does not begin with a record that names a folder`);

    const steps: Array<RehomeStep> = [];
    if (from !== folder)
      steps.push({do: `edit`, path: file, before: line, after: renameField(line, `cwd`, from, folder)});
    if (file !== target) {
      const side = sideFolder({path: file, nativeId});
      if (await isFolder(side))
        steps.push({do: `move`, from: side, to: sideFolder({path: target, nativeId})});
      steps.push({do: `move`, from: file, to: target});
    }
    return {path: target, steps};
  },
};

function folderIn(line: string): string | undefined {
  try {
    const value = JSON.parse(line) as Json;
    return isObject(value) ? stringAt(value, `cwd`) : undefined;
  } catch {
    return undefined;
  }
}
