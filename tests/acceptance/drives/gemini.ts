import {cp, mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath}             from '../../agents.mjs';
import {GeminiModel, heardByGemini} from '../_gemini.ts';
import type {Body, Script}     from '../_model.ts';
import type {Machine, Outcome} from '../_world.ts';

import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `gemini`);

const SETTINGS = {
  security: {auth: {selectedType: `gemini-api-key`}, folderTrust: {enabled: false}},
  privacy: {usageStatisticsEnabled: false},
  general: {enableAutoUpdate: false, enableAutoUpdateNotification: false},
};

/** Whether tests with the real program can run here; where agents are demanded and it is missing that is an error. */
export function geminiIsHere(): boolean {
  if (agentPath(`gemini`) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`no Gemini CLI in .agents/: \`npm run test:agents\` fetches it`);
  return false;
}

export function geminiHome(machine: Machine) {
  return path.join(machine.home, `.gemini`);
}

export type GeminiRun = Outcome & {requests: Array<Body>; others: Array<Body>};

/** Runs the real program without a terminal against a scripted model. */
export async function runGemini(machine: Machine, args: Array<string>, script: Script, cwd = machine.project): Promise<GeminiRun> {
  const model = await GeminiModel.start(script);
  try {
    const outcome = await machine.run(`gemini`, args, {
      cwd,
      timeoutMs: 120_000,
      env: {
        GEMINI_API_KEY: `none`,
        GOOGLE_GEMINI_BASE_URL: model.url,
        GEMINI_TELEMETRY_ENABLED: `false`,
        GEMINI_CLI_NO_RELAUNCH: `true`,
        GEMINI_CLI_TRUST_WORKSPACE: `true`,
        NO_COLOR: `1`,
      },
    });
    return {...outcome, requests: model.requests, others: model.others};
  } finally {
    await model.close();
  }
}

/** One more prompt in a session, for real: the store is changed. */
export async function resumeGemini(machine: Machine, id: string, prompt: string, turns: Script[`turns`], cwd?: string): Promise<GeminiRun> {
  const run = await runGemini(machine, [`--resume`, id, `-p`, prompt, `--yolo`, `--skip-trust`], {turns}, cwd);
  if (run.exitCode !== 0 || run.requests.length === 0)
    throw new Error(`gemini --resume ${id} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** What happens in a copy of the store must not be followed: the copy is gone afterwards. */
async function withoutHooks(machine: Machine) {
  const file = path.join(geminiHome(machine), `settings.json`);
  const {hooks: _, ...settings} = JSON.parse(await readFile(file, `utf8`));
  await writeFile(file, JSON.stringify(settings));
}

export const geminiDrive: Drive = {
  agent: `gemini`,
  program: `gemini`,
  stores: [`.gemini`],

  async setUp(machine) {
    await mkdir(geminiHome(machine), {recursive: true});
    await writeFile(path.join(geminiHome(machine), `settings.json`), `${JSON.stringify(SETTINGS, null, 2)}\n`);
  },

  async receives(machine, id, cwd) {
    return await machine.withCopy(geminiHome(machine), async () => {
      await withoutHooks(machine);
      const files = await readdir(path.join(geminiHome(machine), `tmp`), {recursive: true});
      const native = files.some(file => file.endsWith(`-${id.slice(0, 8)}.jsonl`));
      const run = await resumeGemini(machine, id, `continue`, [{text: `Continued.`}], cwd);
      return heardByGemini(run.requests[0], `continue`, {native});
    });
  },

  async title(machine, id, cwd) {
    return await machine.withCopy(geminiHome(machine), async () => {
      await withoutHooks(machine);
      const run = await runGemini(machine, [`--list-sessions`, `--skip-trust`], {turns: []}, cwd);
      if (run.exitCode !== 0)
        throw new Error(`gemini --list-sessions exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
      const line = `${run.stdout}\n${run.stderr}`.split(`\n`).find(text => text.includes(`[${id}]`));
      return line === undefined ? null : /^\s*\d+\. (.*) \([^()]*\) \[[^\]]*\]\s*$/.exec(line)![1]!;
    });
  },

  async goOn(machine, id, prompt, turns, cwd) {
    await resumeGemini(machine, id, prompt, turns, cwd);
  },

  async begin(machine, prompt, turns, cwd) {
    const run = await runGemini(machine, [`-p`, prompt, `--yolo`, `--skip-trust`, `--output-format`, `stream-json`], {turns}, cwd);
    const id = /"session_id":"([^"]+)"/.exec(run.stdout)?.[1];
    if (run.exitCode !== 0 || id === undefined)
      throw new Error(`gemini exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
    return id;
  },

  fixtures: [`03-errors-subagent`, `01-tools`, `02-after-resume`],

  async place(machine, name) {
    const folder = path.join(geminiHome(machine), `tmp`, path.basename(machine.project).toLowerCase().replace(/[^a-z0-9]+/g, `-`));
    await mkdir(path.join(folder, `chats`), {recursive: true});
    await writeFile(path.join(folder, `.project_root`), machine.project);
    await cp(path.join(FIXTURES, name), folder, {recursive: true, filter: source => !source.endsWith(`.expected.json`)});
    let id: string | undefined;
    for (const file of await readdir(folder, {recursive: true})) {
      if (!/\.(jsonl|txt)$/.test(file))
        continue;
      const full = path.join(folder, file);
      const text = (await readFile(full, `utf8`)).replaceAll(`/home/alice/shop`, machine.project).replaceAll(/\/home\/alice(?=\/\.gemini)/g, machine.home)
        // Gemini deletes what is older than 30 days.
        .replaceAll(/"lastUpdated":"[^"]*"/g, `"lastUpdated":"${new Date().toISOString()}"`);
      await writeFile(full, text, {mode: 0o600});
      if (/^chats\/session-[^/]*\.jsonl$/.test(file))
        id ??= JSON.parse(text.slice(0, text.indexOf(`\n`))).sessionId;
    }
    return id!;
  },
};
