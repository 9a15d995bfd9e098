import {randomUUID}            from 'node:crypto';
import {mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath, agentsFolder} from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Body, Turn}       from '../_model.ts';
import type {Machine, Outcome, RunOptions} from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `copilot`);

/** Whether tests with the real program can run here; where agents are demanded and it is missing that is an error. */
export function copilotIsHere(): boolean {
  if (agentPath(`copilot`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`no Copilot CLI in .agents/: \`npm run test:agents\` fetches it`);
  return false;
}

export function copilotHome(machine: Machine) {
  return path.join(machine.home, `.copilot`);
}

/** The file of a session. */
export function eventsOf(machine: Machine, id: string) {
  return path.join(copilotHome(machine), `session-state`, id, `events.jsonl`);
}

export type CopilotRun = Outcome & {requests: Array<Body>};

export type CopilotOptions = Pick<RunOptions, `cwd` | `timeoutMs` | `input`> & {
  turns?: Array<Turn>;
  /** SIGINT when the model has been asked so many times; its answer to the last of these should hang. */
  interruptAtRequest?: number;
};

/** Runs the real program without a terminal, login and network, against a scripted model. */
export async function runCopilot(machine: Machine, args: Array<string>, {turns = [], interruptAtRequest, ...options}: CopilotOptions = {}): Promise<CopilotRun> {
  const model = await ChatModel.start({turns});
  try {
    let interrupted: Promise<void> | undefined;
    const outcome = await machine.run(`copilot`, args, {
      timeoutMs: 60_000,
      ...options,
      env: {
        COPILOT_OFFLINE: `true`,
        COPILOT_AUTO_UPDATE: `false`,
        COPILOT_PROVIDER_BASE_URL: `${model.url}/v1`,
        COPILOT_PROVIDER_TYPE: `openai`,
        COPILOT_PROVIDER_WIRE_API: `completions`,
        COPILOT_PROVIDER_API_KEY: `none`,
        COPILOT_PROVIDER_MAX_PROMPT_TOKENS: `2000000`,
        COPILOT_MODEL: `fake-model`,
        // It unpacks itself there on its first start (235 MB).
        XDG_CACHE_HOME: path.join(agentsFolder, `.cache`),
      },
      started: child => {
        if (interruptAtRequest === undefined)
          return;
        interrupted = model.asked(interruptAtRequest, 30_000).then(async () => {
          await new Promise(resolve => setTimeout(resolve, 500));
          child.kill(`SIGINT`);
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

/** One more prompt in a session, for real: the store is changed. */
export async function resumeCopilot(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd?: string): Promise<CopilotRun> {
  const run = await runCopilot(machine, [`--resume=${id}`, `-p`, prompt, `--allow-all-tools`], {turns, ...cwd !== undefined ? {cwd} : {}});
  if (run.exitCode !== 0 || run.requests.length === 0)
    throw new Error(`copilot --resume=${id} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** What Copilot 1.0.102 puts before a prompt. */
const DATE = /^<current_datetime>[^<]*<\/current_datetime>\n\n/;
/** How the model is told of an image, and the text of a message that is nothing else. */
const LABEL = /^(image( in the result of .*)?)?$/;

export function heardByCopilot(body: Body, prompt: string) {
  return heardByChat(body, prompt, {context: text => LABEL.test(text), unwrap: text => text.replace(DATE, ``)});
}

/** What is asked of a copy must not be told to the worker. */
async function withoutHooks(machine: Machine) {
  await rm(path.join(copilotHome(machine), `hooks`), {recursive: true, force: true});
}

export const copilotDrive: Drive = {
  agent: `copilot`,
  program: `copilot`,
  stores: [`.copilot`],

  async setUp(machine) {
    await mkdir(path.join(copilotHome(machine), `session-state`), {recursive: true});
    await writeFile(path.join(copilotHome(machine), `config.json`), `${JSON.stringify({trustedFolders: [machine.project]})}\n`);
  },

  async receives(machine, id, cwd) {
    return await machine.withCopy(copilotHome(machine), async () => {
      await withoutHooks(machine);
      const run = await resumeCopilot(machine, id, `continue`, [{text: `Continued.`}], cwd);
      return heardByCopilot(run.requests[0], `continue`);
    });
  },

  async title(machine, id, cwd = machine.project) {
    return await machine.withCopy(copilotHome(machine), async () => {
      await withoutHooks(machine);
      const asked = [[`initialize`, {protocolVersion: 1, clientCapabilities: {}}], [`session/list`, {cwd}]]
        .map(([method, params], index) => `${JSON.stringify({jsonrpc: `2.0`, id: index + 1, method, params})}\n`).join(``);
      const {stdout, stderr} = await runCopilot(machine, [`--acp`], {cwd, input: asked});
      const answer = stdout.split(`\n`).filter(line => line.startsWith(`{`)).map(line => JSON.parse(line)).find(line => line.id === 2);
      if (answer?.result?.sessions === undefined)
        throw new Error(`copilot --acp did not list its sessions: ${stdout}\n${stderr}`);
      return answer.result.sessions.find((session: Body) => session.sessionId === id)?.title ?? null;
    });
  },

  async goOn(machine, id, prompt, turns, cwd) {
    await resumeCopilot(machine, id, prompt, turns, cwd);
  },

  async begin(machine, prompt, turns, cwd) {
    const id = randomUUID();
    const run = await runCopilot(machine, [`--session-id=${id}`, `-p`, prompt, `--allow-all-tools`], {turns, ...cwd !== undefined ? {cwd} : {}});
    if (run.exitCode !== 0)
      throw new Error(`copilot exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
    return id;
  },

  fixtures: [`01-tools`],

  async place(machine, name) {
    const folder = path.join(FIXTURES, name);
    const move = (text: string) => text.replaceAll(/\/home\/alice(\/shop)?(?![\w-])/g, (_, inside?: string) => inside === undefined ? machine.home : machine.project);
    const events = move(await readFile(path.join(folder, `events.jsonl`), `utf8`));
    const id = JSON.parse(events.slice(0, events.indexOf(`\n`))).data.sessionId as string;
    await mkdir(path.dirname(eventsOf(machine, id)), {recursive: true});
    for (const file of await readdir(folder))
      await writeFile(path.join(path.dirname(eventsOf(machine, id)), file), move(await readFile(path.join(folder, file), `utf8`)), {mode: 0o600});
    return id;
  },
};
