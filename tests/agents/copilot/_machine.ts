import {mkdir, writeFile}     from 'node:fs/promises';
import path                   from 'node:path';

import type {Machine}         from '../../../sources/agents/types.ts';
import {temporaryFolders}     from '../../_temporary.ts';

/** Makes machines with an empty home; to be called once in a test file. */
export function machines() {
  const makeFolder = temporaryFolders();
  return async (env: {[name: string]: string} = {}): Promise<Machine> => {
    const home = await makeFolder();
    await mkdir(path.join(home, `bin`));
    return {env: {PATH: `${path.join(home, `bin`)}:/usr/bin:/bin`, HOME: home, ...env}, home, platform: process.platform, tmp: home};
  };
}

/** Puts a session into a machine's store. */
export async function putSession(machine: Machine, id: string, files: {[name: string]: string}, store = path.join(machine.home, `.copilot`)) {
  const folder = path.join(store, `session-state`, id);
  await mkdir(folder, {recursive: true});
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(folder, name), text);
  return folder;
}
