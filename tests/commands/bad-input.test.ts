import * as fs                                          from 'node:fs/promises';
import path                                             from 'node:path';
import {describe, expect, it}                           from 'vitest';

import {RECORDS, SESSION, expectPlain, makeKept, makeShared, makeWorld} from './_runCli.ts';
import type {Person}                                    from './_runCli.ts';

async function insert(alice: Person, lines: Array<string | Buffer>, at = 3) {
  const file = alice.transcript();
  const known = (await fs.readFile(file, `utf8`)).trimEnd().split(`\n`).map(line => Buffer.from(line));
  known.splice(at, 0, ...lines.map(line => Buffer.from(line)));
  await fs.writeFile(file, Buffer.concat(known.flatMap(line => [line, Buffer.from(`\n`)])));
}

async function makeInitialised() {
  const made = await makeWorld();
  await made.alice.record(`handwritten`, SESSION);
  await made.alice.ok(`init`);
  return made;
}

describe(`a transcript`, () => {
  it(`with junk, unknown lines and wrong shapes is read as far as it goes, and the repairs are said`, async () => {
    const {alice} = await makeInitialised();
    const uuid = (end: number) => `5e551000-0000-4000-9000-1000000000${end}`;
    await insert(alice, [
      Buffer.from([0, 1, 2, 0xFF, 0xFE, 0x80, 0x1B, 0x5B]), `[1,2`, `null`, `42`, `"text"`, `{}`,
      `{"type":"something-new","uuid":"${uuid(10)}","x":{"y":[1]}}`,
      `{"type":"user","message":42,"timestamp":"9999-99-99","uuid":7}`,
      `{"type":"assistant","message":{"role":"assistant","content":"x"},"timestamp":"2099-01-01T00:00:00.000Z","uuid":"${uuid(11)}","parentUuid":"nowhere"}`,
      `{"type":"user","message":{"role":"user","content":"from 1970"},"timestamp":"1970-01-01T00:00:00.000Z","uuid":"${uuid(12)}","parentUuid":"${uuid(12)}"}`,
      `{"type":"user","message":{"role":"user","content":"when?"},"timestamp":"yesterday","uuid":"${uuid(13)}","parentUuid":"${uuid(12)}"}`,
    ]);
    expect(await alice.json([`sync`])).toMatchObject({failed: [], synced: [{session: SESSION}]});
    const status = await alice.cli(`status`);
    expectPlain(status);
    expect(status.stdout).toMatch(/repaired: /);
    expectPlain(await alice.cli(`show`, SESSION, `--text`));
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect((await alice.json([`list`])).sessions).toMatchObject([{session: SESSION}]);
  });

  it(`with a torn last line is read to the line before, and goes on where the line is whole`, async () => {
    const {alice} = await makeInitialised();
    const whole = await fs.readFile(alice.transcript(), `utf8`);
    const lines = whole.split(`\n`);
    const cut = lines.slice(0, 3).join(`\n`).length + 20;
    await fs.writeFile(alice.transcript(), whole.slice(0, cut));
    await alice.ok(`sync`);
    const [{records}] = (await alice.json([`list`])).sessions;
    expect(records).toBeLessThan(RECORDS);
    await fs.writeFile(alice.transcript(), whole);
    await alice.ok(`sync`);
    expect((await alice.json([`list`])).sessions).toMatchObject([{records: RECORDS}]);
    expect((await alice.json([`show`, SESSION])).header.repairs ?? []).toEqual([]);
  });

  it(`nested 100,000 deep leaves that line out and keeps the others`, async () => {
    const {alice} = await makeInitialised();
    const deep = `${`[`.repeat(100_000)}${`]`.repeat(100_000)}`;
    const text = await fs.readFile(alice.transcript(), `utf8`);
    expect(text).toMatch(/"input":\{"command":"false"[^}]*\}/);
    await fs.writeFile(alice.transcript(), text.replace(/"input":\{"command":"false"[^}]*\}/, `"input":{"a":${deep}}`));
    expect(await alice.json([`sync`])).toMatchObject({failed: [], synced: [{session: SESSION}]});
    expect(await alice.ok(`status`)).toContain(`repaired: A line that is no JSON object was left out`);
    expect(await alice.ok(`show`, SESSION, `--text`)).toContain(`Done ✅`);
  });

  it(`with a line of 200 MB is read in bounded memory, and the line is named`, async () => {
    const {alice} = await makeInitialised();
    const text = await fs.readFile(alice.transcript());
    const handle = await fs.open(alice.transcript(), `w`);
    await handle.write(`{"type":"user","message":{"role":"user","content":"`);
    const megabyte = Buffer.alloc(1 << 20, `x`);
    for (let n = 0; n < 200; n++)
      await handle.write(megabyte);
    await handle.write(`"}}\n`);
    await handle.write(text);
    await handle.close();
    // A heap that could not hold the line as text, let alone parsed.
    alice.env.NODE_OPTIONS = `--max-old-space-size=128`;
    expect(await alice.json([`sync`])).toMatchObject({failed: [], synced: [{session: SESSION, records: RECORDS}]});
    expect(await alice.ok(`status`)).toMatch(/repaired: a line of 2097\d+ bytes was left out/);
  });

  it(`that was cut, rewritten or removed keeps what was stored of it, and is said`, async () => {
    const {alice} = await makeKept();
    const refs = await alice.refs();
    const whole = await fs.readFile(alice.transcript(), `utf8`);
    await fs.writeFile(alice.transcript(), whole.slice(0, 900));
    for (const _ of [1, 2]) {
      const {exitCode, stderr} = await alice.cli(`sync`);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`was rewritten; what was kept of it is left as it is`);
    }
    await fs.writeFile(alice.transcript(), whole.replaceAll(`größe`, `GRÖSSE`));
    expect((await alice.cli(`sync`)).exitCode).toBe(2);
    await fs.rm(alice.transcript());
    await alice.ok(`sync`);
    expect(await alice.refs()).toBe(refs);
    expect(await alice.json([`restore`, SESSION])).toMatchObject({restored: [{agent: `claude-code`, outcome: `created`}, {agent: `codex`, outcome: `unchanged`}]});
    expect(await fs.readFile(alice.transcript(), `utf8`)).toBe(whole);
  });
});

describe(`a store`, () => {
  it(`of an agent that cannot be written keeps neither git nor the other sessions`, async () => {
    const {alice} = await makeInitialised();
    const sessions = path.join(alice.home, `.codex`, `sessions`);
    await fs.writeFile(sessions, `in the way`);
    for (const _ of [1, 2]) {
      const {exitCode, stderr} = await alice.cli(`sync`);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`ENOTDIR`);
    }
    expect(await alice.refs()).toContain(SESSION);
    expect(await alice.ok(`status`)).toContain(`codex → ENOTDIR`);
    await fs.rm(sessions);
    await alice.ok(`sync`);
    expect(await alice.rollouts()).toHaveLength(1);
    expect(await alice.ok(`status`)).not.toContain(`ENOTDIR`);
  });

  it(`is said to be unusable where a file stands for its folder, and in a git directory of that kind`, async () => {
    const {alice, bob} = await makeShared();
    await fs.rm(path.join(bob.home, `.codex`), {recursive: true});
    await fs.writeFile(path.join(bob.home, `.codex`), `in the way`);
    expect(await bob.json([`restore`, SESSION, `--agent`, `codex`], 1)).toMatchObject({code: `NOT_RESTORED`});
    const both = await bob.cli(`restore`, SESSION);
    expect(both).toMatchObject({exitCode: 0});
    expect(both.stdout).toContain(`claude-code → claude --resume`);

    const state = path.join(alice.repo, `.git/session-sync`);
    await fs.rm(state, {recursive: true});
    await fs.writeFile(state, `in the way`);
    for (const verb of [[`status`], [`list`], [`sync`], [`init`], [`pause`], [`doctor`], [`restore`], [`clean`, `--older-than`, `1d`]]) {
      const {exitCode, stdout, stderr} = await alice.cli(...verb);
      expect({verb, exitCode}).toEqual({verb, exitCode: 1});
      expect(stdout + stderr).not.toContain(`fault of session-sync`);
    }
  });

  // `ulimit -f` in blocks of 512 bytes (sh): writes beyond it fail as they do on a full disk.
  it(`without room gets a whole mirror or none, and is filled when there is room`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`01-tools-subagent-mcp`);
    await alice.ok(`init`);
    const {exitCode, stderr} = await alice.program(`sh`, `-c`, `trap '' XFSZ; ulimit -f 40; exec session-sync sync`);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/was not synced/);
    expect(await alice.rollouts()).toEqual([]);
    await alice.ok(`sync`);
    const [rollout] = await alice.rollouts();
    const text = await fs.readFile(rollout!, `utf8`);
    for (const line of text.trimEnd().split(`\n`))
      expect(() => JSON.parse(line)).not.toThrow();
    expect(text.length).toBeGreaterThan(40 * 512);
    await alice.git(`fsck`, `--strict`);
  });
});

it(`a folder that was removed under the shell is said, without a stack`, async () => {
  const {alice} = await makeWorld();
  const output = await alice.program(`sh`, `-c`, `mkdir gone && cd gone && rmdir ../gone && session-sync status`);
  expect(output).toMatchObject({exitCode: 1, stdout: ``, stderr: expect.stringContaining(`No such folder`)});
  expect(output.stderr).not.toContain(`    at `);
});
