import {mkdir, readFile, utimes, writeFile} from 'node:fs/promises';
import path                         from 'node:path';

import {describe, expect, it}       from 'vitest';

import {amp}                        from '../../../sources/agents/amp/index.ts';
import {handOff}                    from '../../../sources/agents/amp/handOff.ts';
import {linesOf, parseThread, writeJournal} from '../../../sources/agents/amp/thread.ts';
import type {Machine}               from '../../../sources/agents/types.ts';
import type {Json}                  from '../../../sources/interchange/index.ts';
import {temporaryFolders}           from '../../_temporary.ts';
import {linesOf as sourceLines, readLines, readerBattery, writerBattery} from '../_battery.ts';

const LEGACY = path.join(import.meta.dirname, `../../fixtures/amp/legacy.json`);
const ID = `T-11111111-1111-4111-8111-111111111111`;
const folder = temporaryFolders();

async function machine(): Promise<Machine> {
  return {env: {PATH: ``}, home: await folder(), platform: `linux`, tmp: await folder()};
}

const text = await readFile(LEGACY, `utf8`);
const journal = linesOf(parseThread(text)).map(line => `${line}\n`).join(``);

describe(`a thread of Amp`, () => {
  it(`reads as a session`, () => {
    const {records, reader} = readLines(amp.source!, sourceLines(journal), {name: `thread.jsonl`});
    expect(records.map(({kind}) => kind)).toEqual([`prompt`, `reply`, `call`, `result`, `call`, `result`, `call`, `result`, `reply`]);
    expect(records[2]).toMatchObject({name: `Read`, tool: `read`, args: {path: `/home/alice/shop/cart.js`}});
    expect(records[3]).toMatchObject({content: [{type: `text`, text: `export const cart = [];`}]});
    expect(records[4]).toMatchObject({tool: `shell`, args: {command: `false`}});
    expect(records[5]).toMatchObject({error: true, content: [{type: `text`, text: `exit 1`}]});
    expect(records[6]).toMatchObject({name: `some_foreign_tool`, tool: `other`, input: {x: 1}});
    expect(records[8]).toMatchObject({text: `done`, final: true});
    expect(reader.facts()).toMatchObject({nativeId: ID, idle: true, repairs: []});
  });

  it(`has newer names for its tools`, () => {
    const lines = [
      {type: `message`, message: {role: `assistant`, messageId: 0, content: [
        {type: `tool_use`, id: `a`, name: `shell_command`, input: {command: `ls`, workdir: `/home/alice/shop`}},
        {type: `tool_use`, id: `b`, name: `edit_file`, input: {path: `a.js`, old_str: `1`, new_str: `2`}},
        {type: `tool_use`, id: `c`, name: `read_web_page`, input: {url: `https://example.org`}},
      ]}},
      {type: `message`, message: {role: `user`, content: [{type: `tool_result`, toolUseID: `a`, run: {status: `done`, result: {output: `x`, exitCode: 2}}}, {type: `tool_result`, toolUseID: `b`, run: {status: `cancelled`, reason: `user`}}]}},
      {type: `message`, message: {role: `user`, content: [{type: `text`, text: `Go on`}]}},
    ].map(line => `${JSON.stringify(line)}\n`).join(``);
    const {records} = readLines(amp.source!, sourceLines(lines), {name: `thread.jsonl`});
    expect(records).toMatchObject([
      {tool: `shell`, args: {command: `ls`, workdir: `/home/alice/shop`}}, {tool: `edit`, args: {path: `a.js`, edits: [{old: `1`, new: `2`}]}}, {tool: `fetch`, args: {url: `https://example.org`}},
      {kind: `result`, exitCode: 2, error: true}, {kind: `result`, interrupted: true}, {kind: `result`, healed: true}, {kind: `prompt`},
    ]);
  });

  it(`has a journal that only grows`, async () => {
    const here = await machine();
    const whole = parseThread(text);
    const file = await writeJournal(here, {...whole, messages: whole.messages.slice(0, 3)});
    const first = await readFile(file, `utf8`);
    await writeJournal(here, {...whole, title: `The cart`});
    const second = await readFile(file, `utf8`);
    expect(second.startsWith(first)).toBe(true);
    await writeJournal(here, {...whole, title: `The cart`});
    expect(await readFile(file, `utf8`)).toBe(second);
    const {records, reader} = readLines(amp.source!, sourceLines(second), {name: `thread.jsonl`});
    expect(records.filter(({kind}) => kind === `prompt`)).toHaveLength(1);
    expect(reader.facts().title).toBe(`The cart`);

    const edited = {...whole, messages: [{role: `user`, messageId: 0, content: [{type: `text`, text: `Something else`}]}] as Array<Json>};
    await writeJournal(here, edited);
    const third = readLines(amp.source!, sourceLines(await readFile(file, `utf8`)), {name: `thread.jsonl`}).records;
    expect(third.slice(0, records.length)).toEqual(records);
    expect(third.slice(records.length)).toMatchObject([{kind: `branch`, parent: -1}, {kind: `prompt`, content: [{text: `Something else`}]}]);
  });

  it(`waits for an answer that is still being given`, () => {
    const thread = {id: ID, messages: [{role: `user`, content: []}, {role: `assistant`, content: [], state: {type: `streaming`}}] as Array<Json>};
    expect(linesOf(thread)).toHaveLength(2);
  });

  it.each([`not JSON`, `[]`, `{"id":"../../x","messages":[]}`, `{"id":"${ID}"}`, `{"a":`.repeat(100_000)])(`is refused where it is none: %.40s`, bad => {
    expect(() => parseThread(bad)).toThrow(/no thread/);
  });
});

describe(`Amp's store`, () => {
  it(`has old threads of this folder, and reads one only when it has changed`, async () => {
    const here = await machine();
    const project = await folder();
    const threads = path.join(here.home, `.local/share/amp/threads`);
    await mkdir(threads, {recursive: true});
    const thread = {...JSON.parse(text), env: {initial: {trees: [{uri: `file://${project}`}]}}};
    await writeFile(path.join(threads, `${ID}.json`), JSON.stringify(thread));
    await writeFile(path.join(threads, `T-22222222-1111-4111-8111-111111111111.json`), `broken`);
    await utimes(path.join(threads, `${ID}.json`), 1_790_000_000, 1_790_000_000);

    const [found, ...others] = await amp.source!.locate(here, [project]);
    expect(others).toEqual([]);
    expect(found).toMatchObject({agent: `amp`, nativeId: ID, cwd: project});
    expect(await amp.source!.locate(here, [await folder()])).toEqual([]);
    expect(await amp.present(here)).toBe(true);
    expect((await amp.detect(here)).found).toBe(true);
  });

  it(`asks for a thread only when it has a name of one`, async () => {
    const here = await machine();
    await expect(amp.source!.fetch!(here, `../../etc/passwd`, here.home)).rejects.toThrow(/no id of a thread/);
    await expect(amp.source!.fetch!(here, ID, here.home)).rejects.toThrow(/not on PATH/);
  });
});

describe(`a document to hand over`, () => {
  it(`has prompts, answers, calls and outputs, each in a fence that nothing in it ends`, () => {
    const lines = [
      {message: {role: `user`, content: `Fix it`}},
      {message: {role: `assistant`, content: [{type: `text`, text: `Looking.`}, {type: `tool_use`, name: `Bash`, input: {command: `ls`}}]}},
      {message: {role: `user`, content: [{type: `tool_result`, content: `\`\`\`\`\nx\n${`y`.repeat(20_000)}`, is_error: true}]}},
    ].map(line => JSON.stringify(line)).join(`\n`);
    const document = handOff(`garbage\n${lines}\n`);
    expect(document).toContain(`## Prompt\n\nFix it`);
    expect(document).toContain(`## Answer\n\nLooking.`);
    expect(document).toContain(`### Bash`);
    expect(document).toContain(`\`\`\`\`\`\n\`\`\`\`\nx`);
    expect(document).toContain(`characters are left out`);
    expect(document.length).toBeLessThan(10_000);
  });
});

readerBattery(amp.source!, [{name: `legacy`, text: journal}]);
writerBattery({
  target: amp.target!,
  writing: {
    header: {format: `session-sync/1`, session: `5e551000-0000-4000-8000-000000000001`, agent: {id: `codex`, nativeId: `x`}, roots: {}, counts: {}},
    id: amp.target!.mirrorId(`5e551000-0000-4000-8000-000000000001`, 0), cwd: `/home/alice/shop`, settings: null,
  },
  check: () => {},
  numRuns: 40,
});
