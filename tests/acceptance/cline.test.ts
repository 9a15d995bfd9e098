import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {compactedSession, craftedSession, writeInto} from './_crafted.ts';
import {fixtureProject, placeFixture, succeeded} from './_journey.ts';
import {percent, share}        from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {clineDrive, clineIsHere} from './drives/cline.ts';

async function recordsOf(machine: Machine, agent: string, id: string): Promise<Array<NeutralRecord>> {
  const source = agentById(agent)!.source!;
  const here = {env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!};
  const found = (await source.locate(here, [machine.project])).find(({nativeId}) => nativeId === id);
  if (found === undefined)
    throw new Error(`${agent} has no session ${id}`);
  const main = (await source.files(found)).find(file => file.stream === `main`)!;
  const reader = source.openReader(main, undefined, {unbounded: true});
  const records: Array<NeutralRecord> = [];
  for await (const lines of follow(main.path, 0))
    for (const line of lines)
      records.push(...reader.push(line));
  return records;
}

/** Each start takes some seconds, and the terminal is waited for. */
const LONG = 400_000;

describe.runIf(clineIsHere())(`Cline`, () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create([`claude`, `cline`]);
  });
  afterAll(() => world?.dispose());

  const shop = async (user: string, project: string) => {
    const machine = await world.machine({user, home: `home/${user}`, project});
    await machine.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': JSON.stringify({version: 1, targets: [`cline`]})});
    await clineDrive.setUp(machine);
    succeeded(await machine.sessionSync(`init`));
    return machine;
  };

  test(`takes whatever a session may hold; of a compacted one the summary and what follows`, async () => {
    const machine = await shop(`nasty`, `shop`);
    const records = craftedSession(machine.project);
    const id = await writeInto(agentById(`cline`)!, machine, records, {title: `All that goes wrong`});
    expect(await clineDrive.title(machine, id)).toBe(`All that goes wrong`);
    const cell = share(records, await clineDrive.receives(machine, id));
    expect(cell.missing).toEqual([]);
    expect([cell.prompts, cell.texts, cell.calls].map(percent)).toEqual([100, 100, 100]);

    const compacted = compactedSession(machine.project);
    const other = await writeInto(agentById(`cline`)!, machine, compacted, {generation: 1});
    expect(share(compacted, await clineDrive.receives(machine, other)).missing).toEqual([]);
  }, LONG);

  test(`takes a session of Claude Code, and keeps what it has gone on with`, async () => {
    const name = `01-tools-subagent-mcp`;
    const machine = await shop(`carol`, await fixtureProject(name));
    const id = await placeFixture(machine, name);
    succeeded(await machine.sessionSync(`sync`));
    const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`)));
    const mirror = data.sessions.find((one: {session: string}) => one.session === id).mirrors[0];
    expect(await clineDrive.title(machine, mirror.id)).toBeTruthy();
    expect(share(await recordsOf(machine, `claude-code`, id), await clineDrive.receives(machine, mirror.id)).missing).toEqual([]);

    await clineDrive.goOn(machine, mirror.id, `What do you think?`, [{text: `Cline thinks so too.`}]);
    const own = (await agentById(`cline`)!.source!.locate({env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!}, [machine.project])).find(one => one.nativeId === mirror.id);
    expect(own?.mirror).toBe(`continued`);
  }, LONG);

  test(`has sessions of its own that are read as its model gets them back, live through its hook`, async () => {
    const machine = await shop(`alice`, `shop`);
    const id = await clineDrive.place!(machine, `01-tools`);
    const cell = share(await recordsOf(machine, `cline`, id), await clineDrive.receives(machine, id));
    expect(cell.missing).toEqual([]);

    await clineDrive.begin!(machine, `How large is the shop? größe`, [{text: `I look.`, calls: [{name: `run_commands`, input: {commands: [`echo größe`]}}]}, {text: `So large.`}]);
    await machine.settled();
    const log = await machine.git(`log`, `--all`, `--format=%B`, `--glob=refs/session-sync/*`);
    expect(log).toContain(`Agent: cline`);
  }, LONG);
});
