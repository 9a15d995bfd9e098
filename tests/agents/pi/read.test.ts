import {describe, expect, it}                 from 'vitest';

import {openReader}                           from '../../../sources/agents/pi/read.ts';
import {NeedsFullRead}                        from '../../../sources/agents/types.ts';
import {MISSING_RESULT, linearize}            from '../../../sources/interchange/index.ts';
import type {JsonObject, NeutralRecord}       from '../../../sources/interchange/index.ts';
import {linesOf}                              from '../_battery.ts';

import {answer, call, fixtures, read, readText, result, textOf, user} from './_session.ts';

const kinds = (records: Array<NeutralRecord>) => records.map(({kind}) => kind).join(` `);
const said = (records: Array<NeutralRecord>) => linearize(records).flatMap(record => {
  switch (record.kind) {
    case `prompt`: return record.content.flatMap(part => part.type === `text` ? [part.text] : [part.type]);
    case `reply`: return [record.text];
    default: return [];
  }
});

describe(`recorded sessions`, () => {
  const [tools, branches] = fixtures.map(({text}) => readText(text));

  it(`with tools: each call in its normal form, each result with what is known of it`, () => {
    const {records, facts} = tools!;
    expect(facts).toMatchObject({nativeId: `01a2061c-7ee6-71f1-86a4-d2597323d07c`, cwd: `/home/alice/shop`, model: `fake-1`, created: `2026-11-23T01:54:20.523Z`, idle: true, repairs: [], ignored: {model_change: 1, thinking_level_change: 1}});
    expect(kinds(records)).toBe(`note prompt model reasoning reply call call call result result result reply call call result result call call call call result result result result reply prompt reply`);
    expect(records[0]).toEqual({seq: 0, kind: `note`, what: `system`, bytes: expect.any(Number), id: `04dc0434`, time: `2026-11-23T01:54:21.053Z`, cwd: `/home/alice/shop`});
    expect(records[3]).toEqual({seq: 3, kind: `reasoning`, text: `They want the sum.`, signature: `reasoning_content`, provider: `fake`, message: `c979c91a`, id: `c979c91a`, time: `2026-11-23T01:54:21.441Z`});
    expect(records[6]).toEqual({
      seq: 6, kind: `call`, name: `bash`, tool: `shell`, args: {command: `echo out; echo err >&2; exit 3`, timeoutMs: 30_000}, input: {command: `echo out; echo err >&2; exit 3`, timeout: 30},
      call: `call_4u6ybrbka0002`, message: `c979c91a`, model: `fake-1`, id: `c979c91a`, time: `2026-11-23T01:54:21.441Z`,
    });
    expect(records[9]).toEqual({seq: 9, kind: `result`, call: `call_4u6ybrbka0002`, content: [{type: `text`, text: `out\nerr\n\n\nCommand exited with code 3`}], error: true, exitCode: 3, id: `5caf9f5c`, time: `2026-11-23T01:54:21.522Z`});
    expect(records.flatMap(record => record.kind === `call` ? [record.tool] : [])).toEqual([`read`, `shell`, `read`, `edit`, `write`, `read`, `search`, `search`, `other`]);
    expect(records.find(record => record.kind === `result` && record.patch !== undefined)).toMatchObject({patch: [{path: `src/cart.js`, change: `update`, diff: expect.stringMatching(/^@@ -1,1 \+1,1 @@\n-export/)}]});
    expect(records.at(-1)).toMatchObject({kind: `reply`, text: `Nothing more to do.`, final: true});
  });

  it(`with branches: what was left, what was told of it, and what a compaction keeps`, () => {
    const {records, facts} = branches!;
    expect(facts).toMatchObject({title: `Apples and ways`, idle: true, repairs: []});
    expect(kinds(records)).toBe(`note prompt model reply note prompt reply branch note prompt reply title note prompt reply interrupt prompt call result prompt reply prompt note prompt reply compaction prompt reply branch prompt reply`);
    expect(records[4]).toMatchObject({kind: `note`, what: `shell-mode`, visible: true, text: `Ran \`echo by hand\`\n\`\`\`\nby hand\n\n\`\`\``});
    expect(records[7]).toEqual({seq: 7, kind: `branch`, parent: 4, reason: `gone back`});
    expect(records[8]).toMatchObject({kind: `note`, what: `branch-summary`, visible: true, text: expect.stringContaining(`The summary of the dead end.</summary>`)});
    expect(records[12]).toMatchObject({kind: `note`, what: `reminder`, visible: true, text: `Remember the milk.`});
    expect(records[14]).toMatchObject({kind: `reply`, text: `I begin to`, partial: true});
    expect(records[15]).toMatchObject({kind: `interrupt`, during: `reply`});
    expect(records[19]).toMatchObject({kind: `prompt`, midTurn: true});
    expect(records[22]).toMatchObject({kind: `note`, what: `error`});
    expect(records[25]).toMatchObject({kind: `compaction`, summary: `Checkpoint summary.`, keep: [21, 23, 24], tokensBefore: 110});
    expect(records[28]).toEqual({seq: 28, kind: `branch`, parent: 25, reason: `gone back`});
    expect(said(records)).toEqual([`How many apples?`, `image`, `Drei Äpfel.`, `Try the second way.`, `A better way.`, `Stop me.`, `I begin to`, `Run it.`, `And hurry.`, `Steered.`, `This fails.`, `Again.`, `Recovered.`, `Go on another way.`, `SUMMARY`]);
  });
});

describe(`the tree`, () => {
  it(`goes back where an entry names an earlier one, and the last entry is the live end`, () => {
    const {records} = read([user(`one`, {id: `a`}), answer(`first`, {id: `b`}), user(`two`), answer(`second`), user(`other`, {parentId: `b`}), answer(`third`)]);
    expect(said(records)).toEqual([`one`, `first`, `other`, `third`]);
  });

  it(`moves the live end for bookkeeping, too`, () => {
    const {records} = read([user(`one`, {id: `a`}), answer(`first`, {id: `b`}), user(`two`), answer(`second`), {type: `label`, targetId: `b`, label: `here`, parentId: `b`}]);
    expect(records.at(-1)).toMatchObject({kind: `branch`});
    expect(said(records)).toEqual([`one`, `first`]);
  });

  it(`may have a second root`, () => {
    const {records} = read([user(`one`), answer(`first`), user(`again`, {parentId: null}), answer(`second`)]);
    expect(records.find(record => record.kind === `branch`)).toMatchObject({parent: -1, reason: `second root`});
    expect(said(records)).toEqual([`again`, `second`]);
  });

  it(`gives a call its empty result on every way that has none`, () => {
    const {records, facts} = read([user(`one`), answer([call(`t1`)], {id: `c`, stop: `toolUse`}), result(`t1`), answer(`first`), user(`other`, {parentId: `c`}), answer(`second`)]);
    const live = linearize(records);
    expect(kinds(live)).toBe(`prompt model call result prompt reply`);
    expect(live[3]).toMatchObject({call: `t1`, healed: true, content: [{type: `text`, text: MISSING_RESULT}]});
    expect(facts.repairs).toMatchObject([{code: `missing-result`}]);
  });

  it(`follows the entry before where a parent is not there, and leaves out what comes twice`, () => {
    const {records, facts} = read([user(`one`), user(`lost`, {id: `x`, parentId: `nowhere`}), user(`twice`, {id: `x`})]);
    expect(said(records)).toEqual([`one`, `lost`]);
    expect(facts.repairs.map(({code}) => code)).toEqual([`unknown-parent`, `duplicate-line`]);
  });

  it(`asks for a full read when an entry refers too far back, and then knows it`, () => {
    const turns: Array<JsonObject> = Array.from({length: 1_200}, (_, at) => [user(`p${at}`, {id: `p${at}`}), answer(`r${at}`, {id: `r${at}`})]).flat();
    const lines = linesOf(textOf([...turns, user(`late`, {parentId: `r3`})]));
    const bounded = openReader({name: `session.jsonl`});
    expect(() => lines.forEach(line => bounded.push(line))).toThrow(NeedsFullRead);
    const whole = openReader({name: `session.jsonl`}, undefined, {unbounded: true});
    const records = lines.flatMap(line => whole.push(line));
    expect(said(records)).toEqual([`p0`, `r0`, `p1`, `r1`, `p2`, `r2`, `p3`, `r3`, `late`]);
    expect(JSON.stringify(whole.save()).length).toBeLessThan(200_000);
  });
});

describe(`traps`, () => {
  it(`content may be a string, or not there`, () => {
    const {records} = read([
      {type: `message`, message: {role: `user`, content: `plain`}}, {type: `message`, message: {role: `assistant`, content: `text`, stopReason: `stop`}},
      {type: `message`, message: {role: `user`, content: null}}, {type: `message`, message: null}, {type: `message`, message: {role: `who`}},
    ]);
    expect(said(records)).toEqual([`plain`, `text`]);
  });

  it(`a result without its call, and a second one, are left out`, () => {
    const {records, facts} = read([user(`one`), result(`t0`), answer([call(`t1`)], {stop: `toolUse`}), result(`t1`), result(`t1`), answer(`done`)]);
    expect(kinds(records)).toBe(`prompt model call result reply`);
    expect(facts.repairs.map(({code}) => code)).toEqual([`result-without-call`, `result-without-call`]);
  });

  it(`ids of calls that come again are made unique`, () => {
    const turn = [user(`go`), answer([call(`call_0`)], {stop: `toolUse`}), result(`call_0`), answer(`done`)];
    const {records} = read([...turn, ...turn, ...turn]);
    const calls = records.flatMap(record => record.kind === `call` ? [record.call] : []);
    expect(calls).toEqual([`call_0`, `call_0~6`, `call_0~10`]);
    expect(records.flatMap(record => record.kind === `result` ? [record.call] : [])).toEqual(calls);
  });

  it(`a command that the model is not told of, and an empty name`, () => {
    const {records, facts} = read([user(`one`), {type: `message`, message: {role: `bashExecution`, command: `ls`, output: ``, exitCode: 1, excludeFromContext: true}}, {type: `session_info`, name: `A`}, {type: `session_info`, name: ` `}]);
    expect(kinds(records)).toBe(`prompt note title`);
    expect(records[1]).not.toHaveProperty(`visible`);
    expect(facts.title).toBeUndefined();
  });

  it(`a tool that was stopped`, () => {
    const {records} = read([user(`one`), answer([call(`t`)], {stop: `toolUse`}), result(`t`, `Command aborted`, {isError: true}), answer([], {stop: `aborted`})]);
    expect(records.at(-2)).toMatchObject({kind: `result`, interrupted: true, error: true});
    expect(records.at(-1)).toMatchObject({kind: `interrupt`, during: `tool`});
  });

  it(`a compaction that keeps nothing, and one that keeps what is not there`, () => {
    const {records, facts} = read([user(`one`), answer(`first`), {type: `compaction`, id: `c`, summary: `S`, firstKeptEntryId: `c`}, {type: `compaction`, summary: `T`, firstKeptEntryId: `nowhere`}]);
    expect(records.filter(record => record.kind === `compaction`)).toMatchObject([{summary: `S`}, {summary: `T`}]);
    expect(records.some(record => record.kind === `compaction` && record.keep !== undefined)).toBe(false);
    expect(facts.repairs).toMatchObject([{code: `unknown-kept`}]);
  });

  it(`the first version had neither ids nor parents`, () => {
    const text = [{type: `session`, id: `x`, cwd: `/home/alice/shop`}, user(`one`), answer(`first`)].map(line => `${JSON.stringify(line)}\n`).join(``);
    expect(said(readText(text).records)).toEqual([`one`, `first`]);
  });

  it(`asks for a full read when the state is of another version`, () => {
    const reader = openReader({name: `session.jsonl`}, {v: 0});
    expect(() => reader.push(linesOf(`{}\n`)[0]!)).toThrow(NeedsFullRead);
  });
});
