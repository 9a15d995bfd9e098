import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}                    from '../../sources/agents/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';
import {linesOf, readLines}           from '../agents/_battery.ts';

import {drives, programsAreHere}      from './drives/index.ts';
import type {Drive}                   from './drives/index.ts';
import {succeeded}                    from './_journey.ts';
import {longSession, nastySession, placeTranscript} from './_nasty.ts';
import {share}                        from './_share.ts';
import {World}                        from './_world.ts';
import type {Machine}                 from './_world.ts';

const TURNS = 2_000;

describe.runIf(programsAreHere()).each([
  [`everything that has a trap in one agent or another`, (machine: Machine, _turns: number) => nastySession(machine.project)],
  [`${TURNS} turns, or as many as the agent takes`, (machine: Machine, turns: number) => longSession(machine.project, turns, `5e551000-0000-4000-8000-${String(turns).padStart(12, `0`)}`)],
] as const)(`a session with %s`, (_, make) => {
  let world: World;
  let alice: Machine;
  type Placed = {session: string; records: Array<NeutralRecord>; mirrors: Array<{agent: string; id: string}>};
  /** By the number of turns. */
  const placed = new Map<number, Placed>();
  let failed = false;

  beforeAll(async () => {
    world = await World.create();
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`, 'src/cart.js': `export const cart = [];\n`});
    for (const drive of drives)
      await drive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    for (const turns of new Set(drives.map(({mostTurns}) => mostTurns ?? TURNS))) {
      const transcript = make(alice, turns);
      const session = await placeTranscript(alice, transcript);
      const {records} = readLines(agentById(`claude-code`)!.source!, linesOf(transcript.text()), {name: `main`});
      placed.set(turns, {session, records, mirrors: []});
    }
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 400_000}));
    succeeded(await alice.sessionSync(`pause`));
    const {data} = JSON.parse(succeeded(await alice.sessionSync(`status`, `--all`, `--json`)));
    for (const one of placed.values())
      one.mirrors = data.sessions.find(({session}: {session: string}) => session === one.session).mirrors;
  }, 600_000);

  afterAll(async () => await world?.dispose({failed}));

  test.each(drives)(`reaches the model of $agent whole`, async (target: Drive) => {
    failed = true;
    const {session, records, mirrors} = placed.get(target.mostTurns ?? TURNS)!;
    const id = target.agent === `claude-code` ? session : mirrors.find(({agent}) => agent === target.agent)!.id;
    const {missing, ...counts} = share(records, await target.receives(alice, id));
    expect(missing.slice(0, 20)).toEqual([]);
    expect(counts.calls.told).toBe(counts.calls.of);
    failed = false;
  });
});
