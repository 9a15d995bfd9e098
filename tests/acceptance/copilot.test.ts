import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentsAreHere, claudeReceives} from './_agents.ts';
import {compare}               from './_compare.ts';
import {fixtureNames, fixtureProject, names, placeFixture, succeeded} from './_journey.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {copilotDrive, copilotIsHere} from './drives/copilot.ts';

type Known = {sessions: Array<{session: string; agent: string; mirrors?: Array<{agent: string; id: string; listed?: boolean}>}>};

/** Where a session is in Copilot, as \`status\` names it. */
async function mirrorIn(machine: Machine, session: string): Promise<string> {
  const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))) as {data: Known};
  const id = data.sessions.find(one => one.session === session)?.mirrors?.find(({agent}) => agent === `copilot`)?.id;
  if (id === undefined)
    throw new Error(`no mirror of ${session}: ${JSON.stringify(data).slice(0, 1000)}`);
  return id;
}

async function person(world: World, user: string, project: string): Promise<Machine> {
  const machine = await world.machine({user, home: `home/${user}`, project});
  await machine.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': `${JSON.stringify({version: 1, targets: [`copilot`]})}\n`});
  await copilotDrive.setUp(machine);
  succeeded(await machine.sessionSync(`init`));
  return machine;
}

describe.runIf(copilotIsHere() && agentsAreHere())(`recorded sessions of Claude Code in Copilot CLI`, () => {
  let world: World;
  let failed = false;

  beforeAll(async () => {
    world = await World.create();
  });

  afterAll(() => world?.dispose({failed}));

  test.each(fixtureNames())(`%s`, async name => {
    const alice = await person(world, `alice${name.slice(0, 2)}`, await fixtureProject(name));
    const session = await placeFixture(alice, name);
    succeeded(await alice.sessionSync(`sync`));
    const id = await mirrorIn(alice, session);
    const [source, received] = [await claudeReceives(alice, session), await copilotDrive.receives(alice, id)];
    console.log(name, await copilotDrive.title(alice, id));
    const difference = compare(source, received, names(session, alice, alice));
    console.log(JSON.stringify(difference, null, 1));
    expect(difference.missing).toEqual([]);
  });
});
