import {describe, expect, it}   from 'vitest';

import {event, fixture, log, read, said} from './_read.ts';

const user = {kind: `user`};
const step = (uuid: string, ...events: Array<object>) => [event({type: `step.begin`, uuid, turnId: `0`, step: 1}), ...events, event({type: `step.end`, uuid, finishReason: `end_turn`})];
const text = (uuid: string, value: string) => event({type: `content.part`, uuid: `p-${value}`, stepUuid: uuid, part: {type: `text`, text: value}});

describe(`recorded sessions`, () => {
  it(`gives tools, their results and failures`, () => {
    const {records, facts} = read(fixture(`01-tools`).text);
    expect(facts).toMatchObject({repairs: [], idle: true, model: `fake-model`});
    expect(records.filter(({kind}) => kind === `call`).map(record => record.kind === `call` && [record.name, record.tool])).toEqual([
      [`Bash`, `shell`], [`Read`, `read`], [`Bash`, `shell`], [`Write`, `write`], [`Edit`, `edit`], [`Nowhere`, `other`], [`Grep`, `search`], [`Glob`, `search`],
      [`TodoList`, `plan`], [`ReadMediaFile`, `read`], [`Bash`, `shell`], [`Agent`, `agent`],
    ]);
    expect(records[10]).toEqual({
      seq: 10, kind: `result`, time: `2026-11-23T01:27:33.633Z`, call: `call_49obe6nbo0003`, content: [{type: `text`, text: `err\nCommand failed with exit code: 3.`}], error: true, exitCode: 3,
    });
    expect(records[25]).toMatchObject({kind: `reply`, text: `All done ✅.`, final: true});
    expect(records[30]).toMatchObject({kind: `result`, content: [{type: `text`}, {type: `image`, mediaType: `image/png`}, {type: `text`}]});
    expect(records[31]).toMatchObject({full: {bytes: 108894}});
    expect(records[33]).toMatchObject({stream: `sub-agent-0`});
  });

  it(`leaves what was undone, and knows which prompts a compaction keeps`, () => {
    const {records} = read(fixture(`02-undo-compact`).text);
    expect(records[6]).toMatchObject({kind: `branch`, parent: 3, reason: `undone`});
    expect(records[12]).toMatchObject({kind: `compaction`, summary: `SUMMARY: one and two.`, keep: [0, 7]});
  });

  it(`says what was interrupted`, () => {
    const {records} = read(fixture(`03-interrupted`).text);
    expect(records.filter(({kind}) => kind === `interrupt`)).toMatchObject([{during: `tool`}, {during: `reply`}]);
    expect(records[5]).toMatchObject({kind: `result`, interrupted: true, error: true});
    expect(records[9]).toMatchObject({kind: `reply`, text: `second turn partial`, partial: true});
  });
});

describe(`traps`, () => {
  it(`ends a call that was cut off where the next turn begins`, () => {
    const {records} = read(log(
      said(`user`, `One`, user), event({type: `step.begin`, uuid: `a`, turnId: `0`, step: 1}), event({type: `tool.call`, uuid: `c`, stepUuid: `a`, toolCallId: `x`, name: `Bash`, args: {command: `ls`}}),
      {type: `turn.prompt`}, said(`user`, `Two`, user),
    ));
    expect(records.map(({kind}) => kind)).toEqual([`prompt`, `call`, `result`, `prompt`]);
    expect(records[2]).toMatchObject({healed: true, error: true});
  });

  it(`keeps the tail that a compaction of the older shape keeps`, () => {
    const {records} = read(log(
      said(`user`, `One`, user), ...step(`a`, text(`a`, `A1`)), said(`user`, `Two`, user), ...step(`b`, text(`b`, `A2`)),
      {type: `context.apply_compaction`, summary: `S`, compactedCount: 2, legacyTail: true}, said(`user`, `Three`, user),
      {type: `context.apply_compaction`, summary: `S2`, compactedCount: 3, legacyTail: true},
    ));
    expect(records.filter(({kind}) => kind === `compaction`)).toMatchObject([{summary: `S`, keep: [2, 3]}, {summary: `S2`, keep: [5]}]);
  });

  it(`undoes nothing across a compaction`, () => {
    const {records} = read(log(said(`user`, `One`, user), {type: `context.apply_compaction`, summary: `S`, compactedCount: 1, keptUserMessageCount: 1}, {type: `context.undo`, count: 1}));
    expect(records.map(({kind}) => kind)).toEqual([`prompt`, `compaction`]);
  });

  it(`begins at a new root after a clear`, () => {
    const {records} = read(log(said(`user`, `One`, user), {type: `context.clear`}, said(`user`, `Two`, user)));
    expect(records[1]).toMatchObject({kind: `branch`, parent: -1});
  });

  it(`tells reminders from what a person typed, also in the middle of a turn`, () => {
    const {records} = read(log(said(`user`, `One`, user), said(`user`, `<system-reminder>x</system-reminder>`, {kind: `injection`, variant: `date_change`}),
      said(`user`, `More`, {kind: `user`, inTurn: true}), said(`user`, `done`, {kind: `task`})));
    expect(records).toMatchObject([{kind: `prompt`}, {kind: `note`, what: `date_change`}, {kind: `prompt`, midTurn: true}, {kind: `note`, what: `task`, visible: true}]);
    expect(records[1]).not.toHaveProperty(`visible`);
  });

  it(`names a picture that lies in a file of its own`, () => {
    const {records} = read(log({type: `context.append_message`, message: {role: `user`, content: [{type: `image_url`, imageUrl: {url: `blobref:image/png;abc`}}], origin: user}}));
    expect(records[0]).toMatchObject({content: [{type: `image`, mediaType: `image/png`}]});
  });
});
