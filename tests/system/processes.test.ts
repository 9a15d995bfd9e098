import {spawn}                    from 'node:child_process';
import {once}                     from 'node:events';
import {existsSync, readlinkSync} from 'node:fs';
import process                    from 'node:process';
import {describe, expect, it}     from 'vitest';

import {startOf}                  from '../../sources/system/processes.ts';

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
