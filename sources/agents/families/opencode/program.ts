import {spawn}                 from 'node:child_process';
import {open, readFile, rm}    from 'node:fs/promises';
import path                    from 'node:path';

import {makeFolder, temporaryName} from '../../../system/files.ts';
import {cleanEnv}              from '../../../system/programs.ts';
import type {Machine}          from '../../types.ts';

import type {Variant}          from './variant.ts';

/** A start takes 2 s, on a busy machine some more. */
const SHORT_MS = 60_000;
/** 800 messages were imported in 7 s. */
const LONG_MS = 600_000;
const ERRORS = 4_000;

export type Ran = {code: number | null; out: string; errors: string};

export type RunOptions = {
  cwd?: string;
  long?: boolean;
};

/**
 * Runs the agent's program. Its output goes to a file, never a pipe: 1.18.33 ends before all of it is through a pipe (65,536
 * of 2,980,176 bytes arrived). Without plugins, since ours would be told of it, and without looking for updates.
 */
export async function run(machine: Machine, variant: Variant, binary: string, args: Array<string>, {cwd = machine.home, long = false}: RunOptions = {}): Promise<Ran> {
  await makeFolder(machine.tmp);
  const file = temporaryName(path.join(machine.tmp, `session-sync-${variant.id}`));
  const handle = await open(file, `wx`, 0o600);
  try {
    const {code, errors} = await start(machine, variant, binary, args, cwd, handle.fd, long ? LONG_MS : SHORT_MS);
    return {code, errors, out: await readFile(file, `utf8`)};
  } finally {
    await handle.close();
    await rm(file, {force: true});
  }
}

function start(machine: Machine, variant: Variant, binary: string, args: Array<string>, cwd: string, stdout: number, ms: number): Promise<Omit<Ran, `out`>> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, {
      cwd, env: environment(machine, variant), stdio: [`ignore`, stdout, `pipe`], timeout: ms, killSignal: `SIGKILL`,
      shell: machine.platform === `win32` && binary.endsWith(`.cmd`),
    });
    let errors = ``;
    child.stderr!.setEncoding(`utf8`).on(`data`, text => errors = `${errors}${text}`.slice(-ERRORS));
    child.once(`error`, reject);
    child.once(`close`, code => resolve({code, errors: plain(errors)}));
  });
}

/** What a program that runs inside an agent of the family inherits from it says nothing about the one that we start. */
function environment({env}: Machine, {prefix}: Variant): NodeJS.ProcessEnv {
  const inherited = new Set([prefix, `${prefix}_PID`, `${prefix}_RUN_ID`, `${prefix}_PROCESS_ROLE`, `${prefix}_SERVER_PASSWORD`]);
  return {
    ...Object.fromEntries(Object.entries(cleanEnv(env)).filter(([name]) => !inherited.has(name))),
    [`${prefix}_PURE`]: `1`,
    [`${prefix}_DISABLE_AUTOUPDATE`]: `1`,
    [`${prefix}_DISABLE_MODELS_FETCH`]: `1`,
    [`${prefix}_TELEMETRY_LEVEL`]: `off`,
  };
}

/** Rows of a query. Throws with what the program said. */
export async function query(machine: Machine, variant: Variant, binary: string, sql: string): Promise<Array<{[column: string]: unknown}>> {
  const {code, out, errors} = await run(machine, variant, binary, [`db`, sql, `--format`, `json`]);
  if (code !== 0)
    throw new Error(`${variant.program} db exited with ${code}: ${lastLine(errors)}`);

  const rows: unknown = JSON.parse(out.trim() === `` ? `[]` : out);
  if (!Array.isArray(rows))
    throw new Error(`${variant.program} db gave no rows`);
  return rows.filter((row): row is {[column: string]: unknown} => typeof row === `object` && row !== null);
}

/** A text in SQL. */
export function quoted(text: string): string {
  return `'${text.replaceAll(`\0`, ``).replaceAll(`'`, `''`)}'`;
}

export function lastLine(text: string): string {
  return text.trim().split(`\n`).at(-1)!.slice(0, 300);
}

function plain(text: string) {
  return text.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``);
}
