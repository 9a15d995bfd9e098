import {mkdir, readFile, stat, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {beforeEach, describe, expect, it} from 'vitest';

import {cline}                 from '../../../sources/agents/cline/index.ts';
import type {Machine, WriterTarget} from '../../../sources/agents/types.ts';
import type {NeutralRecord}    from '../../../sources/interchange/index.ts';
import {temporaryFolders}      from '../../_temporary.ts';

const target = cline.target!;
const temporary = temporaryFolders();
const SESSION = `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`;
let machine: Machine;
let cwd: string;
let id: string;

beforeEach(async () => {
  const home = await temporary();
  machine = {env: {PATH: ``}, home, platform: `linux`, tmp: home};
  cwd = path.join(home, `shop`);
  id = target.mirrorId(SESSION, 0);
});

const turn = (seq: number, text: string): Array<NeutralRecord> => [
  {seq, kind: `prompt`, time: `2026-11-20T10:00:01.000Z`, content: [{type: `text`, text}]},
  {seq: seq + 1, kind: `reply`, time: `2026-11-20T10:00:02.000Z`, text: `Answer to ${text}`, final: true},
];

async function write(records: Array<NeutralRecord>) {
  const writing: WriterTarget = {
    header: {format: `session-sync/1`, session: SESSION, agent: {id: `claude-code`, nativeId: `x`}, created: `2026-11-20T10:00:00.000Z`, roots: {}, counts: {}},
    id, cwd, settings: await target.prepare(machine),
  };
  const file = await target.pathOf(machine, writing);
  const writer = target.openWriter(writing);
  await mkdir(path.dirname(file), {recursive: true});
  await writeFile(file, writer.begin() + records.map(record => writer.push(record)).join(``));
  return await target.register(machine, {id, path: file, cwd, settings: writing.settings, updated: `2026-11-20T10:00:02.000Z`});
}

const documents = () => {
  const folder = path.join(machine.home, `.cline`, `data`, `sessions`, id);
  return {session: path.join(folder, `${id}.json`), messages: path.join(folder, `${id}.messages.json`)};
};
const messages = async () => JSON.parse(await readFile(documents().messages, `utf8`)) as {messages: Array<object>};

describe(`register`, () => {
  it(`makes both documents, for the person alone, and makes them anew when the session has grown`, async () => {
    expect(await write(turn(0, `One`))).toEqual({listed: true});
    expect((await stat(documents().messages)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(documents().session, `utf8`))).toMatchObject({version: 1, session_id: id, cwd, provider: `cline`, prompt: `One`, metadata: {title: `One`}, messages_path: documents().messages});
    expect((await messages()).messages).toMatchObject([{role: `user`, content: [{type: `text`, text: `<user_input mode="act">One</user_input>`}], ts: 1795168801000}, {role: `assistant`}]);

    const before = await messages();
    expect(await write([...turn(0, `One`), ...turn(2, `Two`)])).toEqual({listed: true});
    expect((await messages()).messages.slice(0, 2)).toEqual(before.messages);
    expect((await messages()).messages).toHaveLength(4);
  });

  it(`leaves alone what Cline has gone on with, and says whether it has all of ours`, async () => {
    await write(turn(0, `One`));
    const {messages: ours, ...rest} = await messages();
    const theirs = JSON.stringify({...rest, messages: [...ours, {role: `user`, content: [{type: `text`, text: `Mine`}]}]});
    await writeFile(documents().messages, theirs);
    expect(await write(turn(0, `One`))).toMatchObject({takenOver: `continued`});
    expect(await write([...turn(0, `One`), ...turn(2, `Two`)])).toMatchObject({takenOver: `diverged`});
    expect(await readFile(documents().messages, `utf8`)).toBe(theirs);
    expect(await cline.source!.locate(machine, [cwd])).toMatchObject([{nativeId: id, mirror: `continued`}]);
  });

  it(`is no source as long as it is ours alone`, async () => {
    await write(turn(0, `One`));
    expect(await cline.source!.locate(machine, [cwd])).toMatchObject([{nativeId: id, mirror: `untouched`}]);
    expect(await cline.source!.locate(machine, [`${cwd}2`])).toEqual([]);
  });
});

describe(`the journal`, () => {
  it(`takes what is new, cuts what was changed, and does nothing when nothing is`, async () => {
    const folder = path.join(machine.home, `.cline`, `data`, `sessions`, `1_a`);
    await mkdir(folder, {recursive: true});
    const put = async (...texts: Array<string>) => writeFile(path.join(folder, `1_a.messages.json`),
      JSON.stringify({messages: texts.map((text, index) => ({role: index % 2 === 0 ? `user` : `assistant`, content: [{type: `text`, text}]}))}));
    await writeFile(path.join(folder, `1_a.json`), JSON.stringify({cwd, metadata: {title: `T`}}));
    await put(`One`);
    const [located] = await cline.source!.locate(machine, [cwd]);
    const lines = async () => (await readFile(located!.path, `utf8`)).trimEnd().split(`\n`).map(line => JSON.parse(line).type);
    expect(await lines()).toEqual([`message`, `title`]);
    await put(`One`, `A`);
    await cline.source!.refresh!(machine, located!);
    await cline.source!.refresh!(machine, located!);
    expect(await lines()).toEqual([`message`, `title`, `message`]);
    await put(`One`, `B, longer`);
    await cline.source!.refresh!(machine, located!);
    expect(await lines()).toEqual([`message`, `title`, `message`, `cut`, `message`]);
  });
});

describe(`the rest`, () => {
  it(`knows a session from the event of a hook`, () => {
    const event = {hookName: `agent_end`, parent_agent_id: null, sessionContext: {rootSessionId: `1795399486908_igfwt`}, workspaceRoots: [`/home/alice/shop`]};
    expect(cline.source!.fromEvent(machine, event)).toMatchObject({nativeId: `1795399486908_igfwt`, cwd: `/home/alice/shop`, event: {turnEnd: true}});
    for (const other of [null, {}, {...event, sessionContext: {rootSessionId: `../x`}}])
      expect(cline.source!.fromEvent(machine, other)).toBeNull();
  });

  it(`has a script of its own, and touches none of a person`, () => {
    const hooks = cline.hooks!;
    const {text} = hooks.install(null);
    expect([hooks.installed(null), hooks.installed(text)]).toEqual([`no`, `yes`]);
    expect(hooks.remove(text)!.text).toBeNull();
    expect(hooks.install(`#!/bin/sh\necho mine\n`)).toEqual({text: `#!/bin/sh\necho mine\n`, summary: []});
    expect(hooks.remove(`#!/bin/sh\necho mine\n`)).toBeNull();
  });

  it(`is detected by its folder`, async () => {
    expect(await cline.present(machine)).toBe(false);
    expect(await cline.detect({...machine, env: {PATH: ``, CLINE_DIR: `/srv/cline`}})).toMatchObject({found: false, store: `/srv/cline/data`});
  });
});
