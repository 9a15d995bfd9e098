import {readFileSync}          from 'node:fs';
import {cp, mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath}             from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Heard}            from '../_heard.ts';
import type {Body, Script, Turn} from '../_model.ts';
import type {Machine, Outcome} from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `qwen`);

/** Whether the real Qwen Code can run here; where agents are demanded, its absence is an error. */
export function qwenIsHere(): boolean {
  if (agentPath(`qwen`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`qwen is not in .agents/`);
  return false;
}

export type QwenRun = Outcome & {requests: Array<Body>};

export type QwenOptions = {
  script: Script;
  cwd?: string;
  env?: {[name: string]: string};
  /** SIGINT, or `signal`, when the model has been asked so many times; its answer to the last of these should hang. */
  interruptAtRequest?: number;
  signal?: NodeJS.Signals;
};

/** Runs real Qwen Code without a terminal against a scripted model. A model of this name is known to see images. */
export async function runQwen(machine: Machine, args: Array<string>, {script, cwd, env, interruptAtRequest, signal}: QwenOptions): Promise<QwenRun> {
  const model = await ChatModel.start(script, isConversation);
  try {
    let interrupted: Promise<void> | undefined;
    const outcome = await machine.run(`qwen`, [...args, `--yolo`], {
      cwd: cwd ?? machine.project,
      // A start takes four seconds of one processor, and the suite keeps all of them busy.
      timeoutMs: 110_000,
      env: {
        OPENAI_API_KEY: `sk-none`,
        OPENAI_BASE_URL: `${model.url}/v1`,
        OPENAI_MODEL: `gpt-5`,
        QWEN_TELEMETRY_ENABLED: `false`,
        QWEN_CODE_SUPPRESS_YOLO_WARNING: `1`,
        NO_COLOR: `1`,
        ...env,
      },
      started: child => {
        if (interruptAtRequest === undefined)
          return;
        interrupted = model.asked(interruptAtRequest, 40_000).then(async () => {
          await new Promise(resolve => setTimeout(resolve, 500));
          // The program runs in a child of what was started, as in a terminal both get the signal.
          for (const pid of family(child.pid))
            process.kill(pid, signal ?? `SIGINT`);
        });
        interrupted.catch(() => child.kill(`SIGKILL`));
      },
    });
    await interrupted;
    return {...outcome, requests: model.requests};
  } finally {
    await model.close();
  }
}

/** A process and all that come from it, the youngest first (Linux). */
function family(pid: number): Array<number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, `utf8`).trim().split(` `).filter(text => text !== ``).map(Number);
  return [...children.flatMap(family), pid];
}

/** After a turn 0.24.4 asks again, with tools, what is worth remembering. */
function isConversation(body: Body): boolean {
  return (body?.tools?.length ?? 0) > 0 && !JSON.stringify(body.messages.at(-1)).includes(`Managed memory has TWO directories`);
}

/** Context that 0.24.4 makes afresh in every run. */
const CONTEXT = /^\s*<system-reminder>/;

export function heardByQwen(body: Body, prompt: string): Array<Heard> {
  return heardByChat(body, prompt, {context: text => CONTEXT.test(text)});
}

async function goesOn(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd = machine.project): Promise<QwenRun> {
  const run = await runQwen(machine, [`--resume`, id, prompt], {script: {turns}, cwd});
  if (run.exitCode !== 0 || run.requests.length === 0)
    throw new Error(`qwen --resume ${id} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** Sessions as the program lists them. */
export async function qwenSessions(machine: Machine, cwd = machine.project): Promise<Array<{sessionId: string; customTitle?: string; prompt: string; mtime: number; cwd: string}>> {
  const {exitCode, stdout, stderr} = await machine.run(`qwen`, [`sessions`, `list`, `--json`], {cwd});
  if (exitCode !== 0)
    throw new Error(`qwen sessions list exited with ${exitCode}: ${stderr}`);
  return stdout.split(`\n`).flatMap(line => line.startsWith(`{`) ? [JSON.parse(line)] : []);
}

export function chatsOf(machine: Machine, cwd = machine.project): string {
  return path.join(machine.home, `.qwen`, `projects`, cwd.replace(/[^A-Za-z0-9]/g, `-`), `chats`);
}

export const qwenDrive: Drive = {
  agent: `qwen`,
  program: `qwen`,
  stores: [`.qwen`],

  async setUp(machine) {
    await mkdir(path.join(machine.home, `.qwen`), {recursive: true});
    await writeFile(path.join(machine.home, `.qwen`, `settings.json`), JSON.stringify({
      $version: 4,
      general: {enableAutoUpdate: false},
      privacy: {usageStatisticsEnabled: false},
      telemetry: {enabled: false},
      security: {auth: {selectedType: `openai`}},
    }));
  },

  async receives(machine, id, cwd = machine.project) {
    return machine.withCopy(path.join(machine.home, `.qwen`), async () => {
      await withoutHooks(machine);
      const run = await goesOn(machine, id, `continue`, [{text: `Continued.`}], cwd);
      return heardByQwen(run.requests[0], `continue`);
    });
  },

  async title(machine, id, cwd = machine.project) {
    return machine.withCopy(path.join(machine.home, `.qwen`), async () => {
      const row = (await qwenSessions(machine, cwd)).find(({sessionId}) => sessionId === id);
      return row === undefined ? null : row.customTitle || row.prompt;
    });
  },

  async goOn(machine, id, prompt, turns, cwd) {
    await goesOn(machine, id, prompt, turns, cwd);
  },

  async begin(machine, prompt, turns, cwd = machine.project) {
    const before = new Set(await readdir(chatsOf(machine, cwd)).catch(() => []));
    const run = await runQwen(machine, [prompt], {script: {turns}, cwd});
    const after = (await readdir(chatsOf(machine, cwd))).filter(name => name.endsWith(`.jsonl`) && !before.has(name));
    if (run.exitCode !== 0 || after.length !== 1)
      throw new Error(`qwen exited with ${run.exitCode} and made ${after.length} sessions: ${run.stdout}\n${run.stderr}`);
    return after[0]!.slice(0, -`.jsonl`.length);
  },

  fixtures: [`01-tools`, `03-image-interrupt-compression`, `02-errors-subagent`],

  async place(machine, name) {
    const folder = path.join(FIXTURES, name);
    const file = (await readdir(folder)).find(one => one.endsWith(`.jsonl`))!;
    const id = file.slice(0, -`.jsonl`.length);
    const chats = chatsOf(machine);
    await mkdir(chats, {recursive: true});
    const slug = machine.project.replace(/[^A-Za-z0-9]/g, `-`);
    const moved = (text: string) => text.replace(/-home-alice-shop|\/home\/alice\/shop(?![\w-])|\/home\/alice(?=\/)/g,
      match => match === `-home-alice-shop` ? slug : match === `/home/alice` ? machine.home : machine.project);
    await writeFile(path.join(chats, file), moved(await readFile(path.join(folder, file), `utf8`)), {mode: 0o600});
    const side = path.join(folder, `subagents`);
    if ((await readdir(folder)).includes(`subagents`)) {
      const there = path.join(path.dirname(chats), `subagents`, id);
      await cp(side, there, {recursive: true});
      for (const one of await readdir(there))
        await writeFile(path.join(there, one), moved(readFileSync(path.join(side, one), `utf8`)));
    }
    return id;
  },
};

/** In a copy of the store: hooks of the project stay out of it as well. */
async function withoutHooks(machine: Machine) {
  const file = path.join(machine.home, `.qwen`, `settings.json`);
  const settings = JSON.parse(await readFile(file, `utf8`).catch(() => `{}`));
  await writeFile(file, JSON.stringify({...settings, disableAllHooks: true}));
}
