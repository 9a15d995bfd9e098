import {mkdir, readFile, readdir, rm, stat, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {beforeEach, describe, expect, it} from 'vitest';

import {kimi}                  from '../../../sources/agents/kimi/index.ts';
import {folderKey}             from '../../../sources/agents/kimi/places.ts';
import type {Machine, WriterTarget} from '../../../sources/agents/types.ts';
import type {NeutralRecord}    from '../../../sources/interchange/index.ts';
import {temporaryFolders}      from '../../_temporary.ts';

const target = kimi.target!;
const ID = `session_6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`;
const temporary = temporaryFolders();
let machine: Machine;
let cwd: string;

beforeEach(async () => {
  const home = await temporary();
  machine = {env: {PATH: ``}, home, platform: `linux`, tmp: home};
  cwd = path.join(home, `shop`);
});

const writing = (): WriterTarget => ({
  header: {format: `session-sync/1`, session: `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`, agent: {id: `claude-code`, nativeId: `x`}, created: `2026-11-20T10:00:00.000Z`, roots: {}, counts: {}},
  id: ID, cwd, settings: {},
});

const prompt: NeutralRecord = {seq: 0, kind: `prompt`, time: `2026-11-20T10:00:01.000Z`, content: [{type: `text`, text: `/help me`}]};

async function place() {
  const file = await target.pathOf(machine, writing());
  const writer = target.openWriter(writing());
  await mkdir(path.dirname(file), {recursive: true});
  await writeFile(file, writer.begin() + writer.push(prompt));
  return file;
}

describe(`the writer`, () => {
  it(`writes a prompt and an answer with its calls`, () => {
    const writer = target.openWriter(writing());
    const lines = [
      prompt,
      {seq: 1, kind: `reply`, text: `I look.`, message: `m`},
      {seq: 2, kind: `call`, call: `c1`, name: `bash`, message: `m`, tool: `shell`, args: {command: `ls`, timeoutMs: 1500}, input: {}},
      {seq: 3, kind: `result`, call: `c1`, content: [{type: `text`, text: `no`}], error: true},
      {seq: 4, kind: `reply`, text: `Done.`, message: `n`, final: true},
    ].map(record => writer.push(record as NeutralRecord)).join(``).trimEnd().split(`\n`).map(line => JSON.parse(line));
    expect(lines.map(({type, event}) => event?.type ?? type)).toEqual([
      `turn.prompt`, `context.append_message`, `step.begin`, `content.part`, `tool.call`, `tool.result`, `step.end`, `step.begin`, `content.part`, `step.end`, `turn.ended`,
    ]);
    expect(lines[1]).toEqual({type: `context.append_message`, agentId: `main`, message: {role: `user`, content: [{type: `text`, text: `/help me`}], toolCalls: [], origin: {kind: `user`}}, time: 1795168801000});
    expect(lines[4].event).toMatchObject({toolCallId: `c1`, name: `Bash`, args: {command: `ls`, timeout: 2}, stepUuid: lines[2].event.uuid});
    expect(lines[5].event).toMatchObject({toolCallId: `c1`, result: {output: `no`, isError: true}});
    expect(writer.report()).toMatchObject({kept: 5, reduced: 0, dropped: 0});
  });

  it(`counts the messages that a compaction leaves behind`, () => {
    const writer = target.openWriter(writing());
    const text = [
      prompt, {seq: 1, kind: `reply`, text: `A`, final: true}, {...prompt, seq: 2}, {seq: 3, kind: `reply`, text: `B`, final: true}, {seq: 4, kind: `compaction`, summary: `S`, keep: [2, 3]},
      {...prompt, seq: 5}, {seq: 6, kind: `compaction`, summary: `T`},
    ].map(record => writer.push(record as NeutralRecord)).join(``);
    const counts = text.trimEnd().split(`\n`).map(line => JSON.parse(line)).filter(({type}) => type === `context.apply_compaction`).map(({compactedCount, legacyTail}) => [compactedCount, legacyTail]);
    expect(counts).toEqual([[2, true], [4, true]]);
  });
});

describe(`withdraw`, () => {
  it(`leaves nothing that Kimi Code would list, and what is not ours`, async () => {
    const file = await place();
    const folder = path.dirname(path.dirname(path.dirname(file)));
    await target.register(machine, {id: ID, path: file, cwd, settings: {}});
    await writeFile(path.join(folder, `notes.txt`), `mine`);
    expect(await target.withdraw!(machine, {id: ID, path: file})).toBeUndefined();
    expect(await readdir(folder, {recursive: true})).toEqual([`notes.txt`]);
    await rm(path.join(folder, `notes.txt`));
    await target.withdraw!(machine, {id: ID, path: file});
    await expect(stat(folder)).rejects.toMatchObject({code: `ENOENT`});
  });
});

describe(`rehome`, () => {
  const KEY = folderKey(`/home/alice/shop`);
  const binding = (workspaceId: string) => `{"type":"runtime.set_binding","workspaceId":"${workspaceId}","runtimeId":"local","agentId":"main","time":7}\n`;
  const step = (file: string) => ({do: `tell` as const, path: file, before: KEY, after: `wd_market_123456789abc`});
  const {known, tell} = kimi.rehome!.telling!;

  it(`binds a log anew at its end, and completes a line that a killed process began`, async () => {
    const file = path.join(await temporary(), `wire.jsonl`);
    const text = `{"type":"metadata"}\n${binding(KEY)}${`{"type":"x","text":"${`y`.repeat(1 << 20)}"}\n`.repeat(3)}`;
    for (const begun of [``, binding(`wd_market_123456789abc`).slice(0, 40)]) {
      await writeFile(file, text + begun);
      expect(await known(machine, ID, step(file))).toBe(`before`);
      await tell(machine, ID, step(file));
      expect(await known(machine, ID, step(file))).toBe(`after`);
      expect((await readFile(file, `utf8`)) === text + binding(`wd_market_123456789abc`)).toBe(true);
    }
  });

  it(`does not write behind a line that is not ended, nor to another's workspace`, async () => {
    const file = path.join(await temporary(), `wire.jsonl`);
    await writeFile(file, `{"type":"metadata"}\n${binding(KEY)}{"type":"turn.pro`);
    await expect(tell(machine, ID, step(file))).rejects.toThrow(`middle of a line`);
    await writeFile(file, `{"type":"metadata"}\n${binding(`wd_other_000000000000`)}`);
    expect(await known(machine, ID, step(file))).toBeNull();
    expect(await known(machine, ID, step(`${file}.gone`))).toBeNull();
  });
});

describe(`register`, () => {
  it(`writes what Kimi Code needs to list a session, and only once`, async () => {
    const file = await place();
    const session = {id: ID, path: file, cwd, settings: {}, updated: `2026-11-20T10:00:01.000Z`};
    expect(await target.register(machine, session)).toEqual({listed: true});
    const state = path.join(file, `..`, `..`, `..`, `state.json`);
    expect((await stat(state)).mode & 0o777).toBe(0o600);
    const first = await readFile(state, `utf8`);
    expect(JSON.parse(first)).toMatchObject({id: ID, version: 2, cwd, createdAt: 1795168800000, updatedAt: 1795168801000, title: `/help me`, isCustomTitle: true});
    await target.register(machine, session);
    expect(await readFile(state, `utf8`)).toBe(first);
  });

  it(`keeps a title that a person gave it, and what Kimi Code noted`, async () => {
    const file = await place();
    const session = {id: ID, path: file, cwd, settings: {}, title: `Ours`};
    await target.register(machine, session);
    const state = path.join(file, `..`, `..`, `..`, `state.json`);
    const known = JSON.parse(await readFile(state, `utf8`));
    await target.register(machine, {...session, title: `Ours, later`});
    expect(JSON.parse(await readFile(state, `utf8`))).toMatchObject({title: `Ours, later`});
    await writeFile(state, JSON.stringify({...known, title: `Theirs`, lastTurnReason: `completed`}));
    await target.register(machine, session);
    expect(JSON.parse(await readFile(state, `utf8`))).toMatchObject({title: `Theirs`, lastTurnReason: `completed`});
  });
});

describe(`judge`, () => {
  it(`takes what merely opening writes for no word said`, () => {
    expect(target.judge(`{"type":"runtime.set_binding","agentId":"main"}\n{"type":"profile.bind","systemPrompt":"You are`)).toBe(`opened`);
    expect(target.judge(`{"type":"turn.prompt","agentId":"main"}\n`)).toBe(`continued`);
    expect(target.judge(`{"type":"profile.bind"}\nwhat`)).toBe(`continued`);
  });
});

describe(`the rest`, () => {
  it(`locates sessions by the folder that they name, and detects where nothing is`, async () => {
    expect(await kimi.present(machine)).toBe(false);
    expect(await kimi.detect(machine)).toMatchObject({found: false, store: path.join(machine.home, `.kimi-code`)});
    expect(await kimi.detect({...machine, env: {PATH: ``, KIMI_CODE_HOME: `/srv/kimi`}})).toMatchObject({store: `/srv/kimi`});
    const file = await place();
    await target.register(machine, {id: ID, path: file, cwd, settings: {}});
    expect(await kimi.present(machine)).toBe(true);
    expect(await kimi.source!.locate(machine, [cwd])).toMatchObject([{nativeId: ID, session: `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`, path: file, cwd}]);
    expect(await kimi.source!.locate(machine, [`${cwd}2`])).toEqual([]);
    expect(await kimi.source!.files({path: file, nativeId: ID})).toEqual([{name: `wire.jsonl`, path: file, content: `records`, stream: `main`}]);
  });

  it(`names the folder of a project as Kimi Code does`, () => {
    expect(folderKey(`/home/alice/shop`)).toBe(`wd_shop_c3085d9538be`);
    expect(folderKey(`/home/alice/My Shop ü/`)).toMatch(/^wd_my-shop_[0-9a-f]{12}$/);
    expect(folderKey(`/日本`)).toMatch(/^wd_workspace_[0-9a-f]{12}$/);
  });

  it(`knows a session from an event, and nothing from another`, () => {
    const event = {hook_event_name: `Stop`, session_id: ID, cwd: `/home/alice/shop`};
    expect(kimi.source!.fromEvent(machine, event)).toMatchObject({nativeId: ID, cwd: `/home/alice/shop`, event: {name: `Stop`, turnEnd: true},
      path: path.join(machine.home, `.kimi-code/sessions/wd_shop_c3085d9538be`, ID, `agents/main/wire.jsonl`)});
    for (const other of [null, [], {...event, session_id: `../x`}, {...event, cwd: `shop`}, {...event, hook_event_name: `a b`}])
      expect(kimi.source!.fromEvent(machine, other)).toBeNull();
  });

  it(`puts its hooks behind what stands in the settings, and takes only them out`, () => {
    const hooks = kimi.hooks!;
    const before = `# mine\ndefault_model = "x" # why\n\n[[hooks]]\nevent = "Stop"\ncommand = "echo"\n`;
    const {text, summary} = hooks.install(before);
    expect(summary).toHaveLength(9);
    expect(text.startsWith(before)).toBe(true);
    expect([hooks.installed(null), hooks.installed(before), hooks.installed(text)]).toEqual([`no`, `no`, `yes`]);
    expect(hooks.install(text)).toEqual({text, summary: []});
    expect(hooks.remove(text)!.text!.trimEnd()).toBe(before.trimEnd());
    expect(hooks.remove(before)).toBeNull();
    expect(hooks.remove(hooks.install(null).text)!.text).toBeNull();
    expect(() => hooks.install(`a = `)).toThrow(`no valid TOML`);
    expect(() => hooks.install(`hooks = []\n`)).toThrow();
  });
});
