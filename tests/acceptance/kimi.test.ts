import {appendFile, readFile, writeFile} from 'node:fs/promises';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {compactedSession, craftedSession, writeInto} from './_crafted.ts';
import {LOGO, fixtureProject, placeFixture, succeeded} from './_journey.ts';
import {percent, share}        from './_share.ts';
import type {Share}            from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {kimiDrive, kimiIsHere, kimiSessions, wireOf} from './drives/kimi.ts';

const FULL = [100, 100, 100, 100];

/** What our reader makes of the files of one session, as they lie there. */
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

/** Sessions of Kimi Code that mirror one of another agent. */
async function mirrorsOf(machine: Machine, session: string): Promise<Array<{id: string; records: number}>> {
  const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`)));
  const known = data.sessions.find((one: {session: string}) => one.session === session);
  return known?.mirrors?.filter((mirror: {agent: string}) => mirror.agent === `kimi`) ?? [];
}

const counts = ({prompts, texts, calls, results}: Share) => [prompts, texts, calls, results].map(percent);

describe.runIf(kimiIsHere())(`Kimi Code`, () => {
  let world: World;
  let failed = false;

  beforeAll(async () => {
    world = await World.create([`claude`, `kimi`]);
  });
  afterAll(() => world?.dispose({failed}));

  const step = (name: string, body: () => Promise<void>) => test(name, async () => {
    try {
      await body();
    } catch (error) {
      failed = true;
      throw error;
    }
  });

  const shop = async (user: string, project: string) => {
    const machine = await world.machine({user, home: `home/${user}`, project});
    await machine.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': JSON.stringify({version: 1, targets: [`kimi`]})});
    await kimiDrive.setUp(machine);
    succeeded(await machine.sessionSync(`init`));
    return machine;
  };

  const fixtures = [`01-tools-subagent-mcp`, `03-interrupted-denied-hooks`, `04-multi-prompt-compacted`, `05-queued-prompt-midturn`];
  for (const [index, name] of fixtures.entries()) {
    step(`takes ${name} of Claude Code: listed by its title, resumed with all that was said`, async () => {
      const machine = await shop(`user${index}`, await fixtureProject(name));
      const id = await placeFixture(machine, name);
      succeeded(await machine.sessionSync(`sync`));
      const [mirror] = await mirrorsOf(machine, id);
      expect(mirror).toBeDefined();
      expect(await kimiDrive.title(machine, mirror!.id)).toBeTruthy();
      const cell = share(await recordsOf(machine, `claude-code`, id), await kimiDrive.receives(machine, mirror!.id));
      expect(cell.missing).toEqual([]);
      expect(counts(cell)).toEqual(FULL);
    });
  }

  describe(`its own sessions`, () => {
    let alice: Machine;

    step(`are read as its own model gets them back`, async () => {
      alice = await shop(`alice`, `shop`);
      for (const name of kimiDrive.fixtures) {
        const id = await kimiDrive.place!(alice, name);
        const cell = share(await recordsOf(alice, `kimi`, id), await kimiDrive.receives(alice, id));
        expect(cell.missing, name).toEqual([]);
        expect(counts(cell), name).toEqual(FULL);
      }
      succeeded(await alice.sessionSync(`sync`));
      expect(await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).toMatch(/\n.*\n/);
    });

    step(`reach the repository's git through its hooks, while the program runs`, async () => {
      const id = await kimiDrive.begin!(alice, `Wie groß ist der Laden? 👋`, [
        {text: `I look.`, calls: [{name: `Bash`, input: {command: `echo größe`}}]},
        {text: `So big.`},
      ]);
      await alice.settled();
      const session = id.replace(/^session_/, ``);
      const ref = (await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).split(`\n`).find(name => name.includes(session));
      expect(ref).toBeDefined();
      const shown = succeeded(await alice.sessionSync(`show`, session, `--text`));
      for (const text of [`Wie groß ist der Laden? 👋`, `I look.`, `größe`, `So big.`])
        expect(shown).toContain(text);
    });
  });

  describe(`a mirror in it`, () => {
    let machine: Machine;
    let id: string;
    let mirror: string;
    const name = `04-multi-prompt-compacted`;

    step(`grows with the session, and stays what was written before`, async () => {
      machine = await shop(`grows`, await fixtureProject(name));
      id = await placeFixture(machine, name);
      const transcript = (await agentById(`claude-code`)!.source!.locate({env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!}, [machine.project]))[0]!.path;
      const whole = await readFile(transcript, `utf8`);
      const lines = whole.split(`\n`);
      await writeFile(transcript, `${lines.slice(0, Math.floor(lines.length / 2)).join(`\n`)}\n`);
      succeeded(await machine.sessionSync(`sync`));
      mirror = (await mirrorsOf(machine, id))[0]!.id;
      const before = await readFile(wireOf(machine, mirror), `utf8`);
      // Kimi Code has listed and read it meanwhile.
      await kimiSessions(machine);
      await kimiDrive.receives(machine, mirror);

      await writeFile(transcript, whole);
      succeeded(await machine.sessionSync(`sync`));
      expect((await mirrorsOf(machine, id))[0]!.id).toBe(mirror);
      expect((await readFile(wireOf(machine, mirror), `utf8`)).startsWith(before)).toBe(true);
      const cell = share(await recordsOf(machine, `claude-code`, id), await kimiDrive.receives(machine, mirror));
      expect(cell.missing).toEqual([]);
    });

    step(`is left alone once Kimi Code has gone on with it; what comes then begins a new one`, async () => {
      await kimiDrive.goOn(machine, mirror, `What do you think?`, [{text: `Kimi thinks so too.`}]);
      const continued = await readFile(wireOf(machine, mirror), `utf8`);
      const heard = await kimiDrive.receives(machine, mirror);
      expect(heard.at(-1)).toEqual({kind: `reply`, text: `Kimi thinks so too.`});

      const transcript = (await agentById(`claude-code`)!.source!.locate({env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!}, [machine.project]))[0]!.path;
      const last = (await readFile(transcript, `utf8`)).trimEnd().split(`\n`).map(line => JSON.parse(line)).findLast(line => typeof line.uuid === `string`);
      await appendFile(transcript, `${JSON.stringify({...last, type: `user`, uuid: `00000000-0000-4000-8000-000000000001`, parentUuid: last.uuid, message: {role: `user`, content: `And then?`}, timestamp: `2026-11-22T10:00:00.000Z`})}\n`);
      succeeded(await machine.sessionSync(`sync`));
      expect(await readFile(wireOf(machine, mirror), `utf8`)).toBe(continued);
      const [next] = await mirrorsOf(machine, id);
      expect(next!.id).not.toBe(mirror);
      expect(JSON.stringify(await kimiDrive.receives(machine, next!.id))).toContain(`And then?`);
    });
  });

  step(`takes whatever a session may hold, and a compaction as such`, async () => {
    const machine = await shop(`nasty`, `shop`);
    const records = craftedSession(machine.project);
    const id = await writeInto(agentById(`kimi`)!, machine, records, {title: `All that goes wrong`});
    expect(await kimiDrive.title(machine, id)).toBe(`All that goes wrong`);
    const heard = await kimiDrive.receives(machine, id);
    const cell = share(records, heard);
    expect(cell.missing).toEqual([]);
    expect(counts(cell)).toEqual(FULL);
    expect(heard.flatMap(item => item.kind === `image` ? [item.data] : [])).toEqual([LOGO.toString(`base64`)]);

    const compacted = compactedSession(machine.project);
    const other = await writeInto(agentById(`kimi`)!, machine, compacted, {generation: 1});
    expect(await kimiDrive.title(machine, other)).toBe(`/help is no command here`);
    const told = await kimiDrive.receives(machine, other);
    expect(share(compacted, told).missing).toEqual([]);
    expect(told.map(item => `text` in item ? item.text.split(`\n`).at(-1) : item.kind)).toEqual([`It was a lot.`, `Go on.`, `On I go.`, `And after it?`, `It goes on.`]);
  });
});
