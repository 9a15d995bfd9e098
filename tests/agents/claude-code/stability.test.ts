import {describe, expect, it}                              from 'vitest';

import {openReader}                                        from '../../../sources/agents/claude-code/read.ts';
import {NeedsFullRead}                                     from '../../../sources/agents/types.ts';
import type {SourceLine}                                   from '../../../sources/agents/types.ts';
import {linearize, validateRecord}                         from '../../../sources/interchange/index.ts';
import type {Json, JsonObject, NeutralRecord}              from '../../../sources/interchange/index.ts';

import fc                                                  from '../../_properties.ts';
import {call, lastPrompt, prompt, reply, result}           from './_lines.ts';
import {fileLines, fixtureFile, fixtureNumbers, linesOf, read, readInPieces, valueLines} from './_read.ts';

describe.each(fixtureNumbers)(`fixture %s`, number => {
  const lines = fileLines(fixtureFile(number));

  it(`gives the same records however often the state was saved between`, () => {
    const whole = read(lines);
    const pieces = readInPieces(lines);
    expect(pieces.records).toEqual(whole.records);
    expect(pieces.reader.facts()).toEqual(whole.reader.facts());
    expect(pieces.reader.save()).toEqual(whole.reader.save());
  });

  it(`gives the same records with and without bounds`, () => {
    const unbounded = read(lines, {unbounded: true});
    expect(unbounded.records).toEqual(read(lines).records);
    expect(unbounded.reader.save()).toEqual(read(lines).reader.save());
  });

  it(`gives valid records`, () => {
    const {records} = read(lines);
    for (const record of records)
      expect(validateRecord(record as unknown as Json, record.seq)).toEqual({record});
  });
});

/** A session of one process, `turns` long. */
function longSession(turns: number, tail: Array<JsonObject> = []) {
  const values: Array<JsonObject> = [];
  let last: string | null = null;
  for (let turn = 0; turn < turns; turn++) {
    values.push(prompt(`p${turn}`, last), call(`c${turn}`, `p${turn}`, `t${turn}`), result(`o${turn}`, `c${turn}`, `t${turn}`), reply(`r${turn}`, `o${turn}`), lastPrompt(`r${turn}`));
    last = `r${turn}`;
  }
  return valueLines([...values, ...tail]);
}

describe(`long sessions`, () => {
  it(`keep their state small, and need no more than it`, () => {
    const sizes = [1000, 2000].map(turns => {
      const {records, reader} = read(longSession(turns));
      expect(records).toEqual(read(longSession(turns), {unbounded: true}).records);
      return JSON.stringify(reader.save()).length;
    });
    expect(sizes[1]).toBeLessThan(200_000);
    expect(sizes[1]! / sizes[0]!).toBeLessThan(1.1);
  });

  it(`ask for a full read when a line refers too far back, and then know it`, () => {
    const far = longSession(600, [prompt(`late`, `r10`)]);
    expect(() => read(far)).toThrow(NeedsFullRead);

    const {records, reader} = read(far, {unbounded: true});
    const at = records.findIndex(record => record.kind === `branch`);
    expect(records[records[at]!.parent!]).toMatchObject({kind: `reply`, text: `r10`});

    // What the full read saved is as bounded as before, and goes on from there.
    const more = openReader({name: `transcript.jsonl`, stream: `main`}, JSON.parse(JSON.stringify(reader.save())));
    expect(more.push(valueLines([reply(`answer`, `late`)])[0]!)).toMatchObject([{kind: `reply`, seq: records.length}]);
    expect(() => more.push(valueLines([prompt(`again`, `r5`)])[0]!)).toThrow(NeedsFullRead);
  });

  it(`ask for a full read for a leaf that is out of reach`, () => {
    const far = longSession(600, [lastPrompt(`r10`, true)]);
    expect(() => read(far)).toThrow(NeedsFullRead);
    expect(read(far, {unbounded: true}).records.at(-1)).toMatchObject({kind: `leaf`, exact: true});
  });

  it(`heal a parent that is nowhere, once everything is known`, () => {
    const lost = longSession(600, [prompt(`late`, `nowhere`)]);
    expect(() => read(lost)).toThrow(NeedsFullRead);
    const {records, reader} = read(lost, {unbounded: true});
    expect(records.at(-1)).toMatchObject({kind: `prompt`});
    expect(reader.facts().repairs).toMatchObject([{code: `unknown-parent`, at: lost.at(-1)!.offset}]);
  });

  it(`find a call whose line is out of reach while its result is awaited`, () => {
    const values: Array<JsonObject> = [prompt(`p`, null), call(`c`, `p`, `slow`)];
    for (let at = 0; at < 1500; at++)
      values.push({type: `progress`, uuid: `x${at}`, parentUuid: at === 0 ? `c` : `x${at - 1}`});
    const {records, reader} = read(valueLines([...values, result(`o`, `c`, `slow`), reply(`r`, `o`)]));
    expect(records.map(record => record.kind)).toEqual([`prompt`, `model`, `call`, `result`, `reply`]);
    expect(reader.facts().ignored).toEqual({progress: 1500});
  });
});

it(`asks for a full read when the state is of another version or broken`, () => {
  const [line] = valueLines([prompt(`p`, null)]);
  for (const state of [{v: 0}, {v: 1}, {v: 1, stream: {tree: {nodes: [[1]]}}}, []] as Array<Json>) {
    const reader = openReader({name: `transcript.jsonl`, stream: `main`}, state);
    expect(reader.save()).toEqual(state);
    expect(() => reader.push(line!)).toThrow(NeedsFullRead);
  }
});

describe(`whatever a file holds`, () => {
  const texts = fixtureNumbers.map(number => fileLines(fixtureFile(number)).map(line => line.text));

  /** Lines of a fixture: some moved, dropped, doubled, cut or with a value changed. */
  const mutated = fc.record({
    fixture: fc.nat(texts.length - 1),
    changes: fc.array(fc.record({
      what: fc.constantFrom(`drop`, `double`, `swap`, `cut`, `parent`, `value`, `sidechain`, `junk`),
      at: fc.nat(), to: fc.nat(), junk: fc.oneof(fc.string(), fc.json()), value: fc.jsonValue(),
    }), {maxLength: 12}),
  }).map(({fixture, changes}) => {
    const lines = [...texts[fixture]!];
    for (const {what, at, to, junk, value} of changes) {
      const index = at % lines.length;
      const other = to % lines.length;
      if (what === `drop` && lines.length > 2)
        lines.splice(index, 1);
      else if (what === `double`)
        lines.splice(other, 0, lines[index]!);
      else if (what === `swap`)
        [lines[index], lines[other]] = [lines[other]!, lines[index]!];
      else if (what === `cut`)
        lines[index] = lines[index]!.slice(0, to % (lines[index]!.length + 1));
      else if (what === `parent`)
        lines[index] = changed(lines[index]!, line => ({...line, parentUuid: uuidOf(lines[other]!)}));
      else if (what === `sidechain`)
        lines[index] = changed(lines[index]!, line => ({...line, isSidechain: true}));
      else if (what === `value`)
        lines[index] = changed(lines[index]!, line => replaceOne(line, to, value as Json));
      else if (what === `junk`)
        lines.splice(index, 0, junk.replaceAll(`\n`, ` `));
    }
    return linesOf(lines.join(`\n`));
  });

  it(`gives sound records, the same in pieces and without bounds`, () => {
    fc.assert(fc.property(mutated, lines => {
      const whole = read(lines);
      expectSound(whole.records, lines);
      expect(read(lines, {unbounded: true}).records).toEqual(whole.records);
      const pieces = readInPieces(lines);
      expect(pieces.records).toEqual(whole.records);
      expect(pieces.reader.facts()).toEqual(whole.reader.facts());
    }), {numRuns: 150});
  });

  it(`gives sound records for lines in any order`, () => {
    fc.assert(fc.property(fc.nat(texts.length - 1).chain(fixture => fc.shuffledSubarray(texts[fixture]!)), shuffled => {
      const lines = linesOf(shuffled.join(`\n`));
      const whole = read(lines);
      expectSound(whole.records, lines);
      expect(readInPieces(lines).records).toEqual(whole.records);
    }), {numRuns: 100});
  });
});

function expectSound(records: Array<NeutralRecord>, lines: Array<SourceLine>) {
  const calls = new Set<string>();
  const answered = new Set<string>();
  records.forEach((record, index) => {
    expect(record.seq).toBe(index);
    if (record.parent !== undefined)
      expect(record.parent >= -1 && record.parent < record.seq).toBe(true);
    if (record.kind === `leaf`)
      expect(record.at >= 0 && record.at < record.seq).toBe(true);
    if (record.kind === `call`) {
      expect(calls.has(record.call)).toBe(false);
      calls.add(record.call);
    }
    if (record.kind === `result`) {
      expect(calls.has(record.call)).toBe(true);
      expect(answered.has(record.call)).toBe(false);
      answered.add(record.call);
    }
    if (record.kind === `compaction`)
      expect((record.keep ?? []).every(seq => seq >= 0 && seq < index)).toBe(true);
    expect(validateRecord(record as unknown as Json, index)).toEqual({record});
  });
  expect(linearize(records).length).toBeLessThanOrEqual(records.length);
  expect(lines.length).toBeGreaterThan(0);
}

function changed(text: string, change: (line: JsonObject) => JsonObject) {
  try {
    const value = JSON.parse(text);
    return typeof value === `object` && value !== null && !Array.isArray(value) ? JSON.stringify(change(value)) : text;
  } catch {
    return text;
  }
}

function uuidOf(text: string): string | null {
  try {
    return JSON.parse(text)?.uuid ?? null;
  } catch {
    return null;
  }
}

/** Replaces one of all the values in a line, however deep. */
function replaceOne(line: JsonObject, pick: number, value: Json): JsonObject {
  const places: Array<[JsonObject | Array<Json>, string]> = [];
  const visit = (inner: Json) => {
    if (typeof inner !== `object` || inner === null)
      return;
    for (const [key, next] of Object.entries(inner)) {
      places.push([inner as JsonObject, key]);
      visit(next);
    }
  };
  visit(line);
  const [holder, key] = places[pick % places.length]!;
  (holder as JsonObject)[key] = value;
  return line;
}
