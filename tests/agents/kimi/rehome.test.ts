import {readFile, writeFile}   from 'node:fs/promises';
import type {FileHandle}       from 'node:fs/promises';
import path                    from 'node:path';
import {beforeEach, describe, expect, it, vi} from 'vitest';

import {kimi}                  from '../../../sources/agents/kimi/index.ts';
import type {Machine}          from '../../../sources/agents/types.ts';
import {temporaryFolders}      from '../../_temporary.ts';

/** Bytes that the disk still takes, and that one write takes. As on a real one, a write may take a part and say so in its result only. */
const disk = vi.hoisted(() => ({left: Infinity, most: Infinity}));

vi.mock(import(`node:fs/promises`), async original => {
  const real = await original();
  const open = (async (file: string, flags?: string | number, mode?: number) => {
    const handle = await real.open(file, flags, mode);
    const write = handle.write.bind(handle) as (bytes: Buffer, offset: number, length: number, position: number) => ReturnType<FileHandle[`write`]>;
    const limited = async (data: Buffer | string, ...args: Array<number>) => {
      const [bytes, position] = typeof data === `string` ? [Buffer.from(data), args[0]!] : [data.subarray(args[0], args[0]! + args[1]!), args[2]!];
      if (disk.left === 0)
        throw Object.assign(new Error(`ENOSPC: no space left on device, write`), {code: `ENOSPC`});
      const taken = Math.min(bytes.length, disk.left, disk.most);
      disk.left -= taken;
      return await write(bytes, 0, taken, position);
    };
    Object.defineProperty(handle, `write`, {value: limited});
    return handle;
  }) as typeof real.open;
  return {...real, open} as typeof real;
});

const ID = `session_6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`;
const [BEFORE, AFTER] = [`wd_shop_000000000000`, `wd_läden_123456789abc`];
const {known, tell} = kimi.rehome!.telling!;
const temporary = temporaryFolders();
let machine: Machine;
let file: string;

const binding = (workspaceId: string) => `{"type":"runtime.set_binding","workspaceId":"${workspaceId}","runtimeId":"größer","agentId":"main","time":7}\n`;
const told = () => tell(machine, ID, {do: `tell`, path: file, before: BEFORE, after: AFTER});
const text = `{"type":"metadata"}\n${binding(BEFORE)}{"type":"x","text":"日本"}\n`;

beforeEach(async () => {
  const home = await temporary();
  machine = {env: {PATH: ``}, home, platform: `linux`, tmp: home};
  file = path.join(home, `wire.jsonl`);
  Object.assign(disk, {left: Infinity, most: Infinity});
});

describe(`a binding in a log of Kimi Code`, () => {
  it(`is completed wherever it was cut, also within a letter`, async () => {
    const whole = Buffer.from(binding(AFTER));
    for (let length = 0; length < whole.length; length++) {
      await writeFile(file, Buffer.concat([Buffer.from(text), whole.subarray(0, length)]));
      await told();
      expect({length, log: await readFile(file, `utf8`)}).toEqual({length, log: text + binding(AFTER)});
    }
  });

  it(`is written whole where one write takes a part of it`, async () => {
    await writeFile(file, text);
    disk.most = 11;
    await told();
    expect(await readFile(file, `utf8`)).toBe(text + binding(AFTER));
  });

  it(`leaves the log as it was where the disk is full`, async () => {
    for (const left of [0, 1, 40, Buffer.byteLength(binding(AFTER)) - 1]) {
      await writeFile(file, text);
      disk.left = left;
      await expect(told(), `${left} bytes`).rejects.toMatchObject({code: `ENOSPC`});
      expect({left, log: await readFile(file, `utf8`)}).toEqual({left, log: text});
      disk.left = Infinity;
    }
    expect(await known(machine, ID, {do: `tell`, path: file, before: BEFORE, after: AFTER})).toBe(`before`);
  });
});
