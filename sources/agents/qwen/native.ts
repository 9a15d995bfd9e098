import {lstat, readdir}                    from 'node:fs/promises';
import path                                from 'node:path';

import type {Machine, NativeAdapter}       from '../types.ts';

import {judge}                             from './judge.ts';
import {isMain}                            from './locate.ts';
import {chatPath, isSafeName, isUuid, projectFolder} from './places.ts';
import {homeOf, runtimeOf}                 from './settings.ts';

/** A file name that has no place in a session of Qwen Code. */
export class UnsafeNameError extends Error {
  readonly code = `UNSAFE_NAME`;
}

export const native: NativeAdapter = {
  pathOf(machine: Machine, session: {nativeId: string; cwd: string}, name: string) {
    const parts = name.split(`/`);
    if (!isSafeName(session.nativeId) || !parts.every(isSafeName) || !isMain(name) && (parts.length !== 2 || parts[0] !== `subagents`))
      throw new UnsafeNameError(`Not a file of a session: ${JSON.stringify(name).slice(0, 200)}`);
    if (isMain(name))
      return chatPath(machine, session.cwd, session.nativeId);
    return path.join(projectFolder(machine, session.cwd), `subagents`, session.nativeId, parts[1]!);
  },

  roots(machine: Machine, session: {nativeId: string; cwd: string}) {
    const project = projectFolder(machine, session.cwd);
    return {session: path.join(project, `subagents`, session.nativeId), transcript: chatPath(machine, session.cwd, session.nativeId), project, agent: homeOf(machine)};
  },

  async find(machine: Machine, nativeId: string) {
    if (!isUuid(nativeId))
      return null;
    const projects = path.join(runtimeOf(machine, machine.home), `projects`);
    const folders = await readdir(projects, {withFileTypes: true}).catch(() => []);
    for (const folder of folders.filter(entry => entry.isDirectory()).sort((a, b) => a.name < b.name ? -1 : 1)) {
      const file = path.join(projects, folder.name, `chats`, `${nativeId}.jsonl`);
      if (await lstat(file).then(info => info.isFile() && info.size > 0, () => false))
        return file;
    }
    return null;
  },

  resumeCommand,
  judge,
};

/** Only from the session's own folder: Qwen Code looks for sessions of the one that it is started in. */
export function resumeCommand(id: string) {
  return `qwen --resume ${id}`;
}
