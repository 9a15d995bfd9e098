import {spawn}                 from 'node:child_process';
import {readFile}              from 'node:fs/promises';
import {createInterface}       from 'node:readline';
import {afterEach, describe, expect, test} from 'vitest';

import {sessionIdFor}          from '../../sources/interchange/index.ts';

import {succeeded}             from './_journey.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {claudeCodeDrive}       from './drives/claude-code.ts';
import {codexDrive}            from './drives/codex.ts';
import {copilotDrive, runCopilot} from './drives/copilot.ts';
import {programsAreHere}       from './drives/index.ts';

const data = async (machine: Machine, ...args: Array<string>) => JSON.parse(succeeded(await machine.run(`session-sync`, [...args, `--json`], {timeoutMs: 120_000}))).data;

/** What Codex's terminal does for `/rename`. */
async function renameInCodex(machine: Machine, id: string, name: string): Promise<void> {
  const child = spawn(`codex`, [`app-server`], {cwd: machine.project, env: machine.env, stdio: [`pipe`, `pipe`, `ignore`]});
  const timer = setTimeout(() => child.kill(`SIGKILL`), 60_000);
  const closed = new Promise(resolve => child.on(`close`, resolve));
  try {
    const say = (message: object) => child.stdin.write(`${JSON.stringify(message)}\n`);
    say({id: 1, method: `initialize`, params: {clientInfo: {name: `acceptance`, version: `1`}}});
    say({method: `initialized`});
    say({id: 2, method: `thread/name/set`, params: {threadId: id, name}});
    for await (const line of createInterface({input: child.stdout})) {
      const {id, error} = JSON.parse(line);
      if (id !== 2)
        continue;
      expect(error).toBeUndefined();
      child.stdin.end();
    }
    await closed;
  } finally {
    clearTimeout(timer);
    child.kill(`SIGKILL`);
  }
}

describe.runIf(programsAreHere())(`a name that a person gives a session`, () => {
  let world: World;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
  });

  async function shop(...programs: Array<`claude` | `codex` | `copilot`>): Promise<Machine> {
    world = await World.create(programs);
    const alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`});
    await claudeCodeDrive.setUp(alice);
    return alice;
  }

  /** In git, and in Claude Code, which finds the session by it. */
  async function expectName(machine: Machine, session: string, name: string) {
    expect((await data(machine, `list`)).sessions).toMatchObject([{session, title: name}]);
    const {header, mirrors} = await data(machine, `show`, session);
    expect(header.title).toBe(name);
    expect(await claudeCodeDrive.title(machine, mirrors.find(({agent}: {agent: string}) => agent === `claude-code`).id)).toBe(name);
  }

  test(`in Codex reaches git and Claude Code`, {timeout: 300_000}, async () => {
    const alice = await shop(`claude`, `codex`);
    await codexDrive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    const id = await codexDrive.begin!(alice, `Tidy the cart`, [{text: `Tidied.`}]);
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    for (const name of [`Größe, 日本語`, `The second name`]) {
      await renameInCodex(alice, id, name);
      succeeded(await alice.sessionSync(`sync`));
      await expectName(alice, sessionIdFor(`codex`, id), name);
    }
    // Codex goes on with it as if nothing had been asked, and the name stays.
    await codexDrive.goOn(alice, id, `And the discount?`, [{text: `There.`}]);
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    await expectName(alice, sessionIdFor(`codex`, id), `The second name`);
    expect(await readFile(`${alice.codexHome}/session_index.jsonl`, `utf8`)).toContain(`The second name`);
  });

  test(`in Copilot CLI reaches git and Claude Code`, {timeout: 300_000}, async () => {
    const alice = await shop(`claude`, `copilot`);
    await copilotDrive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    const run = await runCopilot(alice, [`-p`, `Tidy the cart`, `--allow-all-tools`, `--name`, `My feature: über`], {turns: [{text: `Tidied.`}]});
    const id = /copilot --resume=([0-9a-f-]{36})/.exec(`${run.stdout}\n${run.stderr}`)?.[1];
    expect(run.exitCode).toBe(0);
    await alice.settled();
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 120_000}));
    await expectName(alice, sessionIdFor(`copilot`, id!), `My feature: über`);
  });
});
