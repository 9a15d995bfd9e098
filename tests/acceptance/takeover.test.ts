import {afterEach, describe, expect, test} from 'vitest';

import {linearize, sessionIdFor}      from '../../sources/interchange/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';

import {agentsAreHere}                from './_agents.ts';
import type {Heard}                   from './_heard.ts';
import {carryOver, fixtureProject, placeFixture, resumeIdIn, succeeded, twoMachines} from './_journey.ts';
import type {Turn}                    from './_model.ts';
import {percent, plain, share}        from './_share.ts';
import {World}                        from './_world.ts';
import type {Machine}                 from './_world.ts';
import {claudeCodeDrive}              from './drives/claude-code.ts';
import {codexDrive}                   from './drives/codex.ts';
import {drives, programsAreHere}      from './drives/index.ts';
import type {Drive}                   from './drives/index.ts';

type Listed = {session: string; agent: string; records: number; lineage?: {parent: string; seq: number; source?: number}};

const data = async (machine: Machine, ...args: Array<string>) => JSON.parse(succeeded(await machine.sessionSync(...args, `--json`))).data;
const childOf = async (machine: Machine, parent: string): Promise<Listed> =>
  (await data(machine, `list`)).sessions.find(({lineage}: Listed) => lineage?.parent === parent);
const mirrorOf = async (machine: Machine, session: string, agent: string): Promise<string> =>
  (await data(machine, `show`, session)).mirrors.find((mirror: {agent: string}) => mirror.agent === agent).id;
const historyOf = async (machine: Machine, session: string): Promise<Array<NeutralRecord>> => (await data(machine, `show`, session, `--text`, `--branches`)).records;

/** The model hears the whole history, all of its prompts and texts in order, and nothing twice. */
async function expectWhole(machine: Machine, drive: Drive, id: string, session: string, said: Array<string>) {
  const heard = await drive.receives(machine, id);
  const cell = share(await historyOf(machine, session), heard);
  expect(cell.missing).toEqual([]);
  expect([cell.prompts, cell.texts, cell.calls, cell.results].map(percent)).toEqual([100, 100, 100, 100]);
  expect(spoken(heard).filter(text => said.includes(text))).toEqual(said);
}

const spoken = (heard: Array<Heard>) => heard.flatMap(item => item.kind === `prompt` || item.kind === `reply` ? plain(item.text).split(`\n`).map(line => line.trim()) : []).filter(line => line !== ``);

const claudeTurns = (text: string, call: string): Array<Turn> => [{text: `I look at ${call}.`, calls: [{name: `Bash`, id: `toolu_${call}`, input: {command: `echo ${call}`, description: `Look`}}]}, {text}];
const codexTurns = (text: string, call: string): Array<Turn> => [{text: `I look at ${call}.`, calls: [{name: `exec_command`, id: `call_${call}`, input: {cmd: `echo ${call}`}}]}, {text}];

describe.runIf(agentsAreHere())(`taking over and coming back`, () => {
  let world: World;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
  });

  test(`Claude Code → Codex → Claude Code → another clone → Codex → back: one history, told whole to each model`, {timeout: 300_000}, async () => {
    const made = await twoMachines();
    const {alice, bob, remote} = made;
    ({world} = made);
    const said: Array<string> = [];
    const leg = (prompt: string, call: string, answer: string) => said.push(prompt, `I look at ${call}.`, answer);

    const first = await claudeCodeDrive.begin!(alice, `Räum den Warenkorb auf, 日本語`, claudeTurns(`Aufgeräumt.`, `one`));
    leg(`Räum den Warenkorb auf, 日本語`, `one`, `Aufgeräumt.`);
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    const begin = sessionIdFor(`claude-code`, first);

    // Quota is out: the same in Codex.
    const inCodex = await mirrorOf(alice, begin, `codex`);
    await expectWhole(alice, codexDrive, inCodex, begin, said);
    await codexDrive.goOn(alice, inCodex, `Now the discount`, codexTurns(`The discount is there.`, `two`));
    leg(`Now the discount`, `two`, `The discount is there.`);
    succeeded(await alice.sessionSync(`sync`));
    const second = await childOf(alice, begin);
    expect(second).toMatchObject({agent: `codex`, lineage: {source: expect.any(Number)}});

    // And back in Claude Code.
    const back = await mirrorOf(alice, second.session, `claude-code`);
    await expectWhole(alice, claudeCodeDrive, back, second.session, said);
    await claudeCodeDrive.goOn(alice, back, `And the vouchers`, claudeTurns(`They work.`, `three`));
    leg(`And the vouchers`, `three`, `They work.`);
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    const third = await childOf(alice, second.session);
    expect(third).toMatchObject({agent: `claude-code`, lineage: {seq: second.records, source: expect.any(Number)}});
    // The same machine's Codex has it as one session, too.
    await expectWhole(alice, codexDrive, await mirrorOf(alice, third.session, `codex`), third.session, said);

    // A teammate, in another folder under another home.
    await carryOver(alice, bob, remote);
    succeeded(await bob.sessionSync(`init`));
    const there = resumeIdIn(succeeded(await bob.sessionSync(`restore`, third.session, `--agent`, `codex`)), `codex`);
    await expectWhole(bob, codexDrive, there, third.session, said);
    await codexDrive.goOn(bob, there, `Ship it`, codexTurns(`Shipped.`, `four`));
    leg(`Ship it`, `four`, `Shipped.`);
    succeeded(await bob.sessionSync(`sync`));
    const fourth = await childOf(bob, third.session);
    expect(fourth).toMatchObject({agent: `codex`, lineage: {seq: third.records, source: expect.any(Number)}});
    await expectWhole(bob, claudeCodeDrive, await mirrorOf(bob, fourth.session, `claude-code`), fourth.session, said);

    // Home again: what all legs said, in the first agent.
    succeeded(await bob.sessionSync(`push`));
    succeeded(await alice.sessionSync(`pull`));
    const home = resumeIdIn(succeeded(await alice.sessionSync(`restore`, fourth.session, `--agent`, `claude-code`)), `claude`);
    await expectWhole(alice, claudeCodeDrive, home, fourth.session, said);
    await claudeCodeDrive.goOn(alice, home, `Thanks`, [{text: `Any time.`}]);
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    const fifth = await childOf(alice, fourth.session);
    const whole = linearize(await historyOf(alice, fifth.session));
    const texts = whole.flatMap(record => record.kind === `prompt` ? record.content.flatMap(part => part.type === `text` ? [part.text] : []) : record.kind === `reply` ? [record.text] : []);
    expect(texts).toEqual([...said, `Thanks`, `Any time.`]);

    const tree = succeeded(await alice.sessionSync(`list`, `--tree`));
    for (const [depth, {session}] of [{session: begin}, second, third, fourth, fifth].entries())
      expect(tree).toMatch(new RegExp(`^${depth === 0 ? `` : `${`   `.repeat(depth - 1)}└─ `}${session.slice(0, 8)}`, `m`));
  });

  // The one was compacted before it was taken over, the other stopped in the middle of a call.
  test.each([`04-multi-prompt-compacted`, `06-interrupted-at-end`])(`recorded session %s → Codex → Claude Code → Codex: each model is told what the ones before it left`, {timeout: 300_000}, async name => {
    world = await World.create([`claude`, `codex`]);
    const alice = await world.machine({user: `alice`, home: `home/alice`, project: await fixtureProject(name)});
    await alice.createProject({'README.md': `# Shop\n`});
    await codexDrive.setUp(alice);
    await claudeCodeDrive.setUp(alice);
    const begin = sessionIdFor(`claude-code`, await placeFixture(alice, name));
    succeeded(await alice.sessionSync(`init`));
    succeeded(await alice.sessionSync(`sync`));
    const expectTold = async (drive: Drive, id: string, session: string) => {
      const cell = share(await historyOf(alice, session), await drive.receives(alice, id));
      expect(cell.missing).toEqual([]);
      expect([cell.prompts, cell.texts, cell.calls, cell.results].map(percent)).toEqual([100, 100, 100, 100]);
      return cell.prompts.of;
    };
    const inCodex = await mirrorOf(alice, begin, `codex`);
    const before = await expectTold(codexDrive, inCodex, begin);
    await codexDrive.goOn(alice, inCodex, `Now the discount`, codexTurns(`The discount is there.`, `two`));
    succeeded(await alice.sessionSync(`sync`));
    const second = await childOf(alice, begin);
    const back = await mirrorOf(alice, second.session, `claude-code`);
    expect(await expectTold(claudeCodeDrive, back, second.session)).toBe(before + 1);

    await claudeCodeDrive.goOn(alice, back, `And the vouchers`, claudeTurns(`They work.`, `three`));
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    const third = await childOf(alice, second.session);
    expect(third).toMatchObject({agent: `claude-code`, lineage: {seq: second.records, source: expect.any(Number)}});
    expect(await expectTold(codexDrive, await mirrorOf(alice, third.session, `codex`), third.session)).toBe(before + 2);
  });

  test(`two people go on with one session: both ways are kept, side by side, and either is taken up`, {timeout: 300_000}, async () => {
    const made = await twoMachines();
    const {alice, bob, remote} = made;
    ({world} = made);
    const first = await claudeCodeDrive.begin!(alice, `Tidy the cart`, claudeTurns(`Tidied.`, `one`));
    await alice.settled();
    const session = sessionIdFor(`claude-code`, first);
    await carryOver(alice, bob, remote);
    succeeded(await bob.sessionSync(`init`));
    expect(resumeIdIn(succeeded(await bob.sessionSync(`restore`, session, `--agent`, `claude-code`)), `claude`)).toBe(first);

    // The same id in both stores, and each goes on.
    await claudeCodeDrive.goOn(alice, first, `Shipping costs, please`, claudeTurns(`Alice has them.`, `two`));
    await claudeCodeDrive.goOn(bob, first, `A discount, please`, claudeTurns(`Bob has it.`, `three`));
    for (const machine of [alice, bob]) {
      await machine.settled();
      succeeded(await machine.sessionSync(`sync`));
      succeeded(await machine.sessionSync(`push`));
    }
    for (const machine of [alice, bob, alice])
      succeeded(await machine.sessionSync(`pull`));

    const forks = (await data(alice, `list`)).sessions.find((one: Listed) => one.session === session).forks;
    expect(forks).toHaveLength(2);
    expect((await data(bob, `list`)).sessions.find((one: Listed) => one.session === session).forks).toEqual(forks);
    expect((await alice.sessionSync(`restore`, session, `--agent`, `codex`)).stderr).toMatch(/went on in 2 ways/);

    const common = [`Tidy the cart`, `I look at one.`, `Tidied.`];
    const ofBob = [...common, `A discount, please`, `I look at three.`, `Bob has it.`];
    const ofAlice = [...common, `Shipping costs, please`, `I look at two.`, `Alice has them.`];
    const inClaude = resumeIdIn(succeeded(await alice.sessionSync(`restore`, session, `--fork`, `bob`, `--agent`, `claude-code`)), `claude`);
    expect(inClaude).not.toBe(first);
    await expectWhole(alice, claudeCodeDrive, inClaude, `${session}~bob`, ofBob);
    await expectWhole(alice, claudeCodeDrive, first, `${session}~alice`, ofAlice);
    const inCodex = resumeIdIn(succeeded(await bob.sessionSync(`restore`, session, `--fork`, `alice`, `--agent`, `codex`)), `codex`);
    await expectWhole(bob, codexDrive, inCodex, `${session}~alice`, ofAlice);
  });

  test(`one person goes on in two agents at once: both are kept, neither in the other`, {timeout: 300_000}, async () => {
    const made = await twoMachines();
    const {alice} = made;
    ({world} = made);
    const first = await claudeCodeDrive.begin!(alice, `Tidy the cart`, claudeTurns(`Tidied.`, `one`));
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));
    const session = sessionIdFor(`claude-code`, first);
    const inCodex = await mirrorOf(alice, session, `codex`);
    await codexDrive.goOn(alice, inCodex, `A discount`, codexTurns(`Codex has it.`, `two`));
    await claudeCodeDrive.goOn(alice, first, `Shipping costs`, claudeTurns(`Claude has them.`, `three`));
    await alice.settled();
    succeeded(await alice.sessionSync(`sync`));

    const common = [`Tidy the cart`, `I look at one.`, `Tidied.`];
    const ofClaude = [...common, `Shipping costs`, `I look at three.`, `Claude has them.`];
    const ofCodex = [...common, `A discount`, `I look at two.`, `Codex has it.`];
    const child = await childOf(alice, session);
    const next = await mirrorOf(alice, session, `codex`);
    expect(next).not.toBe(inCodex);
    await expectWhole(alice, codexDrive, next, session, ofClaude);
    await expectWhole(alice, codexDrive, inCodex, child.session, ofCodex);
    await expectWhole(alice, claudeCodeDrive, await mirrorOf(alice, child.session, `claude-code`), child.session, ofCodex);
    await expectWhole(alice, claudeCodeDrive, first, session, ofClaude);
  });
});

describe.runIf(programsAreHere())(`to and fro between Claude Code and`, () => {
  let world: World;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
  });

  test.each(drives.filter(drive => drive !== claudeCodeDrive))(`$agent: each goes on where the other left it`, {timeout: 300_000}, async (drive: Drive) => {
    world = await World.create([`claude`, drive.program]);
    const alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`});
    await drive.setUp(alice);
    await claudeCodeDrive.setUp(alice);
    succeeded(await alice.sessionSync(`init`));
    const said = [`Räum den Warenkorb auf, 日本語`, `I look at one.`, `Aufgeräumt.`];
    const first = await claudeCodeDrive.begin!(alice, said[0]!, claudeTurns(said[2]!, `one`));
    await alice.settled();
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 120_000}));

    const begin = sessionIdFor(`claude-code`, first);
    // One word: OpenCode 1.18.33 puts several into quotes.
    await drive.goOn(alice, await mirrorOf(alice, begin, drive.agent), `Rabatt?`, [{text: `The discount is there.`}]);
    said.push(`Rabatt?`, `The discount is there.`);
    await alice.settled();
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 120_000}));
    const second = await childOf(alice, begin);
    expect(second).toMatchObject({agent: drive.agent, lineage: {source: expect.any(Number)}});
    const back = await mirrorOf(alice, second.session, `claude-code`);
    await expectWhole(alice, claudeCodeDrive, back, second.session, said);

    await claudeCodeDrive.goOn(alice, back, `And the vouchers`, claudeTurns(`They work.`, `three`));
    said.push(`And the vouchers`, `I look at three.`, `They work.`);
    await alice.settled();
    succeeded(await alice.run(`session-sync`, [`sync`], {timeoutMs: 120_000}));
    const third = await childOf(alice, second.session);
    expect(third).toMatchObject({agent: `claude-code`, lineage: {seq: second.records, source: expect.any(Number)}});
    await expectWhole(alice, drive, await mirrorOf(alice, third.session, drive.agent), third.session, said);
  });
});
