import {describe, expect, it}                 from 'vitest';

import {qwen}                                 from '../../../sources/agents/qwen/index.ts';
import {linearize}                            from '../../../sources/interchange/index.ts';
import type {JsonObject, NeutralRecord}       from '../../../sources/interchange/index.ts';
import {NeedsFullRead}                        from '../../../sources/agents/types.ts';
import {linesOf}                              from '../_battery.ts';

import {fixture, read}                        from './_session.ts';

const SESSION = `0f6d2c1e-8a54-4c6e-9d3b-7b1f2a90c4d8`;

/** Lines of a session; each follows the one before it unless it says otherwise. */
function session(...lines: Array<JsonObject>): string {
  let last: string | null = null;
  return lines.map((line, index) => {
    const whole: JsonObject = {uuid: `u${index}`, parentUuid: last, sessionId: SESSION, timestamp: `2026-11-20T10:00:0${index % 10}.000Z`, cwd: `/home/alice/shop`, ...line};
    last = whole.uuid as string;
    return `${JSON.stringify(whole)}\n`;
  }).join(``);
}

const user = (text: string, more: JsonObject = {}): JsonObject => ({type: `user`, message: {role: `user`, parts: [{text}]}, ...more});
const model = (...parts: Array<JsonObject>): JsonObject => ({type: `assistant`, message: {role: `model`, parts}});
const call = (id: string, name = `run_shell_command`, args: JsonObject = {command: `ls`}): JsonObject => ({functionCall: {id, name, args}});
const answer = (id: string, response: JsonObject, outcome: JsonObject = {}): JsonObject =>
  ({type: `tool_result`, message: {role: `user`, parts: [{functionResponse: {id, name: `x`, response}}]}, toolCallResult: {callId: id, status: `success`, ...outcome}});
const system = (subtype: string, systemPayload: JsonObject = {}, more: JsonObject = {}): JsonObject => ({type: `system`, subtype, systemPayload, ...more});

const brief = (records: Array<NeutralRecord>) => linearize(records).map(record =>
  record.kind === `prompt` ? `prompt ${record.content.map(part => part.type === `text` ? part.text : part.type).join(`|`)}`
    : record.kind === `reply` ? `reply ${record.text}` : record.kind === `call` || record.kind === `result` ? `${record.kind} ${record.call}` : record.kind);

describe(`recorded sessions`, () => {
  it(`give prompts, answers, calls and results with what is known of them`, () => {
    const {records, facts} = read(fixture(`01`).text);
    expect(facts).toMatchObject({
      nativeId: `346b1284-31a5-48b3-abaf-cedb30800372`, version: `0.24.4`, cwd: `/home/alice/shop`, branch: `master`, model: `fake-model`, idle: true, repairs: [],
      created: `2026-11-22T19:41:59.810Z`, counts: {prompt: 2, model: 1, reasoning: 2, reply: 3, call: 6, result: 6},
    });
    expect(records[0]).toEqual({
      seq: 0, kind: `prompt`, content: [{type: `text`, text: `Please raise the price to 2 and write notes.`}], id: `93365f95-20b8-4c7c-bcdd-c02d31ce95fe`,
      time: `2026-11-22T19:41:59.810Z`, cwd: `/home/alice/shop`, head: {branch: `master`},
    });
    const message = `548a6d48-020d-49b2-9a9f-8122b7ceb90d`;
    expect(records.slice(2, 8)).toMatchObject([
      {kind: `reasoning`, text: `I should look at the files first.`, message},
      {kind: `reply`, text: `I will read the README.`, message, model: `fake-model`},
      {kind: `call`, call: `call_1`, name: `read_file`, tool: `read`, args: {path: `/home/alice/shop/README.md`}, message},
      {kind: `call`, call: `call_2`, tool: `shell`, args: {command: `echo shell-output-42 && ls`}, input: {description: `List files`}},
      {kind: `result`, call: `call_1`, content: [{type: `text`, text: `hello from README\n`}]},
      {kind: `result`, call: `call_2`, exitCode: 0},
    ]);
    expect(records.find(record => record.kind === `result` && record.call === `call_4`)).toMatchObject({patch: [{path: `/home/alice/shop/price.js`, change: `update`, diff: `@@ -1,1 +1,1 @@\n-export const price = 1;\n+export const price = 2;\n`}]});
    expect(records.find(record => record.kind === `result` && record.call === `call_5`)).toMatchObject({patch: [{change: `add`, content: `note one\n`}]});
    expect(records.find(record => record.kind === `result` && record.call === `call_6`)).toMatchObject({error: true, exitCode: 1});
    expect(records.filter(record => record.kind === `reply` && record.final)).toHaveLength(2);
  });

  it(`give errors, cut outputs, and the stream of a sub-agent`, () => {
    const {records} = read(fixture(`02`).text);
    const results = new Map(records.flatMap(record => record.kind === `result` ? [[record.call, record]] : []));
    expect(results.get(`call_3`)).toMatchObject({error: true, content: [{text: expect.stringContaining(`not found in registry`)}]});
    expect(results.get(`call_4`)!.full!.path).toMatch(/^\/home\/alice\/\.qwen\/tmp\/[0-9a-f]+\/run_shell_command_52aca56304d0\.output$/);
    expect(results.get(`call_7`)!.stream).toBe(`sub-general-purpose-call_7`);
    expect(records.filter(record => record.kind === `note`)).toMatchObject([{what: `notification`, visible: true, text: expect.stringContaining(`SUB-ANSWER`)}]);
  });

  it(`give images, interruptions and a compaction`, () => {
    const {records} = read(fixture(`03`).text);
    expect(records[0]).toMatchObject({kind: `prompt`, content: [{text: `Sieh dir das Logo an, 日本語 👋 @README.md`}, {}, {}, {text: `hello shop\n`}, {}]});
    expect(records.some(record => record.kind === `result` && record.content.some(part => part.type === `image` && part.mediaType === `image/jpeg`))).toBe(true);
    expect(records.find(record => record.kind === `result` && record.interrupted)).toMatchObject({error: true, interrupted: true});
    expect(records.find(record => record.kind === `compaction`)).toMatchObject({
      summary: `<state_snapshot>The logo is red; the person waits.</state_snapshot>`, trigger: `manual`, tokensBefore: 5000,
    });
    expect(records.find(record => record.kind === `note`)).toMatchObject({what: `restored-context`, visible: true, text: expect.stringMatching(/^Recent visual snapshots/)});
    expect(brief(records).slice(-2)).toEqual([`prompt Thanks!`, `reply You are welcome.`]);
  });
});

describe(`the chain`, () => {
  it(`is left where a later line goes back`, () => {
    const {records} = read(session(user(`One`), model({text: `1`}), user(`Two`), model({text: `2`}), system(`rewind`, {}, {parentUuid: `u1`}), user(`Three`)));
    expect(records.filter(({kind}) => kind === `branch`)).toMatchObject([{parent: 1, reason: `rewound`}]);
    expect(brief(records)).toEqual([`prompt One`, `reply 1`, `prompt Three`]);
    // The end is where the last line is, also when nothing follows.
    expect(brief(read(session(user(`One`), model({text: `1`}), user(`Two`), system(`rewind`, {}, {parentUuid: `u1`}))).records)).toEqual([`prompt One`, `reply 1`]);
  });

  it(`goes past lines that say nothing, also those beside it`, () => {
    const {records} = read(session(user(`One`), system(`ui_telemetry`), system(`custom_title`, {customTitle: `T`, titleSource: `manual`}, {parentUuid: `u0`}), model({text: `1`}), {...model({text: `2`}), parentUuid: `u3`}));
    expect(records.map(({kind}) => kind)).toEqual([`prompt`, `title`, `reply`, `reply`]);
    const beside = read(session(user(`One`), model({text: `1`}), system(`session_artifact_event`, {}, {parentUuid: null}), user(`Two`, {parentUuid: `u1`})));
    expect(beside.records.map(({kind}) => kind)).toEqual([`prompt`, `reply`, `prompt`]);
  });

  it(`begins anew where a parent is not there, as for Qwen Code`, () => {
    const {records, facts} = read(session(user(`One`), user(`Two`, {parentUuid: `gone`}), model({text: `2`})));
    expect(brief(records)).toEqual([`prompt Two`, `reply 2`]);
    expect(facts.repairs).toMatchObject([{code: `unknown-parent`}]);
  });

  it(`puts pieces of one message together`, () => {
    const {records} = read(session(user(`Go`), model({text: `a`}, call(`c1`)), {...model(call(`c2`)), uuid: `u1`, parentUuid: `u0`}, answer(`c1`, {output: `1`}), {...model(call(`c3`)), uuid: `u1`, parentUuid: `u0`},
      system(`none`, {}, {parentUuid: `u3`}), answer(`c2`, {output: `2`}), answer(`c3`, {output: `3`})));
    expect(brief(records)).toEqual([`prompt Go`, `reply a`, `call c1`, `call c2`, `result c1`, `call c3`, `result c2`, `result c3`]);
    expect(records.some(({kind}) => kind === `branch`)).toBe(false);
  });

  it(`asks for a full read when a line refers further back than the state reaches`, () => {
    const lines = linesOf(session(...Array.from({length: 3_000}, (_, index) => user(`Prompt ${index}`)), user(`Back`, {parentUuid: `u5`})));
    const bounded = qwen.source!.openReader({name: `x`});
    expect(() => lines.forEach(line => bounded.push(line))).toThrow(NeedsFullRead);
    expect(JSON.stringify(qwen.source!.openReader({name: `x`}).save()).length).toBeLessThan(1_000);
    expect(brief(read(session(...Array.from({length: 3_000}, (_, index) => user(`Prompt ${index}`)), user(`Back`, {parentUuid: `u5`}))).records)).toHaveLength(7);
  });

  it(`leaves out what Qwen Code would not take`, () => {
    const {records, facts} = read(`\uFEFF${session(user(`One`))}${session({type: `other`})}{"broken\n${JSON.stringify({type: `user`, uuid: `x`, parentUuid: `u0`, sessionId: `another`, message: {role: `user`, parts: [{text: `x`}]}})}\n`.replace(`\uFEFF`, ``));
    expect(brief(records)).toEqual([`prompt One`]);
    expect(facts.repairs.map(({code}) => code)).toEqual([`bad-record`, `bad-line`, `foreign-line`]);
  });
});

describe(`calls and results`, () => {
  it(`without a result get an empty one at the next prompt or answer`, () => {
    const {records, facts} = read(session(user(`Go`), model(call(`a`)), user(`Next`), model(call(`b`)), model({text: `x`}), answer(`b`, {output: `late`})));
    expect(brief(records)).toEqual([`prompt Go`, `call a`, `result a`, `prompt Next`, `call b`, `result b`, `reply x`]);
    expect(records.filter(record => record.kind === `result`)).toMatchObject([{healed: true, error: true}, {healed: true, error: true}]);
    expect(facts.repairs.map(({code}) => code)).toEqual([`missing-result`, `missing-result`, `late-result`]);
  });

  it(`may be several in a line, and in a line of type user`, () => {
    const {records} = read(session(user(`Go`), model(call(`a`), call(`b`)), {type: `user`, message: {role: `user`, parts: [{functionResponse: {id: `a`, response: {output: `1`}}}, {functionResponse: {id: `b`, response: {error: `2`}}}]}}));
    expect(records.slice(-2)).toMatchObject([{kind: `result`, call: `a`, content: [{text: `1`}]}, {kind: `result`, call: `b`, error: true}]);
    expect(records.at(-2)).not.toHaveProperty(`error`);
  });

  it(`say whether they were denied or interrupted, and what the plan is`, () => {
    const {records} = read(session(user(`Go`), model(call(`a`), call(`b`), call(`c`, `todo_write`, {todos: [{id: `1`, content: `s`, status: `in_progress`}]})),
      answer(`a`, {error: `[Operation Cancelled] Reason: User did not allow tool call`}, {status: `cancelled`}), answer(`b`, {error: `[Operation Cancelled] Reason: x`}, {status: `cancelled`}),
      answer(`c`, {output: `ok`}, {resultDisplay: {type: `todo_list`, todos: [{id: `1`, content: `s`, status: `in_progress`}]}})));
    expect(records.slice(-4)).toMatchObject([{denied: true}, {interrupted: true}, {kind: `result`}, {kind: `plan`, items: [{step: `s`, status: `in_progress`}]}]);
  });

  it(`with an id that was there before get another one`, () => {
    const {records} = read(session(user(`Go`), model(call(`a`)), answer(`a`, {output: `1`}), user(`Again`), model(call(`a`)), answer(`a`, {output: `2`})));
    expect(brief(records)).toEqual([`prompt Go`, `call a`, `result a`, `prompt Again`, `call a~2`, `result a~2`]);
  });
});

describe(`what the program itself says`, () => {
  it(`is a prompt only where a person typed it`, () => {
    const {records} = read(session(user(`Go`), user(`Hurry`, {subtype: `mid_turn_user_message`}), user(`<task-notification>x</task-notification>`, {subtype: `notification`}), user(`x`, {subtype: `realtime_message`}),
      {type: `user`, message: {role: `user`, parts: [{text: `Hi`}, {text: `<qwen:user-prompt-submit-context>\nof a hook\n</qwen:user-prompt-submit-context>`}]}}));
    expect(records).toMatchObject([{kind: `prompt`}, {kind: `prompt`, midTurn: true}, {kind: `note`, what: `notification`, visible: true}, {kind: `prompt`, content: [{text: `Hi`}]}, {kind: `note`, what: `hook-context`, visible: true}]);
  });

  it(`takes a prompt back that was a command`, () => {
    const done = {phase: `result`, rawCommand: `/about`, outputHistoryItems: [{type: `assistant`, text: `x`}]};
    expect(brief(read(session(user(`One`), model({text: `1`}), user(`/about`), system(`slash_command`, done), user(`Two`))).records)).toEqual([`prompt One`, `reply 1`, `prompt Two`]);
    expect(brief(read(session(user(`/about`), system(`slash_command`, {...done, sentToModel: true}), user(`Two`))).records)).toEqual([`prompt /about`, `prompt Two`]);
  });

  it(`is the title when it changes`, () => {
    const title = (customTitle: string, titleSource?: string) => system(`custom_title`, {customTitle, ...titleSource === undefined ? {} : {titleSource}});
    const {records, facts} = read(session(user(`Go`), title(`A`, `auto`), title(`A`, `auto`), title(`B`), title(`B`, `manual`)));
    expect(records.slice(1)).toMatchObject([{kind: `title`, title: `A`, origin: `generated`}, {kind: `title`, title: `B`, origin: `custom`}]);
    expect(facts.title).toBe(`B`);
  });

  it(`is no summary where old outputs were only taken out`, () => {
    const {records} = read(session(user(`Go`), model({text: `1`}), system(`chat_compression`, {info: {}, compressedHistory: [{role: `user`, parts: [{text: `Go`}]}, {role: `model`, parts: [{text: `1`}]}]}), user(`Two`)));
    expect(brief(records)).toEqual([`prompt Go`, `reply 1`, `note`, `prompt Two`]);
    expect(records[2]).toMatchObject({what: `chat_compression`});
  });

  it(`keeps the call that a compaction in the middle of a turn keeps`, () => {
    const history = [{role: `user`, parts: [{text: `SUM`}]}, {role: `model`, parts: [{text: `Got it. Thanks for the additional context!`}, call(`a`)]}];
    const {records} = read(session(user(`Go`), model(call(`a`)), system(`chat_compression`, {info: {triggerReason: `token_limit`}, compressedHistory: history}), answer(`a`, {output: `1`})));
    expect(records[2]).toMatchObject({kind: `compaction`, summary: `SUM`, keep: [1], trigger: `auto`});
    expect(records[3]).toMatchObject({kind: `result`, call: `a`});
  });
});
