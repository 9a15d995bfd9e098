import {describe, expect, it}                                             from 'vitest';

import {LiveTree, healOpenCalls, linearize, sinceCompaction}              from '../../sources/interchange/index.ts';
import type {NeutralRecord, Unplaced}                                     from '../../sources/interchange/index.ts';

function stream(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({...record, seq}) as NeutralRecord);
}
const prompt = (text: string, parent?: number): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}], ...parent !== undefined ? {parent} : {}});
const reply = (text: string): Unplaced => ({kind: `reply`, text});
const seqs = (records: Array<NeutralRecord>) => records.map(record => record.seq);

describe(`linearize`, () => {
  it(`should keep a stream without branches as it is`, () => {
    expect(seqs(linearize(stream(prompt(`a`), reply(`b`), prompt(`c`))))).toEqual([0, 1, 2]);
  });

  it(`should follow the newest branch and leave the abandoned one`, () => {
    const records = stream(prompt(`a`), reply(`b`), prompt(`c`), reply(`d`), {kind: `branch`, parent: 1}, prompt(`C`), reply(`D`));
    expect(seqs(linearize(records))).toEqual([0, 1, 5, 6]);
    expect(seqs(linearize(records, {at: 3}))).toEqual([0, 1, 2, 3]);
  });

  it(`should let a leaf on another branch win over newer records`, () => {
    const records = stream(prompt(`a`), reply(`b`), {kind: `branch`, parent: 0}, reply(`B`), {kind: `leaf`, at: 1}, reply(`B2`));
    expect(seqs(linearize(records))).toEqual([0, 1]);
  });

  it(`should forget a leaf from which the newest record descends`, () => {
    const records = stream(prompt(`a`), reply(`b`), {kind: `leaf`, at: 1}, prompt(`c`));
    expect(seqs(linearize(records))).toEqual([0, 1, 3]);
  });

  it(`should stop at an exact leaf even when records descend from it`, () => {
    const records = stream(prompt(`a`), reply(`b`), prompt(`c`), {kind: `leaf`, at: 1, exact: true});
    expect(seqs(linearize(records))).toEqual([0, 1]);
  });

  it(`should start over at a new root`, () => {
    const records = stream(prompt(`a`), {kind: `branch`, parent: -1}, prompt(`b`));
    expect(seqs(linearize(records))).toEqual([2]);
  });

  it(`should survive parents that point forward or at themselves`, () => {
    const records = stream(prompt(`a`), prompt(`b`, 1), prompt(`c`, 7), prompt(`d`, -9));
    expect(seqs(linearize(records))).toEqual([0, 1, 2, 3]);
  });

  it(`should hold two bytes a record for a long session, not the records`, () => {
    const tree = new LiveTree();
    for (let seq = 0; seq < 100_000; seq++)
      tree.add({seq, kind: `reply`, ...seq === 60_000 ? {parent: 10} : {}});
    const live = tree.live();
    expect(live.reduce((sum, flag) => sum + flag, 0)).toBe(11 + 40_000);
  });
});

describe(`sinceCompaction`, () => {
  it(`should give the summary, what it keeps, and what follows`, () => {
    const records = stream(prompt(`a`), reply(`b`), prompt(`c`), reply(`d`), {kind: `compaction`, summary: `s`, keep: [2, 3]}, prompt(`e`));
    expect(seqs(sinceCompaction(records))).toEqual([4, 2, 3, 5]);
    expect(sinceCompaction(stream(prompt(`a`)))).toHaveLength(1);
  });
});

describe(`healOpenCalls`, () => {
  it(`should answer what was never answered, in order`, () => {
    const call = (id: string): Unplaced => ({kind: `call`, call: id, name: `Bash`, input: {}, tool: `other`});
    const records = stream(call(`x`), call(`y`), {kind: `result`, call: `x`, content: []}, call(`z`));
    expect(healOpenCalls(records).map(result => [result.seq, result.call, result.healed])).toEqual([[4, `y`, true], [5, `z`, true]]);
  });
});
