import {describe, expect, it} from 'vitest';

import {createRedactor}       from '../../sources/redaction/index.ts';
import {chars, pem}           from './_samples.ts';

const redactor = createRedactor();
const MB = 1024 * 1024;

/** Time of `run` in ms; the rules are loaded before. */
async function time(run: () => unknown): Promise<number> {
  await redactor.line(`{"a":"-----BEGIN PRIVATE ${`KEY`}-----"}`, {});
  const start = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

describe(`time is linear`, () => {
  const head = `-----BEGIN PRIVATE ${`KEY`}-----`;
  // Each makes some pattern start over and over, or come to nothing only at the end. Quadratic behaviour would take
  // minutes where the bound is seconds.
  const hostile: Array<[string, string]> = [
    [`words of names`, `key=`.repeat(MB / 4)],
    [`names in quotes`, `password="`.repeat(MB / 10)],
    [`names and blanks`, `password =${` `.repeat(40)}`.repeat(MB / 50)],
    [`one long value`, `token=${`a1B`.repeat(MB / 3)}`],
    [`heads of keys`, head.repeat(MB / head.length)],
    [`a key without end`, head + `1`.repeat(MB) + `===`],
    [`a key of backslashes`, head + `\\`.repeat(MB)],
    [`many keys of digits`, (head + `1`.repeat(900) + `!`).repeat(MB / 930)],
    [`schemes`, `://`.repeat(MB / 3)],
    [`URLs without host`, `://a:b`.repeat(MB / 6)],
    [`starts of JWTs`, `eyJ-`.repeat(MB / 4)],
    [`starts of SendGrid keys`, `SG.aaaaaaaaaaaaaaaaaaaaaa.`.repeat(MB / 26)],
    [`starts of Slack tokens`, `xoxb-1-`.repeat(MB / 7)],
    [`Bearer`, `Bearer `.repeat(MB / 7)],
    [`Basic`, `Basic ${`a`.repeat(30)} `.repeat(MB / 37)],
    [`one run of token characters`, chars(`word`, 64, 1).repeat(MB / 64)],
    [`dashes`, `-`.repeat(MB)],
    [`slashes`, `/a1B`.repeat(MB / 4)],
    [`backslashes after a name`, `token${`\\`.repeat(MB)}`],
    [`percent signs`, `%3D`.repeat(MB / 3)],
    [`options`, `--a-key `.repeat(MB / 8)],
    [`logins`, `machine a login a `.repeat(MB / 18)],
    [`mysql`, `mysql `.repeat(MB / 6)],
    [`curl`, `curl -u a`.repeat(MB / 9)],
    [`x-oauth-basic`, `https://`.repeat(MB / 8) + `:x-oauth-basic@github.com/`],
  ];
  it.each(hostile)(`in %s`, async (_name, text) => {
    const line = JSON.stringify({content: text});
    const ms = await time(async () => {
      await redactor.line(line, {content: text});
      await redactor.text(text);
    });
    expect(ms).toBeLessThan(8_000);
  });

  it(`in the number of secrets`, async () => {
    const tokens = Array.from({length: 4_000}, (_, n) => `gh` + `p_` + chars(`word`, 36, n));
    const line = JSON.stringify({content: tokens.join(`\n`)});
    const ms = await time(async () => {
      const {text, counts} = await redactor.line(line, {});
      expect(counts).toEqual({github: 4_000});
      expect(text).not.toContain(tokens[3_999]);
    });
    expect(ms).toBeLessThan(8_000);
  });

  it(`in how deep JSON lies in JSON`, async () => {
    let text = `password=hunter22`;
    for (let depth = 0; depth < 9; depth++)
      text = JSON.stringify({a: text});
    expect(await time(() => redactor.line(text, {}))).toBeLessThan(2_000);
    const open = `[`.repeat(MB);
    expect(await time(() => redactor.line(open, {}))).toBeLessThan(2_000);
  });
});

describe(`a line of any length`, () => {
  it(`is searched in pieces, without a gap between them`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `pieces`);
    const key = pem(``, 1, 3_000);
    const filler = `The quick brown fox \\ jumps "over" the lazy dog. \n`.repeat(60_000);
    // Around every multiple of the piece's length, in raw or decoded characters.
    for (const near of [256 * 1024, 512 * 1024, 1024 * 1024]) {
      for (let shift = -60_000; shift <= 60_000; shift += 7_013) {
        const at = near + shift;
        const content = `${filler.slice(0, at)} ${token} ${filler.slice(at, at + 300_000)}\n${key}\n${filler.slice(0, 1000)}`;
        const {text, counts} = await redactor.line(JSON.stringify({content}), {});
        expect(counts).toEqual({'github': 1, 'private-key': 1});
        expect(JSON.parse(text)).toEqual({content: content.replace(token, `[REDACTED:github]`).replace(key, `[REDACTED:private-key]`)});
      }
    }
  });

  it(`takes time and memory in proportion`, async () => {
    const token = `gh` + `p_` + chars(`word`, 36, `long`);
    const line = `{"content":"${`const total = items.map(item => item.price).reduce((sum, price) => sum + price, 0);\\n`.repeat(240_000)} ${token}"}`;
    expect(line.length).toBeGreaterThan(19 * MB);
    const ms = await time(async () => {
      const {text} = await redactor.line(line, {});
      expect(text.endsWith(` [REDACTED:github]"}`)).toBe(true);
    });
    expect(ms).toBeLessThan(10_000);
  });
});
