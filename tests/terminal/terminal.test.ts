import {PassThrough}          from 'node:stream';
import {describe, expect, it} from 'vitest';

import {age}                  from '../../sources/terminal/age.ts';
import {picker}               from '../../sources/terminal/picker.ts';
import {progress}             from '../../sources/terminal/progress.ts';
import {table}                from '../../sources/terminal/table.ts';

const now = Date.parse(`2026-03-10T12:00:00.000Z`);

describe(`age`, () => {
  it.each([
    [`2026-03-10T11:59:30.000Z`, `just now`],
    [`2026-03-10T11:58:00.000Z`, `2min ago`],
    [`2026-03-10T10:00:00.000Z`, `2h ago`],
    [`2026-03-08T11:00:00.000Z`, `2d ago`],
    [`2026-02-20T11:00:00.000Z`, `2w ago`],
    [`2025-12-20T11:00:00.000Z`, `2mo ago`],
    [`2024-01-01T00:00:00.000Z`, `2y ago`],
    // The clock of another machine.
    [`2026-03-11T00:00:00.000Z`, `just now`],
    [`yesterday`, ``],
  ])(`%s is %s`, (iso, expected) => {
    expect(age(iso, now)).toBe(expected);
  });
});

describe(`table`, () => {
  it(`lines up by width on the screen, without lines or trailing blanks`, () => {
    expect(table([[`a1`, `カート`, `x`], [`b2345`, `shop`, ``]], {columns: [`ID`, `TITLE`, `X`]})).toBe([
      `ID     TITLE   X`,
      `a1     カート  x`,
      `b2345  shop`,
    ].join(`\n`));
  });
});

/** Streams that look like a terminal, and what was written. */
function terminal() {
  const stdin = Object.assign(new PassThrough(), {isTTY: true, setRawMode() {}});
  const stdout = Object.assign(new PassThrough(), {isTTY: true, columns: 80, rows: 24});
  let written = ``;
  stdout.on(`data`, chunk => written += String(chunk));
  return {stdin, stdout, stderr: stdout, written: () => written};
}

const options = [{value: `a`, label: `first`}, {value: `b`, label: `second`}, {value: `c`, label: `third`}];

async function press(stdin: PassThrough, ...keys: Array<string>) {
  for (const key of keys) {
    await new Promise(resolve => setTimeout(resolve, 30));
    stdin.write(key);
  }
}

describe(`picker`, () => {
  it(`gives the value that was chosen with the arrows`, async () => {
    const context = terminal();
    const chosen = picker(context, {message: `Which one?`, options});
    await press(context.stdin, `\u001b[B`, `\r`);
    expect(await chosen).toBe(`b`);
    expect(context.written()).toContain(`Which one?`);
  });

  it(`gives the value that was typed for`, async () => {
    const context = terminal();
    const chosen = picker(context, {message: `Which one?`, options});
    await press(context.stdin, `t`, `h`, `i`, `\r`);
    expect(await chosen).toBe(`c`);
  });

  it(`gives nothing when it is left`, async () => {
    const context = terminal();
    const chosen = picker(context, {message: `Which one?`, options});
    await press(context.stdin, `\u0003`);
    expect(await chosen).toBeUndefined();
  });
});

describe(`progress`, () => {
  it(`is silent where nobody looks`, async () => {
    const {stderr, written} = terminal();
    stderr.isTTY = false;
    const bar = await progress({stderr});
    await new Promise(resolve => setTimeout(resolve, 450));
    bar.update(`working`);
    bar.clear();
    expect(written()).toBe(``);
  });

  it(`shows the newest message on a terminal, once it takes a while`, async () => {
    const {stderr, written} = terminal();
    const bar = await progress({stderr});
    bar.update(`soon`);
    expect(written()).toBe(``);
    await new Promise(resolve => setTimeout(resolve, 450));
    bar.update(`working`);
    await new Promise(resolve => setTimeout(resolve, 200));
    bar.clear();
    expect(written()).toContain(`working`);
  });
});
