import {appendFile, copyFile, mkdir, readFile, stat, symlink, writeFile} from 'node:fs/promises';
import path                                            from 'node:path';

import {describe, expect, it}                          from 'vitest';

import {codex}                                         from '../../../sources/agents/codex/index.ts';
import type {Machine}                                  from '../../../sources/agents/types.ts';
import {linearize}                                     from '../../../sources/interchange/index.ts';
import type {Json}                                     from '../../../sources/interchange/index.ts';
import {expectSound}                                   from '../_battery.ts';

import {scratchMachine}                                from './_machine.ts';
import {read, rollout, rolloutsOf}                     from './_read.ts';

const SHOP = `/home/alice/shop`;
const ID = (last: number) => `01a204b3-c9bb-7633-bb95-0000000000${String(last).padStart(2, `0`)}`;

const {locate, refresh, fromEvent, files, roots} = codex.source!;

async function put(machine: Machine, id: string, meta: object = {}, folder = `sessions/2026/11/20`) {
  const file = path.join(machine.home, `.codex`, folder, `rollout-2026-11-20T10-00-00-${id}.jsonl`);
  await mkdir(path.dirname(file), {recursive: true});
  await writeFile(file, rollout({type: `session_meta`, payload: {id, timestamp: `2026-11-20T10:00:00.000Z`, cwd: SHOP, base_instructions: {text: `x`.repeat(100_000)}, ...meta}}));
  return file;
}

/** The recorded rollouts where Codex would have them; paths by the last part of their names' ids. */
async function placed(machine: Machine, ...names: Array<string>) {
  const there: Array<string> = [];
  for (const source of names.flatMap(rolloutsOf)) {
    const file = path.join(machine.home, `.codex`, `sessions`, `2026`, `11`, `23`, path.basename(source));
    await mkdir(path.dirname(file), {recursive: true});
    await copyFile(source, file);
    there.push(file);
  }
  return there;
}

const promptsIn = (text: string) => {
  const {records, reader} = read(text);
  expectSound(records);
  expect(reader.facts().repairs).toEqual([]);
  return linearize(records).flatMap(record => record.kind === `prompt` ? record.content : []).map(part => part.type === `text` ? part.text : ``);
};

describe(`finding sessions`, () => {
  it(`goes by the folder in the first line, in all of the store`, async () => {
    const machine = await scratchMachine();
    const inside = await put(machine, ID(1));
    const below = await put(machine, ID(2), {cwd: `${SHOP}/web`}, `sessions/2025/01/02`);
    const archived = await put(machine, ID(3), {}, `archived_sessions`);
    await put(machine, ID(4), {cwd: `/home/alice/shop2`});
    await put(machine, ID(5), {source: {subagent: {thread_spawn: {}}}});
    await put(machine, ID(6), {thread_source: `subagent`});
    await put(machine, ID(7), {}, `sessions/odd`);
    await writeFile(path.join(path.dirname(inside), `rollout-2026-11-20T10-00-00-no-uuid.jsonl`), `{}`);
    await writeFile(path.join(path.dirname(inside), `rollout-2026-11-20T10-00-00-${ID(8)}.jsonl`), `no JSON\n`);
    await symlink(inside, path.join(path.dirname(inside), `rollout-2026-11-20T10-00-00-${ID(9)}.jsonl`));

    const found = await locate(machine, [SHOP]);
    expect(found.map(({path: file}) => file).sort()).toEqual([inside, below, archived].sort());
    expect(found.find(({path: file}) => file === inside)).toEqual({
      agent: `codex`, nativeId: ID(1), session: ID(1), path: inside, cwd: SHOP, size: (await stat(inside)).size, mtimeMs: (await stat(inside)).mtimeMs,
    });
    expect(await locate(machine, [`/home/alice/other`])).toEqual([]);
  });

  it(`finds nothing where there is no store, and follows CODEX_HOME`, async () => {
    const machine = await scratchMachine();
    expect(await locate(machine, [SHOP])).toEqual([]);
    await put(machine, ID(1));
    expect(await locate({...machine, env: {...machine.env, CODEX_HOME: path.join(machine.home, `elsewhere`)}}, [SHOP])).toEqual([]);
  });

  it(`names the file and the folders`, async () => {
    const machine = await scratchMachine();
    const file = await put(machine, ID(1));
    expect(await files({path: file, nativeId: ID(1)})).toEqual([{name: `transcript.jsonl`, path: file, content: `records`, stream: `main`}]);
    expect(await files({path: `${file}.none`, nativeId: ID(1)})).toEqual([]);
    expect(roots({path: file, nativeId: ID(1)}, machine)).toEqual({transcript: file, agent: path.join(machine.home, `.codex`)});
  });
});

describe(`a session in several files`, () => {
  it(`is one that only grows, from the file that it began in`, async () => {
    const machine = await scratchMachine();
    const [begin] = await placed(machine, `05-went-back`);
    await writeFile(path.join(path.dirname(begin!), `other`), ``);
    const [located] = await locate(machine, [SHOP]);
    expect(located!.path).not.toBe(begin);
    const text = await readFile(located!.path, `utf8`);
    expect(text.startsWith(await readFile(begin!, `utf8`))).toBe(true);
    expect((await stat(located!.path)).mode & 0o777).toBe(0o600);
    expect(promptsIn(text)).toEqual([`Where are the carts?`, `What does the README say?`, `The question without it`]);
    expect(text).toContain(`A question with a mistake`);
  });

  it(`grows with its last file, and takes up another one`, async () => {
    const machine = await scratchMachine();
    const [begin, next] = await placed(machine, `05-went-back`);
    const [located] = await locate(machine, [SHOP]);
    const before = await readFile(located!.path, `utf8`);
    await refresh!(machine, located!);
    expect(await readFile(located!.path, `utf8`)).toBe(before);

    const more = rollout({type: `response_item`, ordinal: 900, payload: {type: `message`, role: `user`, content: [{type: `input_text`, text: `One more`}]}});
    await appendFile(next!, `${more}{"torn":`);
    await refresh!(machine, located!);
    expect(await readFile(located!.path, `utf8`)).toBe(before + more);

    const {thread, base} = {thread: located!.nativeId, base: JSON.parse((await readFile(begin!, `utf8`)).split(`\n`)[0]!) as {payload: object}};
    const third = path.join(path.dirname(begin!), `rollout-2026-11-23T03-00-00-${thread}_ffffffff-0000-7000-8000-000000000000.jsonl`);
    await writeFile(third, rollout(
      {type: `session_meta`, ordinal: 3, payload: {...base.payload, history_base: {thread_id: thread, end_ordinal_exclusive: 1, end_byte_offset: 10}}},
      {type: `response_item`, ordinal: 4, payload: {type: `message`, role: `user`, content: [{type: `input_text`, text: `All anew`}]}},
    ));
    await refresh!(machine, located!);
    const after = await readFile(located!.path, `utf8`);
    expect(after.startsWith(before + more)).toBe(true);
    expect(promptsIn(after)).toEqual([`All anew`]);
  });

  it(`is joined anew where our notes of it are lost, to the same text`, async () => {
    const machine = await scratchMachine();
    await placed(machine, `05-went-back`);
    const [located] = await locate(machine, [SHOP]);
    const before = await readFile(located!.path, `utf8`);
    await writeFile(`${located!.path}.parts`, `torn`);
    await refresh!(machine, located!);
    expect(await readFile(located!.path, `utf8`)).toBe(before);
  });

  it(`may begin in another session's files`, async () => {
    const machine = await scratchMachine();
    await placed(machine, `05-went-back`, `06-fork`);
    const found = await locate(machine, [SHOP]);
    expect(found).toHaveLength(2);
    const fork = found.find(({nativeId}) => nativeId === `01a2062e-acef-7041-bd81-7b1c54cc6b3f`)!;
    const text = await readFile(fork.path, `utf8`);
    expect(promptsIn(text)).toEqual([`Where are the carts?`, `What does the README say?`, `The question without it`, `In the fork`]);
    expect(text).not.toContain(`A question with a mistake`);
    expect(read(text).reader.facts().nativeId).toBe(fork.nativeId);
  });

  it(`whose first file is gone says so`, async () => {
    const machine = await scratchMachine();
    await placed(machine, `06-fork`);
    const [fork] = await locate(machine, [SHOP]);
    const {reader} = read(await readFile(fork!.path, `utf8`));
    expect(reader.facts().repairs).toMatchObject([{code: `missing-base`}]);
  });
});

describe(`events of hooks`, () => {
  const ROLLOUT = `/home/alice/.codex/sessions/2026/11/22/rollout-2026-11-22T20-06-23-${ID(1)}.jsonl`;
  const event = (more: object): Json => ({session_id: ID(1), transcript_path: ROLLOUT, cwd: SHOP, hook_event_name: `Stop`, ...more}) as Json;

  it.each<[object, object]>([
    [{hook_event_name: `SessionStart`, source: `startup`}, {}],
    [{hook_event_name: `UserPromptSubmit`, prompt: `Say "hi"\n`}, {awaits: `Say \\"hi\\"\\n`}],
    [{hook_event_name: `UserPromptSubmit`, prompt: `${`x`.repeat(299)}🎉`}, {awaits: `x`.repeat(299)}],
    [{hook_event_name: `PostToolUse`, tool_use_id: `call_1`}, {awaits: `"call_id":"call_1","output"`}],
    [{hook_event_name: `PostToolUse`, tool_use_id: `exec-1`}, {}],
    [{hook_event_name: `Stop`, last_assistant_message: `Done.`}, {turnEnd: true, awaits: `Done.`}],
    [{hook_event_name: `Stop`, last_assistant_message: null}, {turnEnd: true}],
    [{hook_event_name: `Interrupt`}, {turnEnd: true}],
    [{hook_event_name: `PostCompact`, trigger: `manual`}, {turnEnd: true}],
    [{hook_event_name: `SessionEnd`, reason: `other`}, {turnEnd: true, sessionEnd: true}],
  ])(`%j`, async (more, meaning) => {
    const machine = await scratchMachine();
    const name = (more as {hook_event_name: string}).hook_event_name;
    expect(fromEvent(machine, event(more))).toEqual({
      agent: `codex`, nativeId: ID(1), session: ID(1), path: ROLLOUT, cwd: SHOP, size: 0, mtimeMs: 0, event: {name, cwd: SHOP, ...meaning},
    });
  });

  it(`name the joined file of a session that goes on elsewhere`, async () => {
    const machine = await scratchMachine();
    const [begin, next] = await placed(machine, `05-went-back`, `06-fork`);
    const there = await locate(machine, [SHOP]);
    const paths = new Set(there.map(({path: file}) => file));
    const id = there.find(({nativeId}) => begin!.includes(nativeId))!.nativeId;
    expect(paths).toContain(fromEvent(machine, event({session_id: id, transcript_path: next!}))!.path);
    const [fork] = rolloutsOf(`06-fork`);
    const forked = path.join(path.dirname(begin!), path.basename(fork!));
    expect(paths).toContain(fromEvent(machine, event({session_id: `01a2062e-acef-7041-bd81-7b1c54cc6b3f`, transcript_path: forked}))!.path);
  });

  it.each<[string, object]>([
    [`no object`, {hook_event_name: 3}],
    [`a session without a file`, {transcript_path: null}],
    [`a file of another session`, {session_id: ID(2)}],
    [`no place of Codex`, {transcript_path: `/etc/rollout-2026-11-22T20-06-23-${ID(1)}.jsonl`}],
    [`a way out of it`, {transcript_path: `/home/alice/.codex/sessions/2026/11/22/../22/rollout-2026-11-22T20-06-23-${ID(1)}.jsonl`}],
    [`another file`, {transcript_path: `/home/alice/.codex/sessions/2026/11/22/config.toml`}],
    [`a name that is none`, {hook_event_name: `Stop\n`}],
  ])(`are refused: %s`, async (_, more) => {
    expect(fromEvent(await scratchMachine(), event(more))).toBeNull();
  });
});

describe(`hooks`, () => {
  const {settingsPath, install, remove, installed, confirm, scope} = codex.hooks!;

  it(`stand in the person's own file`, async () => {
    const machine = await scratchMachine();
    expect(scope).toBe(`user`);
    expect(settingsPath(machine, SHOP, {local: false})).toBe(path.join(machine.home, `.codex`, `hooks.json`));
    expect(settingsPath({...machine, env: {...machine.env, CODEX_HOME: `/home/alice/.cx`}}, SHOP, {local: true})).toBe(`/home/alice/.cx/hooks.json`);
    expect(confirm).toMatch(/trust/);
  });

  it(`are put in once, beside others, and leave nothing behind`, () => {
    const first = install(null);
    const events = Object.keys((JSON.parse(first.text) as {hooks: object}).hooks);
    expect(events).toEqual([`SessionStart`, `UserPromptSubmit`, `PostToolUse`, `PostCompact`, `Stop`, `Interrupt`, `SessionEnd`]);
    expect(first.text).toContain(`session-sync-hook codex >/dev/null 2>&1; exit 0`);
    expect(install(first.text).text).toBe(first.text);
    expect(installed(first.text)).toBe(`yes`);
    expect(installed(null)).toBe(`no`);
    expect(remove(first.text)).toMatchObject({text: null});

    const other = `${JSON.stringify({hooks: {Stop: [{hooks: [{type: `command`, command: `say done`}]}]}}, null, 2)}\n`;
    const both = install(other);
    expect(remove(both.text)!.text).toBe(other);
    expect(remove(other)).toBeNull();
    expect(() => install(`{ no JSON`)).toThrow();
  });
});
