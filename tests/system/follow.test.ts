import {appendFile, symlink, writeFile} from 'node:fs/promises';
import path                             from 'node:path';
import {describe, expect, it}           from 'vitest';

import {LONGEST_LINE, follow}           from '../../sources/system/follow.ts';
import type {FollowedLine}              from '../../sources/system/follow.ts';
import {temporaryFolders}               from '../_temporary.ts';

const folder = temporaryFolders();

async function all(file: string, offset = 0, end?: number) {
  const lines: Array<FollowedLine> = [];
  for await (const batch of follow(file, offset, end))
    for (const line of batch)
      lines.push(line);
  return lines;
}

describe(`follow`, () => {
  it(`should give complete lines with their place in bytes, and leave a torn one`, async () => {
    const file = path.join(await folder(), `t.jsonl`);
    await writeFile(file, `{"a":"ü"}\n\nnot json\n{"torn":`);
    const lines = await all(file);
    expect(lines.map(({text, offset, length}) => ({text, offset, length}))).toEqual([
      {text: `{"a":"ü"}`, offset: 0, length: 11},
      {text: ``, offset: 11, length: 1},
      {text: `not json`, offset: 12, length: 9},
    ]);
    expect(lines.map(({value}) => value)).toEqual([{a: `ü`}, undefined, undefined]);

    await appendFile(file, `1}\n`);
    expect((await all(file, 21)).map(({value}) => value)).toEqual([{torn: 1}]);
  });

  it(`should join lines over the borders of its reads`, async () => {
    const file = path.join(await folder(), `t.jsonl`);
    const long = `x`.repeat(3 << 20);
    await writeFile(file, `${JSON.stringify(long)}\n{"b":1}\n${`{"c":2}\n`.repeat(200_000)}`);
    const lines = await all(file);
    expect(lines).toHaveLength(200_002);
    expect(lines[0]!.value).toBe(long);
    expect(lines.every((line, index) => index === 0 || line.offset === lines[index - 1]!.offset + lines[index - 1]!.length)).toBe(true);
    expect(lines.at(-1)).toMatchObject({value: {c: 2}});
  });

  it(`should not hold a line that is too long, and go on after it`, async () => {
    const file = path.join(await folder(), `t.jsonl`);
    await writeFile(file, `{"a":1}\n`);
    const piece = Buffer.alloc(8 << 20, 0x78);
    for (let written = 0; written <= LONGEST_LINE; written += piece.length)
      await appendFile(file, piece);
    await appendFile(file, `\n{"b":2}\n`);
    const lines = await all(file);
    expect(lines.map(({value, tooLong}) => [value, tooLong === true])).toEqual([[{a: 1}, false], [undefined, true], [{b: 2}, false]]);
  });

  it(`should read binary junk as text with a note`, async () => {
    const file = path.join(await folder(), `t.jsonl`);
    await writeFile(file, Buffer.concat([Buffer.from([0xFF, 0xFE, 0x00, 10]), Buffer.from(`{"a":1}\n`)]));
    expect((await all(file)).map(({value, invalid}) => [value, invalid === true])).toEqual([[undefined, true], [{a: 1}, false]]);
  });

  it(`should stop where it is told to`, async () => {
    const file = path.join(await folder(), `t.jsonl`);
    await writeFile(file, `1\n2\n3\n`);
    expect((await all(file, 2, 4)).map(({value}) => value)).toEqual([2]);
  });

  it(`should follow neither links nor what is not there`, async () => {
    const home = await folder();
    await writeFile(path.join(home, `real`), `1\n`);
    await symlink(path.join(home, `real`), path.join(home, `link`));
    expect(await all(path.join(home, `link`))).toEqual([]);
    expect(await all(path.join(home, `nothing`))).toEqual([]);
  });
});
