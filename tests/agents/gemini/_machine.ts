import {mkdir, mkdtemp, realpath, rm, writeFile} from 'node:fs/promises';
import os                                        from 'node:os';
import path                                      from 'node:path';

import {afterEach}                               from 'vitest';

import type {Machine}                            from '../../../sources/agents/types.ts';

const folders: Array<string> = [];

afterEach(async () => {
  for (const folder of folders.splice(0))
    await rm(folder, {recursive: true, force: true});
});

/** A machine with an empty home. */
export async function scratchMachine(env: {[name: string]: string} = {}): Promise<Machine & {bin: string}> {
  const root = await realpath(await mkdtemp(path.join(os.tmpdir(), `gemini-test-`)));
  folders.push(root);
  const bin = path.join(root, `bin`);
  const home = path.join(root, `home`);
  await mkdir(bin);
  await mkdir(home);
  return {bin, home, platform: `linux`, tmp: root, env: {PATH: bin, HOME: home, ...env}};
}

/** Writes files below Gemini's folder of the machine. */
export async function fill(machine: Machine, files: {[name: string]: string}) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(machine.home, `.gemini`, name);
    await mkdir(path.dirname(file), {recursive: true});
    await writeFile(file, text);
  }
}
