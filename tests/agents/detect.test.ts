import * as fs                from 'node:fs/promises';
import path                   from 'node:path';
import {describe, expect, it} from 'vitest';

import {agents}               from '../../sources/agents/index.ts';
import {temporaryFolders}     from '../_temporary.ts';

const PROGRAMS: {[agent: string]: string} = {'claude-code': `claude`};
const makeFolder = temporaryFolders();

describe(`An agent`, () => {
  it.each(agents.map(({id}) => id))(`is found where its program is, also one that does not say its version: %s`, async id => {
    const agent = agents.find(one => one.id === id)!;
    const home = await makeFolder();
    const bin = path.join(home, `bin`);
    await fs.mkdir(bin);
    const machine = {env: {HOME: home, PATH: bin}, home, platform: process.platform, tmp: home};
    expect(await agent.present(machine)).toBe(false);
    expect(await agent.detect(machine)).toMatchObject({found: false});

    await fs.writeFile(path.join(bin, PROGRAMS[id] ?? id), `#!/bin/sh\nexit 1\n`, {mode: 0o755});
    expect(await agent.present(machine)).toBe(true);
    const {found, version, notes} = await agent.detect(machine);
    expect({found, version}).toEqual({found: true, version: undefined});
    expect(notes.join(`\n`)).toMatch(/version/);
  });
});
