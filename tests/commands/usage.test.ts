import * as fs                       from 'node:fs/promises';
import path                          from 'node:path';
import {describe, expect, it}        from 'vitest';

import {makeKept, makeWorld}         from './_runCli.ts';

const VERBS = [`init`, `uninit`, `status`, `list`, `show`, `log`, `why`, `sync`, `watch`, `import`, `push`, `pull`, `prune`, `archive`, `restore`, `rewind`, `pause`, `resume`, `clean`, `doctor`];

describe(`session-sync`, () => {
  it(`has help with examples for each verb`, async () => {
    const {alice} = await makeWorld();
    const all = await alice.ok(`--help`);
    expect(await alice.ok()).toBe(all);
    for (const verb of VERBS) {
      expect(all).toContain(`session-sync ${verb}`);
      const help = await alice.ok(verb, `--help`);
      expect(help).toMatch(/Details\n\n\w/);
      expect(help).toMatch(new RegExp(`Examples\\n\\n.*\\n  \\$ session-sync ${verb}`));
    }
    expect(await alice.ok(`help`, `clean`)).toBe(await alice.ok(`clean`, `--help`));
    expect(await alice.ok(`--version`)).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it(`has no colours in a help that no terminal shows`, async () => {
    const {alice} = await makeWorld();
    alice.env = {...alice.env, TERM: `xterm-256color`, COLORTERM: `truecolor`};
    for (const help of [await alice.ok(`--help`), await alice.ok(`list`, `--help`)])
      expect(help).not.toContain(`\u001b`);
    expect(await alice.ok(`list`, `--help`)).toContain(`--agent …`);
  });

  it(`says what is wrong with a command line on standard error, exit code 1`, async () => {
    const {alice} = await makeWorld();
    const verb = await alice.cli(`stauts`);
    expect(verb).toMatchObject({exitCode: 1, stdout: ``});
    expect(verb.stderr).toContain(`"stauts" is no verb of session-sync. There are: init`);
    const option = await alice.cli(`status`, `--bogus`);
    expect(option).toMatchObject({exitCode: 1, stdout: ``});
    expect(option.stderr).toContain(`--bogus`);
    expect(option.stderr).toContain(`session-sync status [--json] [--all]`);
    const json = await alice.cli(`show`, `--json`);
    expect(JSON.parse(json.stdout)).toMatchObject({command: `show`, ok: false, error: {code: `BAD_USAGE`}});
    expect(json.exitCode).toBe(1);
  });

  it(`says what a person can mend without a usage text or a stack`, async () => {
    const {alice} = await makeWorld();
    const {exitCode, stdout, stderr} = await alice.cli(`sync`);
    expect({exitCode, stdout}).toEqual({exitCode: 1, stdout: ``});
    expect(stderr).toBe(`session-sync is not set up in this clone. Run \`session-sync init\` first.\n`);
  });

  it(`refuses a configuration that it does not understand`, async () => {
    const {alice} = await makeWorld();
    await fs.mkdir(path.join(alice.repo, `.session-sync`));
    for (const text of [`{`, `{"version": 2}`, `{"version": 1, "remote": "ext::sh -c id"}`, `{"version": 1, "remote": "--upload-pack=id"}`]) {
      await fs.writeFile(path.join(alice.repo, `.session-sync/config.json`), text);
      expect(await alice.json([`push`], 1)).toMatchObject({code: `BAD_CONFIG`});
    }
  });

  it(`goes on when nobody reads what it prints`, async () => {
    const {alice} = await makeKept();
    const {exitCode, stderr} = await alice.program(`sh`, `-c`, `session-sync show 5e55 --text | true; session-sync status | true`);
    expect({exitCode, stderr}).toEqual({exitCode: 0, stderr: ``});
  });
});
