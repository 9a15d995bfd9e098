import * as fs                            from 'node:fs/promises';
import path                               from 'node:path';
import {describe, expect, it}             from 'vitest';

import {makeWorld, snapshot}              from './_runCli.ts';

const SHARED = path.join(`.claude`, `settings.json`);
const LOCAL  = path.join(`.claude`, `settings.local.json`);

describe(`init`, () => {
  it(`registers hooks, writes the configuration, and does nothing the second time`, async () => {
    const {alice} = await makeWorld();
    const first = await alice.json([`init`]);
    const own = path.join(alice.home, `.codex`, `hooks.json`);
    expect(first.settings).toMatchObject([{file: SHARED, changed: true}, {file: own, changed: true}]);
    expect(first.agents.filter(({found}: {found: boolean}) => found).map(({id}: {id: string}) => id)).toEqual([`claude-code`, `codex`]);
    expect(JSON.parse(await fs.readFile(path.join(alice.repo, `.session-sync/config.json`), `utf8`))).toEqual({version: 1});

    const before = await snapshot(alice.repo);
    const second = await alice.json([`init`]);
    expect(second.settings).toMatchObject([{file: SHARED, changed: false}, {file: own, changed: false}]);
    expect(await snapshot(alice.repo)).toEqual(before);
    expect((await alice.cli(`doctor`)).exitCode).toBe(0);
  });

  it(`keeps comments, formatting and foreign hooks, and uninit gives the file back`, async () => {
    const {alice} = await makeWorld();
    const text = `{\n\t// ours\n\t"permissions": {"allow": ["Bash(ls:*)"]}, /* why */\n\t"hooks": {\n\t\t"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}] // a sound\n\t}\n}\n`;
    await fs.mkdir(path.join(alice.repo, `.claude`));
    await fs.writeFile(path.join(alice.repo, SHARED), text);
    await alice.ok(`init`);
    const after = await fs.readFile(path.join(alice.repo, SHARED), `utf8`);
    for (const kept of [`// ours`, `/* why */`, `// a sound`, `"say done"`, `["Bash(ls:*)"]`, `session-sync-hook`])
      expect(after).toContain(kept);
    expect(await alice.json([`uninit`])).toMatchObject({changed: [SHARED, path.join(`.session-sync`, `config.json`)]});
    const gone = await fs.readFile(path.join(alice.repo, SHARED), `utf8`);
    expect(gone).not.toContain(`session-sync`);
    expect(gone.replaceAll(/\s/g, ``)).toBe(text.replaceAll(/\s/g, ``));
  });

  it(`refuses settings that it cannot parse, and touches nothing`, async () => {
    const {alice} = await makeWorld();
    await fs.mkdir(path.join(alice.repo, `.claude`));
    await fs.writeFile(path.join(alice.repo, SHARED), `{"hooks": [}`);
    const before = await snapshot(alice.repo);
    const {exitCode, stderr} = await alice.cli(`init`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${SHARED} was left as it is`);
    expect(await snapshot(alice.repo)).toEqual(before);
    expect(await alice.json([`init`], 1)).toMatchObject({code: `SETTINGS_UNREADABLE`});
  });

  it(`--local writes the person's own settings only`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`, `--local`);
    expect(await fs.readFile(path.join(alice.repo, LOCAL), `utf8`)).toContain(`session-sync-hook`);
    await expect(fs.access(path.join(alice.repo, SHARED))).rejects.toThrow();
    await expect(fs.access(path.join(alice.repo, `.session-sync`))).rejects.toThrow();
    expect((await alice.cli(`doctor`)).exitCode).toBe(0);
  });

  it(`--dry-run writes nothing`, async () => {
    const {alice} = await makeWorld();
    const before = await snapshot(alice.world);
    const output = await alice.ok(`init`, `--dry-run`);
    expect(output).toContain(`Would change ${SHARED}`);
    expect(await snapshot(alice.world)).toEqual(before);
  });

  it(`puts hooks that serve all projects into the person's own settings, and takes them out of there only when asked`, async () => {
    const {alice} = await makeWorld();
    const own = path.join(alice.home, `.codex`, `hooks.json`);
    expect((await alice.json([`init`, `--project-only`])).settings.map(({file}: {file: string}) => file)).toEqual([SHARED]);
    await expect(fs.stat(own)).rejects.toThrow();

    const told = await alice.ok(`init`);
    expect(told).toMatch(/^Codex .*trust/m);
    const text = await fs.readFile(own, `utf8`);
    expect(text).toContain(`session-sync-hook codex`);
    expect((await fs.stat(own)).mode & 0o777).toBe(0o600);

    expect(await alice.json([`uninit`])).toMatchObject({kept: [own]});
    expect(await fs.readFile(own, `utf8`)).toBe(text);
    await alice.ok(`init`);
    expect(await alice.json([`uninit`, `--everywhere`])).toMatchObject({kept: [], changed: expect.arrayContaining([own])});
    expect(await fs.readFile(own, `utf8`).catch(() => ``)).not.toContain(`session-sync`);
  });

  it(`needs an agent, or --force`, async () => {
    const {alice} = await makeWorld();
    for (const store of [`.claude`, `.codex`])
      await fs.rm(path.join(alice.home, store), {recursive: true});
    expect(await alice.json([`init`], 1)).toMatchObject({code: `NO_AGENT`});
    await alice.ok(`init`, `--force`);
    expect(await fs.readFile(path.join(alice.repo, SHARED), `utf8`)).toContain(`session-sync-hook`);
  });

  it(`refuses a bare repository and a folder without one`, async () => {
    const {alice, remote, world} = await makeWorld();
    const bare = await alice.cliIn(remote, `init`);
    expect(bare).toMatchObject({exitCode: 1});
    expect(bare.stderr).toContain(`bare repository`);
    const none = await alice.cliIn(path.join(world, `tmp`), `init`);
    expect(none).toMatchObject({exitCode: 1});
    expect(none.stderr).toContain(`not in a git repository`);
  });

  it(`works from a folder of the repository, and in a linked worktree for the whole clone`, async () => {
    const {alice, world} = await makeWorld();
    await fs.mkdir(path.join(alice.repo, `src/deep`), {recursive: true});
    expect((await alice.cliIn(path.join(alice.repo, `src/deep`), `init`)).exitCode).toBe(0);
    expect(await fs.readFile(path.join(alice.repo, SHARED), `utf8`)).toContain(`session-sync-hook`);

    const tree = path.join(world, `alice`, `other`);
    await alice.git(`worktree`, `add`, `-q`, tree, `-b`, `topic`);
    expect((await alice.cliIn(tree, `init`)).exitCode).toBe(0);
    expect(await fs.readFile(path.join(tree, SHARED), `utf8`)).toContain(`session-sync-hook`);
    const status = await alice.cliIn(tree, `status`, `--json`);
    expect(JSON.parse(status.stdout).data.active).toBe(true);
  });
});

describe(`uninit`, () => {
  it(`with --dry-run changes nothing; then stops, keeps what is stored, and can be run again`, async () => {
    const {alice} = await makeWorld();
    await alice.record();
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const before = await snapshot(alice.repo);
    expect((await alice.ok(`uninit`, `--dry-run`))).toContain(`Would take our part out of ${SHARED}`);
    expect(await snapshot(alice.repo)).toEqual(before);

    const refs = await alice.refs();
    await alice.ok(`uninit`);
    await alice.ok(`uninit`);
    expect(await alice.refs()).toBe(refs);
    expect(await alice.json([`sync`], 1)).toMatchObject({code: `NOT_INITIALISED`});
    expect(await alice.json([`status`])).toMatchObject({active: false});
  });

  it(`says what lies outside of the repository, and leaves it to other projects`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`);
    expect(await alice.ok(`uninit`, `--dry-run`)).not.toContain(`copies of sessions`);
    const copy = path.join(alice.home, `.local/state/session-sync/opencode/in/ses_1.jsonl`);
    await fs.mkdir(path.dirname(copy), {recursive: true});
    await fs.writeFile(copy, `{}\n`);
    expect(await alice.ok(`uninit`)).toContain(`${path.join(alice.home, `.local/state/session-sync`)} has copies of sessions of all your projects and stays`);
    expect(await fs.readFile(copy, `utf8`)).toBe(`{}\n`);
  });

  it(`leaves a configuration with settings of the person, and says so`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`);
    const config = path.join(alice.repo, `.session-sync/config.json`);
    await fs.writeFile(config, `{"version": 1, "redaction": {"entropy": false}}`);
    expect(await alice.ok(`uninit`)).toContain(`has settings of yours and stays`);
    expect(await fs.readFile(config, `utf8`)).toContain(`entropy`);
  });

  it(`says that it could not understand a file, exit code 2`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`);
    await fs.appendFile(path.join(alice.repo, SHARED), `}`);
    const {exitCode, stderr} = await alice.cli(`uninit`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${SHARED} was left as it is`);
  });
});
