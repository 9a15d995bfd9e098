import {spawnSync}                            from 'node:child_process';
import {mkdir, readFile, readdir, symlink, writeFile} from 'node:fs/promises';
import path                                   from 'node:path';
import process                                from 'node:process';
import {describe, expect, it}                 from 'vitest';

import {carryOut}                             from '../../sources/system/steps.ts';
import {temporaryFolders}                     from '../_temporary.ts';

describe(`a move`, () => {
  const folder = temporaryFolders();

  it(`of a file to another name of itself is refused, and the file stays`, async () => {
    const root = await folder();
    await mkdir(path.join(root, `old`));
    await symlink(`old`, path.join(root, `new`));
    await writeFile(path.join(root, `old/one.jsonl`), `only here\n`);
    await expect(carryOut([{do: `move`, from: path.join(root, `old/one.jsonl`), to: path.join(root, `new/one.jsonl`)}])).rejects.toMatchObject({code: `TARGET_EXISTS`});
    await expect(carryOut([{do: `move`, from: path.join(root, `old`), to: path.join(root, `new/../old`)}])).rejects.toMatchObject({code: `TARGET_EXISTS`});
    expect(await readFile(path.join(root, `old/one.jsonl`), `utf8`)).toBe(`only here\n`);
  });

  it(`that was killed when the original was out of the way leaves nothing of it once it is done again`, async () => {
    const root = await folder();
    const {pid} = spawnSync(process.execPath, [`-e`, ``]);
    await writeFile(path.join(root, `new.jsonl`), `text\n`);
    await writeFile(path.join(root, `old.jsonl.${pid}-0123abcd.session-sync-tmp`), `text\n`);
    await writeFile(path.join(root, `old.jsonl.${process.pid}-0123abcd.session-sync-tmp`), `of one that runs\n`);
    await carryOut([{do: `move`, from: path.join(root, `old.jsonl`), to: path.join(root, `new.jsonl`)}]);
    expect((await readdir(root)).sort()).toEqual([`new.jsonl`, `old.jsonl.${process.pid}-0123abcd.session-sync-tmp`]);
  });
});
