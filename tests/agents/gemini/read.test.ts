import {describe, expect, it}                 from 'vitest';

import {gemini}                               from '../../../sources/agents/gemini/index.ts';
import {NeedsFullRead}                        from '../../../sources/agents/types.ts';
import {linearize, sinceCompaction}           from '../../../sources/interchange/index.ts';
import type {Json, NeutralRecord}             from '../../../sources/interchange/index.ts';
import {linesOf, readLines}                   from '../_battery.ts';

import {bare, fixture, open, place, prompt, read, reply, result, shell} from './_session.ts';

const META = {sessionId: `91f8d1c6-eb86-4b19-a11f-b80a7062e478`, projectHash: `x`, startTime: `2026-11-22T19:20:33.532Z`, kind: `main`};
const user = (id: string, text: string): Json => ({id, timestamp: `2026-11-22T19:20:34.000Z`, type: `user`, content: [{text}]});
const model = (id: string, text: string, more: {[key: string]: Json} = {}): Json => ({id, timestamp: `2026-11-22T19:20:35.000Z`, type: `gemini`, content: text, ...more});
const context = user(`ctx`, `<session_context>\nThis is the Gemini CLI.\n</session_context>`);
const set = (...messages: Array<Json>): Json => ({$set: {messages}});
const tool = (id: string, output?: string, more: {[key: string]: Json} = {}): Json => ({
  id, name: `run_shell_command`, args: {command: `ls`}, status: `success`,
  ...output === undefined ? {} : {result: [{functionResponse: {id, name: `run_shell_command`, response: {output}}}]}, ...more,
});

/** What is live, in short. */
function said(records: Array<NeutralRecord>) {
  return short(linearize(records));
}

function short(records: Array<NeutralRecord>) {
  return records.map(record => {
    switch (record.kind) {
      case `prompt`: return `> ${record.content.map(part => part.type === `text` ? part.text : part.type).join(`|`)}`;
      case `reply`: return record.text;
      case `call`: return `call ${record.call}`;
      case `result`: return `result ${record.call}`;
      default: return record.kind;
    }
  });
}

function readFixture(name: string) {
  return readLines(gemini.source!, linesOf(fixture(name)), {name: `transcript.jsonl`});
}

describe(`recorded sessions`, () => {
  it(`01-tools: thoughts, texts, calls at once, results, patches and exit codes, each once`, () => {
    const {records, reader} = readFixture(`01-tools/chats/session-2026-11-22T19-20-91f8d1c6`);
    const first = `0c5d9fc4-4f34-4425-bded-d775ad43ab37`;
    const of = {message: first, model: `gemini-3.8-flash`};
    expect(bare(records).slice(0, 8)).toEqual([
      {kind: `prompt`, content: [{type: `text`, text: `Please raise the price to 2 and write notes.`}]},
      {kind: `model`, model: `gemini-3.8-flash`},
      {kind: `reasoning`, text: `**Planning** I should look at the files first.`, message: first, provider: `google`},
      {kind: `reply`, text: `I will read the README.`, ...of},
      {kind: `call`, call: `read_file__fc-1`, name: `read_file`, tool: `read`, args: {path: `README.md`}, input: {file_path: `README.md`}, ...of},
      {kind: `call`, call: `run_shell_command__fc-2`, name: `run_shell_command`, tool: `shell`, args: {command: `echo shell-output-42 && ls`}, input: {command: `echo shell-output-42 && ls`, description: `List files`}, ...of},
      {kind: `result`, call: `read_file__fc-1`, content: [{type: `text`, text: `hello from README\n`}]},
      {kind: `result`, call: `run_shell_command__fc-2`, exitCode: 0, content: [{type: `text`, text: `<untrusted_context>\nOutput: shell-output-42\nREADME.md\nprice.js\nProcess Group PGID: 11538\n</untrusted_context>`}]},
    ]);
    expect(records.flatMap(record => record.kind === `result` && record.patch ? record.patch : [])).toEqual([
      {path: `/home/alice/shop/price.js`, change: `update`, diff: `@@ -1,1 +1,1 @@\n-export const price = 1;\n+export const price = 2;\n`},
      {path: `/home/alice/shop/NOTES.md`, change: `add`, content: `note one\n`},
    ]);
    expect(records.flatMap(record => record.kind === `result` && record.exitCode !== undefined ? [record.exitCode] : [])).toEqual([0, 1]);
    expect(records[0]).toMatchObject({seq: 0, id: `b67a0d1b-fa5f-4544-bff6-01dbcb72790e`, time: `2026-11-22T19:20:33.580Z`});
    expect(reader.facts()).toMatchObject({
      nativeId: META.sessionId, created: `2026-11-22T19:20:33.532Z`, updated: `2026-11-22T19:20:33.835Z`, model: `gemini-3.8-flash`, idle: true, repairs: [],
      counts: {prompt: 1, model: 1, reasoning: 2, reply: 2, call: 5, result: 5},
    });
  });

  it(`02-after-resume: the list that a resume writes in another form says nothing new`, () => {
    const before = readFixture(`01-tools/chats/session-2026-11-22T19-20-91f8d1c6`).records;
    const {records, reader} = readFixture(`02-after-resume/chats/session-2026-11-22T19-20-91f8d1c6`);
    expect(records.slice(0, before.length)).toEqual(before);
    expect(bare(records.slice(before.length)).map(({kind}) => kind)).toEqual([`title`, `prompt`, `reply`]);
    expect(reader.facts().title).toBe(`Fake summary of session`);
  });

  it(`03-errors-subagent: failures, a cut output, a sub-agent's stream`, () => {
    const {records} = readFixture(`03-errors-subagent/chats/session-2026-11-22T20-04-ed8de02f`);
    const results = records.flatMap(record => record.kind === `result` ? [record] : []);
    expect(results.map(record => record.error === true)).toEqual([false, true, true, true, false, false, false, false, false]);
    expect(results[4]!.full).toEqual({path: `/home/alice/.gemini/tmp/shop/tool-outputs/session-ed8de02f-c462-47d0-acbf-c9440a33ece4/run_shell_command__fc-5.txt`});
    expect(results[8]!.stream).toBe(`sub-399d2e7d-dd45-4dae-a41a-e73db9d285ff`);

    const sub = readFixture(`03-errors-subagent/chats/ed8de02f-c462-47d0-acbf-c9440a33ece4/399d2e7d-dd45-4dae-a41a-e73db9d285ff`);
    expect(sub.records.filter(({kind}) => kind === `call`)).toHaveLength(2);
  });

  it(`04-cancelled: what was taken back is on a branch of its own`, () => {
    const {records} = readFixture(`04-cancelled/chats/session-2026-11-22T19-36-1d013cb0`);
    expect(records.map(({kind, parent}) => [kind, parent])).toEqual([[`prompt`, undefined], [`interrupt`, undefined], [`branch`, -1]]);
    expect(linearize(records)).toEqual([]);
  });
});

describe(`messages`, () => {
  it(`with calls that come with their results later, as parts, and in both forms are the same`, () => {
    const later = read(META, user(`u`, `a`), model(`m`, `x`), model(`m`, `x`, {toolCalls: [tool(`c`, `out`)]}));
    const parts = read(META, user(`u`, `a`),
      {id: `m`, type: `gemini`, content: [{thought: true, text: ``}, {text: `x`}, {functionCall: {id: `c`, name: `run_shell_command`, args: {command: `ls`}}}], toolCalls: [tool(`ui-c`)]},
      {id: `r`, type: `user`, content: [{functionResponse: {id: `c`, name: `run_shell_command`, response: {output: `out`}}}]});
    expect(said(later.records)).toEqual([`> a`, `x`, `call c`, `result c`]);
    expect(said(parts.records)).toEqual(said(later.records));
  });

  it(`get of the results of a whole turn only their own`, () => {
    const all: Json = [{functionResponse: {id: `a`, name: `x`, response: {output: `one`}}}, {functionResponse: {id: `b`, name: `x`, response: {error: `two`}}}];
    const {records} = read(META, model(`m`, ``, {toolCalls: [tool(`a`, undefined, {result: all}), tool(`b`, undefined, {result: all, status: `error`})]}));
    expect(bare(records).filter(({kind}) => kind === `result`)).toEqual([
      {kind: `result`, call: `a`, content: [{type: `text`, text: `one`}], exitCode: 0}, {kind: `result`, call: `b`, content: [{type: `text`, text: `two`}], error: true},
    ]);
  });

  it(`keep their pictures, also those beside a result and inside it`, () => {
    const inlineData = {mimeType: `image/png`, data: `QUJD`};
    const {records} = read(META, {id: `u`, type: `user`, content: [{text: `look`}, {inlineData}]},
      model(`m`, ``, {toolCalls: [tool(`c`, undefined, {result: [{functionResponse: {id: `c`, name: `x`, response: {output: `o`}, parts: [{inlineData}]}}, {inlineData}]})]}));
    const image = {type: `image`, mediaType: `image/png`, data: `QUJD`};
    expect(records[0]).toMatchObject({content: [{type: `text`, text: `look`}, image]});
    expect(records[2]).toMatchObject({content: [{type: `text`, text: `o`}, image, image]});
  });

  it(`that were shown only, and context, are no part of it; a cancelled call was interrupted`, () => {
    const {records, reader} = read(META, set(context), user(`u`, `a`), {id: `i`, type: `info`, content: `Update!`}, {id: `e`, type: `error`, content: `x`},
      model(`m`, ``, {toolCalls: [tool(`c`, undefined, {status: `cancelled`, result: [{functionResponse: {id: `c`, name: `x`, response: {error: `[Operation Cancelled] Reason: User`}}}]})]}));
    expect(said(records)).toEqual([`> a`, `call c`, `result c`]);
    expect(records[2]).toMatchObject({error: true, interrupted: true});
    expect(reader.facts().ignored).toMatchObject({'message/info': 1, 'message/error': 1});
  });

  it(`whose prompt begins with a slash keep it, and lose only the part that protects it`, () => {
    const {records} = read(META, user(`u`, `/home/alice/x is broken`), {id: `v`, type: `user`, content: [{text: `\u200b`}, {text: `? what`}]});
    expect(said(records)).toEqual([`> /home/alice/x is broken`, `> ? what`]);
  });

  it(`give calls with a known id another one`, () => {
    const {records} = read(META, model(`m`, ``, {toolCalls: [tool(`c`, `1`)]}), model(`n`, ``, {toolCalls: [tool(`c`, `2`)]}));
    expect(said(records)).toEqual([`call c`, `result c`, `call c~2`, `result c~2`]);
  });

  it(`tell of plans when these were taken`, () => {
    const todos = [{description: `a`, status: `in_progress`}, {description: `b`, status: `cancelled`}];
    const call = {id: `t`, name: `write_todos`, args: {todos}, status: `success`, result: [{functionResponse: {id: `t`, name: `write_todos`, response: {output: `ok`}}}]};
    const {records} = read(META, model(`m`, ``, {toolCalls: [call]}));
    expect(bare(records).at(-1)).toEqual({kind: `plan`, items: [{step: `a`, status: `in_progress`}]});
  });
});

describe(`lists that replace one another`, () => {
  const turn = [user(`u1`, `a`), model(`m1`, `A`), user(`u2`, `b`), model(`m2`, `B`)];

  it(`say nothing new under other ids, with outputs that were taken out, or with more at their end`, () => {
    const masked = set(context, user(`x1`, `a`), {id: `x2`, type: `gemini`, content: [{text: `A`}]}, user(`x3`, `b`), model(`x4`, `B`), user(`x5`, `c`));
    const {records} = read(META, set(context), ...turn, masked, model(`x6`, `C`));
    expect(records.some(({kind}) => kind === `branch`)).toBe(false);
    expect(said(records)).toEqual([`> a`, `A`, `> b`, `B`, `> c`, `C`]);
  });

  it(`leave what they do not have any more`, () => {
    const {records} = read(META, set(context), ...turn, set(context, turn[0]!, turn[1]!), user(`u3`, `c`));
    expect(records.find(({kind}) => kind === `branch`)).toMatchObject({parent: 1, reason: `taken back`});
    expect(said(records)).toEqual([`> a`, `A`, `> c`]);
  });

  it(`tell again what comes after a difference`, () => {
    const {records} = read(META, ...turn, set(turn[0]!, model(`n`, `Other`), user(`u2`, `b`)));
    expect(said(records)).toEqual([`> a`, `Other`, `> b`]);
  });

  it(`are rewound to a message, or to nothing where it is unknown`, () => {
    expect(said(read(META, ...turn, {$rewindTo: `u2`}, user(`u3`, `c`)).records)).toEqual([`> a`, `A`, `> c`]);
    expect(said(read(META, ...turn, {$rewindTo: `zzz`}, user(`u3`, `c`)).records)).toEqual([`> c`]);
  });

  it(`keep the results of what stays`, () => {
    const {records} = read(META, user(`u1`, `a`), model(`m1`, ``, {toolCalls: [tool(`c`, `out`)]}), user(`u2`, `b`), {$rewindTo: `u2`}, user(`u3`, `c`));
    expect(said(records)).toEqual([`> a`, `call c`, `result c`, `> c`]);
  });

  it(`stay where a resume within the same minute begins again in the same file, and are left where it says something else`, () => {
    const again = [META, set(context)];
    const {records} = read(META, set(context), ...turn, ...again, {$set: {sessionId: META.sessionId}}, set(context, ...turn), user(`u3`, `c`));
    expect(said(records)).toEqual([`> a`, `A`, `> b`, `B`, `> c`]);
    expect(records.some(({kind}) => kind === `branch`)).toBe(false);
    expect(said(read(META, set(context), ...turn, ...again, user(`u3`, `c`)).records)).toEqual([`> c`]);
  });

  it(`that begin with a summary are a compaction, with the messages it keeps`, () => {
    const summary = user(`s`, `<state_snapshot>All of it.</state_snapshot>`);
    const thanks = model(`t`, `Got it. Thanks for the additional context!`);
    const list = set(context, summary, thanks, user(`y3`, `b`), model(`y4`, `B`));
    const {records} = read(META, set(context), ...turn, list, user(`u3`, `c`), model(`m3`, `C`), set(context, summary, thanks, user(`z3`, `b`), model(`z4`, `B`), user(`z5`, `c`), model(`z6`, `C`)));
    expect(records.filter(({kind}) => kind === `compaction`)).toMatchObject([{summary: `<state_snapshot>All of it.</state_snapshot>`, keep: [2, 3]}]);
    expect(short(sinceCompaction(linearize(records)))).toEqual([`compaction`, `> b`, `B`, `> c`, `C`]);
    expect(records.some(({kind}) => kind === `branch`)).toBe(false);
  });

  it(`that keep nothing that is known tell it anew`, () => {
    const {records} = read(META, ...turn, set(user(`s`, `<state_snapshot>S</state_snapshot>`), user(`y`, `b, cut`)));
    expect(short(sinceCompaction(linearize(records)))).toEqual([`compaction`, `> b, cut`]);
  });
});

describe(`changed messages`, () => {
  it(`at the end are another branch, before others they stay`, () => {
    expect(said(read(META, user(`u`, `a`), user(`u`, `b`)).records)).toEqual([`> b`]);
    const {records, reader} = read(META, user(`u`, `a`), model(`m`, `A`), user(`u`, `b`));
    expect(said(records)).toEqual([`> a`, `A`]);
    expect(reader.facts().repairs).toMatchObject([{code: `changed-message`}]);
  });
});

describe(`the state`, () => {
  const long = [META, ...Array.from({length: 1_100}, (_, index) => [user(`u${index}`, `prompt ${index}`), model(`m${index}`, `answer ${index}`)]).flat()];
  const lines = (values: Array<Json>) => linesOf(values.map(value => `${JSON.stringify(value)}\n`).join(``));
  const list = long.slice(1) as Array<Json>;

  it(`is bounded, and knows a long list again`, () => {
    const reader = gemini.source!.openReader({name: `x`, stream: `main`});
    for (const line of lines(long))
      reader.push(line);
    expect(JSON.stringify(reader.save()).length).toBeLessThan(200_000);
    const again = gemini.source!.openReader({name: `x`, stream: `main`}, JSON.parse(JSON.stringify(reader.save())));
    expect(again.push(lines([set(...list)])[0]!)).toEqual([]);
    expect(again.push(lines([set(...list.slice(0, -1))])[0]!)).toMatchObject([{kind: `branch`, parent: list.length - 2}]);
  });

  it.each([[`a shorter list`, set(...list.slice(0, 100))], [`another one`, set(user(`q`, `other`), ...list)], [`a message far back`, {$rewindTo: `u10`}]])(`asks for a full read where %s reaches further back`, (_, value) => {
    const reader = gemini.source!.openReader({name: `x`, stream: `main`});
    for (const line of lines(long))
      reader.push(line);
    expect(() => reader.push(lines([value])[0]!)).toThrow(NeedsFullRead);
    const {records} = readLines(gemini.source!, lines([...long, value]), {name: `x`});
    expect(records.filter(({kind}) => kind === `branch`)).toHaveLength(1);
  });

  it(`of another version asks for a full read`, () => {
    expect(() => gemini.source!.openReader({name: `x`, stream: `main`}, {v: 0}).push(lines([META])[0]!)).toThrow(NeedsFullRead);
  });
});

describe(`what we wrote ourselves`, () => {
  it(`comes back as it was`, () => {
    const records = place(
      prompt(`/a`), reply(`Look.`, `m`), shell(`c1`, `1`, `m`), shell(`c2`, `2`, `m`), result(`c1`, `one`), shell(`c3`, `3`, `m`), result(`c3`, `three`), result(`c2`, `two`, {error: true}),
      reply(`Done.`, `n`), prompt(`b`), {kind: `title`, title: `Mine`, origin: `custom`},
    );
    const writer = open();
    const text = writer.begin() + records.map(record => writer.push(record)).join(``);
    const again = readLines(gemini.source!, linesOf(text), {name: `x`}).records;
    expect(said(again)).toEqual([`> /a`, `title`, `Look.`, `call c1`, `call c2`, `result c1`, `call c3`, `result c3`, `result c2`, `Done.`, `> b`, `title`]);
    expect(again.some(({kind}) => kind === `branch`)).toBe(false);
  });
});
