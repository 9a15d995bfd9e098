import stringWidth            from 'string-width';
import {describe, expect, it} from 'vitest';

import {safe}                 from '../../sources/terminal/safe.ts';

import fc                     from '../_properties.ts';

describe(`safe`, () => {
  it.each([
    [`colours`, `\u001b[31mred\u001b[0m`, `red`],
    [`cursor movement`, `a\u001b[2J\u001b[1;1Hb`, `ab`],
    [`window titles`, `a\u001b]0;pwned\u0007b`, `ab`],
    [`links`, `\u001b]8;;https://evil.example\u001b\\text\u001b]8;;\u001b\\`, `text`],
    [`an OSC that never ends`, `a\u001b]52;c;cm0gLXJm`, `a`],
    [`C1 forms of the same`, `a\u009b31mb\u009d0;t\u009cc`, `abc`],
    [`a lone escape`, `a\u001b`, `a`],
    [`controls`, `a\u0000\u0007\u0008\u007f\u0085b`, `ab`],
    [`carriage returns`, `good\rbad`, `goodbad`],
    [`overrides of direction`, `a\u202egnp.exe\u2066b\u200f`, `agnp.exeb`],
    [`lone surrogates`, `a\ud800b\udc00`, `a\ufffdb\ufffd`],
    [`line breaks`, `a\r\nb\tc\u2028d`, `a b c d`],
  ])(`takes away %s`, (_name, text, expected) => {
    expect(safe(text)).toBe(expected);
  });

  it(`keeps what people write`, () => {
    for (const text of [`Füge Wärenkorb hinzu 🛒`, `カートを直す`, `👩‍💻 שלום`, `a\\x1b[31m`])
      expect(safe(text)).toBe(text);
    expect(safe(`a\n\tb`, {multiline: true})).toBe(`a\n\tb`);
  });

  it(`cuts by columns, not inside of a character`, () => {
    expect(safe(`abcdef`, {width: 6})).toBe(`abcdef`);
    expect(safe(`abcdefg`, {width: 6})).toBe(`abcde…`);
    expect(safe(`カートを直す`, {width: 6})).toBe(`カー…`);
    expect(safe(`👩‍💻👩‍💻👩‍💻`, {width: 4})).toBe(`👩‍💻…`);
  });

  it(`holds for any text, twice as once`, () => {
    const nasty = fc.string({unit: fc.oneof(fc.constantFrom(`\u001b`, `[`, `]`, `;`, `m`, `\u0007`, `\u009b`, `\u009c`, `\\`, `\u202e`, `\ud83d`, `\udc69`, `\u200d`, `\n`, `0`, `P`), fc.string({minLength: 1, maxLength: 1, unit: `binary`})), maxLength: 40});
    fc.assert(fc.property(nasty, fc.integer({min: 1, max: 30}), (text, width) => {
      const line = safe(text, {width});
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(line).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/);
      expect(stringWidth(line)).toBeLessThanOrEqual(width);
      expect(safe(safe(text))).toBe(safe(text));
    }), {numRuns: 3000});
  });

  it(`takes no longer for what is made to take long`, () => {
    for (const text of [`\u001b[`.repeat(1e6), `\u001b]`.repeat(1e6), `\u009d`.repeat(2e6), `\u001b[${`0`.repeat(2e6)}`, `\u0301`.repeat(1e6)]) {
      const start = process.hrtime.bigint();
      safe(text, {width: 40});
      expect(Number(process.hrtime.bigint() - start) / 1e6).toBeLessThan(2_000);
    }
  });
});
