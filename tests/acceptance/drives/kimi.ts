import {createHash}            from 'node:crypto';
import {cp, mkdir, readFile, readdir, rename, stat, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath}             from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Heard}            from '../_heard.ts';
import type {Body, Script, Turn} from '../_model.ts';
import type {Machine, Outcome} from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `kimi`);

/** Whether the real Kimi Code can run here; where agents are demanded, its absence is an error. */
export function kimiIsHere(): boolean {
  if (agentPath(`kimi`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`kimi is not in .agents/`);
  return false;
}

export type KimiRun = Outcome & {requests: Array<Body>; session: string | null};

export const kimiHome = (machine: Machine) => path.join(machine.home, `.kimi-code`);

/** Kimi Code's name for a project's folder in its store (2.1.0); the last part of the paths of these tests is plain. */
export function kimiFolder(folder: string): string {
  const name = path.basename(folder).toLowerCase().replaceAll(/[^a-z0-9._-]+/g, `-`);
  return `wd_${name}_${createHash(`sha256`).update(folder).digest(`hex`).slice(0, 12)}`;
}

export function wireOf(machine: Machine, id: string, cwd = machine.project): string {
  return path.join(kimiHome(machine), `sessions`, kimiFolder(cwd), id, `agents`, `main`, `wire.jsonl`);
}

/** Runs real Kimi Code without a terminal against a scripted model. The model's address stands in the settings only. */
export async function runKimi(machine: Machine, args: Array<string>, {script, cwd}: {script: Script; cwd?: string}): Promise<KimiRun> {
  const model = await ChatModel.start(script, () => true);
  const config = path.join(kimiHome(machine), `config.toml`);
  const before = await readFile(config, `utf8`);
  try {
    await writeFile(config, before.replace(/base_url = "[^"]*"/, `base_url = "${model.url}/v1"`));
    const outcome = await machine.run(`kimi`, args, {cwd: cwd ?? machine.project, env: {KIMI_CODE_NO_AUTO_UPDATE: `1`, NO_COLOR: `1`}});
    const session = /kimi -r (session_[0-9a-f-]{36})/.exec(`${outcome.stdout}\n${outcome.stderr}`)?.[1] ?? null;
    return {...outcome, requests: model.requests, session};
  } finally {
    await writeFile(config, before);
    await model.close();
  }
}

/** Context that 2.1.0 makes afresh, and what it puts before pictures of a tool. */
const CONTEXT = /^\s*<system-reminder>|^Attached media from tool result:$/;
const COMPACTED = `The conversation so far has been compacted to free up context.`;
/** What 2.1.0 puts around an output when it sends it: how long it took, that it failed, a note on what was read. */
const HEAD = /^(?:Wall time: [\d.]+ seconds\n)?(?:<system>ERROR: Tool execution failed\.<\/system>\n)?/;
const NOTE = /\n<system>[^\n]*<\/system>$/;

export function heardByKimi(body: Body, prompt: string): Array<Heard> {
  const heard = heardByChat(body, prompt, {context: text => CONTEXT.test(text)});
  // It puts the prompts that a compaction keeps before the summary, others put them behind it: both say the same.
  const summary = heard.findIndex(item => item.kind === `prompt` && item.text.startsWith(COMPACTED));
  if (summary > 0)
    heard.unshift(...heard.splice(summary, 1));
  return heard.map(item => item.kind === `result` ? {...item, text: item.text.replace(HEAD, ``).replace(NOTE, ``)} : item);
}

export async function kimiGoesOn(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd = machine.project): Promise<KimiRun> {
  const run = await runKimi(machine, [`-m`, `fake`, `-S`, id, `-p`, prompt], {script: {turns}, cwd});
  if (run.exitCode !== 0 || run.requests.length === 0 || run.session !== id)
    throw new Error(`kimi -S ${id} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** Sessions as the program lists them. */
export async function kimiSessions(machine: Machine, cwd = machine.project): Promise<Array<{id: string; title?: string; updatedAt: number; workDir: string}>> {
  const {exitCode, stdout, stderr} = await machine.run(`kimi`, [`session`, `list`, `--json`], {cwd});
  if (exitCode !== 0)
    throw new Error(`kimi session list exited with ${exitCode}: ${stderr}`);
  return stdout.trim().startsWith(`[`) ? JSON.parse(stdout) : [];
}

export const kimiDrive: Drive = {
  agent: `kimi`,
  program: `kimi`,
  stores: [`.kimi-code`],

  async setUp(machine) {
    await mkdir(kimiHome(machine), {recursive: true});
    await writeFile(path.join(kimiHome(machine), `config.toml`), [
      `# The model of the tests`,
      `default_model = "fake"`,
      `telemetry = false`,
      ``,
      `[providers.fake]`,
      `type = "openai"`,
      `base_url = "http://127.0.0.1:9/v1"`,
      `api_key = "sk-none"`,
      ``,
      `[models.fake]`,
      `provider = "fake"`,
      `model = "fake-model"`,
      `max_context_size = 1000000`,
      `capabilities = ["tool_use", "image_in"]`,
      ``,
    ].join(`\n`));
  },

  async receives(machine, id, cwd = machine.project) {
    return machine.withCopy(kimiHome(machine), async () => {
      await withoutHooks(machine);
      const run = await kimiGoesOn(machine, id, `continue`, [{text: `Continued.`}], cwd);
      return heardByKimi(run.requests[0], `continue`);
    });
  },

  async title(machine, id, cwd = machine.project) {
    return machine.withCopy(kimiHome(machine), async () => (await kimiSessions(machine, cwd)).find(session => session.id === id)?.title ?? null);
  },

  async goOn(machine, id, prompt, turns, cwd) {
    await kimiGoesOn(machine, id, prompt, turns, cwd);
  },

  async begin(machine, prompt, turns, cwd) {
    const run = await runKimi(machine, [`-p`, prompt], {script: {turns}, ...cwd === undefined ? {} : {cwd}});
    if (run.exitCode !== 0 || run.session === null)
      throw new Error(`kimi exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
    return run.session;
  },

  fixtures: [`01-tools`, `02-undo-compact`, `03-interrupted`],

  async place(machine, name) {
    const [id] = await readdir(path.join(FIXTURES, name));
    const folder = path.join(kimiHome(machine), `sessions`, kimiFolder(machine.project), id!);
    await cp(path.join(FIXTURES, name, id!), folder, {recursive: true});
    for (const file of await readdir(folder, {recursive: true})) {
      const full = path.join(folder, file);
      if (!(await stat(full)).isFile() || !/\.jsonl?$/.test(file))
        continue;
      const text = (await readFile(full, `utf8`)).replaceAll(kimiFolder(`/home/alice/shop`), kimiFolder(machine.project))
        .replace(/\/home\/alice\/shop(?![\w-])|\/home\/alice(?=\/)/g, match => match === `/home/alice` ? machine.home : machine.project);
      await writeFile(`${full}.new`, text, {mode: 0o600});
      await rename(`${full}.new`, full);
    }
    return id!;
  },
};

/** In a copy of the store: the tables of hooks stand last. */
async function withoutHooks(machine: Machine) {
  const config = path.join(kimiHome(machine), `config.toml`);
  const text = await readFile(config, `utf8`);
  await writeFile(config, text.split(`[[hooks]]`)[0]!);
}
