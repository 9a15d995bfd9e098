import path                            from 'node:path';

import type {Machine, NativeAdapter}   from '../types.ts';

import {judge}                         from './judge.ts';
import {MAIN, find}                    from './locate.ts';
import {agentFolder, isSessionId, projectFolder} from './places.ts';
import {chosenFolder}                  from './settings.ts';

/** A file name that has no place in a session of Pi. */
export class UnsafeNameError extends Error {
  readonly code = `UNSAFE_NAME`;
}

type Session = {nativeId: string; cwd: string};

/** Pi takes any name that ends with `.jsonl`; its folder says which project the session belongs to. */
export const native: NativeAdapter = {
  pathOf(machine, session, name) {
    if (name !== MAIN || !isSessionId(session.nativeId))
      throw new UnsafeNameError(`Not a file of a session: ${JSON.stringify(name).slice(0, 200)}`);
    return fileOf(machine, session);
  },

  roots(machine, session) {
    const file = fileOf(machine, session);
    return {transcript: file, project: path.dirname(file), agent: agentFolder(machine)};
  },

  find,
  resumeCommand,
  judge,
};

export function resumeCommand(id: string): string {
  return `pi --session ${id}`;
}

function fileOf(machine: Machine, {nativeId, cwd}: Session): string {
  return path.join(projectFolder(machine, cwd, chosenFolder(machine)), `${nativeId}.jsonl`);
}
