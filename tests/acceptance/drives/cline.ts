import {spawn}                 from 'node:child_process';
import {existsSync}            from 'node:fs';
import {cp, mkdir, readFile, readdir, stat, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath}             from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Heard}            from '../_heard.ts';
import type {Body, Turn}       from '../_model.ts';
import {eventually}            from '../_world.ts';
import type {Machine}          from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `cline`);
const SCRIPT = `/usr/bin/script`;

/** Whether the real Cline can run here: it resumes only in a terminal, which `script` of util-linux makes. */
export function clineIsHere(): boolean {
  if (agentPath(`cline`) !== null && existsSync(SCRIPT))
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`cline is not in .agents/, or there is no ${SCRIPT}`);
  return false;
}

export const clineHome = (machine: Machine) => path.join(machine.home, `.cline`);
export const sessionsIn = (machine: Machine) => path.join(clineHome(machine), `data`, `sessions`);

/** The model's address stands in the settings that `cline auth` writes. */
async function pointTo(machine: Machine, url: string) {
  const file = path.join(clineHome(machine), `data`, `settings`, `providers.json`);
  const text = await readFile(file, `utf8`);
  await writeFile(file, text.replace(/http:\/\/127\.0\.0\.1:\d+\/v1/g, `${url}/v1`));
}

/** Its background program goes on running after each run (3.0.65); its number stands in a file. */
async function stopHub(machine: Machine) {
  const text = await readFile(path.join(clineHome(machine), `data`, `locks`, `hub`, `production.json`), `utf8`).catch(() => `{}`);
  const pid = Number(JSON.parse(text).pid);
  const command = Number.isInteger(pid) && pid > 1 ? await readFile(`/proc/${pid}/cmdline`, `utf8`).catch(() => ``) : ``;
  if (command.includes(`--cline-hub-daemon`) && command.includes(machine.world.root)) {
    process.kill(pid, `SIGKILL`);
    await eventually(`the hub of Cline ends`, 10_000, () => !existsSync(`/proc/${pid}/exe`));
  }
}

/** Background programs of this world whose number stands nowhere any more: their store was a copy. */
async function stopHubs(machine: Machine) {
  for (const name of await readdir(`/proc`).catch(() => [])) {
    const command = /^\d+$/.test(name) ? await readFile(`/proc/${name}/cmdline`, `utf8`).catch(() => ``) : ``;
    if (!command.includes(`--cline-hub-daemon`) || !command.includes(machine.world.root))
      continue;
    try {
      process.kill(Number(name), `SIGKILL`);
    } catch {
      // It has ended by itself.
    }
  }
}

/** Types a prompt into a session that was resumed in a terminal, and waits for as many answers as there are turns. */
async function inTerminal(machine: Machine, id: string, prompt: string, turns: Array<Turn>, cwd = machine.project): Promise<Array<Body>> {
  const model = await ChatModel.start({turns});
  await pointTo(machine, model.url);
  const child = spawn(SCRIPT, [`-qfec`, `stty cols 140 rows 50; exec cline -i --id ${id}`, `/dev/null`], {cwd, env: {...machine.env, TERM: `xterm`}, stdio: [`pipe`, `pipe`, `ignore`]});
  let shown = ``;
  child.stdout.setEncoding(`utf8`).on(`data`, text => shown += text);
  child.stdin.on(`error`, () => {});
  const ended = new Promise<void>(resolve => child.on(`close`, () => resolve()));
  try {
    await eventually(`Cline shows ${id}`, 120_000, () => shown.includes(`Ask anything`));
    await quiet(() => shown.length);
    child.stdin.write(prompt);
    await eventually(`Cline shows the prompt`, 60_000, () => shown.includes(prompt.slice(-8)));
    // Right after a text it is taken for a part of what is pasted; on an empty line it does nothing.
    const enter = setInterval(() => child.stdin.write(`\r`), 2_000);
    try {
      await model.asked(turns.length, 120_000);
    } finally {
      clearInterval(enter);
    }
    const last = turns.at(-1)?.text;
    await eventually(`Cline shows the answer`, 30_000, () => last === undefined || shown.includes(last.slice(0, 20)));
    await new Promise(resolve => setTimeout(resolve, 1_500));
    child.stdin.write(`\u0003`);
    await new Promise(resolve => setTimeout(resolve, 300));
    child.stdin.write(`\u0003`);
    await Promise.race([ended, new Promise(resolve => setTimeout(resolve, 5_000))]);
    return model.requests;
  } catch (error) {
    throw new Error(`cline -i --id ${id}: ${(error as Error).message}\n${shown.slice(-1500)}`);
  } finally {
    child.kill(`SIGKILL`);
    await model.close();
    await stopHub(machine);
  }
}

/** Resolves when nothing has been shown for a while: it is not drawing any more. */
async function quiet(length: () => number) {
  for (let before = -1; before !== length();) {
    before = length();
    await new Promise(resolve => setTimeout(resolve, 2_000));
  }
}

/** Results of its own tools are sent as JSON, one object for each thing asked for. */
export function heardByCline(body: Body, prompt: string): Array<Heard> {
  return heardByChat(body, prompt).map(item => item.kind === `result` ? {...item, text: plainResult(item.text)} : item);
}

function plainResult(text: string): string {
  try {
    const value = JSON.parse(text) as unknown;
    const items = (Array.isArray(value) ? value : [value]) as Array<{result?: unknown; success?: unknown; type?: unknown; text?: unknown}>;
    if (items.length > 0 && items.every(item => typeof item?.success === `boolean` && typeof item.result === `string`))
      return items.map(item => item.result).join(`\n`);
    // Of results with images, the words.
    if (items.length > 0 && items.every(item => typeof item?.type === `string`))
      return items.flatMap(item => typeof item.text === `string` ? [item.text] : []).join(`\n`);
  } catch {
    // A text.
  }
  return text;
}

export const clineDrive: Drive = {
  agent: `cline`,
  mostTurns: 400,
  program: `cline`,
  stores: [`.cline`],

  async setUp(machine) {
    machine.endings.push(() => stopHubs(machine));
    const {exitCode, stdout, stderr} = await machine.run(`cline`, [`auth`, `-p`, `openai-compatible`, `-b`, `http://127.0.0.1:9/v1`, `-k`, `sk-none`, `-m`, `fake-model`], {timeoutMs: 120_000});
    await stopHub(machine);
    if (exitCode !== 0)
      throw new Error(`cline auth exited with ${exitCode}: ${stdout}\n${stderr}`);
  },

  async receives(machine, id, cwd) {
    return machine.withCopy(clineHome(machine), async () => {
      const [request] = await inTerminal(machine, id, `please continue`, [{text: `Continued.`}], cwd);
      return heardByCline(request, `please continue`);
    });
  },

  async title(machine, id, cwd = machine.project) {
    return machine.withCopy(clineHome(machine), async () => {
      const {stdout} = await machine.run(`cline`, [`history`, `--json`], {cwd, timeoutMs: 120_000});
      await stopHub(machine);
      const at = stdout.indexOf(`[{`);
      const rows = at === -1 ? [] : JSON.parse(stdout.slice(at, stdout.lastIndexOf(`]`) + 1)) as Array<{sessionId: string; metadata?: {title?: string}}>;
      return rows.find(row => row.sessionId === id)?.metadata?.title ?? null;
    });
  },

  async goOn(machine, id, prompt, turns, cwd) {
    await inTerminal(machine, id, prompt, turns, cwd);
  },

  async begin(machine, prompt, turns, cwd = machine.project) {
    const before = new Set(await readdir(sessionsIn(machine)).catch(() => []));
    const model = await ChatModel.start({turns});
    try {
      await pointTo(machine, model.url);
      const {exitCode, stdout, stderr} = await machine.run(`cline`, [prompt], {cwd, timeoutMs: 120_000});
      const made = (await readdir(sessionsIn(machine))).filter(name => !before.has(name));
      if (exitCode !== 0 || made.length !== 1)
        throw new Error(`cline exited with ${exitCode} and made ${made.length} sessions: ${stdout}\n${stderr}`);
      return made[0]!;
    } finally {
      await model.close();
      await stopHub(machine);
    }
  },

  fixtures: [`01-tools`],

  async place(machine, name) {
    const [id] = await readdir(path.join(FIXTURES, name));
    const folder = path.join(sessionsIn(machine), id!);
    await mkdir(path.dirname(folder), {recursive: true});
    await cp(path.join(FIXTURES, name, id!), folder, {recursive: true});
    for (const file of await readdir(folder)) {
      const full = path.join(folder, file);
      if (!(await stat(full)).isFile())
        continue;
      const text = (await readFile(full, `utf8`)).replace(/\/home\/alice\/shop(?![\w-])|\/home\/alice(?=\/)/g, match => match === `/home/alice` ? machine.home : machine.project);
      await writeFile(full, text, {mode: 0o600});
    }
    return id!;
  },
};
