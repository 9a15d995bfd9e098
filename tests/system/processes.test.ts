import {spawn}                    from 'node:child_process';
import {once}                     from 'node:events';
import {existsSync, readlinkSync} from 'node:fs';
import {mkdir, rename, writeFile} from 'node:fs/promises';
import path                       from 'node:path';
import process                    from 'node:process';
import {describe, expect, it}     from 'vitest';

import {runningIn, startOf}       from '../../sources/system/processes.ts';
import {temporaryFolders}         from '../_temporary.ts';

/** A program that holds much memory, so that its end takes a while. */
async function large() {
  const child = spawn(process.execPath, [`-e`, `const all = []; while (all.length < 40) all.push(Buffer.alloc(4 << 20, 1)); console.log("up"); setInterval(() => {}, 1000)`], {stdio: [`ignore`, `pipe`, `ignore`]});
  await once(child.stdout, `data`);
  return child;
}

function hasProgram(pid: number) {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

describe(`startOf`, () => {
  it(`should be the same each time for a process that runs, and null for none`, async () => {
    const start = await startOf(process.pid);
    expect(start).toMatch(/^\d*$/);
    expect(await startOf(process.pid)).toBe(start);
    // Beyond what Linux and macOS give out.
    expect(await startOf(2 ** 30)).toBeNull();
  });

  it.runIf(existsSync(`/proc/self/stat`))(`should be null from when a killed process has no program any more, also while it gives back its memory`, async () => {
    for (let round = 0; round < 20; round++) {
      const child = await large();
      const pid = child.pid!;
      expect(await startOf(pid)).toMatch(/^\d+$/);
      child.kill(`SIGKILL`);
      while (hasProgram(pid));
      expect(await startOf(pid)).toBeNull();
      if (child.exitCode === null && child.signalCode === null)
        await once(child, `exit`);
    }
  });
});

describe(`runningIn`, () => {
  const folder = temporaryFolders();

  it.skipIf(process.platform !== `linux`)(`finds a program by its name where it works, also in a folder that was renamed, and nobody else`, async () => {
    const root = await folder();
    const old = path.join(root, `shop`);
    await mkdir(path.join(old, `src`), {recursive: true});
    await writeFile(path.join(root, `kimi.mjs`), `console.log("up"); setInterval(() => {}, 1000);`);
    const child = spawn(process.execPath, [path.join(root, `kimi.mjs`)], {cwd: path.join(old, `src`), stdio: [`ignore`, `pipe`, `ignore`]});
    try {
      await once(child.stdout, `data`);
      expect(await runningIn([old], [`kimi`])).toBe(child.pid);
      expect(await runningIn([old], [`opencode`])).toBeNull();
      expect(await runningIn([path.join(root, `sho`)], [`kimi`])).toBeNull();
      await rename(old, path.join(root, `market`));
      expect(await runningIn([old, path.join(root, `market`)], [`kimi`])).toBe(child.pid);
    } finally {
      child.kill(`SIGKILL`);
      await once(child, `exit`);
    }
    expect(await runningIn([path.join(root, `market`)], [`kimi`])).toBeNull();
  });
});
