import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir}                from 'node:os';
import path                    from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import type {Machine}          from '../../sources/agents/types.ts';

const ID = `5e551000-0000-4000-8000-000000000001`;
const OTHER = `5e551000-0000-4000-8000-000000000002`;

describe(`the name that an agent keeps beside the transcript`, () => {
  const homes: Array<string> = [];
  afterEach(async () => {
    for (const home of homes.splice(0))
      await rm(home, {recursive: true, force: true});
  });

  async function machineWith(files: {[name: string]: string}): Promise<Machine> {
    const home = await mkdtemp(path.join(tmpdir(), `session-sync-names-`));
    homes.push(home);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(home, name)), {recursive: true});
      await writeFile(path.join(home, name), text);
    }
    return {env: {}, home, platform: process.platform, tmp: tmpdir()};
  }

  const nameOf = async (agent: string, files: {[name: string]: string}, session: {path?: string; nativeId?: string} = {}) => {
    const machine = await machineWith(files);
    return await agentById(agent)!.source!.name!(machine, {nativeId: ID, ...session, path: path.join(machine.home, session.path ?? `none`)});
  };

  it(`is the last one of the thread in Codex's index`, async () => {
    const lines = [
      {id: ID, thread_name: `First`, updated_at: `2026-11-23T09:09:09Z`},
      {id: ID, thread_name: ` Größe, 日本語 `, updated_at: `2026-11-23T09:09:10Z`},
      {id: OTHER, thread_name: `of ${ID}`, updated_at: `2026-11-23T09:09:11Z`},
      {id: ID, thread_name: 3},
      {id: ID, thread_name: ` `},
    ].map(line => JSON.stringify(line));
    const index = `.codex/session_index.jsonl`;
    expect(await nameOf(`codex`, {[index]: `${lines.join(`\n`)}\n`})).toBe(`Größe, 日本語`);
    // A line that is being written.
    expect(await nameOf(`codex`, {[index]: `${lines[0]}\n{"id":"${ID}","thread_na`})).toBe(`First`);
    expect(await nameOf(`codex`, {[index]: lines[0]!})).toBe(`First`);
    expect(await nameOf(`codex`, {[index]: `${ID}\n[]\n"${ID}"\n`})).toBeUndefined();
    expect(await nameOf(`codex`, {})).toBeUndefined();
    // Longer than what is looked at: the newest names are at its end.
    expect(await nameOf(`codex`, {[index]: `${lines[0]}\n${`${lines[2]}\n`.repeat(60_000)}${lines[1]}\n`})).toBe(`Größe, 日本語`);
  });

  it(`is that of Copilot's workspace file, once a person gave it`, async () => {
    const yaml = (name: string, by: boolean) => ({[`.copilot/session-state/${ID}/workspace.yaml`]: `id: ${ID}\ncwd: /home/alice/shop\nname: ${name}\nuser_named: ${by}\nsummary_count: 0\n`});
    expect(await nameOf(`copilot`, yaml(`count files`, true))).toBe(`count files`);
    expect(await nameOf(`copilot`, yaml(`"My feature: über"`, true))).toBe(`My feature: über`);
    expect(await nameOf(`copilot`, yaml(`count files`, false))).toBeUndefined();
    expect(await nameOf(`copilot`, yaml(`|`, true))).toBeUndefined();
    expect(await nameOf(`copilot`, {})).toBeUndefined();
  });

  it(`is the title in Kimi Code's state, unless it is a prompt or ours`, async () => {
    const folder = `.kimi-code/sessions/wd_shop_c3085d9538be/session_${ID}`;
    const named = async (state: object | string) => await nameOf(`kimi`, {[`${folder}/state.json`]: typeof state === `string` ? state : JSON.stringify(state)}, {path: `${folder}/agents/main/wire.jsonl`, nativeId: `session_${ID}`});
    expect(await named({title: `The cart`, titleKind: `custom`, isCustomTitle: true, custom: {}})).toBe(`The cart`);
    expect(await named({title: `prompt one`, titleKind: `replaceable`, isCustomTitle: false})).toBeUndefined();
    expect(await named({title: `Ours`, isCustomTitle: true, custom: {sessionSync: {title: `Ours`}}})).toBeUndefined();
    expect(await named({title: `Theirs`, isCustomTitle: true, custom: {sessionSync: {title: `Ours`}}})).toBe(`Theirs`);
    expect(await named({title: 3, isCustomTitle: true})).toBeUndefined();
    expect(await named(`{"title":`)).toBeUndefined();
    expect(await named(`[]`)).toBeUndefined();
  });
});
