import {mkdtemp, realpath, rm} from 'node:fs/promises';
import {tmpdir}                from 'node:os';
import path                    from 'node:path';
import {afterEach}             from 'vitest';

/** Registers a clean-up and gives a function that makes folders for one test. */
export function temporaryFolders(): () => Promise<string> {
  const folders: Array<string> = [];
  afterEach(async () => {
    for (const folder of folders.splice(0))
      await rm(folder, {recursive: true, force: true});
  });
  return async () => {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), `session-sync-test-`)));
    folders.push(folder);
    return folder;
  };
}
