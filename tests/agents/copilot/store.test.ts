import {spawn}                               from 'node:child_process';
import {appendFile, chmod, mkdir, readFile, readdir, stat, writeFile} from 'node:fs/promises';
import path                                  from 'node:path';
import {describe, expect, it}                from 'vitest';

import {copilot}                             from '../../../sources/agents/copilot/index.ts';
import {linearize}                           from '../../../sources/interchange/index.ts';
import {SettingsError}                       from '../../../sources/agents/types.ts';
import type {Machine}                        from '../../../sources/agents/types.ts';

import {machines, putSession}                from './_machine.ts';
import {FIXTURES, brief, event, fixture, lines, read} from './_read.ts';
import {open, place, prompt, reply, target}  from './_session.ts';

const machineWith = machines();
const ID = `51a9f71d-55ef-42a9-8810-485157d76f71`;
const start = (id: string, cwd = `/home/alice/shop`, more: object = {}) =>
  event(`session.start`, {sessionId: id, version: 1, producer: `copilot-agent`, copilotVersion: `1.0.102`, startTime: `2026-11-20T10:00:00.000Z`, context: {cwd}, ...more});

async function sessions(machine: Machine, folders = [`/home/alice/shop`]) {
  return await copilot.source!.locate(machine, folders);
}

/** The records of the main stream, as the program reads them. */
async function recordsOf(machine: Machine) {
  const [session] = await sessions(machine);
  return read(await readFile(session!.path, `utf8`)).records;
}

describe(`detection`, () => {
  it(`finds the program, its version and its store`, async () => {
    const machine = await machineWith();
    expect(await copilot.detect(machine)).toEqual({found: false, store: path.join(machine.home, `.copilot`), notes: []});
    expect(await copilot.present(machine)).toBe(false);
    const binary = path.join(machine.home, `bin/copilot`);
    await writeFile(binary, `#!/bin/sh\ntouch "$HOME/started"\necho "GitHub Copilot CLI 1.0.102."\n`);
    await chmod(binary, 0o755);
    expect(await copilot.present(machine)).toBe(true);
    await expect(stat(path.join(machine.home, `started`))).rejects.toThrow(/ENOENT/);
    expect(await copilot.detect(machine)).toEqual({found: true, binary, version: `1.0.102`, store: path.join(machine.home, `.copilot`), notes: []});
    await writeFile(binary, `#!/bin/sh\necho 1.1.0\n`);
    expect((await copilot.detect(machine)).notes).toEqual([expect.stringMatching(/newer than 1\.0\.102/)]);
    await writeFile(binary, `#!/bin/sh\nexit 3\n`);
    expect((await copilot.detect(machine)).notes).toEqual([expect.stringMatching(/no version/)]);
  });

  it(`goes where COPILOT_HOME points`, async () => {
    const machine = await machineWith();
    machine.env.COPILOT_HOME = path.join(machine.home, `other`);
    await putSession(machine, ID, {'events.jsonl': fixture(`01-tools`)}, machine.env.COPILOT_HOME);
    expect(await copilot.present(machine)).toBe(true);
    expect((await copilot.detect(machine)).store).toBe(machine.env.COPILOT_HOME);
    expect((await sessions(machine)).map(({nativeId}) => nativeId)).toEqual([ID]);
    expect(await copilot.target!.pathOf(machine, target)).toBe(path.join(machine.env.COPILOT_HOME, `session-state`, target.id, `events.jsonl`));
  });
});

describe(`sessions in the store`, () => {
  it(`are found by their folder, whatever else lies there`, async () => {
    const machine = await machineWith();
    await putSession(machine, ID, {'events.jsonl': fixture(`01-tools`)});
    await putSession(machine, `elsewhere`, {'events.jsonl': lines(start(`elsewhere`, `/home/alice/shop2`), event(`user.message`, {content: `x`}))});
    await putSession(machine, `moved`, {'events.jsonl': lines(start(`moved`, `/home/alice/old`), event(`user.message`, {content: `x`})), 'workspace.yaml': `id: moved\ncwd: '/home/alice/shop/src'\nname: "x"\n`});
    await putSession(machine, `empty`, {'events.jsonl': ``});
    await putSession(machine, `announced`, {'events.jsonl': lines(start(`announced`))});
    await putSession(machine, `broken`, {'events.jsonl': `{"type":`, 'workspace.yaml': `: : |\n`});
    await putSession(machine, `.session-operation-locks`, {'x.lock': ``});
    const found = await sessions(machine);
    expect(found.map(({nativeId, cwd}) => [nativeId, cwd])).toEqual([[ID, `/home/alice/shop`], [`moved`, `/home/alice/shop/src`]]);
    expect(found[0]).toMatchObject({agent: `copilot`, session: ID, size: (await stat(found[0]!.path)).size, path: path.join(machine.home, `.local/state/session-sync/copilot/in/${ID}.jsonl`)});
    expect((await stat(found[0]!.path)).mode & 0o777).toBe(0o600);
    expect(await sessions(machine, [`/home/alice`])).toHaveLength(3);
    expect(copilot.source!.roots(found[0]!, machine)).toEqual({session: path.join(machine.home, `.copilot/session-state`, ID), agent: path.join(machine.home, `.copilot`)});
  });

  it(`are copied as they grow, without the agent's own prompts, and sub-agents apart`, async () => {
    const machine = await machineWith();
    const text = fixture(`02-subagent-error`);
    const half = text.indexOf(`\n`, text.length / 2) + 1;
    const folder = await putSession(machine, ID, {'events.jsonl': text.slice(0, half + 20)});
    const [session] = await sessions(machine);
    const before = await readFile(session!.path, `utf8`);
    await writeFile(path.join(folder, `events.jsonl`), text);
    await copilot.source!.refresh!(machine, session!);
    const after = await readFile(session!.path, `utf8`);
    expect(after.startsWith(before)).toBe(true);
    expect(after).not.toContain(`system.message`);
    expect(read(after).records).toEqual(read(text).records);

    const files = await copilot.source!.files(session!);
    expect(files.map(({name, stream, content}) => [name, stream, content])).toEqual([
      [`events.jsonl`, `main`, `records`],
      [`subagents/a31a8af5-2cf0-41c7-9696-67b6c4e7d89f.jsonl`, `sub-a31a8af5-2cf0-41c7-9696-67b6c4e7d89f`, `records`],
    ]);
    const sub = read(await readFile(files[1]!.path, `utf8`), files[1]!.stream);
    expect(sub.records.map(brief)).toEqual([`model: fake-model`, `prompt: Count the files`, `reply: Counting.`, `call bash as shell`, `result (exit 0): 4`, `reply (final): There are 2 files.`]);

    const times = await Promise.all((await readdir(path.dirname(session!.path))).map(async name => [name, (await stat(path.join(path.dirname(session!.path), name))).mtimeMs]));
    await copilot.source!.refresh!(machine, session!);
    expect(await Promise.all((await readdir(path.dirname(session!.path))).map(async name => [name, (await stat(path.join(path.dirname(session!.path), name))).mtimeMs]))).toEqual(times);
  });

  it(`are followed over a rewind, for which Copilot writes the file anew`, async () => {
    const machine = await machineWith();
    const head = [start(ID), event(`user.message`, {content: `one`}), event(`assistant.message`, {messageId: `m`, content: `two`})];
    const folder = await putSession(machine, ID, {'events.jsonl': lines(...head, event(`user.message`, {content: `three`}), event(`assistant.message`, {messageId: `n`, content: `four`}))});
    const [session] = await sessions(machine);
    const before = await readFile(session!.path, `utf8`);
    // In other spacing, as it does.
    const spaced = head.map(line => line.replaceAll(`":`, `": `));
    await writeFile(path.join(folder, `events.jsonl`), lines(...spaced, event(`session.info`, {infoType: `rewind`, message: `x`}), event(`user.message`, {content: `five`})));
    const records = await recordsOf(machine);
    expect((await readFile(session!.path, `utf8`)).startsWith(before)).toBe(true);
    expect(records.map(brief)).toEqual([`prompt: one`, `reply (final): two`, `prompt: three`, `reply (final): four`, `branch from 1: rewound`, `prompt: five`]);
    expect(linearize(records).map(brief)).toEqual([`prompt: one`, `reply (final): two`, `prompt: five`]);

    // Taken back to the begin, and gone on with.
    await writeFile(path.join(folder, `events.jsonl`), lines(spaced[0]!, event(`user.message`, {content: `six`})));
    await appendFile(path.join(folder, `events.jsonl`), lines(event(`assistant.message`, {messageId: `o`, content: `seven`})));
    expect(linearize(await recordsOf(machine)).map(brief)).toEqual([`prompt: six`, `reply (final): seven`]);
  });

  it(`are whole again after a copy that was cut off`, async () => {
    const machine = await machineWith();
    const text = fixture(`03-terminal`);
    await putSession(machine, ID, {'events.jsonl': text});
    const [session] = await sessions(machine);
    const whole = await readFile(session!.path, `utf8`);
    await writeFile(session!.path, whole.slice(0, 3_000));
    await sessions(machine);
    expect(linearize(await recordsOf(machine)).map(brief)).toEqual(read(text).records.map(brief));
    // Only the note was lost: nothing is said twice.
    await writeFile(session!.path, whole);
    await writeFile(session!.path.replace(/\.jsonl$/, `.json`), `{`);
    await sessions(machine);
    expect(await readFile(session!.path, `utf8`)).toBe(whole);
  });

  it(`that we wrote are no source until Copilot goes on with them`, async () => {
    const machine = await machineWith();
    const writer = open();
    const text = writer.begin() + place(prompt(`one`), reply(`x`.repeat(300_000))).map(record => writer.push(record)).join(``);
    const folder = await putSession(machine, target.id, {'events.jsonl': text});
    const [mirror] = await sessions(machine);
    expect(mirror).toMatchObject({mirror: `untouched`, size: 0});
    expect(await copilot.source!.ownership!(machine, mirror!)).toBe(`untouched`);
    await expect(stat(mirror!.path)).rejects.toThrow(/ENOENT/);
    await appendFile(path.join(folder, `events.jsonl`), lines(event(`session.resume`, {}), event(`session.shutdown`, {})));
    expect(await sessions(machine)).toMatchObject([{mirror: `untouched`}]);
    await appendFile(path.join(folder, `events.jsonl`), lines(event(`user.message`, {content: `more`})));
    expect(await sessions(machine)).toMatchObject([{mirror: `continued`}]);
    expect((await recordsOf(machine)).map(brief)).toEqual([`prompt: one`, expect.stringMatching(/^reply/), `prompt: more`]);
  });
});

describe(`events of hooks`, () => {
  it(`name the session`, async () => {
    const machine = await machineWith();
    const payloads = (await readFile(path.join(FIXTURES, `hook-payloads.jsonl`), `utf8`)).trim().split(`\n`).map(line => JSON.parse(line));
    const of = (hook: string) => copilot.source!.fromEvent(machine, payloads.find(one => one.hook === hook).stdin);
    expect(of(`agentStop`)).toEqual({
      agent: `copilot`, nativeId: `45cabde2-2464-49a3-8c1a-e770ec5af3d3`, session: `45cabde2-2464-49a3-8c1a-e770ec5af3d3`, cwd: `/home/alice/shop`, size: 0, mtimeMs: 0,
      path: path.join(machine.home, `.local/state/session-sync/copilot/in/45cabde2-2464-49a3-8c1a-e770ec5af3d3.jsonl`),
      event: {name: `agentStop`, cwd: `/home/alice/shop`, turnEnd: true},
    });
    for (const [hook, event] of Object.entries({sessionStart: {}, userPromptSubmitted: {}, postToolUse: {}, sessionEnd: {turnEnd: true, sessionEnd: true}}))
      expect(of(hook)!.event).toEqual({name: hook, cwd: `/home/alice/shop`, ...event});
  });

  it(`are dropped where they are none`, async () => {
    const machine = await machineWith();
    for (const event of [null, [], `x`, {}, {sessionId: `../../x`, prompt: `a`}, {sessionId: ID}, {sessionId: 7, prompt: `a`}])
      expect(copilot.source!.fromEvent(machine, event as never)).toBeNull();
    expect(copilot.source!.fromEvent(machine, {sessionId: ID, prompt: `a`, cwd: `relative`})).not.toHaveProperty(`cwd`);
  });
});

describe(`the file of our hooks`, () => {
  const hooks = copilot.hooks!;

  it(`is ours alone`, async () => {
    const machine = await machineWith();
    expect(hooks.settingsPath(machine, `/home/alice/shop`, {local: false})).toBe(path.join(machine.home, `.copilot/hooks/session-sync.json`));
    const {text, summary} = hooks.install(null);
    expect(summary).toHaveLength(5);
    const value = JSON.parse(text);
    expect(value.version).toBe(1);
    expect(Object.keys(value.hooks)).toEqual([`sessionStart`, `userPromptSubmitted`, `postToolUse`, `agentStop`, `sessionEnd`]);
    expect(value.hooks.agentStop).toEqual([{type: `command`, bash: expect.stringMatching(/^command -v session-sync-hook .*session-sync-hook copilot .*; exit 0$/), timeoutSec: 5}]);
    expect(hooks.install(text)).toEqual({text, summary: []});
    expect([hooks.installed(text), hooks.installed(null), hooks.installed(text.replace(`5`, `9`)), hooks.installed(`{}`)]).toEqual([`yes`, `no`, `partly`, `no`]);
    expect(hooks.install(text.replace(`5`, `9`)).text).toBe(text);
    expect(hooks.remove(text)!.text).toBeNull();
    expect(hooks.remove(`{}`)).toBeNull();
    expect(() => hooks.install(`{"hooks":{}}`)).toThrow(SettingsError);
  });
});

describe(`what Copilot did with a mirror`, () => {
  it.each([
    [`opened`, ``], [`opened`, lines(event(`session.resume`, {}), ``, event(`session.shutdown`, {}))], [`opened`, event(`session.shutdown`, {x: 1}).slice(0, -20)],
    [`continued`, lines(event(`session.resume`, {}), event(`user.message`, {content: `x`}))], [`continued`, lines(event(`session.compaction_complete`, {}))],
    [`continued`, `nonsense\n`], [`continued`, `{"type":"user.mess`], [`continued`, `null\n`],
  ])(`is %s by %j`, (state, tail) => {
    expect(copilot.target!.judge(tail)).toBe(state);
  });
});

describe(`keeping Copilot out`, () => {
  it(`waits for one that has the session open, and not for one that was killed`, async () => {
    const machine = await machineWith();
    const write = async () => `written`;
    expect(await copilot.target!.exclusively(machine, ID, write)).toBe(`written`);
    const folder = await putSession(machine, ID, {'inuse.999999999.lock': `999999999\n`});
    expect(await copilot.target!.exclusively(machine, ID, write)).toBe(`written`);

    const hold = path.join(folder, `inuse.${process.pid}.hold`);
    await writeFile(path.join(folder, `inuse.${process.pid}.lock`), `${process.pid}\n`);
    await writeFile(hold, ``);
    // The number is somebody else's by now.
    expect(await copilot.target!.exclusively(machine, ID, write)).toBe(`written`);
    for (const file of [hold, path.join(path.dirname(folder), `.session-operation-locks`, `${ID}.lock`)]) {
      const holder = spawn(`flock`, [`-x`, file, `sh`, `-c`, `echo held; exec sleep 20`], {stdio: [`ignore`, `pipe`, `ignore`], detached: true});
      await new Promise(resolve => holder.stdout.once(`data`, resolve));
      expect(await copilot.target!.exclusively(machine, ID, write)).toBeNull();
      const ended = new Promise(resolve => holder.once(`exit`, resolve));
      process.kill(-holder.pid!, `SIGKILL`);
      await ended;
    }
    expect(await copilot.target!.exclusively(machine, ID, write)).toBe(`written`);
  });
});

describe(`the name in Copilot's list`, () => {
  async function written(machine: Machine, text = `First\nprompt`) {
    const writer = open();
    const folder = await putSession(machine, target.id, {'events.jsonl': writer.begin() + place(prompt(text)).map(record => writer.push(record)).join(``)});
    const register = (title?: string) => copilot.target!.register(machine, {
      id: target.id, path: path.join(folder, `events.jsonl`), cwd: `/home/alice/my "shop"`, settings: {}, updated: `2026-11-20T11:00:00.000Z`, ...title === undefined ? {} : {title},
    });
    return {yaml: path.join(folder, `workspace.yaml`), register};
  }

  it(`is the title, or the first prompt`, async () => {
    const {yaml, register} = await written(await machineWith());
    expect(await register()).toEqual({listed: true});
    expect(await readFile(yaml, `utf8`)).toBe([
      `# written by session-sync`, `id: ${target.id}`, `cwd: "/home/alice/my \\"shop\\""`, `client_name: session-sync`, `name: "First prompt"`, `user_named: false`,
      `summary_count: 0`, `fork_count: 0`, `created_at: 2026-11-20T10:00:00.000Z`, `updated_at: 2026-11-20T11:00:00.000Z`, ``,
    ].join(`\n`));
    expect((await stat(yaml)).mode & 0o777).toBe(0o600);
    await register(`T: "größe" # 👋\u0085\ufeff`);
    expect(await readFile(yaml, `utf8`)).toContain(`name: "T: \\"größe\\" # 👋"\n`);
  });

  it(`is changed in what Copilot wrote since, unless the person has named it`, async () => {
    const {yaml, register} = await written(await machineWith());
    const theirs = `id: x\ncwd: /home/alice/shop\nclient_name: session-sync\nname: First prompt\nuser_named: false\n`;
    await writeFile(yaml, theirs);
    await register(`Named`);
    expect(await readFile(yaml, `utf8`)).toBe(theirs.replace(`First prompt`, `"Named"`));
    for (const kept of [theirs.replace(`false`, `true`), theirs.replace(`session-sync`, `github/cli`)]) {
      await writeFile(yaml, kept);
      expect(await register(`Other`)).toEqual({listed: true});
      expect(await readFile(yaml, `utf8`)).toBe(kept);
    }
  });

  it(`is missing where the file is gone, and says so`, async () => {
    const machine = await machineWith();
    await mkdir(path.join(machine.home, `.copilot/session-state`, target.id), {recursive: true});
    expect(await copilot.target!.register(machine, {id: target.id, path: path.join(machine.home, `nowhere`), cwd: `/x`, settings: {}})).toMatchObject({listed: false, note: expect.stringMatching(/nowhere is gone/)});
  });

  it(`cannot be given where the store cannot be written`, async () => {
    const machine = await machineWith();
    await writeFile(path.join(machine.home, `file`), ``);
    machine.env.COPILOT_HOME = path.join(machine.home, `file`, `below`);
    await expect(copilot.target!.prepare(machine)).rejects.toMatchObject({code: `STORE_NOT_WRITABLE`});
  });
});
