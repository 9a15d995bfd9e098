import {lstat, open, readdir, realpath} from 'node:fs/promises';
import path                             from 'node:path';

import type {Json}                      from '../../interchange/index.ts';
import {isCode, openRegular, readAt, readIfThere, writeAll} from '../../system/files.ts';
import {renameField}                    from '../families/rehome.ts';
import type {RehomeAdapter, RehomeStep} from '../types.ts';
import {isObject, stringAt}             from '../values.ts';

import {folderKey, folderOf, storeOf, wirePath} from './places.ts';

type Tell = RehomeStep & {do: `tell`};

const PIECE = 1 << 20;
/** Each line is written with its type first. */
const BINDING = `\n{"type":"runtime.set_binding",`;

/**
 * Kimi Code lists the sessions of the folder that is named after the project's, and goes on with one only where the last
 * binding in its log, and in those of its sub-agents, names the same (2.1.0). The logs only grow: they get another binding,
 * as Kimi Code itself would write it. Its index of sessions is made again by itself.
 */
export const rehome: RehomeAdapter = {
  programs: [`kimi`, `kimi-code`],

  async plan(machine, {path: wire, nativeId}, to) {
    const cwd = await realpath(to).catch(() => to);
    const target = wirePath(storeOf(machine), cwd, nativeId);
    const [folder, into] = [folderOf(wire), folderOf(target)];
    const file = path.join(folder, `state.json`);
    const before = await readIfThere(file);
    const state = before === null ? undefined : parse(before);
    const from = stringAt(state, `cwd`);
    if (before === null || from === undefined)
      throw new Error(`${file} cannot be understood`);

    const [old, key] = [path.basename(path.dirname(folder)), folderKey(cwd)];
    const steps: Array<RehomeStep> = [];
    for (const log of await logsOf(folder)) {
      const bound = await lastBinding(log);
      if (bound !== null && bound.workspace !== key)
        steps.push({do: `tell`, path: log, before: bound.workspace, after: key});
    }
    const after = renameField(before, `cwd`, from, cwd).replaceAll(`/${old}/${nativeId}/`, () => `/${key}/${nativeId}/`);
    if (after !== before)
      steps.push({do: `edit`, path: file, before, after});
    // Last: what it lists must be whole.
    if (folder !== into)
      steps.push({do: `move`, from: folder, to: into});
    return {path: target, steps};
  },

  telling: {
    async known(_machine, _nativeId, {path: log, before, after}: Tell) {
      const workspace = (await lastBinding(log))?.workspace;
      return workspace === after ? `after` : workspace === before ? `before` : null;
    },

    async tell(_machine, _nativeId, {path: log, after}: Tell) {
      const bound = (await lastBinding(log))!;
      const handle = await open(log, `r+`);
      try {
        const {size} = await handle.stat();
        const line = Buffer.from(`${JSON.stringify({...bound.line, workspaceId: after})}\n`);
        const end = await readAt(handle, Math.max(0, size - line.length), Math.min(size, line.length));
        // What a killed process left of it stands there already.
        const begun = end.subarray(end.lastIndexOf(10) + 1);
        if (!line.subarray(0, begun.length).equals(begun))
          throw new Error(`${log} ends in the middle of a line`);
        try {
          await writeAll(handle, line.subarray(begun.length), size);
          await handle.sync();
        } catch (error) {
          // A full disk: Kimi Code does not run, what is there now is ours.
          await handle.truncate(size).catch(() => undefined);
          throw error;
        }
      } finally {
        await handle.close();
      }
    },
  },
};

/** The logs of the session's agents, those of sub-agents first. */
async function logsOf(folder: string): Promise<Array<string>> {
  const agents = path.join(folder, `agents`);
  const names = (await readdir(agents)).sort((a, b) => Number(a === `main`) - Number(b === `main`) || (a < b ? -1 : 1));
  const logs = names.map(name => path.join(agents, name, `wire.jsonl`));
  const there = await Promise.all(logs.map(log => lstat(log).then(info => info.isFile(), () => false)));
  return logs.filter((_, index) => there[index]);
}

type Binding = {workspace: string; line: {[key: string]: Json}};

/** The workspace that a log was bound to last, looked for from its end; null where it was never opened. */
async function lastBinding(log: string): Promise<Binding | null> {
  const handle = await openRegular(log).catch(error => {
    if (isCode(error, `ENOTDIR`))
      return null;
    throw error;
  });
  if (handle === null)
    return null;
  try {
    const {size} = await handle.stat();
    // Pieces overlap by as much as a binding may be long.
    for (let end = size; end > 0; end -= PIECE) {
      const start = Math.max(0, end - PIECE);
      const text = (await readAt(handle, start, Math.min(size, end + 4_096) - start)).toString(`utf8`);
      for (let at = text.lastIndexOf(BINDING); at !== -1; at = at === 0 ? -1 : text.lastIndexOf(BINDING, at - 1)) {
        const stop = text.indexOf(`\n`, at + 1);
        const line = stop === -1 ? undefined : parse(text.slice(at + 1, stop));
        const workspace = stringAt(line, `workspaceId`);
        if (line !== undefined && workspace !== undefined)
          return {workspace, line};
      }
    }
    return null;
  } finally {
    await handle.close();
  }
}

function parse(text: string) {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
