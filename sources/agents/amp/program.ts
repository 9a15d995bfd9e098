import {spawn}        from 'node:child_process';

import {cleanEnv}     from '../../system/programs.ts';
import type {Machine} from '../types.ts';

/** Output beyond this is no answer of Amp's. */
const MOST_OUTPUT = 256 << 20;

export type Ran = {code: number | null; stdout: string; stderr: string};

/** Runs `amp` to its end, or for so long. Rejects when it cannot be started; what it says is cut at the bound. */
export function runAmp(machine: Machine, binary: string, args: Array<string>, {cwd, timeoutMs}: {cwd: string; timeoutMs: number}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd, env: {...cleanEnv(machine.env), AMP_SKIP_UPDATE_CHECK: `1`}, stdio: [`ignore`, `pipe`, `pipe`], timeout: timeoutMs, killSignal: `SIGKILL`,
    });
    const output = {stdout: [] as Array<Buffer>, stderr: [] as Array<Buffer>};
    let size = 0;
    for (const stream of [`stdout`, `stderr`] as const) {
      child[stream].on(`data`, (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MOST_OUTPUT)
          output[stream].push(chunk);
        else
          child.kill(`SIGKILL`);
      });
    }
    child.on(`error`, reject);
    child.on(`close`, code => resolve({code, stdout: Buffer.concat(output.stdout).toString(`utf8`), stderr: Buffer.concat(output.stderr).toString(`utf8`)}));
  });
}
