import {existsSync}            from 'node:fs';
import {readFile, writeFile}   from 'node:fs/promises';
import path                    from 'node:path';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {copilot}               from '../../sources/agents/copilot/index.ts';
import type {WriterTarget}     from '../../sources/agents/types.ts';
import type {NeutralRecord, Unplaced} from '../../sources/interchange/index.ts';
import {follow}                from '../../sources/system/follow.ts';

import {agentsAreHere, claudeReceives} from './_agents.ts';
import {compare}               from './_compare.ts';
import {LOGO, fixtureProject, names, placeFixture, succeeded, transcriptOf} from './_journey.ts';
import {share}                 from './_share.ts';
import {World}                 from './_world.ts';
import type {Machine}          from './_world.ts';
import {copilotDrive, copilotHome, copilotIsHere, eventsOf, resumeCopilot, runCopilot} from './drives/copilot.ts';

const NOTHING = {missing: [], extra: []};

type Mirror = {agent: string; id: string; listed?: boolean; previous: Array<{id: string}>};
type Known = {sessions: Array<{session: string; agent: string; records: number; commit?: string; mirrors?: Array<Mirror>}>};

async function known(machine: Machine): Promise<Known[`sessions`]> {
  return (JSON.parse(succeeded(await machine.sessionSync(`status`, `--all`, `--json`))) as {data: Known}).data.sessions;
}

/** Where a session is in Copilot, as `status` has it. */
async function mirrorIn(machine: Machine, session: string): Promise<Mirror> {
  const sessions = await known(machine);
  const mirror = sessions.find(one => one.session === session)?.mirrors?.find(({agent}) => agent === `copilot`);
  if (mirror === undefined)
    throw new Error(`no mirror of ${session}: ${JSON.stringify(sessions).slice(0, 1000)}`);
  return mirror;
}

/** Somebody whose project mirrors into `targets` only. */
async function person(world: World, user: string, {project = `shop`, targets = [`copilot`]}: {project?: string; targets?: Array<string>} = {}): Promise<Machine> {
  const machine = await world.machine({user, home: `home/${user}`, project});
  await machine.createProject({'README.md': `# Shop\n`, 'total.js': `export const total = 1;\n`, 'logo.png': LOGO, '.session-sync/config.json': `${JSON.stringify({version: 1, targets})}\n`});
  await copilotDrive.setUp(machine);
  succeeded(await machine.sessionSync(`init`));
  return machine;
}

/** What our reader makes of a session of Copilot. */
async function recordsOf(machine: Machine, id: string): Promise<Array<NeutralRecord>> {
  const source = copilot.source!;
  const here = {env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!};
  const found = (await source.locate(here, [machine.project])).find(({nativeId}) => nativeId === id);
  if (found === undefined)
    throw new Error(`Copilot has no session ${id}`);
  const main = (await source.files(found)).find(file => file.stream === `main`)!;
  const reader = source.openReader(main, undefined, {unbounded: true});
  const records: Array<NeutralRecord> = [];
  for await (const lines of follow(main.path, 0))
    for (const line of lines)
      records.push(...reader.push(line));
  return records;
}

let world: World;

function worlds() {
  beforeEach(async () => {
    world = await World.create([`claude`, `copilot`]);
  });
  afterEach(context => world.dispose({failed: context.task.result?.state === `fail`}));
}

describe.runIf(copilotIsHere() && agentsAreHere())(`recorded sessions of Claude Code in Copilot CLI`, () => {
  worlds();

  test.each([[`02-interactive-branch-plan-compact`, `Warenkorb Prüfung`], [`03-interrupted-denied-hooks`, `Erste Bitte ü`]])(`%s is listed as %s and wholly told to the model`, async (name, title) => {
    const alice = await person(world, `alice`, {project: await fixtureProject(name)});
    const session = await placeFixture(alice, name);
    succeeded(await alice.sessionSync(`sync`));
    const {id} = await mirrorIn(alice, session);
    expect(await copilotDrive.title(alice, id)).toBe(title);
    expect(compare(await claudeReceives(alice, session), await copilotDrive.receives(alice, id), names(session, alice, alice))).toEqual(NOTHING);
  });

  test(`01-tools-subagent-mcp grows, is resumed twice, and is left alone once Copilot goes on with it`, async () => {
    const alice = await person(world, `alice`);
    const session = await placeFixture(alice, `01-tools-subagent-mcp`);
    const transcript = transcriptOf(alice, session);
    const whole = await readFile(transcript, `utf8`);
    const cut = whole.lastIndexOf(`\n`, whole.length / 2) + 1;
    await writeFile(transcript, whole.slice(0, cut));
    succeeded(await alice.sessionSync(`sync`));
    const {id} = await mirrorIn(alice, session);
    const before = await readFile(eventsOf(alice, id), `utf8`);

    await writeFile(transcript, whole);
    succeeded(await alice.sessionSync(`sync`));
    const grown = await readFile(eventsOf(alice, id), `utf8`);
    expect((await mirrorIn(alice, session)).id).toBe(id);
    expect(grown.length > before.length && grown.startsWith(before)).toBe(true);
    const source = await claudeReceives(alice, session);
    expect(compare(source, await copilotDrive.receives(alice, id), names(session, alice, alice))).toEqual(NOTHING);

    await copilotDrive.goOn(alice, id, `What do you think?`, [{text: `Copilot thinks so too.`}]);
    const received = await copilotDrive.receives(alice, id);
    expect(received.slice(-2)).toEqual([{kind: `prompt`, text: `What do you think?`}, {kind: `reply`, text: `Copilot thinks so too.`}]);
    expect(compare(source, received.slice(0, -2), names(session, alice, alice))).toEqual(NOTHING);

    const continued = await readFile(eventsOf(alice, id), `utf8`);
    const [first] = whole.split(`\n`).filter(line => line.includes(`"type":"user"`));
    const more = {...JSON.parse(first!), uuid: `11111111-1111-4111-8111-111111111111`, parentUuid: JSON.parse(whole.trim().split(`\n`).findLast(line => line.includes(`"type":"assistant"`))!).uuid, message: {role: `user`, content: `One more thing`}};
    await writeFile(transcript, `${whole}${JSON.stringify(more)}\n`);
    succeeded(await alice.sessionSync(`sync`));
    expect(await readFile(eventsOf(alice, id), `utf8`)).toBe(continued);
    const next = await mirrorIn(alice, session);
    expect(next.id).not.toBe(id);
    expect(next.previous.map(one => one.id)).toEqual([id]);
    expect(await readFile(eventsOf(alice, next.id), `utf8`)).toContain(`One more thing`);
    // What Copilot went on with is a session of its own now.
    expect((await known(alice)).some(({agent, session}) => agent === `copilot` && session === id)).toBe(true);
  });
});

describe.runIf(copilotIsHere())(`sessions of Copilot CLI`, () => {
  worlds();

  test(`are kept as Copilot tells them to its model`, async () => {
    const alice = await person(world, `alice`, {targets: []});
    const ids: Array<string> = [];
    for (const name of [`01-tools`, `02-subagent-error`, `03-terminal`, `04-image-large-output`])
      ids.push(await copilotDrive.place!(alice, name));
    succeeded(await alice.sessionSync(`sync`));
    expect((await known(alice)).map(({agent, session}) => `${agent} ${session}`).sort()).toEqual(ids.map(id => `copilot ${id}`).sort());
    const refs = await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s`);
    for (const id of ids) {
      expect(refs).toContain(id);
      const told = share(await recordsOf(alice, id), await copilotDrive.receives(alice, id));
      expect(told.missing).toEqual([]);
      expect(told.prompts.told).toBeGreaterThan(0);
    }
  });

  test(`are followed through the hooks that init registers`, async () => {
    const alice = await person(world, `alice`, {targets: []});
    expect(existsSync(path.join(copilotHome(alice), `hooks`, `session-sync.json`))).toBe(true);
    const id = await copilotDrive.begin!(alice, `Grüße, 日本語 👋`, [
      {thinking: `Look first.`, text: `I will look.`, calls: [{name: `bash`, input: {command: `echo out; exit 3`, description: `Fail`}}, {name: `view`, input: {path: path.join(alice.project, `missing.txt`)}}]},
      {text: `Done. ✅`},
    ]);
    await alice.settled();
    const refs = await alice.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s`);
    expect(refs).toContain(id);
    await resumeCopilot(alice, id, `And now?`, [{text: `Now this.`}]);
    await alice.settled();
    const [session] = await known(alice);
    const records = await recordsOf(alice, id);
    expect(session!.records).toBe(records.length);
    const told = share(records, await copilotDrive.receives(alice, id));
    expect({missing: told.missing, prompts: told.prompts, texts: told.texts, calls: told.calls, results: told.results}).toEqual({
      missing: [], prompts: {told: 2, of: 2}, texts: {told: 3, of: 3}, calls: {told: 2, of: 2}, results: {told: 2, of: 2},
    });

    await runCopilot(alice, [`--resume=${id}`, `-p`, `Stop here`, `--allow-all-tools`], {turns: [{text: `Half a`, hang: true}], interruptAtRequest: 1});
    await alice.settled();
    const after = await recordsOf(alice, id);
    expect(after.slice(0, records.length)).toEqual(records);
    expect(after.slice(records.length).map(({kind}) => kind)).toEqual([`prompt`, `interrupt`]);
  });
});

describe.runIf(copilotIsHere())(`the worst of sessions in Copilot CLI`, () => {
  let alice: Machine;

  beforeAll(async () => {
    world = await World.create([`claude`, `copilot`]);
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`});
    await copilotDrive.setUp(alice);
  });
  afterAll(() => world.dispose());

  test(`is told to the model word for word`, async () => {
    const here = {env: alice.env, home: alice.home, platform: process.platform, tmp: alice.env.TMPDIR!};
    const target = copilot.target!;
    const id = target.mirrorId(`01a204b3-c9bb-7633-bb95-009b4398dd9f`, 0);
    const header = {format: `session-sync/1`, session: `01a204b3-c9bb-7633-bb95-009b4398dd9f`, agent: {id: `x`, nativeId: `y`}, created: `2026-01-20T10:00:00.000Z`, roots: {}, counts: {}} as const;
    const writing: WriterTarget = {header: {...header}, id, cwd: alice.project, settings: {}};
    const text = (value: string) => [{type: `text` as const, text: value}];
    const prompt = (value: string): Unplaced => ({kind: `prompt`, content: text(value)});
    const logo = LOGO.toString(`base64`);
    const call = (name: string, key: string, message: string, input: object): Unplaced => ({kind: `call`, call: key, name, tool: `other`, input, message}) as Unplaced;
    const drafts: Array<Unplaced> = [
      prompt(`before the compaction`),
      {kind: `reply`, text: `is summed up`, final: true},
      {kind: `compaction`, summary: `A summary: größe`, keep: [1]},
      ...[`/help me`, `? why`, `! ls`, `@README.md #1`, `# heading\nGrüße, 日本語 👋\u2028\u0000end`].flatMap((one, index): Array<Unplaced> => [prompt(one), {kind: `reply`, text: `answer ${index}`}]),
      {kind: `prompt`, content: [...text(`look at this`), {type: `image`, mediaType: `image/png`, data: logo}]},
      {kind: `reasoning`, text: `hm`, message: `m1`},
      {kind: `reply`, text: `Two at once`, message: `m1`},
      call(`no such/tool`, `a|1`, `m1`, {deep: [{x: 1}]}),
      {kind: `call`, call: `b`, name: `Bash`, tool: `shell`, args: {command: `seq 1 200000`}, input: {command: `seq 1 200000`}, message: `m1`},
      {kind: `result`, call: `b`, content: text(`${`0123456789abcdef\n`.repeat(62_000)}END`), exitCode: 3, error: true},
      {kind: `result`, call: `a|1`, content: [...text(`it failed`), {type: `image`, mediaType: `image/png`, data: logo}], error: true},
      call(`mcp__x__y`, `c`, `m2`, {a: `ü`}),
      {kind: `prompt`, content: text(`typed meanwhile`), midTurn: true},
      {kind: `result`, call: `c`, content: text(`late`)},
      call(`slow`, `d`, `m3`, {}),
      {kind: `result`, call: `d`, content: text(`[stopped]`), error: true, interrupted: true},
      {kind: `interrupt`, during: `tool`},
      {kind: `note`, what: `hook`, visible: true, text: `a hook says so`},
      prompt(`last`),
      {kind: `title`, title: `T: "größe" # x`, origin: `custom`},
    ];
    const writer = target.openWriter(writing);
    const records = drafts.map((draft, seq) => ({seq, time: `2026-01-20T10:00:${String(seq).padStart(2, `0`)}.000Z`, ...draft}) as NeutralRecord);
    const bytes = writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end();
    const file = await target.pathOf(here, writing);
    await target.exclusively(here, id, async () => {
      const {mkdir} = await import(`node:fs/promises`);
      await mkdir(path.dirname(file), {recursive: true});
      await writeFile(file, bytes);
    });
    expect(await target.register(here, {id, path: file, cwd: alice.project, title: writer.title()!, updated: writer.updated()!, settings: {}})).toEqual({listed: true});
    expect(await copilotDrive.title(alice, id)).toBe(`T: "größe" # x`);

    const heard = await copilotDrive.receives(alice, id);
    expect(share(records, heard).missing).toEqual([]);
    expect(heard.filter(({kind}) => kind === `image`)).toHaveLength(2);
    const at = heard.findIndex(item => item.kind === `reply` && item.text === `Two at once`);
    expect(heard.slice(at, at + 5).map(({kind}) => kind)).toEqual([`reply`, `call`, `call`, `result`, `result`]);
    expect(heard.flatMap(item => item.kind === `result` ? [item.text.length] : [])[1]).toBeGreaterThan(1_000_000);
    expect(heard.slice(0, 2).map(item => item.kind)).toEqual([`prompt`, `reply`]);
    expect(await readFile(file, `utf8`)).toBe(bytes);
  });
});
