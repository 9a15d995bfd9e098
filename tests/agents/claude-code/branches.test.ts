import {describe, expect, it}            from 'vitest';

import {NeedsFullRead}                   from '../../../sources/agents/types.ts';
import {linearize, sinceCompaction}      from '../../../sources/interchange/index.ts';
import type {JsonObject}                 from '../../../sources/interchange/index.ts';

import fc                                from '../../_properties.ts';
import {NO_LEAF, attachment, boundary, call, lastPrompt, meta, prompt, reply, result, summary, system} from './_lines.ts';
import {outline, read, readInPieces, text, valueLines} from './_read.ts';

/** What the model gets on resume, by the texts (which are the uuids) of prompts and replies and the ids of calls. */
function live(values: Array<JsonObject>) {
  const {records} = read(valueLines(values));
  expect(readInPieces(valueLines(values)).records).toEqual(records);
  return sinceCompaction(linearize(records)).flatMap(record => {
    if (record.kind === `prompt`)
      return [text(record.content)];
    if (record.kind === `reply`)
      return [record.text];
    if (record.kind === `call`)
      return [record.call];
    if (record.kind === `result`)
      return [`${record.call} done`];
    if (record.kind === `compaction`)
      return [`summary: ${record.summary}`];
    return record.kind === `note` && record.visible ? [`note: ${record.text}`] : [];
  }).join(` `);
}

const TWO_TURNS = [prompt(`P1`, null), reply(`R1`, `P1`), prompt(`P2`, `R1`), reply(`R2`, `P2`)];
const TWO_BRANCHES = [...TWO_TURNS.slice(0, 2), prompt(`P2a`, `R1`), reply(`R2a`, `P2a`), prompt(`P2b`, `R1`), reply(`R2b`, `P2b`)];

// Each of these was resumed with Claude Code 2.1.330, which sent its model exactly this history.
describe(`the live branch`, () => {
  it.each<[string, Array<JsonObject>, string]>([
    [`two processes take turns`,
      [...TWO_TURNS.slice(0, 2), prompt(`P2a`, `R1`), prompt(`P2b`, `R1`), reply(`R2a`, `P2a`), reply(`R2b`, `P2b`), prompt(`P3a`, `R2a`), reply(`R3a`, `P3a`)],
      `P1 R1 P2a R2a P3a R3a`],
    [`the newest line counts`, TWO_BRANCHES, `P1 R1 P2b R2b`],
    [`a last-prompt on another branch counts more`, [...TWO_BRANCHES.slice(0, 4), lastPrompt(`R2a`), ...TWO_BRANCHES.slice(4)], `P1 R1 P2a R2a`],
    [`a last-prompt on the branch itself changes nothing`, [...TWO_BRANCHES.slice(0, 4), lastPrompt(`R2a`), ...TWO_BRANCHES.slice(4), lastPrompt(`R2b`)], `P1 R1 P2b R2b`],
    [`exactly that line, even in the middle of its branch`, [...TWO_BRANCHES, lastPrompt(`P2a`)], `P1 R1 P2a`],
    [`more lines of both branches change nothing`,
      [...TWO_BRANCHES, lastPrompt(`R2a`), prompt(`P3a`, `R2a`), reply(`R3a`, `P3a`), prompt(`P3b`, `R2b`), reply(`R3b`, `P3b`)], `P1 R1 P2a R2a`],
    [`no leaf`, [...TWO_BRANCHES.slice(0, 4), lastPrompt(`R2a`), TWO_BRANCHES[4]!, lastPrompt(NO_LEAF, true), TWO_BRANCHES[5]!], `P1 R1 P2b R2b`],
    [`an unknown leaf`, [...TWO_BRANCHES.slice(0, 4), lastPrompt(`R2a`), TWO_BRANCHES[4]!, lastPrompt(`nowhere`), TWO_BRANCHES[5]!], `P1 R1 P2b R2b`],
    [`an explicit leaf cuts its own branch`, [...TWO_TURNS, lastPrompt(`R1`, true)], `P1 R1`],
    [`until the next line of that branch`, [...TWO_TURNS, lastPrompt(`R1`, true), prompt(`P3`, `R2`), reply(`R3`, `P3`)], `P1 R1 P2 R2 P3 R3`],
    [`or of one that begins there`, [...TWO_TURNS, lastPrompt(`R1`, true), prompt(`P3`, `R1`), reply(`R3`, `P3`)], `P1 R1 P3 R3`],
    [`be it without content`, [...TWO_TURNS, lastPrompt(`R1`, true), system(`S`, `R2`)], `P1 R1 P2 R2`],
    [`or an attachment`, [...TWO_TURNS, lastPrompt(`R1`, true), attachment(`A`, `R2`)], `P1 R1 P2 R2`],
    [`but not of another branch`, [...TWO_BRANCHES, lastPrompt(`R2a`, true), system(`S`, `R2b`)], `P1 R1 P2a R2a`],
    [`another last-prompt ends it`, [...TWO_TURNS, lastPrompt(`R1`, true), lastPrompt(`R2`)], `P1 R1 P2 R2`],
    [`a second root hides what was before`, [prompt(`P1`, null), reply(`R1`, `P1`), prompt(`P2`, null), reply(`R2`, `P2`)], `P2 R2`],
    [`a leaf in a batch of calls has all of the batch`,
      [prompt(`P1`, null), call(`C1`, `P1`, `t1`, {message: `M`}), call(`C2`, `C1`, `t2`, {message: `M`}), result(`T1`, `C1`, `t1`), result(`T2`, `C2`, `t2`), lastPrompt(`T1`), prompt(`P2`, `P1`), reply(`R2`, `P2`)],
      `P1 t1 t2 t1 done t2 done`],
    [`a preserved segment given by its ends`,
      [...TWO_TURNS, boundary(`B`, `R2`, {preservedSegment: {headUuid: `P2`, tailUuid: `R2`, anchorUuid: `S`}}), summary(`S`, `B`), prompt(`P3`, `S`), reply(`R3`, `P3`)],
      `summary: the summary P2 R2 P3 R3`],
    [`hook feedback is seen by the model`,
      [prompt(`P1`, null), reply(`R1`, `P1`), meta(`F`, `R1`, `Stop hook feedback:\nrun the tests`), reply(`R2`, `F`)],
      `P1 R1 note: Stop hook feedback:\nrun the tests R2`],
  ])(`%s`, (_, values, expected) => {
    expect(live(values)).toBe(expected);
  });

  it(`is said only where the records alone would say another`, () => {
    expect(outline(read(valueLines([...TWO_BRANCHES.slice(0, 4), lastPrompt(`R2a`), ...TWO_BRANCHES.slice(4), lastPrompt(`R2b`), lastPrompt(`R2b`)])).records)).toEqual([
      `prompt: P1`, `model: m`, `reply (final): R1`, `prompt: P2a`, `reply (final): R2a`,
      `branch from 2: edited prompt`, `prompt: P2b`, `leaf at 4`, `reply (final): R2b`, `leaf at 8`,
    ]);
  });
});

describe(`one path, though the parents are many`, () => {
  it(`takes results that stand between the lines of a message`, () => {
    const values = [
      prompt(`P1`, null), call(`C1`, `P1`, `t1`, {message: `M`}), result(`T1`, `C1`, `t1`), call(`C2`, `T1`, `t2`, {message: `M`}), call(`C3`, `C2`, `t3`, {message: `M`}),
      result(`T3`, `C3`, `t3`), result(`T2`, `C2`, `t2`), reply(`R`, `T3`),
    ];
    expect(live(values)).toBe(`P1 t1 t1 done t2 t3 t3 done t2 done R`);
    expect(read(valueLines(values)).records.some(record => record.kind === `branch`)).toBe(false);
  });

  it(`goes on from attachments, from what was said mid-turn, and from unknown lines`, () => {
    const values = [
      prompt(`P1`, null), attachment(`A1`, `P1`), call(`C1`, `A1`, `t1`, {message: `M`}), call(`C2`, `C1`, `t2`, {message: `M`}), result(`T1`, `C1`, `t1`),
      attachment(`Q`, `T1`, {type: `queued_command`, commandMode: `prompt`, prompt: `by the way`}), result(`T2`, `C2`, `t2`),
      {type: `brand-new`, uuid: `N`, parentUuid: `Q`}, reply(`R`, `N`),
    ];
    expect(live(values)).toBe(`P1 t1 t2 t1 done by the way t2 done R`);
    expect(outline(read(valueLines(values)).records)).not.toContainEqual(expect.stringMatching(/^branch/));
    expect(read(valueLines(values)).records).toContainEqual(expect.objectContaining({kind: `note`, what: `brand-new`}));
  });

  it(`branches before what was said mid-turn`, () => {
    const values = [
      prompt(`P1`, null), call(`C1`, `P1`, `t1`), result(`T1`, `C1`, `t1`), attachment(`Q`, `T1`, {type: `queued_command`, prompt: `by the way`}), reply(`R1`, `Q`),
      prompt(`P2`, `T1`), reply(`R2`, `P2`),
    ];
    expect(live(values)).toBe(`P1 t1 t1 done P2 R2`);
  });
});

describe(`compaction`, () => {
  it(`of the other process begins a branch`, () => {
    const values = [...TWO_BRANCHES, boundary(`B`, `R2a`), summary(`S`, `B`), prompt(`P3`, `S`)];
    expect(live(values)).toBe(`summary: the summary P3`);
    expect(linearize(read(valueLines(values)).records).map(record => record.kind)).toEqual([`prompt`, `model`, `reply`, `prompt`, `reply`, `compaction`, `prompt`]);
  });

  it(`without summary hides what was before all the same`, () => {
    expect(live([...TWO_TURNS, boundary(`B`, `R2`), prompt(`P3`, `B`), reply(`R3`, `P3`)])).toBe(`summary:  P3 R3`);
  });

  it(`waits for its summary while another process writes`, () => {
    const values = [...TWO_BRANCHES, boundary(`B`, `R2b`), attachment(`A`, `B`), prompt(`P3a`, `R2a`), summary(`S`, `A`), prompt(`P3b`, `S`)];
    expect(live(values)).toBe(`summary: the summary P3b`);
    expect(linearize(read(valueLines(values)).records).some(record => record.kind === `prompt` && text(record.content) === `P3a`)).toBe(false);
  });

  it(`keeps calls only with their results`, () => {
    const values = [
      prompt(`P1`, null), call(`C1`, `P1`, `t1`, {message: `M`}), call(`C2`, `C1`, `t2`, {message: `M`}), result(`T1`, `C1`, `t1`), result(`T2`, `C2`, `t2`), reply(`R`, `T2`),
      boundary(`B`, `R`, {preservedMessages: {uuids: [`C2`, `T1`, `R`]}}), summary(`S`, `B`),
    ];
    expect(live(values)).toBe(`summary: the summary t2 t2 done R`);
  });

  it(`answers open calls before it begins`, () => {
    expect(live([prompt(`P1`, null), call(`C1`, `P1`, `t1`), boundary(`B`, `C1`, {preservedMessages: {uuids: [`C1`]}}), summary(`S`, `B`), prompt(`P2`, `S`)])).toBe(`summary: the summary t1 t1 done P2`);
  });

  it(`of a forked session, whose first lines are elsewhere, is read`, () => {
    const {records, reader} = read(valueLines([boundary(`B`, `elsewhere`, {preservedMessages: {uuids: [`gone`]}}), summary(`S`, `B`), prompt(`P1`, `S`), reply(`R1`, `P1`)]));
    expect(outline(records)).toEqual([`compaction, keeps nothing`, `prompt: P1`, `model: m`, `reply (final): R1`]);
    expect(reader.facts().repairs).toEqual([]);
  });

  it(`a summary without a boundary is something that the model sees`, () => {
    expect(live([prompt(`P1`, null), summary(`S`, `P1`), reply(`R1`, `S`)])).toBe(`P1 note: the summary R1`);
  });
});

it(`any tree reads the same with and without bounds, or asks for a full read`, () => {
  // Longer than the state reaches, with many branches, most of them near.
  const tree = fc.array(fc.record({back: fc.integer({min: 0, max: 12}), far: fc.nat(1199), kind: fc.nat(9), isFar: fc.nat(3000)}), {minLength: 1200, maxLength: 1300}).map(steps => {
    const values: Array<JsonObject> = [];
    const chain: Array<string> = [];
    const open: Array<string> = [];
    steps.forEach(({back, far, kind, isFar}, at) => {
      const parent = chain.length === 0 ? null : chain[isFar === 0 ? far % chain.length : Math.max(0, chain.length - 1 - (back > 9 ? back : 0))]!;
      const uuid = `u${at}`;
      if (kind === 0)
        values.push(prompt(uuid, parent));
      else if (kind < 3)
        values.push(reply(uuid, parent));
      else if (kind < 5)
        open.push(uuid), values.push(call(uuid, parent, uuid, {message: `M${at >> 2}`}));
      else if (kind < 7 && open.length > 0)
        values.push(result(uuid, kind === 5 ? parent : open[0]!, open.shift()!));
      else if (kind < 8)
        values.push(attachment(uuid, parent));
      else if (kind < 9 && parent !== null)
        values.push(lastPrompt(parent, back === 0));
      else
        values.push(system(uuid, parent));
      if (values.at(-1)!.uuid === uuid)
        chain.push(uuid);
    });
    return valueLines(values);
  });

  fc.assert(fc.property(tree, lines => {
    const unbounded = read(lines, {unbounded: true});
    let bounded;
    try {
      bounded = read(lines);
    } catch (error) {
      expect(error).toBeInstanceOf(NeedsFullRead);
      return;
    }
    expect(bounded.records).toEqual(unbounded.records);
    expect(bounded.reader.save()).toEqual(unbounded.reader.save());
  }), {numRuns: 12});
});
