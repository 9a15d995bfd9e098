import {mkdir, writeFile}      from 'node:fs/promises';
import path                    from 'node:path';
import {spawn}                 from 'node:child_process';
import {createInterface}       from 'node:readline';
import {setTimeout as sleep}   from 'node:timers/promises';

import {haveAgents}            from '../agents.mjs';
import {AnthropicModel}        from './_anthropic.ts';
import {heardByClaude, heardByCodex} from './_heard.ts';
import type {Heard}            from './_heard.ts';
import type {Body, Script, Turn} from './_model.ts';
import {ResponsesModel}        from './_responses.ts';
import type {Machine, Outcome} from './_world.ts';

/**
 * Whether tests with real agents can run here. Says in a line how to fetch the agents when they cannot; where the agents
 * are demanded (CI, `npm run test:agents`) that is an error.
 */
export function agentsAreHere(): boolean {
  if (haveAgents())
    return true;
  const message = `no real agents in .agents/: \`npm run test:agents\` fetches them from npm and runs the acceptance tests`;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(message);
  process.stderr.write(`${message}\n`);
  return false;
}

/** Tools of the scripted sessions: Grep and Glob are offered only when they are asked for (Claude Code 2.1.330). */
const TOOLS = `Bash,Read,Write,Edit,Grep,Glob,Agent,TaskCreate,TaskUpdate`;

export type ClaudeRun = Outcome & {
  /** Session id, from the program's own answer; null when it was interrupted before it gave one. */
  session: string | null;
  /** Text of its answer. */
  result: string | null;
  requests: Array<Body>;
};

export type ClaudeOptions = {
  prompt: string;
  script: Script;
  /** Session to go on with. */
  resume?: string;
  /** Id for a new session. */
  session?: string;
  cwd?: string;
  args?: Array<string>;
  env?: {[name: string]: string};
  timeoutMs?: number;
  /** SIGINT when the model has been asked so many times; its answer to the last of these should hang. */
  interruptAtRequest?: number;
};

/** Runs real Claude Code without a terminal against a scripted model. */
export async function runClaude(machine: Machine, options: ClaudeOptions): Promise<ClaudeRun> {
  const model = await AnthropicModel.start(options.script);
  try {
    const args = [`-p`, options.prompt, `--output-format`, `json`, `--dangerously-skip-permissions`, `--tools`, TOOLS, ...options.args ?? []];
    if (options.resume !== undefined)
      args.push(`--resume`, options.resume);
    if (options.session !== undefined)
      args.push(`--session-id`, options.session);
    let interrupted: Promise<void> | undefined;
    const outcome = await machine.run(`claude`, args, {
      cwd: options.cwd ?? machine.project,
      timeoutMs: options.timeoutMs ?? 60_000,
      env: {
        ANTHROPIC_BASE_URL: model.url,
        ANTHROPIC_API_KEY: `sk-none`,
        // As root, skipping permissions is refused otherwise.
        IS_SANDBOX: `1`,
        DISABLE_TELEMETRY: `1`,
        DISABLE_AUTOUPDATER: `1`,
        DISABLE_ERROR_REPORTING: `1`,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: `1`,
        ...options.env,
      },
      started: child => {
        if (options.interruptAtRequest === undefined)
          return;
        interrupted = model.asked(options.interruptAtRequest, 30_000).then(async () => {
          // So that the part that was streamed has reached it.
          await sleep(500);
          child.kill(`SIGINT`);
        });
        interrupted.catch(() => child.kill(`SIGKILL`));
      },
    });
    await interrupted;
    const answer = parse(outcome.stdout);
    return {...outcome, session: answer?.session_id ?? null, result: answer?.result ?? null, requests: model.requests};
  } finally {
    await model.close();
  }
}

function parse(text: string): {session_id?: string; result?: string} | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * What real Claude Code tells its model on `--resume`. Runs on a copy of the machine's store and without hooks, so that
 * asking changes nothing. Rejects with the program's output when it refuses the session.
 */
export async function claudeReceives(machine: Machine, session: string, cwd = machine.project): Promise<Array<Heard>> {
  return machine.withCopy(machine.claudeHome, async () => {
    const run = await runClaude(machine, {
      prompt: `continue`, resume: session, cwd, script: {turns: [{text: `Continued.`}]}, args: [`--settings`, `{"disableAllHooks":true}`],
    });
    if (run.exitCode !== 0 || run.requests.length === 0)
      throw new Error(`claude --resume ${session} exited with ${run.exitCode}: ${run.stdout}\n${run.stderr}`);
    return heardByClaude(run.requests[0], `continue`);
  });
}

/** Codex set up as on a machine in use: a configured provider, the project trusted, a state database that exists. */
export async function setUpCodex(machine: Machine): Promise<void> {
  await mkdir(machine.codexHome, {recursive: true});
  await writeFile(path.join(machine.codexHome, `config.toml`), [
    `model = "gpt-5.5"`,
    `model_provider = "fake"`,
    `check_for_update_on_startup = false`,
    `[analytics]`,
    `enabled = false`,
    `[model_providers.fake]`,
    `name = "fake"`,
    `base_url = "http://127.0.0.1:9/v1"`,
    `wire_api = "responses"`,
    `env_key = "FAKE_KEY"`,
    `request_max_retries = 0`,
    `stream_max_retries = 0`,
    ``,
  ].join(`\n`));
  // A first session, so that a new file is not found merely because Codex has never looked (codex 0.169.0 scans once).
  const {exitCode, stderr} = await codexExec(machine, [`warm-up`], [{text: `Warm.`}], machine.home);
  if (exitCode !== 0)
    throw new Error(`codex exec exited with ${exitCode}: ${stderr}`);
}

export type CodexRun = Outcome & {requests: Array<Body>; events: Array<Body>};

async function codexExec(machine: Machine, args: Array<string>, turns: Array<Turn>, cwd: string): Promise<CodexRun> {
  const model = await ResponsesModel.start({turns});
  const [verb, rest] = args[0] === `resume` ? [[`resume`], args.slice(1)] : [[], args];
  const flags = rest.filter(arg => arg.startsWith(`--`));
  try {
    const outcome = await machine.run(`codex`, [
      `exec`, ...verb, ...flags, `--json`, `--skip-git-repo-check`,
      `-c`, `sandbox_mode="danger-full-access"`, `-c`, `model_providers.fake.base_url="${model.url}/v1"`,
      `--`, ...rest.filter(arg => !arg.startsWith(`--`)),
    ], {cwd});
    const events = outcome.stdout.split(`\n`).flatMap(line => line.startsWith(`{`) ? [JSON.parse(line)] : []);
    return {...outcome, requests: model.requests, events};
  } finally {
    await model.close();
  }
}

/** Real Codex goes on with a session, for real: its store is changed. */
export async function codexContinue(machine: Machine, session: string, prompt: string, turns: Array<Turn>, cwd = machine.project): Promise<CodexRun> {
  const run = await codexExec(machine, [`resume`, session, prompt], turns, cwd);
  // An id that Codex does not know starts a fresh thread and exits with 0.
  const thread = run.events.find(event => event.type === `thread.started`)?.thread_id;
  if (run.exitCode !== 0 || run.requests.length === 0 || thread !== session)
    throw new Error(`codex exec resume ${session} exited with ${run.exitCode}, thread ${thread}: ${run.stdout}\n${run.stderr}`);
  return run;
}

/** What real Codex tells its model on `codex exec resume`. Runs on a copy of the machine's store. */
export async function codexReceives(machine: Machine, session: string, cwd = machine.project): Promise<Array<Heard>> {
  return machine.withCopy(machine.codexHome, async () => {
    const run = await codexContinue(machine, session, `continue`, [{text: `Continued.`}], cwd);
    return heardByCodex(run.requests[0], `continue`);
  });
}

export type CodexThread = {id: string; title: string | null; cwd: string; path: string | null; turns: Array<Body>; updatedAt: number};

/**
 * The session that `codex exec resume --last` picks. Like the list of `codex resume` it looks into the state database
 * only: a session that nobody has registered is not found. Runs on a copy of the machine's store.
 */
export async function codexLast(machine: Machine, cwd = machine.project): Promise<string> {
  return machine.withCopy(machine.codexHome, async () => {
    const run = await codexExec(machine, [`resume`, `--last`, `continue`], [{text: `Continued.`}], cwd);
    return run.events.find(event => event.type === `thread.started`)?.thread_id;
  });
}

/** A session as Codex's own server lists and reads it; runs on a copy of the store, because listing registers. */
export async function codexThread(machine: Machine, session: string): Promise<{listed: boolean; thread: CodexThread}> {
  return machine.withCopy(machine.codexHome, async () => {
    const [list, read] = await appServer(machine, [
      {method: `thread/list`, params: {limit: 100}},
      {method: `thread/read`, params: {threadId: session, includeTurns: true}},
    ]);
    const row = list.data.find((thread: Body) => thread.id === session);
    const {thread} = read;
    return {listed: row !== undefined, thread: {id: thread.id, title: thread.name || thread.preview || null, cwd: thread.cwd, path: thread.path ?? null, turns: thread.turns, updatedAt: thread.updatedAt}};
  });
}

/** Sessions that the list of `codex resume` has for a folder: it reads the state database only. Runs on a copy of the store. */
export async function codexListed(machine: Machine, cwd = machine.project): Promise<Array<string>> {
  return machine.withCopy(machine.codexHome, async () => {
    const [list] = await appServer(machine, [{method: `thread/list`, params: {limit: 100, cwd, useStateDbOnly: true, sourceKinds: [`cli`, `vscode`, `exec`]}}]);
    return list.data.map((thread: Body) => thread.id);
  });
}

/** Calls methods of `codex app-server`, one after the other; resolves to their results. */
async function appServer(machine: Machine, calls: Array<{method: string; params: object}>): Promise<Array<Body>> {
  const child = spawn(path.join(machine.world.bin, `codex`), [`app-server`], {cwd: machine.project, env: machine.env, stdio: [`pipe`, `pipe`, `ignore`]});
  const timer = setTimeout(() => child.kill(`SIGKILL`), 30_000);
  const results: Array<Body> = [];
  try {
    const closed = new Promise<void>(resolve => child.on(`close`, () => resolve()));
    child.stdin.on(`error`, () => {});
    const send = (message: object) => child.stdin.write(`${JSON.stringify(message)}\n`);
    const answers = createInterface({input: child.stdout})[Symbol.asyncIterator]();
    const request = async (id: number, method: string, params: object) => {
      send({id, method, params});
      for (;;) {
        const {value, done} = await answers.next();
        if (done)
          throw new Error(`codex app-server ended before it answered ${method}`);
        const message = JSON.parse(value);
        if (message.id !== id)
          continue;
        if (message.error)
          throw new Error(`codex app-server answered ${method} with ${JSON.stringify(message.error)}`);
        return message.result;
      }
    };
    await request(0, `initialize`, {clientInfo: {name: `acceptance`, version: `1`}, capabilities: {experimentalApi: true}});
    send({method: `initialized`});
    for (const [index, {method, params}] of calls.entries())
      results.push(await request(index + 1, method, params));
    child.stdin.end();
    await closed;
    return results;
  } finally {
    clearTimeout(timer);
    child.kill(`SIGKILL`);
  }
}
