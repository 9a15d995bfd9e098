import {realpath}                       from 'node:fs/promises';
import path                             from 'node:path';

import type {Json}                      from '../../interchange/index.ts';
import {readIfThere}                    from '../../system/files.ts';
import {renameField}                    from '../families/rehome.ts';
import type {RehomeAdapter, RehomeStep} from '../types.ts';
import {isObject, stringAt}             from '../values.ts';

import {folderOf, sessionFolder, storeOf, wirePath} from './places.ts';

/** Kimi Code files a session below a folder that is named by a hash of the project's, and `state.json` names it (2.1.0). */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: wire, nativeId}, to) {
    const cwd = await realpath(to).catch(() => to);
    const folder = folderOf(wire);
    const [target, state] = [sessionFolder(storeOf(machine), cwd, nativeId), path.join(folder, `state.json`)];
    const before = await readIfThere(state);
    if (before === null)
      throw new Error(`${state} is not there`);
    const from = folderIn(before);
    if (from === undefined)
      throw new Error(`${state} cannot be understood`);

    // It also names the folder of each agent, by its whole path.
    const after = renameField(before, `cwd`, from, cwd).replaceAll(inJson(folder), () => inJson(target));
    const steps: Array<RehomeStep> = [];
    if (after !== before)
      steps.push({do: `edit`, path: state, before, after});
    if (folder !== target)
      steps.push({do: `move`, from: folder, to: target});
    return {path: wirePath(storeOf(machine), cwd, nativeId), steps};
  },
};

function inJson(text: string) {
  return JSON.stringify(text).slice(1, -1);
}

function folderIn(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? stringAt(value, `cwd`) : undefined;
  } catch {
    return undefined;
  }
}
