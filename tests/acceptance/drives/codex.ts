import {spawn}                              from 'node:child_process';
import {appendFile, mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                                 from 'node:path';
import {createInterface}                    from 'node:readline';
import {fileURLToPath}                      from 'node:url';

import {agentPath}                          from '../../agents.mjs';
import {codexThread, setUpCodex}             from '../_agents.ts';
import type {CodexRun}                      from '../_agents.ts';
import {heardByCodex}                       from '../_heard.ts';
import type {Turn}                          from '../_model.ts';
import {ResponsesModel}                     from '../_responses.ts';
import type {Machine}                       from '../_world.ts';

import type {Drive}                         from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `codex`);

/** A model that calls tools one by one, and one that writes scripts (0.169.0). */
export const CLASSIC = `gpt-5.5`;
export const CODE_MODE = `gpt-6.1-sol`;

/** Whether tests with the real program can run here; where agents are demanded and it is missing that is an error. */
export function codexIsHere(): boolean {
  if (agentPath(`codex`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`no Codex in .agents/: \`npm run test:agents\` fetches it`);
  return false;
}

export type CodexOptions = {cwd?: string; model?: string; args?: Array<string>};

/** `codex exec` with these arguments, against a scripted model. */
export async function runCodex(machine: Machine, args: Array<string>, turns: Array<Turn>, {cwd = machine.project, model = CLASSIC, args: more = []}: CodexOptions = {}): Promise<CodexRun> {
  const server = await ResponsesModel.start({turns});
  try {
    const outcome = await machine.run(`codex`, [
      `exec`, ...args.slice(0, 1).filter(arg => arg === `resume`), ...more, `--json`, `--skip-git-repo-check`, `-c`, `model="${model}"`,
      `-c`, `sandbox_mode="danger-full-access"`, `-c`, `model_providers.fake.base_url="${server.url}/v1"`, `--`, ...args.filter((arg, index) => index > 0 || arg !== `resume`),
    ], {cwd});
    const events = outcome.stdout.split(`\n`).flatMap(line => line.startsWith(`{`) ? [JSON.parse(line)] : []);
    return {...outcome, requests: server.requests, events};
  } finally {
    await server.close();
  }
}

/** Begins a session for real; resolves to its id. */
export async function beginCodex(machine: Machine, prompt: string, turns: Array<Turn>, options: CodexOptions = {}): Promise<string> {
  const run = await runCodex(machine, [prompt], turns, options);
  const id = run.events.find(event => event.type === `thread.started`)?.thread_id;
  if (run.exitCode !== 0 || typeof id !== `string` || run.requests.length === 0)
    throw new Error(`codex exec exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return id;
}

/** Real Codex goes on with a session, for real, with the model that the session had last: another one would have it summarised first. */
async function resume(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd?: string): Promise<CodexRun> {
  const files = (await readdir(path.join(machine.codexHome, `sessions`), {recursive: true})).filter(file => file.includes(id) && file.endsWith(`.jsonl`)).sort();
  const texts = await Promise.all(files.map(async file => await readFile(path.join(machine.codexHome, `sessions`, file), `utf8`)));
  const model = texts.flatMap(text => text.split(`\n`)).flatMap(line => line.includes(`"type":"turn_context"`) ? [JSON.parse(line).payload.model as string] : []).at(-1);
  const run = await runCodex(machine, [`resume`, id, prompt], turns, {...cwd === undefined ? {} : {cwd}, ...model === undefined ? {} : {model}});
  // An id that Codex does not know starts a fresh thread and exits with 0.
  const thread = run.events.find(event => event.type === `thread.started`)?.thread_id;
  if (run.exitCode !== 0 || run.requests.length === 0 || thread !== id)
    throw new Error(`codex exec resume ${id} exited with ${run.exitCode}, thread ${thread}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/**
 * What a person does who chooses to trust all hooks when Codex asks in its terminal: the hash of each goes into
 * config.toml (0.169.0).
 */
export async function trustHooks(machine: Machine): Promise<void> {
  const child = spawn(`codex`, [`app-server`], {cwd: machine.project, env: machine.env, stdio: [`pipe`, `pipe`, `ignore`]});
  const timer = setTimeout(() => child.kill(`SIGKILL`), 30_000);
  try {
    const closed = new Promise(resolve => child.on(`close`, resolve));
    child.stdin.write([
      {id: 1, method: `initialize`, params: {clientInfo: {name: `acceptance`, version: `1`}}},
      {method: `initialized`},
      {id: 2, method: `hooks/list`, params: {cwds: [machine.project]}},
    ].map(message => `${JSON.stringify(message)}\n`).join(``));
    for await (const line of createInterface({input: child.stdout})) {
      const {id, result} = JSON.parse(line);
      if (id !== 2)
        continue;
      const hooks: Array<{key: string; currentHash: string}> = result.data.flatMap((entry: {hooks: Array<object>}) => entry.hooks);
      await appendFile(path.join(machine.codexHome, `config.toml`), hooks.map(hook => `[hooks.state.${JSON.stringify(hook.key)}]\ntrusted_hash = "${hook.currentHash}"\n`).join(``));
      child.stdin.end();
    }
    await closed;
  } finally {
    clearTimeout(timer);
    child.kill(`SIGKILL`);
  }
}

/** The id of a rollout's session, and of the file itself where that is another one. */
function idsOf(file: string): {thread: string; segment: string} {
  const [, thread, segment] = /-([0-9a-f-]{36})(?:_([0-9a-f-]{36}))?\.jsonl$/.exec(file)!;
  return {thread: thread!, segment: segment ?? thread!};
}

/** Rollouts of one session, and those that they go on from; resolves to the id of the last one. */
export async function placeCodex(machine: Machine, ...names: Array<string>): Promise<string> {
  // Where in a file a place is that another one goes on from: paths of another length move it.
  const places = new Map<string, Map<number, number>>();
  let last = ``;
  for (const name of names) {
    for (const file of (await readdir(path.join(FIXTURES, name))).filter(entry => entry.endsWith(`.jsonl`)).sort()) {
      const text = (await readFile(path.join(FIXTURES, name, file), `utf8`)).replaceAll(`/home/alice/shop`, machine.project);
      const offsets = new Map<number, number>();
      let written = ``;
      for (const line of text.split(`\n`).slice(0, -1)) {
        const value = JSON.parse(line);
        const base = value.payload.history_base;
        if (base !== undefined)
          base.end_byte_offset = places.get(base.thread_id)!.get(base.end_ordinal_exclusive);
        offsets.set(value.ordinal, Buffer.byteLength(written));
        written += `${JSON.stringify(value)}\n`;
        offsets.set(value.ordinal + 1, Buffer.byteLength(written));
      }
      const {thread, segment} = idsOf(file);
      places.set(segment, offsets);
      last = thread;
      const [, year, month, day] = /^rollout-(\d{4})-(\d\d)-(\d\d)T/.exec(file)!;
      const folder = path.join(machine.codexHome, `sessions`, year!, month!, day!);
      await mkdir(folder, {recursive: true});
      await writeFile(path.join(folder, file), written, {mode: 0o600});
    }
  }
  return last;
}

export const codexDrive: Drive = {
  agent: `codex`,
  program: `codex`,
  stores: [`.codex`],
  setUp: setUpCodex,
  async receives(machine, id, cwd) {
    return await machine.withCopy(machine.codexHome, async () => {
      const run = await resume(machine, id, `continue`, [{text: `Continued.`}], cwd);
      return heardByCodex(run.requests[0], `continue`);
    });
  },
  async title(machine, id) {
    const {listed, thread} = await codexThread(machine, id);
    return listed ? thread.title : null;
  },
  async goOn(machine, id, prompt, turns, cwd) {
    await resume(machine, id, prompt, turns, cwd);
  },
  async begin(machine, prompt, turns, cwd) {
    return await beginCodex(machine, prompt, turns, cwd === undefined ? {} : {cwd});
  },
  fixtures: [`01-classic-tools`, `02-code-mode`, `03-compacted-interrupted`, `04-legacy-continued`],
  place: placeCodex,
};
