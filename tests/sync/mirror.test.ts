import {appendFile, readFile, readdir, rm, stat, writeFile} from 'node:fs/promises';
import path                                 from 'node:path';
import {describe, expect, it}               from 'vitest';

import type {AgentAdapter, Machine, RecordWriter, TargetAdapter} from '../../sources/agents/types.ts';
import type {NeutralRecord, SessionHeader, Unplaced} from '../../sources/interchange/index.ts';
import {inspectMirror}                      from '../../sources/sync/inspect.ts';
import {Mirror, newMirror}                  from '../../sources/sync/mirror.ts';
import type {MirrorState}                   from '../../sources/sync/state.ts';
import {temporaryFolders}                   from '../_temporary.ts';

const folder = temporaryFolders();

/** The smallest agent that can be written: a line a record. */
class LineWriter implements RecordWriter {
  private count = 0;
  constructor(private readonly id: string, state?: unknown) {
    this.count = state as number ?? 0;
  }
  begin() { return `begin ${this.id}\n`; }
  push(record: NeutralRecord) {
    this.count += 1;
    return record.kind === `prompt` ? `${this.count} prompt ${(record.content[0] as {text: string}).text}\n` : record.kind === `reply` ? `${this.count} reply ${record.text}\n` : ``;
  }
  end() { return `end\n`; }
  save() { return this.count; }
  report() { return {kept: this.count, reduced: 0, dropped: 0, items: []}; }
  title() { return undefined; }
  updated() { return `2026-11-20T10:00:00.000Z`; }
}

async function setUp() {
  const home = await folder();
  const machine: Machine = {env: {}, home, platform: `linux`, tmp: home};
  let open = false;
  const target: TargetAdapter = {
    mirrorId: (session, generation) => `${session}-${generation}`,
    prepare: async () => null,
    pathOf: (_machine, {id}) => path.join(home, `store`, `${id}.txt`),
    openWriter: ({id}, state) => new LineWriter(id, state),
    judge: tail => tail.includes(`agent went on`) ? `continued` : `opened`,
    exclusively: async (_machine, _id, write) => open ? null : await write(),
    register: async () => ({listed: true}),
    resumeCommand: id => `lines resume ${id}`,
  };
  const adapter: AgentAdapter = {id: `lines`, name: `Lines`, proven: `1`, support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`}, detect: async () => ({found: true, store: home, notes: []}), present: async () => true, target};
  const header: SessionHeader = {format: `session-sync/1`, session: `session1`, agent: {id: `x`, nativeId: `x`}, roots: {}, counts: {}};
  const records: Array<NeutralRecord> = [];

  const world = {
    home, target, records,
    file: (generation = 0) => path.join(home, `store`, `session1-${generation}.txt`),
    read: (generation = 0) => readFile(path.join(home, `store`, `session1-${generation}.txt`), `utf8`),
    setOpen(value: boolean) { open = value; },
    make: (state: MirrorState = newMirror(`lines`, target, `session1`, 0)) => new Mirror(machine, adapter, () => ({header, cwd: home}), null, state),
    async push(mirror: Mirror, ...added: Array<Unplaced>) {
      for (const one of added) {
        const record = {...one, seq: records.length} as NeutralRecord;
        records.push(record);
        await mirror.push(record);
      }
    },
    flush: async (mirror: Mirror) => await mirror.flush(async function * () { yield * records; }),
  };
  return world;
}

const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
const reply = (text: string): Unplaced => ({kind: `reply`, text});
/** What a start of the program knows: the state as its checkpoint has it. */
const saved = (mirror: Mirror) => JSON.parse(JSON.stringify(mirror.state)) as MirrorState;

describe(`Mirror`, () => {
  it(`should write nothing before the first prompt, then everything, and append`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, {kind: `note`, what: `context`}, reply(`early`));
    await world.flush(mirror);
    expect(await readdir(world.home)).toEqual([]);

    await world.push(mirror, prompt(`a`));
    expect(await world.flush(mirror)).toEqual({changed: true});
    expect(await world.read()).toBe(`begin session1-0\n2 reply early\n3 prompt a\n`);
    expect((await stat(world.file())).mode & 0o777).toBe(0o600);
    expect((await stat(world.file())).mtime.toISOString()).toBe(`2026-11-20T10:00:00.000Z`);

    await world.push(mirror, reply(`b`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n2 reply early\n3 prompt a\n4 reply b\n`);
    expect(await readdir(path.join(world.home, `store`))).toHaveLength(1);
  });

  it(`should go on where a saved state ended, and pass over what is there`, async () => {
    const world = await setUp();
    const first = world.make();
    await world.push(first, prompt(`a`), reply(`b`));
    await world.flush(first);
    const second = world.make(saved(first));
    for (const record of world.records)
      await second.push(record);
    await world.push(second, reply(`c`));
    await world.flush(second);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 reply c\n`);
  });

  it(`should recognise what it wrote before a crash, whole or in part`, async () => {
    for (const torn of [0, 1, 7, 10]) {
      const world = await setUp();
      const first = world.make();
      await world.push(first, prompt(`a`));
      await world.flush(first);
      const state = saved(first);
      // The crash: the append is on the disk, the checkpoint is not.
      await appendFile(world.file(), `2 reply b\n`.slice(0, torn));
      const second = world.make(state);
      await world.push(second, reply(`b`), reply(`c`));
      await world.flush(second);
      expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 reply c\n`);
    }
  });

  it(`should recognise its file when the state is lost`, async () => {
    const world = await setUp();
    const first = world.make();
    await world.push(first, prompt(`a`), reply(`b`));
    await world.flush(first);
    const second = world.make();
    for (const record of world.records)
      await second.push(record);
    await world.push(second, reply(`c`));
    await world.flush(second);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 reply c\n`);
    expect(second.state.generation).toBe(0);
  });

  it(`should leave a file alone that the agent went on with, and begin another`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`));
    await world.flush(mirror);
    await appendFile(world.file(), `agent went on\n`);
    expect(await inspectMirror(world.target, mirror.state)).toBe(`continued`);

    await world.push(mirror, reply(`b`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\nagent went on\n`);
    expect(await world.read(1)).toBe(`begin session1-1\n1 prompt a\n2 reply b\n`);
    expect(mirror.state.previous).toMatchObject([{id: `session1-0`, generation: 0, records: 1, seq: 1, size: 28, reason: `continued in Lines`}]);

    // Also when nothing is known of it any more.
    const again = world.make();
    for (const record of world.records)
      await again.push(record);
    await world.flush(again);
    expect(again.state.generation).toBe(1);
    expect(await world.read(1)).toBe(`begin session1-1\n1 prompt a\n2 reply b\n`);
  });

  it(`should go on after what the agent noted by merely opening it`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`));
    await world.flush(mirror);
    await appendFile(world.file(), `settings\n`);
    await world.push(mirror, reply(`b`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\nsettings\n2 reply b\n`);
  });

  it(`should begin another when the agent rewrote it, and stop when it was removed`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`));
    await world.flush(mirror);
    await writeFile(world.file(), `something else that is longer than what was there\n`);
    await world.push(mirror, reply(`b`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`something else that is longer than what was there\n`);
    expect(mirror.state).toMatchObject({generation: 1, previous: [{reason: `Lines rewrote it`}]});

    await rm(world.file(1));
    await world.push(mirror, reply(`c`));
    await world.flush(mirror);
    expect(mirror.state.stopped).toMatch(/gone/);
    await expect(stat(world.file(1))).rejects.toThrow();
  });

  it(`should wait while the agent has it open, and catch up`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`));
    await world.flush(mirror);
    world.setOpen(true);
    await world.push(mirror, reply(`b`));
    expect((await world.flush(mirror)).waiting).toMatch(/open in Lines/);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n`);
    await world.push(mirror, reply(`c`));
    // The session is not read again for a file that cannot be written yet.
    expect((await mirror.flush(() => { throw new Error(`read again`); })).waiting).toMatch(/open in Lines/);
    world.setOpen(false);
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 reply c\n`);
    expect(mirror.state.note).toBeUndefined();
  });

  it(`should be made again when a prompt was edited, and follow the new branch`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`), reply(`b`), prompt(`c`), reply(`d`));
    await world.flush(mirror);
    await world.push(mirror, {kind: `branch`, parent: 1}, prompt(`C`), reply(`D`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 prompt C\n4 reply D\n`);
    await world.push(mirror, prompt(`e`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n3 prompt C\n4 reply D\n5 prompt e\n`);

    // An abandoned branch is not appended to, but the continued file is still somebody else's.
    await appendFile(world.file(), `agent went on\n`);
    await world.push(mirror, {kind: `branch`, parent: 1}, prompt(`X`));
    await world.flush(mirror);
    expect(await world.read()).toMatch(/agent went on\n$/);
    expect(await world.read(1)).toBe(`begin session1-1\n1 prompt a\n2 reply b\n3 prompt X\n`);
  });

  it(`should follow a leaf back to another branch and on from there`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`), reply(`b`), {kind: `branch`, parent: 0}, reply(`B`));
    await world.flush(mirror);
    await world.push(mirror, {kind: `leaf`, at: 1});
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n`);
    await world.push(mirror, reply(`B2`));
    await world.flush(mirror);
    expect(await world.read()).toBe(`begin session1-0\n1 prompt a\n2 reply b\n`);
  });

  it(`should spill a long session to a file beside its place, and leave no trace of it`, async () => {
    const world = await setUp();
    const mirror = world.make();
    await world.push(mirror, prompt(`a`));
    for (let index = 0; index < 20; index++)
      await world.push(mirror, reply(`${index}`.repeat(400_000)));
    await world.flush(mirror);
    expect((await world.read()).split(`\n`)).toHaveLength(23);
    expect(await readdir(path.join(world.home, `store`))).toEqual([`session1-0.txt`]);
  });
});
