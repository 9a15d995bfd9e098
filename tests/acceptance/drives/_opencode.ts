import {mkdir, readFile, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {agentPath}             from '../../agents.mjs';
import {ChatModel, heardByChat} from '../_chat.ts';
import type {Script, Turn}     from '../_model.ts';
import type {Machine, Outcome, RunOptions} from '../_world.ts';
import type {Drive}            from './_drive.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `opencode`);

export type Family = {
  program: `opencode` | `kilo`;
  prefix: `OPENCODE` | `KILO`;
  /** The package that plugins are written with; installed already, or each start would look for a registry for a minute. */
  plugins: {name: string; version: string};
  fixtures: Array<string>;
  /** Takes off what the agent puts around a text of the person; what is nothing without it was no text of a person. */
  unwrap?: (text: string) => string;
};

/** A start takes 2 to 6 s of a processor that is free. */
const TIME_MS = 240_000;
/** Images and long outputs must pass. */
const MODEL = {name: `fake`, limit: {context: 2_000_000, output: 8_192}, modalities: {input: [`text`, `image`], output: [`text`]}};

export function familyIsHere({program}: Pick<Family, `program`>): boolean {
  if (agentPath(program) !== null)
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`${program} is not in .agents/: \`npm run test:agents\` fetches it`);
  return false;
}

function config(url: string) {
  return JSON.stringify({
    autoupdate: false, share: `disabled`, model: `fake/fake-model`, small_model: `fake/fake-model`,
    provider: {fake: {npm: `@ai-sdk/openai-compatible`, name: `fake`, options: {baseURL: `${url}/v1`, apiKey: `sk-none`}, models: {'fake-model': MODEL}}},
  });
}

export class FamilyProgram {
  constructor(readonly family: Family) {}

  async setUp(machine: Machine) {
    const {program, prefix, plugins} = this.family;
    const folder = path.join(machine.home, `.config`, program);
    await mkdir(path.join(folder, `node_modules`), {recursive: true});
    const dependencies = {[plugins.name]: plugins.version};
    await writeFile(path.join(folder, `package.json`), JSON.stringify({dependencies}));
    await writeFile(path.join(folder, `package-lock.json`), JSON.stringify({lockfileVersion: 3, packages: {'': {dependencies}}}));
    await writeFile(path.join(folder, `${program}.json`), config(`http://127.0.0.1:9`));
    // Also for what our own programs start.
    Object.assign(machine.env, {
      [`${prefix}_DISABLE_MODELS_FETCH`]: `1`, [`${prefix}_DISABLE_AUTOUPDATE`]: `1`, [`${prefix}_DISABLE_LSP_DOWNLOAD`]: `1`,
      [`${prefix}_TELEMETRY_LEVEL`]: `off`, [`${prefix}_DISABLE_SHARE`]: `1`, npm_config_registry: `http://127.0.0.1:9/`,
    });
  }

  start(machine: Machine, args: Array<string>, options: RunOptions = {}): Promise<Outcome> {
    return machine.run(this.family.program, args, {timeoutMs: TIME_MS, ...options});
  }

  async must(machine: Machine, args: Array<string>, options: RunOptions = {}): Promise<Outcome> {
    const outcome = await this.start(machine, args, options);
    if (outcome.exitCode !== 0)
      throw new Error(`${this.family.program} ${args.join(` `)} exited with ${outcome.exitCode}: ${outcome.stdout}\n${outcome.stderr}`);
    return outcome;
  }

  /** `run` against a scripted model; resolves to the requests of the conversation. */
  async prompt(machine: Machine, args: Array<string>, script: Script, {cwd = machine.project, ...options}: RunOptions = {}) {
    const model = await ChatModel.start(script);
    try {
      const outcome = await this.must(machine, [`run`, ...args], {cwd, ...options, env: {[`${this.family.prefix}_CONFIG_CONTENT`]: config(model.url), ...options.env}});
      return {outcome, requests: model.requests};
    } finally {
      await model.close();
    }
  }

  heard(body: unknown, prompt: string) {
    const {unwrap = text => text} = this.family;
    return heardByChat(body, prompt, {unwrap, context: text => text.trim() !== `` && unwrap(text).trim() === ``});
  }

  async list(machine: Machine, cwd = machine.project): Promise<Array<{id: string; title: string; updated: number}>> {
    const {stdout} = await this.must(machine, [`session`, `list`, `--format`, `json`], {cwd});
    return stdout.trim() === `` ? [] : JSON.parse(stdout);
  }

  data(machine: Machine) {
    return path.join(machine.home, `.local`, `share`, this.family.program);
  }

  /** A recorded session, taken in as if it had been recorded in the machine's project. */
  async place(machine: Machine, name: string): Promise<string> {
    let id = ``;
    for (const file of [`session.json`, `child.json`]) {
      const text = await readFile(path.join(FIXTURES, name, file), `utf8`).catch(() => null);
      if (text === null)
        continue;
      const moved = path.join(machine.env.TMPDIR!, `${name}-${file}`);
      await writeFile(moved, text.replaceAll(`/home/alice/shop`, machine.project));
      await this.must(machine, [`import`, moved]);
      id ||= JSON.parse(text).info.id;
    }
    return id;
  }
}

export function familyDrive(program: FamilyProgram): Drive {
  const {family} = program;
  const folder = `.local/share/${family.program}`;
  return {
    agent: family.program,
    program: family.program,
    stores: [folder],
    setUp: machine => program.setUp(machine),
    receives: (machine, id, cwd = machine.project) => machine.withCopy(path.join(machine.home, folder), async () => {
      const {requests, outcome} = await program.prompt(machine, [`-s`, id, `continue`], {turns: [{text: `Continued.`}]}, {cwd, env: {[`${family.prefix}_PURE`]: `1`}});
      if (requests.length !== 1)
        throw new Error(`${family.program} asked its model ${requests.length} times: ${outcome.stdout}\n${outcome.stderr}`);
      return program.heard(requests[0], `continue`);
    }),
    title: (machine, id, cwd = machine.project) => machine.withCopy(path.join(machine.home, folder), async () =>
      (await program.list(machine, cwd)).find(session => session.id === id)?.title ?? null),
    async goOn(machine, id, prompt, turns: Array<Turn>, cwd = machine.project) {
      await program.prompt(machine, [`-s`, id, prompt], {turns}, {cwd});
    },
    async begin(machine, prompt, turns, cwd = machine.project) {
      const before = new Set((await program.list(machine, cwd)).map(({id}) => id));
      await program.prompt(machine, [prompt], {turns}, {cwd});
      const session = (await program.list(machine, cwd)).find(({id}) => !before.has(id));
      if (session === undefined)
        throw new Error(`${family.program} lists no new session`);
      return session.id;
    },
    fixtures: family.fixtures,
    place: (machine, name) => program.place(machine, name),
  };
}
