import {mkdir, rename}           from 'node:fs/promises';
import path                      from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';

import {agentsAreHere, codexListed, runClaude} from './_agents.ts';
import {succeeded}               from './_journey.ts';
import {World}                   from './_world.ts';
import type {Machine}            from './_world.ts';
import {drives}                  from './drives/index.ts';
import type {Drive}              from './drives/index.ts';

/** A session in a project of alice's, kept, and then the project has another name. */
async function moved(drive: Drive, world: World, name: string) {
  const alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
  await alice.createProject({'README.md': `# Shop\n`, 'src/stock.js': `export const stock = {apples: 12};\n`});
  await drive.setUp(alice);
  succeeded(await ours(alice, `init`));
  const id = await drive.place!(alice, drive.fixtures[0]!);
  const before = {heard: await drive.receives(alice, id), title: await drive.title(alice, id)};
  succeeded(await ours(alice, `sync`));

  const after = await world.machine({user: `alice`, home: `home/alice`, project: name});
  await mkdir(path.dirname(after.project), {recursive: true});
  await rename(alice.project, after.project);
  return {alice, after, id, before};
}

/** Some agents are asked for everything by starting them, which takes seconds, on a busy machine many. */
const PATIENCE_MS = 400_000;

const ours = async (machine: Machine, ...args: Array<string>) => await machine.run(`session-sync`, args, {timeoutMs: PATIENCE_MS});

async function doctor(machine: Machine, ...args: Array<string>) {
  const {stdout, stderr} = await ours(machine, `doctor`, ...args, `--json`);
  const {data} = JSON.parse(stdout);
  return {moved: data?.moved as Array<{agent: string; nativeId: string; done: boolean; problem?: string}>, said: `${stdout}${stderr}`};
}

/** Does the agent's own choice of the sessions of a folder have it? Null where only a terminal shows one. */
async function isChosen(drive: Drive, machine: Machine, id: string): Promise<boolean | null> {
  if (drive.agent === `codex`)
    return (await codexListed(machine)).includes(id);
  if (drive.agent !== `claude-code`)
    return null;
  return await machine.withCopy(machine.claudeHome, async () =>
    (await runClaude(machine, {prompt: `continue`, script: {turns: [{text: `Continued.`}]}, args: [`--continue`, `--settings`, `{"disableAllHooks":true}`]})).session === id);
}

describe.runIf(agentsAreHere())(`a project that has another name`, () => {
  let world: World | undefined;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
    world = undefined;
  });

  test.each(drives.filter(({place}) => place !== undefined).map(drive => [drive.agent, drive] as const))(`%s, started in it, goes on with its session after doctor --fix`, async (_agent, drive) => {
    world = await World.create([drive.program]);
    const {alice, after, id, before} = await moved(drive, world, `work/the market of alice`);
    const plan = await doctor(after);
    expect(plan.moved, plan.said).toMatchObject([{agent: drive.agent, done: false}]);
    const fixed = await doctor(after, `--fix`);
    expect(fixed.moved, fixed.said).toMatchObject([{agent: drive.agent, done: true}]);
    expect((await doctor(after)).moved).toEqual([]);

    const named = (text: unknown) => JSON.parse(JSON.stringify(text).replaceAll(after.project, `<project>`).replaceAll(alice.project, `<project>`));
    expect(named(await drive.receives(after, id, after.project))).toEqual(named(before.heard));
    expect(await isChosen(drive, after, id)).not.toBe(false);
    expect(await drive.title(after, id, after.project)).toBe(before.title);

    // It goes on there, and is one session.
    await drive.goOn(after, id, `And now the discount, please.`, [{text: `The discount is there.`}], after.project);
    succeeded(await ours(after, `sync`));
    await after.settled(PATIENCE_MS);
    const {sessions} = JSON.parse(succeeded(await ours(after, `list`, `--json`))).data;
    expect(sessions).toHaveLength(1);
    expect(succeeded(await ours(after, `show`, `--text`, sessions[0].session))).toContain(`The discount is there.`);
    expect(succeeded(await ours(after, `sync`))).toContain(`up to date`);
  }, 3 * PATIENCE_MS);

  test(`the mirror is listed and resumed there as well`, async () => {
    world = await World.create([`claude`, `codex`]);
    const [claude, codex] = [`claude-code`, `codex`].map(agent => drives.find(drive => drive.agent === agent)!) as [Drive, Drive];
    const setUp = claude.setUp;
    const both: Drive = {...claude, setUp: async machine => {
      await setUp(machine);
      await codex.setUp(machine);
    }};
    const {after} = await moved(both, world, `market`);
    const {moved: fixed, said} = await doctor(after, `--fix`);
    expect(fixed, said).toMatchObject([{agent: `claude-code`, done: true}, {agent: `codex`, done: true}]);
    const mirror = fixed.find(({agent}) => agent === `codex`)!.nativeId;
    expect(await codexListed(after)).toContain(mirror);
    expect((await codex.receives(after, mirror, after.project)).length).toBeGreaterThan(5);
  }, 3 * PATIENCE_MS);
});
