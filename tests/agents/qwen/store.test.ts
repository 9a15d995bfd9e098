import {chmod, mkdir, symlink, utimes, writeFile} from 'node:fs/promises';
import path                                        from 'node:path';
import {describe, expect, it}                      from 'vitest';

import {COMMAND}                                   from '../../../sources/agents/qwen/hooks.ts';
import {qwen}                                      from '../../../sources/agents/qwen/index.ts';
import type {Machine}                              from '../../../sources/agents/types.ts';
import type {Json}                                 from '../../../sources/interchange/index.ts';
import {temporaryFolders}                          from '../../_temporary.ts';

import {hookPayloads, target as writing}           from './_session.ts';

const makeFolder = temporaryFolders();
const ID = `346b1284-31a5-48b3-abaf-cedb30800372`;
const source = qwen.source!;
const target = qwen.target!;
const hooks = qwen.hooks!;

async function machineWith({script, settings, env = {}}: {script?: string; settings?: Json; env?: {[name: string]: string}} = {}): Promise<Machine> {
  const home = await makeFolder();
  await mkdir(path.join(home, `bin`));
  if (script !== undefined) {
    await writeFile(path.join(home, `bin/qwen`), `#!/bin/sh\n${script}\n`);
    await chmod(path.join(home, `bin/qwen`), 0o755);
  }
  if (settings !== undefined) {
    await mkdir(path.join(home, `.qwen`));
    await writeFile(path.join(home, `.qwen/settings.json`), `// mine\n${JSON.stringify(settings)}`);
  }
  return {env: {PATH: path.join(home, `bin`), ...env}, home, platform: `linux`, tmp: home};
}

describe(`detect`, () => {
  it(`finds the program, its version and its store`, async () => {
    const machine = await machineWith({script: `echo 0.24.4`});
    expect(await qwen.detect(machine)).toEqual({found: true, binary: path.join(machine.home, `bin/qwen`), version: `0.24.4`, store: path.join(machine.home, `.qwen`), notes: []});
    expect(await qwen.present(machine)).toBe(true);
    expect(await qwen.present(await machineWith())).toBe(false);
    expect(await qwen.detect(await machineWith())).toMatchObject({found: false});
    expect(await qwen.detect(await machineWith({settings: {}}))).toMatchObject({found: true});
  });

  it(`says what stands in the way`, async () => {
    expect((await qwen.detect(await machineWith({script: `echo 0.25.0`}))).notes).toEqual([expect.stringMatching(/newer/)]);
    expect((await qwen.detect(await machineWith({script: `exit 1`}))).notes).toEqual([expect.stringMatching(/version/)]);
    expect((await qwen.detect(await machineWith({settings: {general: {chatRecording: false}, disableAllHooks: true}}))).notes).toEqual([expect.stringMatching(/chatRecording/), expect.stringMatching(/disableAllHooks/)]);
  });

  it(`follows the environment and the settings to the store`, async () => {
    const store = async (options: Parameters<typeof machineWith>[0]) => {
      const machine = await machineWith(options);
      return path.relative(machine.home, (await qwen.detect(machine)).store);
    };
    expect(await store({env: {QWEN_HOME: `~/elsewhere`}})).toBe(`elsewhere`);
    expect(await store({settings: {advanced: {runtimeOutputDir: `~/out`}}})).toBe(`out`);
    expect(await store({settings: {advanced: {runtimeOutputDir: `~/out`}}, env: {QWEN_RUNTIME_DIR: `~/run`}})).toBe(`run`);
  });
});

describe(`locate`, () => {
  async function put(machine: Machine, cwd: string, id: string, {project = cwd.replace(/[^A-Za-z0-9]/g, `-`), text = `${JSON.stringify({uuid: `1`, parentUuid: null, sessionId: id, type: `user`, cwd})}\n`} = {}) {
    const chats = path.join(machine.home, `.qwen/projects`, project, `chats`);
    await mkdir(chats, {recursive: true});
    await writeFile(path.join(chats, `${id}.jsonl`), text);
    await utimes(path.join(chats, `${id}.jsonl`), 1_000, 1_000);
    return path.join(chats, `${id}.jsonl`);
  }

  it(`takes sessions by the folder that they name`, async () => {
    const machine = await machineWith();
    const file = await put(machine, `/home/alice/shop`, ID);
    const below = await put(machine, `/home/alice/shop/sub`, `446b1284-31a5-48b3-abaf-cedb30800372`);
    await put(machine, `/home/alice-shop`, `546b1284-31a5-48b3-abaf-cedb30800372`);
    await put(machine, `/home/alice/shop2`, `646b1284-31a5-48b3-abaf-cedb30800372`);
    await put(machine, `/home/alice/shop`, `not-a-session`);
    await put(machine, `/home/alice/shop`, `746b1284-31a5-48b3-abaf-cedb30800372`, {text: ``});
    await symlink(file, path.join(path.dirname(file), `846b1284-31a5-48b3-abaf-cedb30800372.jsonl`));
    const found = await source.locate(machine, [`/home/alice/shop`]);
    expect(found.map(({path: one}) => one)).toEqual([file, below].sort());
    expect(found.find(({nativeId}) => nativeId === ID)).toMatchObject({agent: `qwen`, session: ID, cwd: `/home/alice/shop`, mtimeMs: 1_000_000});
    expect(await source.locate(machine, [`/home/bob`])).toEqual([]);
  });

  it(`reads the folder out of a first line that is longer than what is read`, async () => {
    const machine = await machineWith();
    await put(machine, `/home/alice/shop`, ID, {text: `{"uuid":"1","cwd":"/home/alice/shop","message":"${`x`.repeat(100_000)}"}\n`});
    expect(await source.locate(machine, [`/home/alice/shop`])).toHaveLength(1);
  });

  it(`has sub-agents beside the main file`, async () => {
    const machine = await machineWith();
    const file = await put(machine, `/home/alice/shop`, ID);
    const side = path.join(machine.home, `.qwen/projects/-home-alice-shop/subagents`, ID);
    await mkdir(side, {recursive: true});
    for (const name of [`agent-general-purpose-call_7.jsonl`, `agent-general-purpose-call_7.meta.json`, `.hidden`, `other.txt`])
      await writeFile(path.join(side, name), ``);
    expect(await source.files({path: file, nativeId: ID})).toEqual([
      {name: `transcript.jsonl`, path: file, content: `records`, stream: `main`},
      {name: `subagents/agent-general-purpose-call_7.jsonl`, path: path.join(side, `agent-general-purpose-call_7.jsonl`), content: `records`, stream: `sub-general-purpose-call_7`},
      {name: `subagents/agent-general-purpose-call_7.meta.json`, path: path.join(side, `agent-general-purpose-call_7.meta.json`), content: `opaque`},
    ]);
    expect(await source.files({path: `${file}x`, nativeId: ID})).toEqual([]);
    expect(qwen.native!.pathOf({...machine}, {nativeId: ID, cwd: `/home/alice/shop`}, `transcript.jsonl`)).toBe(file);
    expect(qwen.native!.pathOf({...machine}, {nativeId: ID, cwd: `/home/alice/shop`}, `subagents/agent-x.jsonl`)).toBe(path.join(side, `agent-x.jsonl`));
    for (const name of [`../x`, `subagents/../x`, `other/x`, `subagents/a/b`])
      expect(() => qwen.native!.pathOf(machine, {nativeId: ID, cwd: `/home/alice/shop`}, name)).toThrow(/Not a file/);
    expect(await qwen.native!.find(machine, ID)).toBe(file);
    expect(await qwen.native!.find(machine, `../x`)).toBeNull();
  });
});

describe(`as target`, () => {
  it(`has a place for a mirror that does not move`, async () => {
    const machine = await machineWith();
    const id = target.mirrorId(`5e551000-0000-4000-8000-000000000001`, 0);
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(target.mirrorId(`5e551000-0000-4000-8000-000000000001`, 1)).not.toBe(id);
    expect(await target.pathOf(machine, {...writing, id, cwd: `/home/alice/my shop`})).toBe(path.join(machine.home, `.qwen/projects/-home-alice-my-shop/chats/${id}.jsonl`));
    expect(target.resumeCommand(id)).toBe(`qwen --resume ${id}`);
    expect(await target.prepare(machine)).toEqual({});
  });

  it(`knows bookkeeping from a session that goes on`, () => {
    const line = (type: string, subtype?: string) => `{"uuid":"1","parentUuid":"0","sessionId":"x","timestamp":"2026-11-20T10:00:00.000Z","type":"${type}","provenance":"system","cwd":"/a","version":"0.24.4","gitBranch":"main"${subtype === undefined ? `` : `,"subtype":"${subtype}"`},"systemPayload":{"a":1}}`;
    expect(target.judge(``)).toBe(`opened`);
    expect(target.judge(`${line(`system`, `custom_title`)}\n${line(`system`, `ui_telemetry`)}\n`)).toBe(`opened`);
    expect(target.judge(`${line(`system`, `custom_title`)}\n${line(`system`, `ui_telemetry`).slice(0, -8)}`)).toBe(`opened`);
    for (const other of [line(`user`), line(`assistant`), line(`tool_result`), line(`system`, `rewind`), line(`system`, `chat_compression`), line(`system`), `garbage`, `{"uuid":"1","parentUuid`])
      expect(target.judge(`${line(`system`, `custom_title`)}\n${other}`)).toBe(`continued`);
  });

  it(`keeps out of a session that a terminal has open`, async () => {
    const machine = await machineWith();
    const folder = path.join(machine.home, `.qwen/sessions`);
    await mkdir(folder, {recursive: true});
    const write = async (record: unknown) => await writeFile(path.join(folder, `${process.pid}.json`), JSON.stringify(record));
    const run = async () => await target.exclusively(machine, ID, async () => `ran`);
    expect(await run()).toBe(`ran`);
    await write({pid: process.pid, sessionId: ID});
    expect(await run()).toBeNull();
    for (const other of [{pid: process.pid, sessionId: `another`}, {pid: 0x7FFFFFFE, sessionId: ID}, {pid: process.pid, sessionId: ID, procStart: `boot:1`}, {pid: -1, sessionId: ID}, [], null, `x`]) {
      await write(other);
      expect(await run()).toBe(process.platform === `linux` || (other as {procStart?: string} | null)?.procStart === undefined ? `ran` : null);
    }
    await writeFile(path.join(folder, `1.json`), `{`);
    expect(await run()).toBe(`ran`);
  });

  it(`is listed as soon as the file is there`, async () => {
    const machine = await machineWith();
    await writeFile(path.join(machine.home, `x`), ``);
    const session = {id: ID, cwd: `/a`, settings: {}};
    expect(await target.register(machine, {...session, path: path.join(machine.home, `x`)})).toEqual({listed: true});
    expect(await target.register(machine, {...session, path: path.join(machine.home, `y`)})).toMatchObject({listed: false});
  });
});

describe(`hooks`, () => {
  const EVENTS = [`SessionStart`, `UserPromptSubmit`, `PostToolUse`, `PostToolUseFailure`, `Stop`, `SessionEnd`];

  it(`go into the project's settings, or the person's own`, async () => {
    const machine = await machineWith();
    expect(hooks.scope).toBe(`project`);
    expect(hooks.settingsPath(machine, `/home/alice/shop`, {local: false})).toBe(`/home/alice/shop/.qwen/settings.json`);
    expect(hooks.settingsPath(machine, `/home/alice/shop`, {local: true})).toBe(path.join(machine.home, `.qwen/settings.json`));
  });

  it(`make a file that Qwen Code leaves as it is, and take all of it away again`, () => {
    const {text} = hooks.install(null);
    const settings = JSON.parse(text);
    expect(settings.$version).toBe(4);
    expect(Object.keys(settings.hooks)).toEqual(EVENTS);
    expect(settings.hooks.Stop).toEqual([{hooks: [{type: `command`, name: `session-sync`, command: COMMAND, timeout: 5}]}]);
    expect(settings.hooks.PostToolUse[0].hooks[0].async).toBe(true);
    expect(hooks.installed(text)).toBe(`yes`);
    expect(hooks.install(text)).toEqual({text, summary: []});
    expect(hooks.remove(text)!.text).toBeNull();
  });

  it(`leave everything else alone`, () => {
    const before = `{\n  // mine\n  "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "notify"}]}]}\n}\n`;
    const {text} = hooks.install(before);
    expect(text).toContain(`// mine`);
    // Every line but the one that was opened for more is as it was.
    expect(hooks.remove(text)!.text!.replace(/\s+/g, ``)).toBe(before.replace(/\s+/g, ``));
    expect(hooks.installed(before)).toBe(`no`);
    expect(hooks.remove(before)).toBeNull();
    expect(() => hooks.install(`{"hooks": `)).toThrow(/JSON/);
  });
});

describe(`events`, () => {
  const machine: Machine = {env: {}, home: `/home/alice`, platform: `linux`, tmp: `/tmp`};
  const payloads = hookPayloads();
  const of = (name: string) => payloads.find(payload => payload.hook_event_name === name)!;

  it(`of real hooks all name their session`, () => {
    expect(payloads.length).toBeGreaterThan(10);
    for (const payload of payloads)
      expect(source.fromEvent(machine, payload)).toMatchObject({agent: `qwen`, nativeId: payload.session_id, session: payload.session_id, path: payload.transcript_path, cwd: `/home/alice/shop`, event: {name: payload.hook_event_name}});
  });

  it(`say what to wait for and what ended`, () => {
    expect(source.fromEvent(machine, of(`PostToolUse`))!.event.awaits).toBe(`"callId":"call_1"`);
    expect(source.fromEvent(machine, of(`PostToolUseFailure`))!.event.awaits).toBe(`"callId":"call_6"`);
    expect(source.fromEvent(machine, of(`Stop`))!.event).toMatchObject({turnEnd: true, awaits: `All done: price is 2 and the notes are written.`});
    expect(source.fromEvent(machine, of(`SessionEnd`))!.event).toMatchObject({turnEnd: true, sessionEnd: true});
    expect(source.fromEvent(machine, of(`UserPromptSubmit`))!.event.awaits).toBeUndefined();
  });

  it(`that are none, or lead elsewhere, are not taken`, () => {
    const event = of(`Stop`);
    for (const wrong of [null, [], `x`, {}, {...event, session_id: `../x`}, {...event, transcript_path: `/etc/passwd`}, {...event, transcript_path: `/home/alice/.qwen/projects/../x/chats/${event.session_id as string}.jsonl`},
      {...event, transcript_path: `/srv/x/projects/other/chats/${event.session_id as string}.jsonl`}, {...event, hook_event_name: 3}])
      expect(source.fromEvent(machine, wrong as Json)).toBeNull();
    expect(source.fromEvent(machine, {...event, transcript_path: `/srv/x/projects/-home-alice-shop/chats/${event.session_id as string}.jsonl`})).not.toBeNull();
  });
});
