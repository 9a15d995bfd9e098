import {existsSync}            from 'node:fs';
import {mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {gemini}                from '../../sources/agents/gemini/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {haveAgents}            from '../agents.mjs';
import {claudeReceives}        from './_agents.ts';
import {compare}               from './_compare.ts';
import {compactedSession, craftedSession, writeInto} from './_crafted.ts';
import {heardByGemini}         from './_gemini.ts';
import {LOGO, fixtureProject, names, placeFixture, succeeded, transcriptOf} from './_journey.ts';
import {percent, share}        from './_share.ts';
import {geminiDrive, geminiHome, geminiIsHere, resumeGemini} from './drives/gemini.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';

const NOTHING = {missing: [], extra: []};

type Known = {sessions: Array<{agent: string; session: string; title?: string; mirrors?: Array<{agent: string; id: string; listed?: boolean}>}>};

async function known(machine: Machine): Promise<Known[`sessions`]> {
  return (JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))) as {data: Known}).data.sessions;
}

async function mirrorsOf(machine: Machine, session: string): Promise<Array<string>> {
  const one = (await known(machine)).find(other => other.session === session);
  return one?.mirrors?.flatMap(({agent, id}) => agent === `gemini` ? [id] : []) ?? [];
}

async function chats(machine: Machine): Promise<string> {
  const tmp = path.join(geminiHome(machine), `tmp`);
  const [slug] = (await readdir(tmp)).filter(name => existsSync(path.join(tmp, name, `chats`)));
  return path.join(tmp, slug!, `chats`);
}

async function fileOf(machine: Machine, id: string): Promise<string> {
  const folder = await chats(machine);
  const name = (await readdir(folder)).find(file => file.endsWith(`-${id.slice(0, 8)}-${id.slice(-8)}.jsonl`));
  return path.join(folder, name!);
}

/** What our reader makes of a session in Gemini's store. */
async function recordsOf(machine: Machine, id: string): Promise<Array<NeutralRecord>> {
  const here = {env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!};
  const found = (await gemini.source!.locate(here, [machine.project])).find(({nativeId}) => nativeId === id)!;
  const [main] = await gemini.source!.files(found);
  const reader = gemini.source!.openReader(main!);
  const records: Array<NeutralRecord> = [];
  for await (const lines of follow(main!.path, 0))
    for (const line of lines)
      records.push(...reader.push(line));
  return records;
}

function expectWhole(records: Array<NeutralRecord>, heard: Parameters<typeof share>[1]) {
  const told = share(records, heard);
  expect(told.missing).toEqual([]);
  expect([told.prompts, told.texts, told.calls, told.results].map(percent)).toEqual([100, 100, 100, 100]);
}

describe.runIf(geminiIsHere())(`Gemini CLI`, () => {
  let world: World;
  let failed = false;

  beforeAll(async () => {
    world = await World.create([`claude`, `gemini`]);
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

  async function person(user: string, project = `shop`): Promise<Machine> {
    const machine = await world.machine({user, home: `home/${user}`, project});
    await machine.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': `${JSON.stringify({version: 1, targets: [`gemini`]})}\n`});
    await geminiDrive.setUp(machine);
    succeeded(await machine.sessionSync(`init`, `--force`));
    return machine;
  }

  describe.runIf(haveAgents([`claude`]))(`as a mirror of Claude Code`, () => {
    let alice: Machine;
    let session: string;
    let id: string;

    step(`has every prompt, text, call and result, under the session's title, in a list that asks no model`, async () => {
      alice = await person(`alice`, await fixtureProject(`01-tools-subagent-mcp`));
      session = await placeFixture(alice, `01-tools-subagent-mcp`);
      // First only a part of it, so that the rest is appended.
      const file = transcriptOf(alice, session);
      const whole = await readFile(file, `utf8`);
      const lines = whole.split(`\n`);
      await writeFile(file, lines.slice(0, lines.length / 2).map(line => `${line}\n`).join(``));
      succeeded(await alice.sessionSync(`sync`));
      [id] = await mirrorsOf(alice, session) as [string];
      const begun = await readFile(await fileOf(alice, id), `utf8`);
      await writeFile(file, whole);
      succeeded(await alice.sessionSync(`sync`));

      expect((await readFile(await fileOf(alice, id), `utf8`)).startsWith(begun)).toBe(true);
      expect(await mirrorsOf(alice, session)).toEqual([id]);
      const one = (await known(alice)).find(other => other.session === session)!;
      expect(await geminiDrive.title(alice, id)).toBe(one.title!.replace(/\s+/g, ` `).slice(0, 200));
      expect(compare(await claudeReceives(alice, session), await geminiDrive.receives(alice, id), names(session, alice, alice))).toEqual(NOTHING);
    });

    step(`is the same when it is resumed a second and a third time, and then left alone`, async () => {
      const source = await claudeReceives(alice, session);
      await geminiDrive.goOn(alice, id, `And now?`, [{text: `Gemini thinks so too.`}]);
      const run = await resumeGemini(alice, id, `Really?`, [{text: `Really.`}]);
      const heard = heardByGemini(run.requests[0], `Really?`);
      const at = heard.findIndex(item => item.kind === `prompt` && item.text === `And now?`);
      expect(heard.slice(at)).toEqual([{kind: `prompt`, text: `And now?`}, {kind: `reply`, text: `Gemini thinks so too.`}]);
      expect(compare(source, heard.slice(0, at), names(session, alice, alice))).toEqual(NOTHING);

      const continued = await readFile(await fileOf(alice, id), `utf8`);
      const file = transcriptOf(alice, session);
      const last = JSON.parse((await readFile(file, `utf8`)).trimEnd().split(`\n`).findLast(line => line.includes(`"parentUuid"`))!);
      const next = {...last, type: `user`, parentUuid: last.uuid, uuid: `0b6f2c3e-3d1c-4c3f-8c55-0b1f6b6a9a01`, message: {role: `user`, content: `One more thing.`}};
      await writeFile(file, `${JSON.stringify(next)}\n`, {flag: `a`});
      succeeded(await alice.sessionSync(`sync`));
      expect(await readFile(await fileOf(alice, id), `utf8`)).toBe(continued);
      const mirrors = await mirrorsOf(alice, session);
      expect(mirrors.length).toBeGreaterThan(0);
      expect(mirrors).not.toContain(id);
      const again = await geminiDrive.receives(alice, mirrors[0]!);
      expect(compare(await claudeReceives(alice, session), again, names(session, alice, alice))).toEqual(NOTHING);
    });

    test.each([`02-interactive-branch-plan-compact`, `05-queued-prompt-midturn`])(`%s is told whole`, async name => {
      const bob = await person(`bob${name.slice(0, 2)}`, await fixtureProject(name));
      const other = await placeFixture(bob, name);
      succeeded(await bob.sessionSync(`sync`));
      const [mirror] = await mirrorsOf(bob, other);
      expect(compare(await claudeReceives(bob, other), await geminiDrive.receives(bob, mirror!), names(other, bob, bob))).toEqual(NOTHING);
    });
  });

  describe(`with a session where all goes wrong that can`, () => {
    let carol: Machine;

    step(`is told all of it, and pictures as pictures`, async () => {
      carol = await person(`carol`);
      const records = craftedSession(carol.project);
      const id = await writeInto(gemini, carol, records);
      const heard = await geminiDrive.receives(carol, id);
      expectWhole(records, heard);
      expect(heard).toContainEqual({kind: `image`, data: LOGO.toString(`base64`)});
      expect(await geminiDrive.title(carol, id)).toBe(`/help is no command here`);
    });

    step(`is told the summary, what it keeps and what follows after a compaction`, async () => {
      const records = compactedSession(carol.project);
      const id = await writeInto(gemini, carol, records, {generation: 1});
      const heard = await geminiDrive.receives(carol, id);
      expectWhole(records, heard);
      expect(heard.map(item => `text` in item ? item.text : item.kind)).toEqual([
        `<state_snapshot>\nSUMMARY of all that was before.\nIt was a lot.\n</state_snapshot>`, `Go on.`, `On I go.`, `And after it?`, `It goes on.`,
      ]);
    });

    step(`keeps one that is years old through its clean-up, after it was resumed as well`, async () => {
      const records = craftedSession(carol.project).slice(0, 2).map(record => ({...record, time: `2023-05-04T10:00:00.000Z`}));
      const id = await writeInto(gemini, carol, records, {generation: 2});
      for (let times = 0; times < 2; times++)
        await geminiDrive.goOn(carol, id, `Still there?`, [{text: `Yes.`}]);
      // A start with another session is what cleans up.
      await geminiDrive.begin!(carol, `Something else.`, [{text: `Fine.`}]);
      expect(existsSync(await fileOf(carol, id))).toBe(true);
      expect(await geminiDrive.title(carol, id)).toBe(`/help is no command here`);
    });
  });

  describe(`as a source`, () => {
    let dave: Machine;
    let session: string;

    step(`tells of what happens through its hooks: turns are commits when they end`, async () => {
      dave = await person(`dave`);
      session = await geminiDrive.begin!(dave, `Räum auf, 日本語 👋`, [
        {thinking: `Look around first.`, text: `I look around.`, calls: [{name: `run_shell_command`, input: {command: `echo hi; exit 3`, description: `A failure`}}, {name: `read_file`, input: {file_path: `README.md`}}]},
        {calls: [{name: `write_file`, input: {file_path: `a.js`, content: `let a = 1;\n`}}, {name: `read_file`, input: {file_path: `none.txt`}}, {name: `nowhere`, input: {a: 1}}]},
        {text: `Done — größe.`},
      ]);
      await dave.settled();
      const refs = await dave.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`);
      expect(refs).toContain(session);
      expect((await known(dave)).find(one => one.session === session)).toMatchObject({agent: `gemini`});
      const records = await recordsOf(dave, session);
      expectWhole(records, await geminiDrive.receives(dave, session));
      expect(records.filter(record => record.kind === `result`).map(record => [record.exitCode, record.error])).toEqual([
        [3, undefined], [undefined, undefined], [undefined, undefined], [undefined, true], [undefined, true],
      ]);
    });

    step(`goes on in the same session when it is resumed, though the resume leaves a second file of it`, async () => {
      await geminiDrive.goOn(dave, session, `Weiter.`, [{calls: [{name: `run_shell_command`, input: {command: `echo more`}}]}, {text: `Weiter geht es.`}]);
      await dave.settled();
      const records = await recordsOf(dave, session);
      expect(records.flatMap(record => record.kind === `prompt` ? record.content : [])).toEqual([{type: `text`, text: `Räum auf, 日本語 👋`}, {type: `text`, text: `Weiter.`}]);
      expect(records.filter(record => record.kind === `branch`)).toEqual([]);
      expect(records.filter(record => record.kind === `call`)).toHaveLength(6);
      expectWhole(records, await geminiDrive.receives(dave, session));
      const show = JSON.parse(succeeded(await dave.sessionSync(`status`, `--all`, `--json`)));
      expect(show.data.sessions.filter((one: {agent: string}) => one.agent === `gemini`)).toHaveLength(1);
    });

    step(`reads what it makes of a long history: a summary, and what it keeps`, async () => {
      const settings = path.join(geminiHome(dave), `settings.json`);
      const before = await readFile(settings, `utf8`);
      await writeFile(settings, JSON.stringify({...JSON.parse(before), model: {compressionThreshold: 0.00001}}));
      await geminiDrive.goOn(dave, session, `Nach der Zusammenfassung.`, [{text: `Ja.`}]);
      await writeFile(settings, before);
      const records = await recordsOf(dave, session);
      const compaction = records.find(record => record.kind === `compaction`);
      expect(compaction).toMatchObject({summary: expect.stringContaining(`Scripted summary`)});
      expectWhole(records, await geminiDrive.receives(dave, session));
    });

    step(`comes out of git as it went in: recorded sessions are stored, with their sub-agents`, async () => {
      const erin = await person(`erin`);
      const id = await geminiDrive.place!(erin, `03-errors-subagent`);
      succeeded(await erin.sessionSync(`sync`));
      const [ref] = (await erin.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).split(`\n`);
      expect(ref).toContain(id);
      const files = await erin.git(`ls-tree`, `-r`, `--name-only`, ref!);
      expect(files).toMatch(/sub-399d2e7d/);
      expectWhole(await recordsOf(erin, id), await geminiDrive.receives(erin, id));
      await mkdir(path.join(erin.home, `.gemini`), {recursive: true});
    });
  });
});
