import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}                    from '../../sources/agents/index.ts';
import {sessionIdFor}                 from '../../sources/interchange/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';
import {follow}                       from '../../sources/system/follow.ts';

import {drives, programsAreHere}      from './drives/index.ts';
import type {Drive}                   from './drives/index.ts';
import {succeeded}                    from './_journey.ts';
import {percent, share}               from './_share.ts';
import type {Share}                   from './_share.ts';
import {World}                        from './_world.ts';
import type {Machine}                 from './_world.ts';

const sources = drives.filter(drive => drive.fixtures.length > 0);
/** A row of the table: a recorded session. */
const rows = sources.map(drive => ({drive, fixture: drive.fixtures[0]!}));

describe.runIf(programsAreHere())(`any session into any agent`, () => {
  let world: World;
  let alice: Machine;
  const placed = new Map<Drive, string>();
  const cells = new Map<string, Share>();
  let failed = false;

  beforeAll(async () => {
    world = await World.create();
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`, 'src/cart.js': `export const cart = [];\n`});
    for (const drive of drives)
      await drive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    for (const {drive, fixture} of rows)
      placed.set(drive, await drive.place!(alice, fixture));
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 400_000}));
    // From here on agents are only asked: what they do to copies of their stores is not to be kept.
    succeeded(await alice.sessionSync(`pause`));
  }, 600_000);

  afterAll(async () => {
    process.stdout.write(`\n${matrix(cells)}\n`);
    await world?.dispose({failed});
  });

  describe.each(rows)(`$drive.agent`, ({drive: source}) => {
    test.each(drives)(`→ $agent`, async target => {
      const id = placed.get(source)!;
      const records = await recordsOf(alice, source, id);
      const native = target === source ? id : await mirrorOf(alice, source, id, target);
      const cell = share(records, await target.receives(alice, native));
      cells.set(`${source.agent}/${target.agent}`, cell);
      if (target !== source && await target.title(alice, native) === null)
        cell.missing.push(`${target.agent} does not list the session`);
      failed ||= cell.missing.length > 0;
      expect(cell.missing).toEqual([]);
      expect([cell.prompts, cell.texts, cell.calls].map(percent)).toEqual([100, 100, 100]);
    });
  });
});

/** What our reader makes of the agent's own files. */
async function recordsOf(machine: Machine, {agent}: Drive, id: string): Promise<Array<NeutralRecord>> {
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

type Known = {sessions: Array<{agent: string; session: string; lineage?: object; mirrors?: Array<{agent: string; id: string}>}>};

/** The id under which the target agent has the session. */
async function mirrorOf(machine: Machine, source: Drive, id: string, target: Drive): Promise<string> {
  const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))) as {data: Known};
  const session = data.sessions.find(one => one.session === sessionIdFor(source.agent, id)) ?? data.sessions.find(one => one.agent === source.agent && one.lineage === undefined);
  const mirror = session?.mirrors!.find(one => one.agent === target.agent);
  if (mirror === undefined)
    throw new Error(`the session ${id} of ${source.agent} has no mirror in ${target.agent}`);
  return mirror.id;
}

/** Rows are sources, columns targets; each cell the per cent of prompts / texts / calls / results that reached the target's model. */
function matrix(cells: Map<string, Share>): string {
  const width = Math.max(...drives.map(({agent}) => agent.length), `100/100/100/100`.length) + 1;
  const line = (values: Array<string>) => values.map(value => value.padEnd(width)).join(` `).trimEnd();
  return [
    line([`source \\ target`, ...drives.map(({agent}) => agent)]),
    ...rows.map(({drive}) => line([drive.agent, ...drives.map(target => {
      const cell = cells.get(`${drive.agent}/${target.agent}`);
      return cell === undefined ? `not run` : [cell.prompts, cell.texts, cell.calls, cell.results].map(percent).join(`/`);
    })])),
    `(per cent of prompts/texts/calls/results that reached the target's model)`,
  ].join(`\n`);
}
