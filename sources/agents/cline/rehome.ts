import {realpath}                       from 'node:fs/promises';

import type {Json}                      from '../../interchange/index.ts';
import {readIfThere}                    from '../../system/files.ts';
import {renameField}                    from '../families/rehome.ts';
import type {RehomeAdapter}             from '../types.ts';
import {isObject, stringAt}             from '../values.ts';

import {documentsOf, sessionsOf}        from './places.ts';

/** The session's own document names its folder (3.0.65). */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: journal, nativeId}, to) {
    const {session} = documentsOf(sessionsOf(machine), nativeId);
    const before = await readIfThere(session);
    const value = before === null ? undefined : parse(before);
    const from = isObject(value) ? stringAt(value, `cwd`) : undefined;
    if (before === null || from === undefined)
      throw new Error(`${session} cannot be understood`);
    const cwd = await realpath(to).catch(() => to);
    const after = renameField(renameField(before, `cwd`, from, cwd), `workspace_root`, from, cwd);
    return {path: journal, steps: from === cwd ? [] : [{do: `edit`, path: session, before, after}]};
  },
};

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
