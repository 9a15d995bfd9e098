import path                                      from 'node:path';

import {sizeOf}                                  from '../../system/files.ts';
import type {Machine, Registered, Registration}  from '../types.ts';

import {chatsOf, claim, slugFor, storeOf}        from './places.ts';

/** Gemini lists what lies in the folder that it takes for the project; with our markers it takes the one that has the file. */
export async function register(machine: Machine, {path: file, cwd}: Pick<Registered, `path` | `cwd`>): Promise<Registration> {
  try {
    const slug = path.basename(path.dirname(path.dirname(file)));
    if (path.dirname(file) !== chatsOf(storeOf(machine), slug))
      return {listed: false, note: `the session does not lie in ${storeOf(machine)}, where Gemini CLI looks`};
    if (!await claim(machine, slug, cwd))
      return {listed: false, note: `${path.dirname(path.dirname(file))} belongs to another project of Gemini CLI`};

    const taken = await slugFor(machine, cwd);
    if (taken !== slug)
      return {listed: false, note: `Gemini CLI looks for the sessions of ${cwd} in ${chatsOf(storeOf(machine), taken)} now`};
    return {listed: await sizeOf(file) > 0};
  } catch (error) {
    return {listed: false, note: `Gemini CLI's list could not be looked at: ${(error as Error).message}`};
  }
}
