import {constants}                                   from 'node:fs';
import {access}                                      from 'node:fs/promises';
import path                                          from 'node:path';

import {deriveId}                                    from '../../interchange/index.ts';
import type {Json}                                   from '../../interchange/index.ts';
import {isCode}                                      from '../../system/files.ts';
import type {Machine, TargetAdapter, WriterTarget}   from '../types.ts';

import {judge}                                       from './judge.ts';
import {chatsOf, claim, fileName, slugFor, storeOf}  from './places.ts';
import {register}                                    from './register.ts';
import {GeminiWriter}                                from './write.ts';

/** Gemini's folder, or the one that it would be made in, cannot be written to. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/** The writer needs nothing of the machine's settings. */
async function prepare(machine: Machine): Promise<Json> {
  for (let folder = path.join(storeOf(machine), `tmp`); ; folder = path.dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return {};
    } catch (error) {
      if (isCode(error, `ENOENT`) && path.dirname(folder) !== folder)
        continue;
      throw new StoreNotWritableError(`Cannot write to ${folder}: ${(error as NodeJS.ErrnoException).code ?? `unknown error`}`);
    }
  }
}

export function makeTarget(): TargetAdapter {
  /** Places that were named and not written to yet: the markers come with the first byte, not with the question. */
  const named = new Map<string, {slug: string; cwd: string}>();

  return {
    mirrorId: (session, generation) => deriveId(`mirror`, session, `gemini`, generation),
    prepare,
    async pathOf(machine: Machine, {id, cwd, header}: WriterTarget) {
      const slug = await slugFor(machine, cwd);
      named.set(id, {slug, cwd});
      return path.join(chatsOf(storeOf(machine), slug), fileName(id, header.created));
    },
    openWriter: (target, state) => new GeminiWriter(target, state),
    judge,
    // Gemini has no lock and leaves no trace while it only shows a session; what it did is judged by what it wrote.
    async exclusively(machine, id, write) {
      const place = named.get(id);
      named.delete(id);
      if (place !== undefined && !await claim(machine, place.slug, place.cwd))
        throw new Error(`${path.join(storeOf(machine), `tmp`, place.slug)} has just been taken by another project`);
      return await write();
    },
    register,
    resumeCommand: id => `gemini --resume ${id}`,
  };
}
