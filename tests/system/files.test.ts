import {stat, writeFile}    from 'node:fs/promises';
import path                 from 'node:path';
import {describe, expect, it} from 'vitest';

import {setTime}            from '../../sources/system/files.ts';
import {temporaryFolders}   from '../_temporary.ts';

const folder = temporaryFolders();
const DAY_MS = 86_400_000;

async function timeOf(iso: string | undefined, retentionDays?: number) {
  const file = path.join(await folder(), `session.jsonl`);
  await writeFile(file, ``);
  await setTime(file, iso, retentionDays);
  return Date.now() - (await stat(file)).mtimeMs;
}

describe(`the time of a file`, () => {
  const old = new Date(Date.now() - 40 * DAY_MS).toISOString();
  const fresh = new Date(Date.now() - 2 * DAY_MS).toISOString();

  it(`is that of its last record`, async () => {
    expect(await timeOf(old)).toBeGreaterThan(39 * DAY_MS);
    expect(await timeOf(fresh, 30)).toBeGreaterThan(1.9 * DAY_MS);
  });

  it(`is now where its agent would delete it for its age`, async () => {
    expect(await timeOf(old, 30)).toBeLessThan(DAY_MS);
  });

  it.each([undefined, `not a time`])(`is now where there is none: %s`, async iso => {
    expect(await timeOf(iso)).toBeLessThan(DAY_MS);
  });
});
