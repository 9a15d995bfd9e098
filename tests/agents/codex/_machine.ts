import {chmod, mkdir, mkdtemp, realpath, rm, writeFile} from 'node:fs/promises';
import os                                               from 'node:os';
import path                                             from 'node:path';

import {afterEach}                                      from 'vitest';

import type {Machine}                                   from '../../../sources/agents/types.ts';

const folders: Array<string> = [];

afterEach(async () => {
  for (const folder of folders.splice(0))
    await rm(folder, {recursive: true, force: true});
});

/** A machine with an empty home; its PATH has the system's programs, and what `program` puts there. */
export async function scratchMachine(env: {[name: string]: string} = {}): Promise<Machine & {bin: string}> {
  const root = await realpath(await mkdtemp(path.join(os.tmpdir(), `codex-test-`)));
  folders.push(root);
  const bin = path.join(root, `bin`);
  const home = path.join(root, `home`);
  await mkdir(bin);
  await mkdir(home);
  return {bin, home, platform: process.platform, tmp: root, env: {PATH: `${bin}:${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, ...env}};
}

export async function program(folder: string, name: string, source: string) {
  const file = path.join(folder, name);
  await writeFile(file, source);
  await chmod(file, 0o755);
  return file;
}
