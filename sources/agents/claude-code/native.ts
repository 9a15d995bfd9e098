import {lstat, readdir}                                 from 'node:fs/promises';
import path                                             from 'node:path';

import type {Machine, NativeAdapter}                    from '../types.ts';

import {isMain}                                         from './locate.ts';
import {configRoot, isSafeName, isUuid, projectFolder} from './places.ts';

/** A file name that has no place in a session of Claude Code. */
export class UnsafeNameError extends Error {
  readonly code = `UNSAFE_NAME`;
}

export const native: NativeAdapter = {
  pathOf(machine: Machine, session: {nativeId: string; cwd: string}, name: string) {
    const parts = name.split(`/`);
    if (!isSafeName(session.nativeId) || parts.length > 2 || !parts.every(isSafeName))
      throw new UnsafeNameError(`Not a file of a session: ${JSON.stringify(name).slice(0, 200)}`);

    const project = projectFolder(machine, session.cwd);
    return isMain(name) ? path.join(project, `${session.nativeId}.jsonl`) : path.join(project, session.nativeId, ...parts);
  },

  roots(machine: Machine, session: {nativeId: string; cwd: string}) {
    const project = projectFolder(machine, session.cwd);
    return {session: path.join(project, session.nativeId), transcript: path.join(project, `${session.nativeId}.jsonl`), project, agent: configRoot(machine)};
  },

  /** Claude Code finds a session by its id in any project; the same id in two others is found in none (2.1.330). */
  async find(machine: Machine, nativeId: string) {
    if (!isUuid(nativeId))
      return null;
    const projects = path.join(configRoot(machine), `projects`);
    const folders = await readdir(projects, {withFileTypes: true}).catch(() => []);
    for (const folder of folders.filter(entry => entry.isDirectory()).sort((a, b) => a.name < b.name ? -1 : 1)) {
      const file = path.join(projects, folder.name, `${nativeId}.jsonl`);
      if (await lstat(file).then(info => info.isFile() && info.size > 0, () => false))
        return file;
    }
    return null;
  },

  resumeCommand,
  judge,
};

export function resumeCommand(nativeId: string) {
  return `claude --resume ${nativeId}`;
}

/**
 * `continued` when somebody or the model has said something after our bytes. Opening and closing a session writes
 * notes only (2.1.330: last-prompt, mode, cost-state, attachments).
 */
export function judge(tail: string): `opened` | `continued` {
  for (const line of tail.split(`\n`))
    if (isTurn(line))
      return `continued`;
  return `opened`;
}

function isTurn(line: string) {
  if (!/"type":\s*"(user|assistant|queued_command)"/.test(line))
    return false;

  try {
    const value = JSON.parse(line);
    return value?.type === `user` || value?.type === `assistant` || value?.attachment?.type === `queued_command`;
  } catch {
    // A last line that is still being written: rather too careful than writing over it.
    return true;
  }
}
