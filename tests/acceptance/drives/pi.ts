import {existsSync, readFileSync} from 'node:fs';
import {mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath, agents, agentsFolder} from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Heard}            from '../_heard.ts';
import type {Body, Script}     from '../_model.ts';
import {execute, jsonLines}    from '../_world.ts';
import type {Machine, Outcome} from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `pi`);

/** Whether the real Pi can run here; where agents are demanded, its absence is an error. */
export function piIsHere(): boolean {
  if (agentPath(`pi`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`pi is not in .agents/`);
  process.stderr.write(`no real Pi in .agents/: \`npm run test:agents\`\n`);
  return false;
}

/** Pi 1.5.2 loads extensions with `jiti`, which is not in its bundle: it comes with the package when that is installed whole. */
export function piLoadsExtensions(): boolean {
  return piIsHere() && existsSync(path.join(agentsFolder, `pi-${agents.pi.version}`, `node_modules`, `jiti`));
}

export const piHome = (machine: Machine) => path.join(machine.home, `.pi`, `agent`);

/** Where Pi keeps the sessions of a folder (1.5.2). */
export function piFolder(machine: Machine, cwd = machine.project): string {
  return path.join(piHome(machine), `sessions`, `--${cwd.slice(1).replaceAll(/[/\\:]/g, `-`)}--`);
}

/** The file of a session, whatever its name. */
export async function piFile(machine: Machine, id: string, cwd = machine.project): Promise<string> {
  for (const name of await readdir(piFolder(machine, cwd))) {
    const file = path.join(piFolder(machine, cwd), name);
    if (name.endsWith(`.jsonl`) && (await jsonLines(file))[0].id === id)
      return file;
  }
  throw new Error(`Pi has no file of session ${id}`);
}

export type PiRun = Outcome & {requests: Array<Body>};
export type PiOptions = {script: Script; cwd?: string; extensions?: boolean; killAtRequest?: number};

/** Runs real Pi without a terminal against a scripted model. */
export async function runPi(machine: Machine, args: Array<string>, {script, cwd = machine.project, extensions = false, killAtRequest}: PiOptions): Promise<PiRun> {
  const model = await ChatModel.start(script, () => true);
  try {
    await writeModel(machine, model.url);
    const outcome = await machine.run(`pi`, [`-p`, ...extensions ? [] : [`-ne`], ...args], {
      cwd,
      env: {PI_OFFLINE: `1`, PI_TELEMETRY: `0`, PI_SKIP_VERSION_CHECK: `1`},
      started: child => {
        if (killAtRequest !== undefined)
          model.asked(killAtRequest, 30_000).then(() => setTimeout(() => child.kill(`SIGTERM`), 300), () => child.kill(`SIGKILL`));
      },
    });
    return {...outcome, requests: model.requests};
  } finally {
    await model.close();
    await writeModel(machine, `http://127.0.0.1:9`);
  }
}

async function writeModel(machine: Machine, url: string) {
  await writeFile(path.join(piHome(machine), `models.json`), JSON.stringify({providers: {fake: {
    baseUrl: `${url}/v1`, api: `openai-completions`, apiKey: `none`,
    models: [{id: `fake-1`, contextWindow: 2_000_000, maxTokens: 8_000, input: [`text`, `image`]}],
  }}}));
}

/** Goes on with a session; rejects when Pi refuses it or begins another one. */
export async function piGoesOn(machine: Machine, id: string, prompt: string, script: Script, {cwd = machine.project, extensions = false} = {}): Promise<PiRun> {
  const run = await runPi(machine, [`--session`, id, prompt], {script, cwd, extensions});
  const entries = run.exitCode === 0 ? await jsonLines(await piFile(machine, id, cwd)) : [];
  if (run.requests.length === 0 || !JSON.stringify(entries.slice(-8)).includes(JSON.stringify(prompt)))
    throw new Error(`pi --session ${id} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** Pi's own list, asked from its own code: the picker needs a terminal. */
export async function piSessions(machine: Machine, cwd = machine.project): Promise<Array<{id: string; name?: string; firstMessage: string}>> {
  const index = path.join(agentsFolder, `pi-${agents.pi.version}`, `node_modules`, agents.pi.script!.replace(/cli\.js$/, `index.js`));
  const [, node] = /^exec '([^']+)'/m.exec(readFileSync(agentPath(`pi`)!, `utf8`))!;
  const {stdout, stderr} = await execute(node!, [`--input-type=module`, `-e`,
    `import {SessionManager} from ${JSON.stringify(index)}; console.log(JSON.stringify(await SessionManager.list(process.cwd())));`,
  ], {cwd, env: {...machine.env, PI_OFFLINE: `1`}});
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`Pi did not list its sessions: ${stdout}\n${stderr}`);
  }
}

/** What Pi puts around a summary, and before pictures of a tool, which Chat Completions takes in user messages only (1.5.2). */
const SUMMARY = /^The conversation history before this point was compacted into the following summary:\n\n<summary>\n([\s\S]*)\n<\/summary>$/;
const PICTURES = /^(Attached image\(s\) from tool result:|Images? from .*tool.*:?)$/;

export function heardByPi(body: Body, prompt: string): Array<Heard> {
  return heardByChat(body, prompt, {context: text => PICTURES.test(text), unwrap: text => SUMMARY.exec(text)?.[1] ?? text});
}

export const piDrive: Drive = {
  agent: `pi`,
  program: `pi`,
  stores: [`.pi`],

  async setUp(machine) {
    await mkdir(piHome(machine), {recursive: true});
    await writeFile(path.join(piHome(machine), `settings.json`), JSON.stringify({defaultProvider: `fake`, defaultModel: `fake-1`, retry: {enabled: false}, compaction: {enabled: false}}));
    await writeModel(machine, `http://127.0.0.1:9`);
  },

  async receives(machine, id, cwd = machine.project) {
    return machine.withCopy(path.join(machine.home, `.pi`), async () => {
      const run = await piGoesOn(machine, id, `continue`, {turns: [{text: `Continued.`}]}, {cwd});
      return heardByPi(run.requests[0], `continue`);
    });
  },

  async title(machine, id, cwd = machine.project) {
    const session = (await piSessions(machine, cwd)).find(one => one.id === id);
    return session === undefined ? null : session.name ?? session.firstMessage;
  },

  async goOn(machine, id, prompt, turns, cwd = machine.project) {
    await piGoesOn(machine, id, prompt, {turns}, {cwd});
  },

  async begin(machine, prompt, turns, cwd = machine.project) {
    const before = new Set(await readdir(piFolder(machine, cwd)).catch(() => []));
    const run = await runPi(machine, [prompt], {script: {turns}, cwd, extensions: piLoadsExtensions()});
    const name = (await readdir(piFolder(machine, cwd))).find(one => !before.has(one));
    if (run.exitCode !== 0 || name === undefined)
      throw new Error(`pi -p exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
    return (await jsonLines(path.join(piFolder(machine, cwd), name)))[0].id;
  },

  fixtures: [`02-branch-compact`, `01-tools`],

  async place(machine, name) {
    const [file] = await readdir(path.join(FIXTURES, name));
    const text = await readFile(path.join(FIXTURES, name, file!), `utf8`);
    // One pass, because a home here ends like the recorded one.
    const moved = text.replaceAll(/\/home\/alice(\/shop)?(?=[/"'])/g, (_, project?: string) => project === undefined ? machine.home : machine.project);
    await mkdir(piFolder(machine), {recursive: true});
    await writeFile(path.join(piFolder(machine), file!), moved, {mode: 0o600});
    return JSON.parse(moved.slice(0, moved.indexOf(`\n`))).id;
  },
};
