import {describe, expect, it}          from 'vitest';

import {linearize}                     from '../../sources/interchange/index.ts';
import type {NeutralRecord}            from '../../sources/interchange/index.ts';
import type {SourceLine}               from '../../sources/agents/types.ts';
import {apiName}                       from '../../sources/agents/families/names.ts';
import {Continuation}                  from '../../sources/sync/continuation.ts';

import fc                              from '../_properties.ts';

type Loose = {kind: NeutralRecord[`kind`]} & {[key: string]: unknown};

const prompt = (text: string, more: object = {}): Loose => ({kind: `prompt`, content: [{type: `text`, text}], ...more});
const reply = (text: string, more: object = {}): Loose => ({kind: `reply`, text, ...more});
const call = (id: string, more: object = {}): Loose => ({kind: `call`, call: id, name: `sh`, tool: `other`, input: {}, ...more});
const result = (id: string, more: object = {}): Loose => ({kind: `result`, call: id, content: [], ...more});

const numbered = (records: Array<Loose>) => records.map((record, seq) => ({seq, ...record}) as NeutralRecord);

/** A file with a line a record, of which the first `repeated` are the parent's. */
async function goOn(parent: Array<Loose>, repeated: Array<Loose>, own: Array<Loose>, saveAt = -1) {
  const file = numbered([...repeated, ...own]);
  const source = repeated.length * 10;
  const place = {
    seq: parent.length, source,
    async * records() {
      yield * numbered(parent);
    },
    async * repeated() {
      yield * file.slice(0, repeated.length);
    },
  };
  let continuation = new Continuation(place);
  const counts: {[kind: string]: number} = {};
  const taken: Array<NeutralRecord> = [];
  for (const [index, record] of file.entries()) {
    if (index === saveAt)
      continuation = new Continuation(place, JSON.parse(JSON.stringify(continuation.save())), taken.length > 0);
    counts[record.kind] = (counts[record.kind] ?? 0) + 1;
    taken.push(...await continuation.take({offset: index * 10, length: 10, text: ``, value: undefined} satisfies SourceLine, [record], () => counts));
  }
  return {own: taken, whole: [...numbered(parent), ...taken], counts: continuation.own(counts)};
}

/** What was said, in order, of the live branch. */
const said = (records: Array<NeutralRecord>) => linearize(records).flatMap(record => record.kind === `prompt` ? record.content.map(part => part.type === `text` ? part.text : ``) : record.kind === `reply` ? [record.text] : []);

describe(`Continuation`, () => {
  it(`numbers what is new on from the parent, in whatever number of records the agent gave it back`, async () => {
    const {own, whole, counts} = await goOn([prompt(`a`), {kind: `model`, model: `x`}, reply(`b`)], [prompt(`a`), reply(`b`)], [prompt(`c`), reply(`d`)]);
    expect(own.map(({seq, kind}) => `${seq} ${kind}`)).toEqual([`3 leaf`, `4 prompt`, `5 reply`]);
    expect(said(whole)).toEqual([`a`, `b`, `c`, `d`]);
    expect(counts).toEqual({prompt: 1, reply: 1});
  });

  it(`begins at the parent's live end, wherever that is`, async () => {
    const edited = [prompt(`a`), reply(`b`), {kind: `branch`, parent: 0}, reply(`B`)] as Array<Loose>;
    expect(said((await goOn(edited, [prompt(`a`), reply(`B`)], [prompt(`c`)])).whole)).toEqual([`a`, `B`, `c`]);
    const back = [prompt(`a`), reply(`b`), prompt(`lost`), {kind: `leaf`, at: 1, exact: true}] as Array<Loose>;
    expect(said((await goOn(back, [prompt(`a`), reply(`b`)], [prompt(`c`), reply(`d`)])).whole)).toEqual([`a`, `b`, `c`, `d`]);
  });

  it(`finds the parent's record when a prompt of it is edited`, async () => {
    const parent = [prompt(`a`), reply(`b`), {kind: `note`, what: `x`}, prompt(`c`), reply(`d`), prompt(`c`), reply(`e`)] as Array<Loose>;
    const repeated = [prompt(`a`), reply(`b`), prompt(`c`), reply(`d`), prompt(`c`), reply(`e`)];
    // The second of two alike, then the first.
    const second = await goOn(parent, repeated, [{kind: `branch`, parent: 3}, prompt(`C`), reply(`D`)]);
    expect(said(second.whole)).toEqual([`a`, `b`, `c`, `d`, `C`, `D`]);
    const first = await goOn(parent, repeated, [{kind: `branch`, parent: 1}, prompt(`C`)]);
    expect(said(first.whole)).toEqual([`a`, `b`, `C`]);
    const begin = await goOn(parent, repeated, [{kind: `branch`, parent: -1}, prompt(`A`)]);
    expect(said(begin.whole)).toEqual([`A`]);
  });

  it(`answers the parent's open call by its name there`, async () => {
    const {own, whole} = await goOn([prompt(`a`), call(`toolu_1`)], [prompt(`a`), call(`call_9`)], [result(`call_9`, {error: true}), prompt(`c`)]);
    expect(own[1]).toMatchObject({kind: `result`, call: `toolu_1`});
    expect(linearize(whole).map(({kind}) => kind)).toEqual([`prompt`, `call`, `result`, `prompt`]);
  });

  it(`tells the parent's open calls by their ids, also in the form that an API takes, whatever else is open on one side`, async () => {
    const [one, two] = [`mcp:one/1`, `mcp:two/1`];
    expect(apiName(one)).not.toBe(one);
    // What was never answered is answered by the writer when the next prompt comes: the agent's file has it closed.
    const stale = await goOn(
      [prompt(`a`), call(`never`), prompt(`b`), call(one)],
      [prompt(`a`), call(`never`), result(`never`), prompt(`b`), call(apiName(one))],
      [result(apiName(one)), reply(`c`)],
    );
    expect(stale.own[1]).toMatchObject({kind: `result`, call: one});
    // As many on both sides, but in another order.
    const turned = await goOn(
      [prompt(`a`), call(one), call(two)], [prompt(`a`), call(apiName(two)), call(apiName(one))], [result(apiName(two)), result(apiName(one))],
    );
    expect(turned.own.slice(1)).toMatchObject([{call: two}, {call: one}]);
    // One call that the agent has as two: the first answer is that of the call.
    const split = await goOn([prompt(`a`), call(`edit`)], [prompt(`a`), call(`edit`), call(apiName(`edit#2`))], [result(`edit`), result(apiName(`edit#2`))]);
    expect(split.own[1]).toMatchObject({call: `edit`});
    // Ids of which nothing is known: only as many on both sides, after the ones that are, are the same ones.
    const rest = await goOn([prompt(`a`), call(`x`), call(`known`), call(`y`)], [prompt(`a`), call(`1`), call(`known`), call(`2`)], [result(`2`), result(`1`), result(`known`)]);
    expect(rest.own.slice(1)).toMatchObject([{call: `y`}, {call: `x`}, {call: `known`}]);
  });

  it(`keeps of a compaction what is the parent's`, async () => {
    const {own} = await goOn([prompt(`a`), {kind: `note`, what: `x`}, reply(`b`), prompt(`k`), reply(`d`)], [prompt(`a`), reply(`b`), prompt(`k`), reply(`d`)], [prompt(`e`), {kind: `compaction`, summary: `s`, keep: [2, 4]}]);
    expect(own.at(-1)).toMatchObject({kind: `compaction`, keep: [3, 6]});
  });

  it(`gives the same however often its state is saved, and whatever the history`, async () => {
    const turn = fc.nat(3).chain(kind => fc.string({minLength: 1, maxLength: 3}).map(text => kind === 0 ? prompt(`p${text}`) : kind === 1 ? reply(`r${text}`) : kind === 2 ? {kind: `note` as const, what: text} : {kind: `model` as const, model: text}));
    await fc.assert(fc.asyncProperty(fc.array(turn, {maxLength: 12}), fc.array(turn, {minLength: 1, maxLength: 8}), fc.nat(20), async (parent, own, saveAt) => {
      const spoken = parent.filter(({kind}) => kind === `prompt` || kind === `reply`);
      const once = await goOn(parent, spoken, own);
      const again = await goOn(parent, spoken, own, Math.min(saveAt, spoken.length + own.length - 1));
      expect(again).toEqual(once);
      expect(once.whole.map(({seq}) => seq)).toEqual(once.whole.map((_, index) => index));
      expect(said(once.whole)).toEqual([...said(numbered(spoken)), ...said(numbered(own))]);
    }), {numRuns: 200});
  });
});
