import {describe, expect, it}                from 'vitest';

import type {NeutralRecord}                  from '../../../sources/interchange/index.ts';
import fc                                    from '../../_properties.ts';
import {sessionArbitrary}                    from '../../interchange/arbitrary.ts';

import {open, parse}                         from './_session.ts';

function whole(records: Array<NeutralRecord>) {
  const writer = open();
  return {text: writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end(), writer};
}

describe(`any session`, () => {
  it(`becomes lines that Codex reads: typed, paired, named as the API wants`, () => {
    fc.assert(fc.property(sessionArbitrary({open: true, large: true}), records => {
      const {text, writer} = whole(records);
      const lines = parse(text);
      expect(lines.map(line => JSON.stringify(line)).join(`\n`)).toBe(text.trimEnd());
      expect(text).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/);
      expect(lines[0]!.type).toBe(`session_meta`);

      const open = new Set<string>();
      for (const {type, timestamp, payload} of lines) {
        expect(typeof timestamp).toBe(`string`);
        if (type !== `response_item`)
          continue;
        if (/_call$/.test(payload.type)) {
          expect(payload.call_id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect(payload.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect(typeof (payload.arguments ?? payload.input)).toBe(`string`);
          expect(open.has(payload.call_id)).toBe(false);
          open.add(payload.call_id);
        } else if (/_output$/.test(payload.type)) {
          expect(open.delete(payload.call_id)).toBe(true);
          const texts = typeof payload.output === `string` ? [payload.output] : payload.output.map((piece: {text?: string}) => piece.text ?? ``);
          expect(Buffer.byteLength(texts.join(``))).toBeLessThanOrEqual(48_000);
        } else {
          expect(payload.content.length).toBeGreaterThan(0);
        }
      }
      expect(open.size).toBe(0);

      const starts = lines.filter(({payload}) => payload.type === `task_started`).map(({payload}) => payload.turn_id);
      const ends = lines.filter(({payload}) => payload.type === `task_complete` || payload.type === `turn_aborted`).map(({payload}) => payload.turn_id);
      expect(ends).toEqual(starts);
      expect(new Set(starts).size).toBe(starts.length);
      expect(lines.some(({payload}) => payload.type === `user_message`)).toBe(true);

      const {kept, reduced, dropped, items} = writer.report();
      expect(kept + reduced + dropped).toBe(records.length);
      expect(items.reduce((sum, {count}) => sum + (count ?? 1), 0)).toBe(reduced + dropped);
      expect(items.every(({reason, outcome}) => reason !== undefined && outcome !== `kept`)).toBe(true);
    }), {numRuns: 150});
  });

  it(`becomes the same bytes when the writer is saved and opened again at every record`, () => {
    fc.assert(fc.property(sessionArbitrary({open: true}), records => {
      const {text, writer} = whole(records);

      let pieces = open().begin();
      let state = open().save();
      for (const record of records) {
        const next = open(JSON.parse(JSON.stringify(state)));
        pieces += next.push(record);
        state = next.save();
      }
      const last = open(state);
      pieces += last.end();

      expect(pieces).toBe(text);
      expect(last.report()).toEqual(writer.report());
      expect(last.title()).toBe(writer.title());
    }), {numRuns: 100});
  });

  it(`is saved in a state that does not grow with it`, () => {
    const writer = open();
    const sizes: Array<number> = [];
    for (let seq = 0; seq < 6_000; seq += 2) {
      writer.push({seq, kind: `call`, call: `c${seq}`, name: `Read`, tool: `other`, input: {text: `x`.repeat(2_000)}});
      writer.push({seq: seq + 1, kind: `note`, what: `hook`, visible: true, text: `y`.repeat(seq)});
      if (seq % 100 === 0)
        sizes.push(JSON.stringify(writer.save()).length);
    }
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    expect(sizes.at(-1)!).toBeLessThan(sizes[12]! * 1.5);
  });
});
