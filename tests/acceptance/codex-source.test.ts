import {mkdir, readFile, readdir, rm, symlink} from 'node:fs/promises';
import path                           from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';

import {agentById}                    from '../../sources/agents/index.ts';
import {linearize}                    from '../../sources/interchange/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';
import {follow}                       from '../../sources/system/follow.ts';

import type {Heard}                   from './_heard.ts';
import {LOGO, succeeded}              from './_journey.ts';
import type {Turn}                    from './_model.ts';
import {percent, share}               from './_share.ts';
import {World}                        from './_world.ts';
import type {Machine}                 from './_world.ts';
import {CODE_MODE, beginCodex, codexDrive, codexIsHere, placeCodex, runCodex, trustHooks} from './drives/codex.ts';

/** What our reader makes of a session in the machine's store. */
async function recordsOf(machine: Machine, id: string): Promise<Array<NeutralRecord>> {
  const source = agentById(`codex`)!.source!;
  const here = {env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!};
  const found = (await source.locate(here, [machine.project])).find(({nativeId}) => nativeId === id);
  if (found === undefined)
    throw new Error(`no session ${id}`);
  const [main] = await source.files(found);
  const reader = source.openReader(main!, undefined, {unbounded: true});
  const records: Array<NeutralRecord> = [];
  for await (const lines of follow(main!.path, 0))
    for (const line of lines)
      records.push(...reader.push(line));
  expect(reader.facts()).toMatchObject({nativeId: id, repairs: []});
  return records;
}

/** Everything that the model is told on resume is in the records, and the other way round. */
async function expectSame(machine: Machine, id: string): Promise<Array<NeutralRecord>> {
  const records = await recordsOf(machine, id);
  const cell = share(records, summaryFirst(await codexDrive.receives(machine, id)));
  expect(cell.missing).toEqual([]);
  expect([cell.prompts, cell.texts, cell.calls, cell.results].map(percent)).toEqual([100, 100, 100, 100]);
  return linearize(records);
}

/** Codex puts the summary behind what it keeps; in the neutral records it comes first. */
function summaryFirst(heard: Array<Heard>): Array<Heard> {
  const at = heard.findIndex(item => item.kind === `prompt` && item.text.startsWith(`Another language model started`));
  return at === -1 ? heard : [heard[at]!, ...heard.slice(0, at), ...heard.slice(at + 1)];
}

const kindsOf = (records: Array<NeutralRecord>) => records.flatMap(record => record.kind === `call` ? [record.tool] : []);

/** A session as the model of a classic kind makes it: a plan, commands, one of them failing, edits, parallel calls. */
const CLASSIC_TURNS: Array<Turn> = [
  {text: `I look first.`, calls: [{name: `exec_command`, id: `call_look`, input: {cmd: `cat README.md`}}]},
  {calls: [{name: `exec_command`, id: `call_one`, input: {cmd: `echo one`}}, {name: `exec_command`, id: `call_two`, input: {cmd: `echo two; exit 3`}}]},
  {calls: [{name: `apply_patch`, id: `call_new`, input: `*** Begin Patch\n*** Add File: src/till.js\n+export const till = 0;\n*** End Patch\n`}]},
  {calls: [{name: `apply_patch`, id: `call_change`, input: `*** Begin Patch\n*** Update File: src/till.js\n@@\n-export const till = 0;\n+export const till = 1; // Grüße, 日本語 🎉\n*** End Patch\n`}]},
  {calls: [{name: `apply_patch`, id: `call_bad`, input: `*** Begin Patch\n*** Update File: src/till.js\n@@\n-not there\n+x\n*** End Patch\n`}]},
  {calls: [{name: `tool_of_nobody`, id: `call_nobody`, input: {what: `x`}}]},
  {calls: [{name: `exec_command`, id: `call_large`, input: {cmd: `seq 1 200000`}}]},
  {text: `The till is there.`},
];

const CODE_TURNS: Array<Turn> = [
  {text: `I look first.`, calls: [{name: `exec`, id: `call_look`, input: `const r = await tools.exec_command({cmd: 'cat README.md'});\ntext(r.output);`}]},
  {calls: [{name: `exec`, id: `call_new`, input: `const r = await tools.apply_patch('*** Begin Patch\\n*** Add File: src/till.js\\n+export const till = 0;\\n*** End Patch\\n');\ntext(JSON.stringify(r));`}]},
  {calls: [{name: `exec`, id: `call_both`, input: `const [a, b] = await Promise.all([tools.exec_command({cmd: 'echo one'}), tools.exec_command({cmd: 'exit 3'})]);\ntext(a.output); text(String(b.exit_code));`}]},
  {calls: [{name: `exec`, id: `call_boom`, input: `throw new Error('boom');`}]},
  {text: `The till is there.`},
];

describe.runIf(codexIsHere())(`Codex as a source`, () => {
  let world: World;
  let alice: Machine;
  let few: string;

  async function begin() {
    world = await World.create();
    // To ask every agent for its version takes longer than all the rest.
    const bin = path.join(world.root, `few`);
    await mkdir(bin);
    for (const name of [`codex`, `node`, `session-sync`, `session-sync-hook`, `session-sync-worker`])
      await symlink(path.join(world.bin, name), path.join(bin, name));
    few = `${bin}:/usr/bin:/bin`;
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    alice.env.PATH = few;
    await alice.createProject({'README.md': `# Shop\n`, 'logo.png': LOGO});
    await codexDrive.setUp(alice);
  }

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
  });

  test(`what a model that calls tools one by one was told is what we read`, async () => {
    await begin();
    const id = await beginCodex(alice, `? Make a till; it's urgent`, CLASSIC_TURNS, {args: [`--image`, path.join(alice.project, `logo.png`)]});
    await codexDrive.goOn(alice, id, `/ thanks & <b>more</b>`, [{text: `Nothing more.`}]);
    const records = await expectSame(alice, id);
    expect(kindsOf(records)).toEqual([`shell`, `shell`, `shell`, `write`, `edit`, `edit`, `other`, `shell`]);
    expect(records.filter(record => record.kind === `result`).map(({call, error, exitCode}) => ({call, error, exitCode}))).toMatchObject([
      {call: `call_look`, exitCode: 0}, {call: `call_one`, exitCode: 0}, {call: `call_two`, error: true, exitCode: 3}, {call: `call_new`}, {call: `call_change`},
      {call: `call_bad`, error: true}, {call: `call_nobody`}, {call: `call_large`, exitCode: 0},
    ]);
    const [prompt] = records.filter(record => record.kind === `prompt`);
    expect(prompt!.content).toContainEqual({type: `image`, mediaType: `image/png`, data: expect.any(String)});
  });

  test(`what a model that writes scripts was told is what we read, and its only commands are commands`, async () => {
    await begin();
    const id = await beginCodex(alice, `Make a till`, CODE_TURNS, {model: CODE_MODE});
    const records = await expectSame(alice, id);
    expect(kindsOf(records)).toEqual([`shell`, `write`, `other`, `other`]);
    const results = records.filter(record => record.kind === `result`);
    expect(results[0]).toMatchObject({content: [{type: `text`, text: `# Shop\n`}], exitCode: 0});
    expect(results[3]).toMatchObject({error: true});
  });

  test.each(codexDrive.fixtures)(`the recorded session %s reads as its model hears it`, async name => {
    await begin();
    await expectSame(alice, await placeCodex(alice, name));
  });

  test(`a prompt that was taken back, and a fork, read as one history each`, async () => {
    await begin();
    const fork = await placeCodex(alice, `05-went-back`, `06-fork`);
    const [original] = (await readdir(path.join(alice.codexHome, `sessions`), {recursive: true})).flatMap(file => /T02-14-06-([0-9a-f-]{36})\.jsonl$/.exec(file)?.[1] ?? []);
    for (const id of [original!, fork]) {
      const records = await expectSame(alice, id);
      const prompts = records.flatMap(record => record.kind === `prompt` ? record.content : []).map(part => part.type === `text` ? part.text : ``);
      expect(prompts).toEqual([`Where are the carts?`, `What does the README say?`, `The question without it`, ...id === fork ? [`In the fork`] : []]);
    }
  });

  test(`a session that goes on in another file is read on from where it was`, async () => {
    await begin();
    succeeded(await alice.sessionSync(`init`));
    const id = await placeCodex(alice, `05-went-back`);
    const folder = path.join(alice.codexHome, `sessions`, `2026`, `11`, `23`);
    await rm(path.join(folder, (await readdir(folder)).find(file => file.includes(`${id}_`))!));
    expect(succeeded(await alice.sessionSync(`sync`))).toContain(`new records`);
    expect(succeeded(await alice.sessionSync(`show`, id, `--text`))).toContain(`A question with a mistake`);

    await placeCodex(alice, `05-went-back`);
    const second = succeeded(await alice.sessionSync(`sync`));
    expect(second).toMatch(/: [1-9]\d? new records/);
    const shown = succeeded(await alice.sessionSync(`show`, id, `--text`));
    expect(shown).toContain(`The question without it`);
    expect(shown).not.toContain(`A question with a mistake`);
    expect(succeeded(await alice.sessionSync(`status`, `--all`))).not.toMatch(/rewritten|problem/i);
  });

  test(`is kept in git and comes back to another Codex, who hears what was heard before`, async () => {
    await begin();
    const id = await beginCodex(alice, `Make a till`, CLASSIC_TURNS.slice(0, 4).concat(CLASSIC_TURNS.at(-1)!));
    const code = await beginCodex(alice, `Make a till by script`, CODE_TURNS, {model: CODE_MODE});
    const remote = await world.bareRemote(`shop.git`);
    await alice.git(`remote`, `add`, `origin`, remote);
    succeeded(await alice.sessionSync(`init`));
    succeeded(await alice.sessionSync(`sync`));
    await alice.git(`push`, `-q`, `-u`, `origin`, `HEAD`);
    succeeded(await alice.sessionSync(`push`));

    const bob = await world.machine({user: `bob`, home: `Users/bob`, project: `src/shop`});
    bob.env.PATH = few;
    await bob.cloneProject(remote);
    await codexDrive.setUp(bob);
    succeeded(await bob.sessionSync(`pull`));
    for (const session of [id, code]) {
      const output = succeeded(await bob.sessionSync(`restore`, session, `--agent`, `codex`));
      const restored = /codex resume ([0-9a-f-]{36})/.exec(output)![1]!;
      const heard = await codexDrive.receives(bob, restored);
      const cell = share(await recordsOf(alice, session), heard);
      expect(cell.missing).toEqual([]);
      expect([cell.prompts, cell.texts, cell.calls, cell.results].map(percent)).toEqual([100, 100, 100, 100]);

      // Bob goes on: his Codex has one good history.
      await codexDrive.goOn(bob, restored, `And now?`, [{calls: [{name: `exec_command`, id: `call_later`, input: {cmd: `echo later`}}]}, {text: `Done, bob.`}]);
      const records = await expectSame(bob, restored);
      expect(records.filter(record => record.kind === `prompt`)).toHaveLength(2);
    }
  });

  test(`hooks are skipped until they are trusted, and follow a session live then`, async () => {
    await begin();
    const said = succeeded(await alice.sessionSync(`init`));
    expect(said).toMatch(/Codex runs new hooks only after/);
    const first = await runCodex(alice, [`Before trust`], [{text: `Alone.`}]);
    expect(first).toMatchObject({exitCode: 0});
    // Nothing is said of hooks that are not run.
    expect(first.stderr).not.toMatch(/hook/i);
    await alice.settled();
    expect(await alice.git(`for-each-ref`, `refs/session-sync/`)).toBe(``);

    await trustHooks(alice);
    const run = await runCodex(alice, [`Make a till`], CLASSIC_TURNS.slice(0, 4).concat(CLASSIC_TURNS.at(-1)!));
    expect(run).toMatchObject({exitCode: 0});
    expect(run.stderr).not.toMatch(/hook/i);
    await alice.settled();
    expect(await alice.git(`for-each-ref`, `refs/session-sync/`)).not.toBe(``);
    const id = run.events.find(event => event.type === `thread.started`)!.thread_id;
    const {data} = JSON.parse(succeeded(await alice.sessionSync(`list`, `--json`)));
    expect(JSON.stringify(data)).toContain(id);
    expect(JSON.stringify(run.requests)).not.toMatch(/session-sync-hook/);
    expect(await readFile(path.join(alice.codexHome, `hooks.json`), `utf8`)).toContain(`session-sync-hook codex`);
  });
});
