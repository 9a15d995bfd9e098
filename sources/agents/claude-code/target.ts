import {constants}                      from 'node:fs';
import {access, realpath, stat}         from 'node:fs/promises';
import path                             from 'node:path';

import {deriveId}                       from '../../interchange/index.ts';
import type {Json}                      from '../../interchange/index.ts';
import {isCode}                         from '../../system/files.ts';
import {TranscriptWriter}               from '../families/claudeTranscript/write.ts';
import type {Machine, Registered, Registration, TargetAdapter} from '../types.ts';

import {PROVEN}                         from './detect.ts';
import {judge}                          from './judge.ts';
import {AGENT}                          from './locate.ts';
import {native, resumeCommand}          from './native.ts';
import {exclusively}                    from './open.ts';
import {configRoot, isUuid, projectFolder} from './places.ts';

/** Claude Code's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

export const target: TargetAdapter = {
  /** `cleanupPeriodDays`, unless the person has set it (2.1.330). */
  retentionDays: 30,

  /** Claude Code looks only for ids that are UUIDs. */
  mirrorId: (session, generation) => deriveId(`mirror`, session, AGENT, generation),

  async prepare(machine) {
    await assertWritable(path.join(configRoot(machine), `projects`));
    return {};
  },

  async pathOf(machine, {id, cwd}) {
    if (!isUuid(id))
      throw new Error(`Assertion failed: ${JSON.stringify(id)} is no id of a session`);
    // Its list has the sessions of the folder's real path (2.1.330).
    const real = await realpath(cwd).catch(() => cwd);
    return path.join(projectFolder(machine, real), `${id}.jsonl`);
  },

  openWriter: (writing, state?: Json) => new TranscriptWriter(writing, {version: PROVEN, own: AGENT, midTurn: `queued`, bookkeeping: true}, state),
  judge,
  exclusively,
  register,
  resumeCommand,
};

/** There is no list to write to: Claude Code reads the folder each time. All that can stand in the way is a second file. */
async function register(machine: Machine, {id, path: file}: Registered): Promise<Registration> {
  if (!await stat(file).then(info => info.isFile() && info.size > 0, () => false))
    return {listed: false, note: `${file} is not there`};

  const found = await native.find(machine, id).catch(() => null);
  if (found !== null && path.resolve(found) !== path.resolve(file))
    return {listed: true, note: `the same session lies in ${path.dirname(found)} as well; resume it in the project's folder`};
  return {listed: true};
}

async function assertWritable(store: string) {
  for (let folder = store; ; folder = path.dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (isCode(error, `ENOENT`) && path.dirname(folder) !== folder)
        continue;
      throw new StoreNotWritableError(`Cannot write to ${folder}: ${(error as NodeJS.ErrnoException).code ?? `unknown error`}`);
    }
  }
}
