import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}                    from '../../sources/agents/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';
import {haveAgents}                   from '../agents.mjs';
import {linesOf, readLines}           from '../agents/_battery.ts';

import {drives}                       from './drives/index.ts';
import type {Drive}                   from './drives/index.ts';
import {succeeded}                    from './_journey.ts';
import {longSession, nastySession, placeTranscript} from './_nasty.ts';
import {share}                        from './_share.ts';
import {World}                        from './_world.ts';
import type {Machine}                 from './_world.ts';

function programsAreHere() {
  if (haveAgents(drives.map(drive => drive.program)))
    return true;
  if (process.env.SESSION_SYNC_DEMAND_AGENTS)
    throw new Error(`not all agents are in .agents/`);
  process.stderr.write(`these tests need all agents: \`npm run test:agents\`\n`);
  return false;
}

const TURNS = 2_000;

describe.runIf(programsAreHere()).each([
  [`everything that has a trap in one agent or another`, (machine: Machine) => nastySession(machine.project)],
  [`${TURNS} turns`, (machine: Machine) => longSession(machine.project, TURNS)],
] as const)(`a session with %s`, (_, make) => {
  let world: World;
  let alice: Machine;
  let session: string;
  let records: Array<NeutralRecord>;
  let mirrors: Array<{agent: string; id: string}>;
  let failed = false;

  beforeAll(async () => {
    world = await World.create();
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`, 'src/cart.js': `export const cart = [];\n`});
    for (const drive of drives)
      await drive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    const transcript = make(alice);
    session = await placeTranscript(alice, transcript);
    records = readLines(agentById(`claude-code`)!.source!, linesOf(transcript.text()), {name: `main`}).records;
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 300_000}));
    const {data} = JSON.parse(succeeded(await alice.sessionSync(`status`, `--all`, `--json`)));
    ({mirrors} = data.sessions.find((one: {session: string}) => one.session === session));
  }, 600_000);

  afterAll(async () => await world?.dispose({failed}));

  test.each(drives)(`reaches the model of $agent whole`, async (target: Drive) => {
    failed = true;
    const id = target.agent === `claude-code` ? session : mirrors.find(({agent}) => agent === target.agent)!.id;
    const {missing, ...counts} = share(records, await target.receives(alice, id));
    expect(missing).toEqual([]);
    expect(counts.calls.told).toBe(counts.calls.of);
    failed = false;
  });
});
