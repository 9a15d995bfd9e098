import {appendFile, readFile, stat} from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {compactedSession, craftedSession, writeInto} from './_crafted.ts';
import {fixtureProject, placeFixture, succeeded} from './_journey.ts';
import {percent, share}        from './_share.ts';
import type {Share}            from './_share.ts';
import {World, jsonLines}      from './_world.ts';
import type {Machine}          from './_world.ts';
import {piDrive, piFile, piGoesOn, piHome, piIsHere, piSessions, runPi} from './drives/pi.ts';

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

type Known = {agent: string; session: string; records?: number; mirrors?: Array<{agent: string; id: string}>};

async function statusOf(machine: Machine): Promise<Array<Known>> {
  return JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))).data.sessions;
}

/** The session of Pi that mirrors one of another agent. */
async function mirrorOf(machine: Machine, session: string): Promise<string> {
  const known = (await statusOf(machine)).find(one => one.session === session);
  const mirror = known?.mirrors?.find(({agent}) => agent === `pi`);
  if (mirror === undefined)
    throw new Error(`${session} has no mirror in Pi`);
  return mirror.id;
}

const counts = ({prompts, texts, calls, results}: Share) => [prompts, texts, calls, results].map(percent);

describe.runIf(piIsHere())(`Pi`, () => {
  let world: World;
  let failed = false;

  beforeAll(async () => {
    world = await World.create([`claude`, `pi`]);
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

  const person = async (user: string, {project = `shop`, init = true}: {project?: string; init?: boolean} = {}) => {
    const machine = await world.machine({user, home: `home/${user}`, project});
    await machine.createProject({
      'src/cart.js': `export const total = items => items.length;\n`,
      '.session-sync/config.json': JSON.stringify({version: 1, targets: [`pi`]}),
    });
    await piDrive.setUp(machine);
    if (init)
      succeeded(await machine.sessionSync(`init`));
    return machine;
  };

  step(`tells its model of a recorded session what our reader reads in it, and the session comes into git`, async () => {
    const alice = await person(`alice`);
    for (const fixture of piDrive.fixtures) {
      const id = await piDrive.place!(alice, fixture);
      const cell = share(await recordsOf(alice, `pi`, id), await piDrive.receives(alice, id));
      expect(cell.missing).toEqual([]);
      expect(counts(cell)).toEqual(FULL);
    }
    succeeded(await alice.sessionSync(`sync`));
    const sessions = (await statusOf(alice)).filter(({agent}) => agent === `pi`);
    expect(sessions).toHaveLength(2);
    const refs = await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`);
    for (const {session} of sessions)
      expect(refs).toContain(session);
  });

  step(`goes on with what somebody did in Claude Code, under its title, again and again`, async () => {
    const bob = await person(`bob`, {project: await fixtureProject(`04-multi-prompt-compacted`)});
    const session = await placeFixture(bob, `04-multi-prompt-compacted`);
    succeeded(await bob.sessionSync(`sync`));
    const mirror = await mirrorOf(bob, session);
    const records = await recordsOf(bob, `claude-code`, session);

    // Once, and once more for real.
    const first = share(records, await piDrive.receives(bob, mirror));
    expect(first.missing).toEqual([]);
    expect(counts(first)).toEqual(FULL);
    expect(await piDrive.title(bob, mirror)).toBeTruthy();
    const file = await piFile(bob, mirror);
    const before = await readFile(file, `utf8`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    // The session grows: the mirror is appended to.
    const transcript = path.join(bob.claudeHome, `projects`, bob.project.replace(/[^A-Za-z0-9]/g, `-`), `${session}.jsonl`);
    const last = (await jsonLines(transcript)).findLast(line => typeof line.uuid === `string` && line.type !== `system`);
    const more = (uuid: string, parentUuid: string, message: object) => `${JSON.stringify({...last, type: (message as {role: string}).role, uuid, parentUuid, toolUseResult: undefined, message})}\n`;
    const [one, two] = [`0198c0de-0000-4000-8000-000000000001`, `0198c0de-0000-4000-8000-000000000002`];
    await appendFile(transcript, more(one, last.uuid, {role: `user`, content: `Und noch etwas?`}) + more(two, one, {id: `msg_grown`, role: `assistant`, model: `m`, content: [{type: `text`, text: `It has grown.`}], stop_reason: `end_turn`}));
    succeeded(await bob.sessionSync(`sync`));
    const grown = await readFile(file, `utf8`);
    expect(grown.startsWith(before)).toBe(true);
    expect(grown).toContain(`It has grown.`);
    expect(await mirrorOf(bob, session)).toBe(mirror);

    // Pi goes on with it, twice: then it is Pi's, and the next change begins another.
    await piDrive.goOn(bob, mirror, `Now in Pi.`, [{text: `Here I am.`}]);
    const continued = await piDrive.receives(bob, mirror);
    expect(continued.flatMap(item => item.kind === `prompt` || item.kind === `reply` ? [item.text] : []).slice(-4)).toEqual([`Und noch etwas?`, `It has grown.`, `Now in Pi.`, `Here I am.`]);
    const theirs = await readFile(file, `utf8`);
    await appendFile(transcript, more(`0198c0de-0000-4000-8000-000000000003`, two, {role: `user`, content: `Still there?`}) + more(`0198c0de-0000-4000-8000-000000000004`, `0198c0de-0000-4000-8000-000000000003`, {id: `msg_more`, role: `assistant`, model: `m`, content: [{type: `text`, text: `Yes, still.`}], stop_reason: `end_turn`}));
    succeeded(await bob.sessionSync(`sync`));
    expect(await readFile(file, `utf8`)).toBe(theirs);
    const second = await mirrorOf(bob, session);
    expect(second).not.toBe(mirror);
    const again = share(await recordsOf(bob, `claude-code`, session), await piDrive.receives(bob, second));
    expect(again.missing).toEqual([]);
    expect(new Set((await piSessions(bob)).map(({id}) => id))).toEqual(new Set([mirror, second]));
  });

  step(`is told everything of a session with all that goes wrong easily`, async () => {
    const carol = await person(`carol`, {init: false});
    const pi = agentById(`pi`)!;
    const crafted = craftedSession(carol.project);
    const id = await writeInto(pi, carol, crafted);
    const cell = share(crafted, await piDrive.receives(carol, id));
    expect(cell.missing).toEqual([]);
    expect(counts(cell)).toEqual(FULL);
    expect(await piDrive.title(carol, id)).toBe(`/help is no command here`);

    const compacted = compactedSession(carol.project);
    const second = await writeInto(pi, carol, compacted, {generation: 1});
    const heard = await piDrive.receives(carol, second);
    expect(share(compacted, heard).missing).toEqual([]);
    // The summary stands for what was before it.
    expect(heard.map(item => `text` in item ? item.text : item.kind)).toEqual([`SUMMARY of all that was before.\nIt was a lot.`, `Go on.`, `On I go.`, `And after it?`, `It goes on.`]);
  });

  step(`keeps of a compaction single messages that lie far apart`, async () => {
    const dave = await person(`dave`, {init: false});
    const before = craftedSession(dave.project);
    const prompts = before.filter(({kind}) => kind === `prompt`).map(({seq}) => seq);
    const at = before.length;
    const records: Array<NeutralRecord> = [
      ...before,
      {seq: at, kind: `compaction`, summary: `SUMMARY`, keep: [prompts[0]!, prompts[3]!]},
      {seq: at + 1, kind: `prompt`, content: [{type: `text`, text: `And after it?`}]},
      {seq: at + 2, kind: `reply`, text: `It goes on.`, final: true},
    ];
    const id = await writeInto(agentById(`pi`)!, dave, records);
    const heard = await piDrive.receives(dave, id);
    expect(heard.map(item => `text` in item ? item.text : item.kind)).toEqual([`SUMMARY`, `/help is no command here`, `@README.md only named`, `And after it?`, `It goes on.`]);
    // What we wrote is read again as the model got it.
    const read = share(await recordsOf(dave, `pi`, id), heard);
    expect(read.missing).toEqual([]);
    expect(counts(read)).toEqual(FULL);
  });

  test(`tells of its sessions by itself, also of one that is stopped`, async () => {
    const erin = await person(`erin`);
    expect(await readFile(path.join(piHome(erin), `extensions`, `session-sync.js`), `utf8`)).toContain(`session-sync-hook`);
    const id = await piDrive.begin!(erin, `Schau in den Warenkorb`, [
      {text: `Ich sehe nach.`, calls: [{name: `read`, input: {path: `src/cart.js`}}, {name: `bash`, input: {command: `exit 3`}}]},
      {text: `One export. Größe 日本語`},
    ]);
    await erin.settled();
    const stored = async () => (await statusOf(erin)).find(({agent}) => agent === `pi`);
    expect(await stored()).toMatchObject({session: id});
    const cell = share(await recordsOf(erin, `pi`, id), await piDrive.receives(erin, id));
    expect(cell.missing).toEqual([]);
    const ref = (await erin.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).split(`\n`)[0]!;
    const commits = Number(await erin.git(`rev-list`, `--count`, ref));

    // Stopped in the middle of an answer: what was said is there all the same.
    await runPi(erin, [`--session`, id, `And now something long`], {script: {turns: [{text: `I begin to`, hang: true}]}, extensions: true, killAtRequest: 1});
    await erin.settled();
    expect(Number(await erin.git(`rev-list`, `--count`, ref))).toBeGreaterThan(commits);
    expect(JSON.stringify(await recordsOf(erin, `pi`, id))).toContain(`And now something long`);

    // In a project that was not set up it does nothing, and Pi does not mind.
    const elsewhere = path.join(erin.home, `elsewhere`);
    await erin.run(`mkdir`, [`-p`, elsewhere]);
    const run = await runPi(erin, [`Hello?`], {script: {turns: [{text: `Hello.`}]}, cwd: elsewhere, extensions: true});
    expect(run).toMatchObject({exitCode: 0, stdout: `Hello.\n`, stderr: ``});
    succeeded(await erin.sessionSync(`uninit`, `--everywhere`));
    await expect(stat(path.join(piHome(erin), `extensions`, `session-sync.js`))).rejects.toThrow();
    await piGoesOn(erin, id, `Still there?`, {turns: [{text: `Yes.`}]}, {extensions: true});
  });
});
