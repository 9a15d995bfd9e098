import {spawn}                                    from 'node:child_process';
import {chmod, mkdir, readFile, writeFile}        from 'node:fs/promises';
import {once}                                     from 'node:events';
import path                                       from 'node:path';

import {describe, expect, it}                     from 'vitest';

import {codex}                                    from '../../../sources/agents/codex/index.ts';
import {isNewer}                                  from '../../../sources/system/programs.ts';
import {providerIn}                               from '../../../sources/agents/codex/settings.ts';

import {program, scratchMachine}                  from './_machine.ts';
import {target}                                   from './_session.ts';

const {detect, present} = codex;
const {exclusively, judge, mirrorId, pathOf, prepare, resumeCommand} = codex.target!;

describe(`names`, () => {
  it(`follow from session and generation`, () => {
    const id = mirrorId(target.header.session, 0);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(mirrorId(target.header.session, 0)).toBe(id);
    expect(mirrorId(target.header.session, 1)).not.toBe(id);
    expect(resumeCommand(id)).toBe(`codex resume ${id}`);
  });

  it.each([
    [`2026-11-20T23:59:59.999Z`, `2026/11/20/rollout-2026-11-20T23-59-59`],
    [`2026-11-20T23:30:00-05:00`, `2026/11/21/rollout-2026-11-21T04-30-00`],
    [undefined, `2025/01/01/rollout-2025-01-01T00-00-00`],
    [`../../etc`, `2025/01/01/rollout-2025-01-01T00-00-00`],
    [`2026-99-99T00:00:00Z`, `2025/01/01/rollout-2025-01-01T00-00-00`],
    [`0000-01-01T00:00:00Z`, `2025/01/01/rollout-2025-01-01T00-00-00`],
  ])(`of the file: %s`, async (created, expected) => {
    const machine = await scratchMachine();
    const {created: _, ...header} = target.header;
    expect(pathOf(machine, {...target, header: created === undefined ? header : {...header, created}}))
      .toBe(path.join(machine.home, `.codex/sessions`, `${expected}-${target.id}.jsonl`));
  });

  it(`of the store can be set`, async () => {
    const machine = await scratchMachine({CODEX_HOME: `/srv/codex`});
    expect(pathOf(machine, target)).toMatch(/^\/srv\/codex\/sessions\/2026\//);
  });
});

describe(`settings`, () => {
  it.each([
    [``, `openai`],
    [`model_provider = "azure"`, `azure`],
    [`\ufeffmodel_provider = "azure"\n[model_providers.azure]\nname = "x"`, `azure`],
    [`profile = "work"\nmodel_provider = "azure"\n[profiles.work]\nmodel_provider = "corp"`, `corp`],
    [`profile = "work"\nmodel_provider = "azure"\n[profiles.work]\nmodel = "m"`, `azure`],
    [`[profiles.work]\nmodel_provider = "corp"`, `openai`],
  ])(`%j name the provider %s`, (text, provider) => {
    expect(providerIn(text)).toBe(provider);
  });

  it.each([`model_provider = `, `model_provider = 3`, `model_provider = ""`, `= "`])(`%j are not guessed at`, text => {
    expect(() => providerIn(text)).toThrow(expect.objectContaining({code: `SETTINGS_UNREADABLE`}));
  });

  it(`are read from the store, with a default when it is not there`, async () => {
    const machine = await scratchMachine();
    expect(await prepare(machine)).toEqual({provider: `openai`});

    await mkdir(path.join(machine.home, `.codex`));
    await writeFile(path.join(machine.home, `.codex/config.toml`), `model_provider = "azure"\n`);
    expect(await prepare(machine)).toEqual({provider: `azure`});
  });

  it(`of a store that is no folder are an error with a code`, async () => {
    const machine = await scratchMachine();
    await writeFile(path.join(machine.home, `file`), ``);
    machine.env.CODEX_HOME = path.join(machine.home, `file/codex`);
    await expect(prepare(machine)).rejects.toMatchObject({code: `STORE_NOT_WRITABLE`});
  });

  it(`that cannot be read are an error with a code`, async () => {
    const machine = await scratchMachine();
    await mkdir(path.join(machine.home, `.codex/config.toml`), {recursive: true});
    await expect(prepare(machine)).rejects.toMatchObject({code: `SETTINGS_UNREADABLE`});
  });
});

describe(`detection`, () => {
  it(`finds nothing on a bare machine`, async () => {
    const machine = await scratchMachine();
    machine.env.PATH = machine.bin;
    expect(await present(machine)).toBe(false);
    expect(await detect(machine)).toMatchObject({found: false, store: path.join(machine.home, `.codex`), notes: [expect.stringContaining(`flock`)]});
  });

  it(`finds the store without the program`, async () => {
    const machine = await scratchMachine();
    machine.env.PATH = machine.bin;
    await mkdir(path.join(machine.home, `.codex`));
    expect(await present(machine)).toBe(true);
    expect(await detect(machine)).toMatchObject({found: true});
  });

  it(`finds the program and says when it is newer than what was tried`, async () => {
    const machine = await scratchMachine();
    const binary = await program(machine.bin, `codex`, `#!/bin/sh\n[ -z "$CLAUDECODE" ] && echo "codex-cli 0.170.1"\n`);
    machine.env.CLAUDECODE = `1`;
    expect(await present(machine)).toBe(true);
    expect(await detect(machine)).toEqual({found: true, binary, version: `0.170.1`, store: path.join(machine.home, `.codex`), notes: [expect.stringContaining(`newer`)]});
  });

  it.each([[`0.169.1`, `0.169.0`, true], [`0.169.0`, `0.169.0`, false], [`0.99.0`, `0.169.0`, false], [`1.0.0`, `0.169.0`, true], [`0.170.0-alpha.1`, `0.169.0`, true]])(
    `compares %s with %s`, (version, than, newer) => expect(isNewer(version, than)).toBe(newer));
});

describe(`what follows our lines`, () => {
  const event = (type: string) => `{"timestamp":"2026-11-22T19:35:08.000Z","type":"event_msg","payload":{"type":"${type}","thread_id":"x"}}\n`;

  it.each([
    [`nothing`, ``, `opened`],
    [`the settings of a session that was opened`, event(`thread_settings_applied`).repeat(2), `opened`],
    [`a cut line of the same`, event(`thread_settings_applied`).slice(0, 120), `opened`],
    [`a turn`, event(`thread_settings_applied`) + event(`task_started`), `continued`],
    [`a message`, `{"timestamp":"x","type":"response_item","payload":{"type":"message"}}\n`, `continued`],
    [`a compaction`, `{"timestamp":"x","type":"compacted","payload":{}}\n`, `continued`],
    [`something else`, `{"timest`, `continued`],
    [`junk`, `null\n[]\n`, `continued`],
  ])(`%s`, (_name, tail, state) => expect(judge(tail)).toBe(state));
});

describe(`the writer's lock`, () => {
  const lockOf = (home: string) => path.join(home, `.codex/thread-writer-locks/${target.id}.lock`);

  it(`is Codex's own, held while we write and no longer`, async () => {
    const machine = await scratchMachine();
    const inside = await exclusively(machine, target.id, async () => await exclusively(machine, target.id, async () => `twice`));
    expect(inside).toBeNull();
    expect(await exclusively(machine, target.id, async () => `once`)).toBe(`once`);
    expect(await readFile(lockOf(machine.home), `utf8`)).toBe(``);
  });

  it(`is let go when writing fails`, async () => {
    const machine = await scratchMachine();
    await expect(exclusively(machine, target.id, async () => { throw new Error(`no space`); })).rejects.toThrow(`no space`);
    expect(await exclusively(machine, target.id, async () => `after`)).toBe(`after`);
  });

  it(`is not taken from another process`, async () => {
    const machine = await scratchMachine();
    const file = lockOf(machine.home);
    await mkdir(path.dirname(file), {recursive: true});
    const other = spawn(`perl`, [`-e`, `use Fcntl ":flock"; open(my $f, ">>", $ARGV[0]) or die; flock($f, LOCK_EX) or die; $| = 1; print "held"; sleep 20`, file], {stdio: [`ignore`, `pipe`, `inherit`]});
    try {
      await once(other.stdout!, `data`);
      expect(await exclusively(machine, target.id, async () => `ran`)).toBeNull();
    } finally {
      other.kill(`SIGKILL`);
      await once(other, `exit`);
    }
    expect(await exclusively(machine, target.id, async () => `ran`)).toBe(`ran`);
  });

  it(`that cannot be asked for counts as held where Codex left its file`, async () => {
    const machine = await scratchMachine();
    machine.env.PATH = machine.bin;
    expect(await exclusively(machine, `11111111-1111-5111-8111-111111111111`, async () => `ran`)).toBe(`ran`);

    await mkdir(path.dirname(lockOf(machine.home)), {recursive: true});
    await writeFile(lockOf(machine.home), ``);
    await chmod(lockOf(machine.home), 0o600);
    expect(await exclusively(machine, target.id, async () => `ran`)).toBeNull();
  });
});
