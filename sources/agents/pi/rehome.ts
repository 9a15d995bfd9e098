import {realpath}                       from 'node:fs/promises';
import path                             from 'node:path';

import type {Json}                      from '../../interchange/index.ts';
import {firstLineOf, renameField}       from '../families/rehome.ts';
import type {RehomeAdapter, RehomeStep} from '../types.ts';
import {isObject, stringAt}             from '../values.ts';

import {projectFolder}                  from './places.ts';
import {chosenFolder}                   from './settings.ts';

/** Pi lists the sessions of the folder that is named like the project's, and goes on with one only where its header says (1.5.2). */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: file}, to) {
    const folder = await realpath(to).catch(() => to);
    const chosen = chosenFolder(machine);
    const target = path.join(projectFolder(machine, folder, chosen), path.basename(file));
    const line = await firstLineOf(file);
    const from = line === null ? undefined : folderIn(line);
    if (line === null || from === undefined)
      throw new Error(`${file} does not begin with a header that names a folder`);

    const steps: Array<RehomeStep> = [];
    if (from !== folder)
      steps.push({do: `edit`, path: file, before: line, after: renameField(line, `cwd`, from, folder)});
    if (file !== target)
      steps.push({do: `move`, from: file, to: target});
    return {path: target, steps};
  },
};

function folderIn(line: string): string | undefined {
  try {
    const value = JSON.parse(line) as Json;
    return isObject(value) && value.type === `session` ? stringAt(value, `cwd`) : undefined;
  } catch {
    return undefined;
  }
}
