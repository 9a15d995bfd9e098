import {chmod, mkdir, writeFile} from 'node:fs/promises';
import path                      from 'node:path';
import {expect, it}              from 'vitest';

import {claudeCode}              from '../../../sources/agents/claude-code/index.ts';
import type {Machine}            from '../../../sources/agents/types.ts';
import {temporaryFolders}        from '../../_temporary.ts';

const makeFolder = temporaryFolders();

async function machineWith(script: string | null, {store = false} = {}): Promise<Machine> {
  const home = await makeFolder();
  await mkdir(path.join(home, `bin`));
  if (script !== null) {
    await writeFile(path.join(home, `bin/claude`), `#!/bin/sh\n${script}\n`);
    await chmod(path.join(home, `bin/claude`), 0o755);
  }
  if (store)
    await mkdir(path.join(home, `.claude/projects`), {recursive: true});
  return {env: {PATH: `relative:${path.join(home, `bin`)}:/nowhere`, HOME: home}, home, platform: `linux`, tmp: home};
}

it(`finds the program and its version`, async () => {
  const machine = await machineWith(`echo "2.1.330 (Claude Code)"`);
  expect(await claudeCode.detect(machine)).toEqual({found: true, binary: path.join(machine.home, `bin/claude`), version: `2.1.330`, store: path.join(machine.home, `.claude`), notes: []});
  expect(await claudeCode.present(machine)).toBe(true);
});

it.each([[`2.1.331`, 1], [`2.2.0`, 1], [`3.0.0-beta.1`, 1], [`2.1.9`, 0], [`1.9.999`, 0]])(`says when %s is newer than proven`, async (version, notes) => {
  expect((await claudeCode.detect(await machineWith(`echo ${version}`))).notes).toHaveLength(notes);
});

it(`says when the program does not answer as expected`, async () => {
  for (const script of [`exit 3`, `echo hello`])
    expect(await claudeCode.detect(await machineWith(script))).toMatchObject({found: true, notes: [expect.stringMatching(/version/)]});
});

it(`finds a store without the program`, async () => {
  const machine = await machineWith(null, {store: true});
  expect(await claudeCode.detect(machine)).toEqual({found: true, store: path.join(machine.home, `.claude`), notes: []});
  expect(await claudeCode.present(machine)).toBe(true);
});

it(`finds nothing`, async () => {
  const machine = await machineWith(null);
  expect(await claudeCode.detect(machine)).toMatchObject({found: false});
  expect(await claudeCode.present(machine)).toBe(false);
});

it(`does not start anything to know that it is there`, async () => {
  const machine = await machineWith(`touch "$HOME/started"; sleep 20`);
  expect(await claudeCode.present(machine)).toBe(true);
  await expect(import(`node:fs/promises`).then(fs => fs.stat(path.join(machine.home, `started`)))).rejects.toThrow(/ENOENT/);
});
