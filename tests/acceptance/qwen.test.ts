import {mkdir, readFile, rm, stat, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {agentById}             from '../../sources/agents/index.ts';
import type {NeutralRecord}    from '../../sources/interchange/index.ts';
import {linesOf, readLines}    from '../agents/_battery.ts';

import {LOGO, fixtureProject, placeFixture, succeeded, transcriptOf} from './_journey.ts';
import {longSession, nastySession, placeTranscript} from './_nasty.ts';
import {share}                 from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {chatsOf, qwenDrive, qwenIsHere} from './drives/qwen.ts';

type Mirror = {agent: string; id: string; previous?: Array<{id: string}>};
type Known = {session: string; agent: string; stored?: unknown; mirrors?: Array<Mirror>};

const records = (agent: string, text: string): Array<NeutralRecord> => readLines(agentById(agent)!.source!, linesOf(text), {name: `transcript.jsonl`}).records;
const chatOf = (machine: Machine, id: string) => path.join(chatsOf(machine), `${id}.jsonl`);

async function known(machine: Machine, session: string): Promise<Known> {
  const {data} = JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))) as {data: {sessions: Array<Known>}};
  const found = data.sessions.find(one => one.session === session);
  if (found === undefined)
    throw new Error(`no session ${session} in ${JSON.stringify(data).slice(0, 1000)}`);
  return found;
}

async function mirrorOf(machine: Machine, session: string): Promise<string> {
  return (await known(machine, session)).mirrors!.find(({agent}) => agent === `qwen`)!.id;
}

/** Everything reached the model, in order and once. */
function expectAll(source: Array<NeutralRecord>, heard: Parameters<typeof share>[1]) {
  const {missing, ...counts} = share(source, heard);
  expect(missing).toEqual([]);
  for (const {told, of} of Object.values(counts))
    expect(told).toBe(of);
}

describe.runIf(qwenIsHere())(`Qwen Code`, () => {
  let world: World;
  let alice: Machine;
  let failed = true;

  beforeAll(async () => {
    world = await World.create([`claude`, `qwen`]);
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': `${JSON.stringify({version: 1, targets: [`qwen`]})}\n`});
    await qwenDrive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    await alice.git(`add`, `-A`);
    await alice.git(`commit`, `-q`, `-m`, `Keep the sessions`);
  });

  afterAll(() => world?.dispose({failed}));

  describe(`as target`, () => {
    let session: string;
    let id: string;
    let text: string;

    beforeAll(async () => {
      const transcript = nastySession(alice.project);
      ({session} = transcript);
      await placeTranscript(alice, transcript);
      text = transcript.text();
      succeeded(await alice.sessionSync(`sync`));
      id = await mirrorOf(alice, session);
    });

    test(`lists a session under its first prompt, as old as its last message`, async () => {
      expect(await qwenDrive.title(alice, id)).toBe(`Fix the cart, please.`);
      const last = records(`claude-code`, text).findLast(record => record.time !== undefined)!.time!;
      expect((await stat(chatOf(alice, id))).mtime.toISOString()).toBe(last);
    });

    test(`tells its model all of it, in order and once, however often it is resumed`, async () => {
      const source = records(`claude-code`, text);
      const before = await readFile(chatOf(alice, id), `utf8`);
      const heard = await qwenDrive.receives(alice, id);
      expectAll(source, heard);
      expect(heard.flatMap(item => item.kind === `image` ? [item.data] : [])).toContain(LOGO.toString(`base64`));
      // Nobody's thinking but its own.
      expect(heard.filter(item => item.kind === `reasoning`)).toEqual([]);
      expect(await readFile(chatOf(alice, id), `utf8`)).toBe(before);
    });

    test(`gets what was said since, at the end of the same file`, async () => {
      const before = await readFile(chatOf(alice, id), `utf8`);
      const transcript = nastySession(alice.project);
      transcript.prompt(`One thing more.`);
      transcript.answer(`more`, {type: `text`, text: `That, too.`});
      await placeTranscript(alice, transcript);
      text = transcript.text();
      succeeded(await alice.sessionSync(`sync`));
      expect(await mirrorOf(alice, session)).toBe(id);
      const after = await readFile(chatOf(alice, id), `utf8`);
      expect(after.startsWith(before)).toBe(true);
      expect(after.length).toBeGreaterThan(before.length);
    });

    test(`keeps a session that it has gone on with, and gets the next change in a new one`, async () => {
      await qwenDrive.goOn(alice, id, `And now you.`, [{text: `My turn.`}]);
      const theirs = await readFile(chatOf(alice, id), `utf8`);
      const heard = await qwenDrive.receives(alice, id);
      expectAll([...records(`claude-code`, text)], heard.slice(0, -2));
      expect(heard.slice(-2)).toEqual([{kind: `prompt`, text: `And now you.`}, {kind: `reply`, text: `My turn.`}]);

      const transcript = nastySession(alice.project);
      transcript.prompt(`One thing more.`);
      transcript.answer(`more`, {type: `text`, text: `That, too.`});
      transcript.prompt(`The last.`);
      transcript.answer(`last`, {type: `text`, text: `Good.`});
      await placeTranscript(alice, transcript);
      succeeded(await alice.sessionSync(`sync`));
      const next = await mirrorOf(alice, session);
      expect(next).not.toBe(id);
      expect(await readFile(chatOf(alice, id), `utf8`)).toBe(theirs);
      expectAll(records(`claude-code`, transcript.text()), await qwenDrive.receives(alice, next));
    });

    test.each([`02-interactive-branch-plan-compact`, `03-interrupted-denied-hooks`, `05-queued-prompt-midturn`])(`tells its model all that follows from %s`, async name => {
      const recorded = await placeFixture(alice, name);
      const file = transcriptOf(alice, recorded);
      const elsewhere = path.join(alice.home, await fixtureProject(name));
      await writeFile(file, (await readFile(file, `utf8`)).replaceAll(`"cwd":"${elsewhere}`, `"cwd":"${alice.project}`));
      succeeded(await alice.sessionSync(`sync`));
      expectAll(records(`claude-code`, await readFile(file, `utf8`)), await qwenDrive.receives(alice, await mirrorOf(alice, recorded)));
    });

    test(`is not written to while a terminal has the session open`, async () => {
      const transcript = longSession(alice.project, 3);
      await placeTranscript(alice, transcript);
      succeeded(await alice.sessionSync(`sync`));
      const mirror = await mirrorOf(alice, transcript.session);
      const before = await readFile(chatOf(alice, mirror), `utf8`);

      const open = path.join(alice.home, `.qwen`, `sessions`, `${process.pid}.json`);
      await mkdir(path.dirname(open), {recursive: true});
      await writeFile(open, JSON.stringify({schemaVersion: 1, pid: process.pid, sessionId: mirror, cwd: alice.project, kind: `tui`}));
      await placeTranscript(alice, longSession(alice.project, 4));
      await alice.sessionSync(`sync`);
      expect(await readFile(chatOf(alice, mirror), `utf8`)).toBe(before);
      await rm(open);
      succeeded(await alice.sessionSync(`sync`));
      expect((await readFile(chatOf(alice, mirror), `utf8`)).startsWith(before)).toBe(true);
      expect(await readFile(chatOf(alice, mirror), `utf8`)).not.toBe(before);
    });
  });

  describe(`as source`, () => {
    test.each(qwenDrive.fixtures)(`%s: what its own model is told is what is read, and stored`, async name => {
      const session = await qwenDrive.place!(alice, name);
      succeeded(await alice.sessionSync(`sync`));
      expect((await known(alice, session)).agent).toBe(`qwen`);
      const shown = succeeded(await alice.sessionSync(`show`, session, `--text`));
      expect(await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).toContain(session);

      const source = records(`qwen`, await readFile(chatOf(alice, session), `utf8`));
      expectAll(source, await qwenDrive.receives(alice, session));
      for (const record of source)
        if (record.kind === `reply`)
          expect(shown).toContain(record.text.split(`\n`)[0]!.slice(0, 60));
    });

    test(`a session is kept while it goes on, through the hooks that init made, and the project stays as it was`, async () => {
      const session = await qwenDrive.begin!(alice, `Zähl bitte, 日本語 👋`, [
        {thinking: `Counting.`, text: `I count.`, calls: [{name: `run_shell_command`, input: {command: `echo one`, description: `One`, is_background: false}}, {name: `read_file`, input: {file_path: `${alice.project}/README.md`}}]},
        {calls: [{name: `run_shell_command`, input: {command: `echo two; exit 3`, description: `Two`, is_background: false}}]},
        {text: `Counted: größer.`},
      ]);
      await alice.settled();
      expect((await known(alice, session)).agent).toBe(`qwen`);
      expect(await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`)).toContain(session);
      const shown = succeeded(await alice.sessionSync(`show`, session, `--text`));
      expect(shown).toContain(`Zähl bitte, 日本語 👋`);
      expect(shown).toContain(`Counted: größer.`);
      expect(await alice.git(`status`, `--porcelain`)).toBe(``);
      failed = false;
    });
  });
});
