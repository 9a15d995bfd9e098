import {appendFile, mkdir, readFile, readdir, realpath, symlink, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import {sessionIdFor}          from '../../sources/interchange/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {compactedSession, craftedSession, writeInto} from './_crafted.ts';
import {LOGO, fixtureProject, placeFixture, succeeded} from './_journey.ts';
import {percent, share}        from './_share.ts';
import type {Share}            from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import type {FamilyProgram}    from './drives/_opencode.ts';
import type {Drive}            from './drives/_drive.ts';

const FULL = [100, 100, 100, 100];
/** Each start of the real program takes seconds, on a busy machine many. */
const STEP_MS = 400_000;

const sync = async (machine: Machine) => succeeded(await machine.run(`session-sync`, [`sync`], {timeoutMs: STEP_MS}));
const here = (machine: Machine) => ({env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!});
const counts = ({prompts, texts, calls, results}: Share) => [prompts, texts, calls, results].map(percent);

/** What our reader makes of the files of one session, as they lie there. */
async function recordsOf(machine: Machine, agent: string, id: string): Promise<Array<NeutralRecord>> {
  const source = agentById(agent)!.source!;
  const found = (await source.locate(here(machine), [machine.project])).find(({nativeId}) => nativeId === id);
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

async function mirrorsOf(machine: Machine, session: string, agent: string): Promise<Array<{id: string}>> {
  const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`)));
  const known = data.sessions.find((one: {session: string}) => one.session === session);
  return known?.mirrors?.filter((mirror: {agent: string}) => mirror.agent === agent) ?? [];
}

/** What an agent of OpenCode's family must stand. `fixtures`: recorded sessions of Claude Code that it is given. */
export function familyTests(name: string, program: FamilyProgram, drive: Drive, {fixtures, isHere}: {fixtures: Array<string>; isHere: () => boolean}) {
  const {agent} = drive;

  describe.runIf(isHere())(name, () => {
    let world: World;
    let failed = false;

    beforeAll(async () => {
      world = await World.create();
    });
    afterAll(() => world?.dispose({failed}));

    const step = (title: string, body: () => Promise<void>) => test(title, async () => {
      try {
        await body();
      } catch (error) {
        failed = true;
        throw error;
      }
    }, STEP_MS);

    const shop = async (user: string, project: string) => {
      const machine = await world.machine({user, home: `home/${user}`, project});
      await machine.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': JSON.stringify({version: 1, targets: [agent]})});
      // The other agents are not on this machine: each costs a start for its version.
      const bin = path.join(world.root, `bin-${user}`);
      await mkdir(bin);
      for (const name of [`session-sync`, `session-sync-hook`, `session-sync-worker`, `node`, agent])
        await symlink(await realpath(path.join(world.bin, name)), path.join(bin, name));
      machine.env.PATH = `${bin}:/usr/bin:/bin`;
      await program.setUp(machine);
      succeeded(await machine.run(`session-sync`, [`init`], {timeoutMs: STEP_MS}));
      return machine;
    };

    for (const [index, fixture] of fixtures.entries()) {
      step(`takes ${fixture} of Claude Code: listed by its title, resumed with all that was said`, async () => {
        const machine = await shop(`user${index}`, await fixtureProject(fixture));
        const id = await placeFixture(machine, fixture);
        await sync(machine);
        const [mirror] = await mirrorsOf(machine, id, agent);
        expect(mirror).toBeDefined();
        expect(await drive.title(machine, mirror!.id)).toBeTruthy();
        const cell = share(await recordsOf(machine, `claude-code`, id), await drive.receives(machine, mirror!.id));
        expect(cell.missing).toEqual([]);
        expect(counts(cell)).toEqual(FULL);
      });
    }

    describe(`its own sessions`, () => {
      let alice: Machine;

      beforeAll(async () => {
        alice = await shop(`alice`, `shop`);
      }, STEP_MS);

      step(`are read as its own model gets them back`, async () => {
        for (const fixture of drive.fixtures) {
          const id = await drive.place!(alice, fixture);
          const cell = share(await recordsOf(alice, agent, id), await drive.receives(alice, id));
          expect(cell.missing, fixture).toEqual([]);
          expect(counts(cell), fixture).toEqual(FULL);
        }
        await sync(alice);
        expect((await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).split(`\n`)).toHaveLength(drive.fixtures.length);
      });

      step(`reach the repository's git through its plugin, while the program runs`, async () => {
        const id = await drive.begin!(alice, `Wie groß ist der Laden? 👋`, [
          {text: `I look.`, calls: [{name: `bash`, input: {command: `echo größe`, description: `Say it`}}]},
          {text: `So big.`},
        ]);
        await alice.settled(STEP_MS);
        const shown = succeeded(await alice.sessionSync(`show`, sessionIdFor(agent, id), `--text`));
        for (const text of [`Wie groß ist der Laden? 👋`, `I look.`, `größe`, `So big.`])
          expect(shown).toContain(text);
      });
    });

    describe(`a mirror in it`, () => {
      let machine: Machine;
      let id: string;
      let mirror: string;
      const fixture = `04-multi-prompt-compacted`;
      /** Claude Code goes on with the session. */
      const ask = async (content: string, count: number) => {
        const file = await transcript();
        const last = (await readFile(file, `utf8`)).trimEnd().split(`\n`).map(line => JSON.parse(line)).findLast(line => typeof line.uuid === `string`);
        const uuid = `00000000-0000-4000-8000-00000000000${count}`;
        await appendFile(file, `${JSON.stringify({...last, type: `user`, uuid, parentUuid: last.uuid, message: {role: `user`, content}, timestamp: `2026-11-22T10:00:0${count}.000Z`})}\n`);
      };
      const transcript = async () => (await agentById(`claude-code`)!.source!.locate(here(machine), [machine.project]))[0]!.path;

      step(`grows with the session`, async () => {
        machine = await shop(`grows`, await fixtureProject(fixture));
        id = await placeFixture(machine, fixture);
        const file = await transcript();
        const whole = await readFile(file, `utf8`);
        const lines = whole.split(`\n`);
        await writeFile(file, `${lines.slice(0, Math.floor(lines.length / 2)).join(`\n`)}\n`);
        await sync(machine);
        mirror = (await mirrorsOf(machine, id, agent))[0]!.id;
        await writeFile(file, whole);
        await sync(machine);
        expect((await mirrorsOf(machine, id, agent))[0]!.id).toBe(mirror);
        const cell = share(await recordsOf(machine, `claude-code`, id), await drive.receives(machine, mirror));
        expect(cell.missing).toEqual([]);
      });

      step(`is left alone once the agent has gone on with it; what comes then begins a new one`, async () => {
        await drive.goOn(machine, mirror, `Weiter`, [{text: `The agent thinks so too.`}]);
        const heard = await drive.receives(machine, mirror);
        expect(heard.at(-1)).toEqual({kind: `reply`, text: `The agent thinks so too.`});

        await ask(`And then?`, 1);
        await machine.settled(STEP_MS);
        await sync(machine);
        const [next] = await mirrorsOf(machine, id, agent);
        expect(next!.id).not.toBe(mirror);
        expect(JSON.stringify(await drive.receives(machine, next!.id))).toContain(`And then?`);
        expect(await drive.receives(machine, mirror)).toEqual(heard);
      });

      step(`is gone for good when a person deletes it`, async () => {
        const [next] = await mirrorsOf(machine, id, agent);
        await program.must(machine, [`session`, `delete`, next!.id]);
        await ask(`Still there?`, 2);
        await sync(machine);
        expect((await program.list(machine)).map(({id}) => id)).not.toContain(next!.id);
        const left = await readdir(path.join(machine.home, `.local`, `state`, `session-sync`, agent, `out`));
        expect(left.filter(file => file.startsWith(next!.id))).toEqual([]);
      });
    });

    step(`takes whatever a session may hold, and a compaction as such`, async () => {
      const machine = await shop(`nasty`, `shop`);
      const records = craftedSession(machine.project);
      const id = await writeInto(agentById(agent)!, machine, records, {title: `All that goes wrong`});
      expect(await drive.title(machine, id)).toBe(`All that goes wrong`);
      const heard = await drive.receives(machine, id);
      const cell = share(records, heard);
      expect(cell.missing).toEqual([]);
      expect(counts(cell)).toEqual(FULL);
      expect(heard.flatMap(item => item.kind === `image` ? [item.data] : [])).toEqual([LOGO.toString(`base64`)]);

      const compacted = compactedSession(machine.project);
      const other = await writeInto(agentById(agent)!, machine, compacted, {generation: 1});
      expect(await drive.title(machine, other)).toBe(`/help is no command here`);
      const told = await drive.receives(machine, other);
      expect(share(compacted, told).missing).toEqual([]);
      expect(told.map(item => `text` in item ? item.text.split(`\n`).at(-1) : item.kind)).toEqual([`What did we do so far?`, `It was a lot.`, `Go on.`, `On I go.`, `And after it?`, `It goes on.`]);
    });
  });
}
