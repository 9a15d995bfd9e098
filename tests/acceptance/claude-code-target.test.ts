import {appendFile, readFile}          from 'node:fs/promises';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {claudeCode}                    from '../../sources/agents/claude-code/index.ts';
import type {Machine as Here}          from '../../sources/agents/types.ts';
import {linearize}                     from '../../sources/interchange/index.ts';
import type {NeutralRecord, SessionHeader, Unplaced} from '../../sources/interchange/index.ts';
import {follow}                        from '../../sources/system/follow.ts';
import {Mirror, newMirror}             from '../../sources/sync/mirror.ts';

import {agentsAreHere, claudeReceives, runClaude} from './_agents.ts';
import type {Heard}                    from './_heard.ts';
import {LOGO, fixtureNames}            from './_journey.ts';
import {World, eventually}             from './_world.ts';
import type {Machine}                  from './_world.ts';
import {claudeCodeDrive, transcriptIn} from './drives/claude-code.ts';

const target = claudeCode.target!;

const here = (machine: Machine): Here => ({env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!});

/** A mirror in Claude Code's store, written by the program's own code from records that are given. */
class Mirrored {
  private readonly records: Array<NeutralRecord> = [];
  private readonly mirror: Mirror;

  constructor(machine: Machine, session: string, agent = `codex`) {
    const header: SessionHeader = {format: `session-sync/1`, session, agent: {id: agent, nativeId: session}, roots: {}, counts: {}};
    this.mirror = new Mirror(here(machine), claudeCode, () => ({header, cwd: machine.project}), {}, newMirror(`claude-code`, target, session, 0));
  }

  get id() {
    return this.mirror.state.id;
  }

  async add(...records: Array<Unplaced>) {
    return await this.take(records.map((record, index) => ({seq: this.records.length + index, time: `2026-11-20T10:00:00.000Z`, ...record}) as NeutralRecord));
  }

  async take(records: Array<NeutralRecord>) {
    for (const record of records) {
      this.records.push(record);
      await this.mirror.push(record);
    }
    const {records: all} = this;
    const outcome = await this.mirror.flush(async function * () {
      yield * all;
    });
    await this.mirror.register();
    return outcome;
  }

  get state() {
    return this.mirror.state;
  }
}

const prompt = (text: string, more: object = {}): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}], ...more}) as Unplaced;
const reply = (text: string, more: object = {}): Unplaced => ({kind: `reply`, text, final: true, ...more}) as Unplaced;
const shell = (call: string, command: string, more: object = {}): Unplaced => ({kind: `call`, call, name: `exec_command`, tool: `shell`, args: {command}, input: {cmd: command}, ...more}) as Unplaced;
const result = (call: string, text: string, more: object = {}): Unplaced => ({kind: `result`, call, content: [{type: `text`, text}], ...more}) as Unplaced;

/** Texts that follow one another come with a line break that Claude Code puts between them. */
const brief = (heard: Array<Heard>) => heard.map(item => {
  switch (item.kind) {
    case `call`: return `${item.name} ${JSON.stringify(item.input)}`;
    case `result`: return `${item.error ? `error` : `result`} ${item.text}${item.images.length > 0 ? ` +${item.images.length}` : ``}`;
    case `image`: return `image`;
    default: return `${item.kind} ${item.text.trimEnd()}`;
  }
});

describe.runIf(agentsAreHere())(`a session in Claude Code's store`, () => {
  let world: World;
  let alice: Machine;
  let failed = false;

  beforeAll(async () => {
    world = await World.create([`claude`]);
    alice = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await alice.createProject({'README.md': `# Shop\n`});
    await claudeCodeDrive.setUp(alice);
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

  for (const name of fixtureNames())
    step(`tells the model the same as the one that it was read from: ${name}`, async () => {
      const session = await claudeCodeDrive.place!(alice, name);
      const reader = claudeCode.source!.openReader({name: `transcript.jsonl`, stream: `main`}, undefined, {unbounded: true});
      const records: Array<NeutralRecord> = [];
      for await (const lines of follow(transcriptIn(alice, session), 0))
        for (const line of lines)
          records.push(...reader.push(line));
      const copy = new Mirrored(alice, session, `claude-code`);
      await copy.take(linearize(records).map((record, seq) => renumbered(record, seq, records)));
      expect(copy.id).not.toBe(session);
      expect(await claudeReceives(alice, copy.id)).toEqual(await claudeReceives(alice, session));
    });

  step(`reaches the model whole, whatever is in it`, async () => {
    const long = `${`größe 日本語 `.repeat(8)}\n`.repeat(12_000);
    const mirror = new Mirrored(alice, `0199c0de-0000-7000-8000-000000000002`);
    const prompts = [`/compact please`, `? what`, `! ls`, `@README.md`, `# note`, `<b>größe</b> 日本語 👋`];
    await mirror.add(
      ...prompts.flatMap((text, index) => [prompt(text), reply(`Answer ${index}`)]),
      prompt(`Go on`),
      {kind: `reasoning`, text: `of another provider`, signature: `x`, provider: `openai`},
      {kind: `reply`, text: `I look.`},
      shell(`call|1`, `cat big`), shell(`call|2`, `false`, {args: {command: `false`, workdir: `src`}}),
      {kind: `call`, call: `3`, name: `apply_patch`, tool: `edit`, args: {path: `src/cart.js`, edits: [{old: `a`, new: `b`}, {old: `c`, new: `d`}]}, input: `*** Begin Patch`},
      prompt(`Quick, please`, {midTurn: true}),
      result(`call|2`, `nothing`, {exitCode: 1}), result(`3`, `Done`), result(`call|1`, long, {exitCode: 0}),
      {kind: `call`, call: `4`, name: `view image`, tool: `other`, input: {path: `logo.png`}},
      {kind: `result`, call: `4`, content: [{type: `text`, text: `a logo`}, {type: `image`, mediaType: `image/png`, data: LOGO.toString(`base64`)}]},
      {kind: `reply`, text: `Half of`, partial: true}, {kind: `interrupt`, during: `reply`},
      {kind: `prompt`, content: [{type: `text`, text: `Look`}, {type: `image`, mediaType: `image/png`, data: LOGO.toString(`base64`)}]},
      shell(`5`, `sleep 100`), prompt(`Never mind`), reply(`Fine.`),
    );
    const heard = brief(await claudeReceives(alice, mirror.id));
    expect(heard.map(text => text === `result ${long}` ? `result LONG` : text)).toEqual([
      ...prompts.flatMap((text, index) => [`prompt ${text}`, `reply Answer ${index}`]),
      `prompt Go on`, `reply I look.`,
      `Bash {"command":"cat big"}`, `Bash {"command":"cd ${alice.project}/src && false"}`,
      ...[[`a`, `b`], [`c`, `d`]].map(([old_string, new_string]) => `Edit ${JSON.stringify({file_path: `${alice.project}/src/cart.js`, old_string, new_string, replace_all: false})}`),
      `error Exit code 1\nnothing`, `result Done`, `result Done`, `result LONG`, `prompt Quick, please`,
      expect.stringMatching(/^view_image_x[0-9a-f]{16} {"path":"logo.png"}$/), `result a logo +1`,
      `reply Half of`, `prompt [Request interrupted by user]`, `prompt Look`, `image`,
      `Bash {"command":"sleep 100"}`, `error [No result was recorded for this call.]`, `prompt Never mind`, `reply Fine.`,
    ]);
  });

  step(`begins for the model with the compaction and what that keeps`, async () => {
    const mirror = new Mirrored(alice, `0199c0de-0000-7000-8000-000000000003`);
    await mirror.add(
      prompt(`First`), reply(`One`), prompt(`Second`), shell(`c`, `ls`), result(`c`, `src`), reply(`Two`),
      {kind: `compaction`, summary: `They talked.`, keep: [0, 3, 4]}, prompt(`Third`), reply(`Three`),
    );
    expect(brief(await claudeReceives(alice, mirror.id))).toEqual([
      expect.stringMatching(/^prompt This session is being continued [\s\S]*\nThey talked\.$/), `prompt First`, `Bash {"command":"ls"}`, `result src`, `prompt Third`, `reply Three`,
    ]);
  });

  step(`is listed, grows when it was only looked at, and is left alone when Claude Code goes on with it`, async () => {
    const mirror = new Mirrored(alice, `0199c0de-0000-7000-8000-000000000004`);
    await mirror.add(prompt(`/review the cart`), reply(`Reviewed.`), {kind: `title`, title: `Größe des Warenkorbs 🛒`, origin: `generated`});
    const {id} = mirror;
    expect(await claudeCodeDrive.title(alice, id)).toBe(`Größe des Warenkorbs 🛒`);
    const first = await claudeReceives(alice, id);
    expect(await claudeReceives(alice, id)).toEqual(first);

    // As 2.1.330 does when a session is opened in a terminal and closed again.
    await appendFile(transcriptIn(alice, id), `{"type":"mode","mode":"normal","sessionId":"${id}"}\n{"type":"cost-state","sessionId":"${id}","totalCostUSD":0}\n`);
    await mirror.add(prompt(`And now?`), reply(`Now it is better.`));
    expect(mirror.id).toBe(id);
    const grown = [`prompt /review the cart`, `reply Reviewed.`, `prompt And now?`, `reply Now it is better.`];
    expect(brief(await claudeReceives(alice, id))).toEqual(grown);

    await claudeCodeDrive.goOn(alice, id, `From here`, [{text: `I go on.`}]);
    const theirs = await readFile(transcriptIn(alice, id), `utf8`);
    await mirror.add(prompt(`Meanwhile`), reply(`Elsewhere.`));
    expect(mirror.id).toBe(target.mirrorId(`0199c0de-0000-7000-8000-000000000004`, 1));
    expect(await readFile(transcriptIn(alice, id), `utf8`)).toBe(theirs);
    expect(brief(await claudeReceives(alice, id))).toEqual([...grown, `prompt From here`, `reply I go on.`]);
    expect(brief(await claudeReceives(alice, mirror.id))).toEqual([...grown, `prompt Meanwhile`, `reply Elsewhere.`]);
  });

  step(`waits while Claude Code has it open`, async () => {
    const mirror = new Mirrored(alice, `0199c0de-0000-7000-8000-000000000005`);
    await mirror.add(prompt(`Hello`), reply(`Hi.`));
    const running = runClaude(alice, {prompt: `More`, resume: mirror.id, script: {turns: [{delayMs: 5_000, text: `Slowly.`}]}});
    await eventually(`Claude Code notes the session`, 20_000, async () => await target.exclusively(here(alice), mirror.id, async () => true) === null);
    expect(await mirror.add(prompt(`Meanwhile`), reply(`Yes?`))).toMatchObject({changed: false, waiting: expect.stringContaining(`open in Claude Code`)});
    expect(await running).toMatchObject({exitCode: 0, result: `Slowly.`});
    expect(await mirror.add(prompt(`After`), reply(`Done.`))).toMatchObject({changed: true});
    expect(mirror.state).toMatchObject({generation: 1, previous: [{generation: 0, reason: `continued in Claude Code`}]});
  });
});

/** Linear records as a mirror gets them that knows nothing of branches; what a compaction keeps is renumbered with them. */
function renumbered(record: NeutralRecord, seq: number, all: Array<NeutralRecord>): NeutralRecord {
  const {parent: _, ...rest} = record;
  if (rest.kind !== `compaction` || rest.keep === undefined)
    return {...rest, seq} as NeutralRecord;
  const places = new Map(linearize(all).map((one, place) => [one.seq, place]));
  return {...rest, seq, keep: rest.keep.flatMap(kept => places.get(kept) ?? [])} as NeutralRecord;
}
