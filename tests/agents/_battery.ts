import {describe, expect, it}                 from 'vitest';

import {NeedsFullRead}                        from '../../sources/agents/types.ts';
import type {RecordReader, RecordWriter, SourceAdapter, SourceLine, TargetAdapter, WriterTarget} from '../../sources/agents/types.ts';
import {OpenCalls, linearize, validateRecord} from '../../sources/interchange/index.ts';
import {isTooDeep}                            from '../../sources/interchange/depth.ts';
import type {Json, JsonObject, NeutralRecord} from '../../sources/interchange/index.ts';
import fc                                     from '../_properties.ts';
import {sessionArbitrary}                     from '../interchange/arbitrary.ts';

/** One file of a recorded session. */
export type Fixture = {name: string; text: string; stream?: string};

/** Reading that takes longer than this is a hang. */
const HANG_MS = 20_000;
/** Every byte of a fixture is cut at, as long as it is no longer than this; of a longer one, every so manieth. */
const CUTS = 4_000;

/** Lines as the follower hands them to a reader. */
export function linesOf(text: string): Array<SourceLine> {
  const lines: Array<SourceLine> = [];
  let offset = 0;
  for (const line of text.split(`\n`)) {
    const length = Buffer.byteLength(line) + 1;
    lines.push({...parse(line), text: line, offset, length});
    offset += length;
  }
  // What follows the last newline is no line yet.
  lines.pop();
  return lines;
}

function parse(text: string): {value: Json | undefined} {
  try {
    return {value: isTooDeep(text) ? undefined : JSON.parse(text) as Json};
  } catch {
    return {value: undefined};
  }
}

type Source = Pick<SourceAdapter, `openReader`>;

/** Reads lines as the program does: bounded, and once more with everything in memory where a line needs it. */
export function readLines(source: Source, lines: Array<SourceLine>, fixture: Pick<Fixture, `name` | `stream`>): {records: Array<NeutralRecord>; reader: RecordReader} {
  const file = {name: fixture.name, stream: fixture.stream ?? `main`};
  for (const options of [{}, {unbounded: true}]) {
    const reader = source.openReader(file, undefined, options);
    try {
      return {records: lines.flatMap(line => reader.push(line)), reader};
    } catch (error) {
      if (!(error instanceof NeedsFullRead) || `unbounded` in options)
        throw error;
    }
  }
  throw new Error(`Assertion failed: not reached`);
}

/** What must be true of records from whatever bytes. */
export function expectSound(records: Array<NeutralRecord>) {
  for (const [index, record] of records.entries()) {
    const valid = validateRecord(JSON.parse(JSON.stringify(record)) as Json, index);
    if (valid.record === null)
      throw new Error(`record ${index} (${JSON.stringify(record).slice(0, 300)}): ${valid.reason}`);
  }
  const calls = records.flatMap(record => record.kind === `call` ? [record.call] : []);
  expect(new Set(calls).size, `ids of calls are unique`).toBe(calls.length);

  // Of the live branch: a result follows its call, once.
  const open = new Set<string>();
  for (const record of linearize(records)) {
    if (record.kind === `call`)
      open.add(record.call);
    else if (record.kind === `result` && !open.delete(record.call))
      throw new Error(`record ${record.seq} is a result without a call before it, or a second one`);
  }
}

/**
 * What every reader must stand: fixtures read the same in pieces, at every cut, shuffled, with wrong types, doubled ids,
 * cycles, and JSON of any depth. Fixtures should be small; give the ones with the most kinds of lines.
 */
export function readerBattery(source: Source, fixtures: Array<Fixture>) {
  describe.each(fixtures)(`$name, whatever happens to it`, fixture => {
    const lines = linesOf(fixture.text);

    it(`gives sound records`, () => {
      const {records} = readLines(source, lines, fixture);
      expect(records.length).toBeGreaterThan(0);
      expectSound(records);
    });

    it(`gives the same records when the reader is saved and opened again at every line`, () => {
      const whole = readLines(source, lines, fixture);
      const file = {name: fixture.name, stream: fixture.stream ?? `main`};
      let state: Json | undefined;
      const records: Array<NeutralRecord> = [];
      for (const line of lines) {
        const reader = source.openReader(file, state);
        records.push(...reader.push(line));
        state = JSON.parse(JSON.stringify(reader.save())) as Json;
      }
      expect(records).toEqual(whole.records);
      expect(source.openReader(file, state).facts()).toEqual(whole.reader.facts());
    });

    it(`gives the same records with and without bounds`, () => {
      const file = {name: fixture.name, stream: fixture.stream ?? `main`};
      const unbounded = source.openReader(file, undefined, {unbounded: true});
      expect(lines.flatMap(line => unbounded.push(line))).toEqual(readLines(source, lines, fixture).records);
    });

    it(`loses nothing of what stands before a cut, at every byte`, {timeout: HANG_MS * 3}, () => {
      const file = {name: fixture.name, stream: fixture.stream ?? `main`};
      const step = Math.max(1, Math.ceil(fixture.text.length / CUTS));
      let reader = source.openReader(file);
      const before: Array<NeutralRecord> = [];
      let at = 0;
      for (const line of lines) {
        const state = JSON.parse(JSON.stringify(reader.save())) as Json;
        for (let cut = (step - at % step) % step; cut < line.text.length; cut += step) {
          const torn = source.openReader(file, structuredClone(state));
          const text = line.text.slice(0, cut);
          const after = torn.push({...parse(text), text, offset: line.offset, length: cut + 1});
          expectSound([...before, ...after]);
        }
        at += line.text.length + 1;
        try {
          before.push(...reader.push(line));
        } catch (error) {
          if (!(error instanceof NeedsFullRead))
            throw error;
          reader = source.openReader(file, undefined, {unbounded: true});
          for (const one of lines.slice(0, lines.indexOf(line) + 1))
            reader.push(one);
        }
      }
    });

    it(`stands lines in any order, doubled, and left out`, {timeout: HANG_MS}, () => {
      fc.assert(fc.property(fc.array(fc.nat(lines.length - 1), {maxLength: lines.length * 2}), order => {
        expectSound(readLines(source, placed(order.map(index => lines[index]!.text)), fixture).records);
      }), {numRuns: 40});
    });

    it(`stands values of other types anywhere`, {timeout: HANG_MS * 2}, () => {
      const values = lines.map(line => line.value);
      const other = fc.oneof(fc.constantFrom<Json>(null, true, 0, -1, 1e300, ``, `x`, [], {}, [null], [[]], {type: null}, `2026-11-20T10:00:00.000Z`, `\ud800`), fc.jsonValue({maxDepth: 2}) as fc.Arbitrary<Json>);
      fc.assert(fc.property(fc.nat(), fc.nat(), other, (which, where, value) => {
        const index = which % values.length;
        const changed = values.map((original, at) => at === index ? replaced(original, where, value) : original);
        expectSound(readLines(source, placed(changed.map(one => JSON.stringify(one) ?? `not JSON`)), fixture).records);
      }), {numRuns: 250});
    });

    it(`stands ids that are all the same, and parents that are their own children`, {timeout: HANG_MS}, () => {
      const ids = new Set(lines.flatMap(line => idsIn(line.value)));
      for (const make of [() => `same`, (_: string, index: number) => [...ids][(index + 1) % ids.size]!, (_: string, index: number) => [...ids][ids.size - 1 - index]!]) {
        const map = new Map([...ids].map((id, index) => [id, make(id, index)]));
        const texts = lines.map(line => JSON.stringify(renamed(line.value ?? null, map)));
        expectSound(readLines(source, placed(texts), fixture).records);
      }
    });

    it(`stands JSON of any depth and lines of any length`, {timeout: HANG_MS}, () => {
      const deep = `${`{"a":`.repeat(100_000)}1${`}`.repeat(100_000)}`;
      const long = JSON.stringify({type: `user`, text: `x`.repeat(5_000_000), message: {role: `user`, content: `y`.repeat(1_000_000)}});
      const texts = lines.flatMap((line, index) => index % 5 === 2 ? [line.text, deep] : index === 3 ? [line.text, long] : [line.text]);
      expectSound(readLines(source, placed(texts), fixture).records);
    });
  });
}

function placed(texts: Array<string>): Array<SourceLine> {
  return linesOf(texts.map(text => `${text}\n`).join(``));
}

/** A copy with the `where`th value inside it (in the order of a walk, modulo their number) replaced. */
function replaced(value: Json | undefined, where: number, by: Json): Json {
  const places = countValues(value ?? null);
  let at = where % places;
  const walk = (one: Json): Json => {
    if (at-- === 0)
      return by;
    if (Array.isArray(one))
      return one.map(walk);
    if (typeof one === `object` && one !== null)
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(inner)]));
    return one;
  };
  return walk(value ?? null);
}

function countValues(value: Json): number {
  if (typeof value !== `object` || value === null)
    return 1;
  return 1 + Object.values(value).reduce<number>((sum, inner) => sum + countValues(inner as Json), 0);
}

const ID_KEY = /(^|_|[a-z])(id|uuid|Id|Uuid|ID)$/;

function idsIn(value: Json | undefined): Array<string> {
  if (typeof value !== `object` || value === null)
    return [];
  return Object.entries(value).flatMap(([key, inner]) => typeof inner === `string` && ID_KEY.test(key) ? [inner] : idsIn(inner as Json));
}

function renamed(value: Json, map: Map<string, string>): Json {
  if (typeof value === `string`)
    return map.get(value) ?? value;
  if (Array.isArray(value))
    return value.map(inner => renamed(inner, map));
  if (typeof value === `object` && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, renamed(inner, map)])) as JsonObject;
  return value;
}

export type WriterOptions = {
  target: Pick<TargetAdapter, `openWriter`>;
  /** What the writer writes for. */
  writing: WriterTarget;
  /**
   * Throws when the text breaks a rule of the agent. `closed`: the session had no open calls and `end()` was written.
   * `records`: what was written, linear.
   */
  check: (text: string, context: {records: Array<NeutralRecord>; writer: RecordWriter}) => void;
  numRuns?: number;
};

/** What every writer must keep, over generated sessions: the agent's rules, determinism, a state that does not grow. */
export function writerBattery({target, writing, check, numRuns = 120}: WriterOptions) {
  const open = (state?: Json) => target.openWriter(writing, state);
  const whole = (records: Array<NeutralRecord>) => {
    const writer = open();
    const text = writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end();
    return {text, writer};
  };

  describe(`any session, written`, () => {
    it(`keeps the agent's rules, and counts every record once`, {timeout: HANG_MS * 3}, () => {
      fc.assert(fc.property(sessionArbitrary({open: true, large: true}), records => {
        const {text, writer} = whole(records);
        expect(text === `` || text.endsWith(`\n`), `whole lines`).toBe(true);
        expect(text, `no halves of surrogate pairs`).toBe(text.toWellFormed());
        expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/i);
        for (const line of text.split(`\n`).slice(0, -1))
          expect(JSON.stringify(JSON.parse(line)), `compact JSON`).toBe(line);
        check(text, {records, writer});

        const {kept, reduced, dropped, items} = writer.report();
        expect(kept + reduced + dropped, `every record is counted once`).toBe(records.length);
        expect(items.reduce((sum, {count}) => sum + (count ?? 1), 0)).toBe(reduced + dropped);
        expect(items.every(({reason, outcome}) => reason !== undefined && outcome !== `kept`)).toBe(true);
      }), {numRuns});
    });

    it(`is the same bytes again, also when the writer is saved and opened at every record`, {timeout: HANG_MS * 3}, () => {
      fc.assert(fc.property(sessionArbitrary({open: true}), records => {
        const {text, writer} = whole(records);
        expect(whole(records).text).toBe(text);

        let pieces = open().begin();
        let state = open().save();
        for (const record of records) {
          const next = open(JSON.parse(JSON.stringify(state)) as Json);
          pieces += next.push(record);
          state = next.save();
        }
        const last = open(JSON.parse(JSON.stringify(state)) as Json);
        pieces += last.end();
        expect(pieces).toBe(text);
        expect(last.report()).toEqual(writer.report());
        expect(last.title()).toBe(writer.title());
        expect(last.updated()).toBe(writer.updated());
      }), {numRuns: Math.ceil(numRuns * 0.7)});
    });

    it(`is the beginning of the session that has grown`, {timeout: HANG_MS * 3}, () => {
      fc.assert(fc.property(sessionArbitrary({open: true}), fc.nat(), (records, cut) => {
        const write = (some: Array<NeutralRecord>) => {
          const writer = open();
          return writer.begin() + some.map(record => writer.push(record)).join(``);
        };
        expect(write(records).startsWith(write(records.slice(0, cut % (records.length + 1))))).toBe(true);
      }), {numRuns: Math.ceil(numRuns / 2)});
    });

    it(`is saved in a state that does not grow with it`, {timeout: HANG_MS}, () => {
      const writer = open();
      const sizes: Array<number> = [];
      writer.begin();
      writer.push({seq: 0, kind: `prompt`, content: [{type: `text`, text: `Begin`}]});
      for (let seq = 1; seq < 6_001; seq += 3) {
        writer.push({seq, kind: `call`, call: `c${seq}`, name: `Bash`, tool: `shell`, args: {command: `x`.repeat(2_000)}, input: {command: `x`.repeat(2_000)}});
        writer.push({seq: seq + 1, kind: `result`, call: `c${seq}`, content: [{type: `text`, text: `z`.repeat(2_000)}]});
        writer.push({seq: seq + 2, kind: `reply`, text: `y`.repeat(seq)});
        if (seq % 100 === 1)
          sizes.push(JSON.stringify(writer.save()).length);
      }
      expect(Math.max(...sizes)).toBeLessThan(1_000_000);
      expect(sizes.at(-1)!).toBeLessThan(sizes[Math.floor(sizes.length / 3)]! * 1.5 + 2_000);
    });
  });
}

/** Closes what a generated session left open, so that a round trip can be compared. */
export function closed(records: Array<NeutralRecord>): Array<NeutralRecord> {
  const calls = new OpenCalls();
  for (const record of records)
    calls.see(record);
  return [...records, ...calls.heal((records.at(-1)?.seq ?? -1) + 1)];
}
