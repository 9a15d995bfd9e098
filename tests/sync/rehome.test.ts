import {cpSync, readFileSync, readdirSync, renameSync, rmSync, statSync} from 'node:fs';
import path                              from 'node:path';
import {afterAll, beforeAll, describe, expect, it, vi} from 'vitest';

import {fixMoves, planMoves}             from '../../sources/commands/support/moves.ts';
import {findHomeless}                    from '../../sources/sync/homeless.ts';
import {openProject, openStore}          from '../../sources/sync/project.ts';
import {finishRehoming, rehome, undoRehoming} from '../../sources/sync/rehome.ts';
import {allRehomed}                      from '../../sources/sync/rehomed.ts';
import {machineOf}                       from '../../sources/system/machine.ts';
import {World}                           from '../acceptance/_world.ts';
import type {Machine}                    from '../acceptance/_world.ts';
import {kimiDrive}                       from '../acceptance/drives/kimi.ts';
import {piDrive}                         from '../acceptance/drives/pi.ts';
import {qwenDrive}                       from '../acceptance/drives/qwen.ts';

vi.setConfig({testTimeout: 900_000, hookTimeout: 300_000});

// What it brings along does not load from sources.
vi.mock(`../../sources/commands/Base.ts`, () => ({CommandError: Error}));

/** How many changes the disk still takes. Then nothing changes any more, whatever is tried: as for a process that was killed. */
const disk = vi.hoisted(() => ({left: Infinity, changes: 0}));

vi.mock(import(`node:fs/promises`), async original => {
  const real = await original();
  const guarded = <A extends Array<any>, R>(change: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (disk.left <= 0)
      throw new Error(`killed`);
    disk.left--;
    disk.changes++;
    return await change(...args);
  };
  const open = (async (file: string, flags?: string | number, mode?: number) => {
    const reads = flags === undefined || flags === `r` || typeof flags === `number` && (flags & 3) === 0;
    const handle = await (reads ? real.open(file, flags, mode) : guarded(real.open)(file, flags, mode));
    for (const name of [`write`, `writeFile`, `truncate`, `chmod`] as const)
      Object.defineProperty(handle, name, {value: guarded((handle[name] as (...args: Array<any>) => Promise<any>).bind(handle))});
    return handle;
  }) as typeof real.open;
  const changing = {rename: guarded(real.rename), rm: guarded(real.rm), mkdir: guarded(real.mkdir as any), unlink: guarded(real.unlink), utimes: guarded(real.utimes), cp: guarded(real.cp), truncate: guarded(real.truncate), writeFile: guarded(real.writeFile as any)};
  return {...real, ...changing, open} as typeof real;
});

let world: World;
let before: Machine;
let after: Machine;
const agents = [qwenDrive, piDrive, kimiDrive];
const kept = () => path.join(world.root, `kept`);
const fixed = () => path.join(world.root, `fixed`);

function put(from: string) {
  disk.left = Infinity;
  rmSync(before.home, {recursive: true, force: true});
  cpSync(from, before.home, {recursive: true, preserveTimestamps: true, verbatimSymlinks: true});
}

/** Every file of the agents' stores; a killed process may leave files of its own beside them, which go the next time. */
function stores() {
  const files: {[file: string]: string} = {};
  for (const folder of agents.flatMap(drive => drive.stores))
    for (const name of readdirSync(path.join(before.home, folder), {recursive: true}) as Array<string>) {
      const file = path.join(before.home, folder, name);
      if (statSync(file).isFile() && !file.endsWith(`.session-sync-tmp`))
        files[path.join(folder, name)] = withLastBinding(readFileSync(file, `latin1`));
    }
  return files;
}

/** Of the lines that say what a log of Kimi Code is bound to only the last counts; such a log only grows. */
function withLastBinding(text: string) {
  const lines = text.split(`\n`);
  const isBinding = (line: string) => line.startsWith(`{"type":"runtime.set_binding",`);
  return [...lines.filter(line => !isBinding(line)), lines.findLast(isBinding) === undefined ? `` : JSON.parse(lines.findLast(isBinding)!).workspaceId].join(`\n`);
}

async function opened() {
  const project = await openProject(after.project, machineOf(after.env));
  return {project, store: await openStore(project)};
}

/** `doctor --fix` up to what it does by itself, without the sync after it. */
async function fixAlone() {
  const {project, store} = await opened();
  const homeless = await findHomeless(project, store);
  disk.changes = 0;
  for (const one of homeless)
    await rehome(project, one);
  return homeless.length;
}

const complain = ({agent, nativeId, reason}: {agent: string; nativeId: string; reason: string}) => {
  throw new Error(`${agent} ${nativeId}: ${reason}`);
};

async function fixAgain() {
  await finishRehoming((await opened()).project, complain);
  await fixAlone();
}

async function undo() {
  await undoRehoming((await opened()).project, complain);
}

async function state() {
  const {project} = await opened();
  const checkpoints = await project.checkpoints.list();
  return {
    stores: stores(),
    notes: await allRehomed(project),
    known: checkpoints.flatMap(({mirrors, path: file}) => [{file}, ...mirrors.map(({id, generation, path: file, size, tail, stopped, cwd}) => ({id, generation, file, size, tail, stopped, cwd}))]),
  };
}

async function plan() {
  const {project, store} = await opened();
  return (await planMoves(project, store)).findings.map(({message}) => message);
}

async function killedAfter(changes: number, work: () => Promise<unknown>) {
  disk.left = changes;
  const end = await work().then(() => `not at all`, (error: Error) => error.message);
  disk.left = Infinity;
  return end;
}

describe(`a move that is killed`, () => {
  let whole: Awaited<ReturnType<typeof state>>;
  let untouched: Awaited<ReturnType<typeof state>>;
  let changes: number;
  let undoing: number;

  beforeAll(async () => {
    world = await World.create([]);
    before = await world.machine({user: `alice`, home: `home/alice`, project: `shop`});
    await before.createProject({'README.md': `# Shop\n`, '.session-sync/config.json': JSON.stringify({version: 1, targets: [`pi`]})});
    for (const drive of agents) {
      await drive.setUp(before);
      await drive.place!(before, drive.fixtures[0]!);
    }
    for (const args of [[`init`], [`sync`]]) {
      const {exitCode, stderr} = await before.sessionSync(...args);
      expect({args, exitCode, stderr}).toMatchObject({exitCode: 0});
    }
    await before.settled();
    after = await world.machine({user: `alice`, home: `home/alice`, project: `the market of alice`});
    renameSync(before.project, after.project);
    cpSync(before.home, kept(), {recursive: true, preserveTimestamps: true, verbatimSymlinks: true});

    untouched = await state();
    // Those of Qwen Code, Pi and Kimi Code, and the mirrors in Pi of two of them.
    expect(await fixAlone()).toBe(5);
    changes = disk.changes;
    whole = await state();
    expect(whole.notes).toHaveLength(5);
    expect(whole.stores).not.toEqual(untouched.stores);
    cpSync(before.home, fixed(), {recursive: true, preserveTimestamps: true, verbatimSymlinks: true});
    disk.changes = 0;
    await undo();
    undoing = disk.changes;
    // Known by the size that it has now.
    expect(await state()).toEqual(untouched);
  });

  afterAll(() => world?.dispose());

  it(`is finished by the next --fix, wherever it was killed`, async () => {
    for (let at = 0; at < changes; at++) {
      put(kept());
      expect({at, end: await killedAfter(at, fixAlone)}).toEqual({at, end: `killed`});
      await fixAgain();
      expect({at, ...await state()}).toEqual({at, ...whole});
    }
  });

  it(`is put back by --undo, wherever it was killed`, async () => {
    for (let at = 0; at < changes; at++) {
      put(kept());
      await killedAfter(at, fixAlone);
      await undo();
      expect({at, ...await state()}).toEqual({at, ...untouched});
    }
  });

  it(`is put back, or made again, where it was killed while it was put back`, async () => {
    for (let at = 0; at < undoing; at++) {
      put(fixed());
      const {project} = await opened();
      let died = false;
      await killedAfter(at, async () => await undoRehoming(project, ({reason}) => died ||= reason === `killed`));
      expect(died).toBe(true);
      await (at % 2 === 0 ? undo : fixAgain)();
      expect({at, ...await state()}).toEqual({at, ...at % 2 === 0 ? untouched : whole});
    }
  });

  it(`is said by doctor, and is no move any more after --fix, with every mirror in its place`, async () => {
    for (const part of [0.1, 0.3, 0.5, 0.7, 0.9]) {
      put(kept());
      await killedAfter(Math.floor(changes * part), fixAlone);
      expect(await plan()).toContainEqual(expect.stringContaining(`was interrupted: session-sync doctor --fix finishes it`));
      const {project, store} = await opened();
      const {findings} = await fixMoves(project, store);
      expect(findings.filter(({level}) => level !== `ok`)).toEqual([]);
      expect(await plan()).toEqual([]);
      const {known, notes} = await state();
      expect(notes.flatMap(({done}) => done.map(({unfinished}) => unfinished))).toEqual(Array(5).fill(undefined));
      expect(known.map(one => `generation` in one ? {...one, size: 0, tail: ``} : one)).toEqual(whole.known.map(one => `generation` in one ? {...one, size: 0, tail: ``} : one));
    }
  });

  it(`is finished by whoever syncs next`, async () => {
    put(kept());
    await killedAfter(Math.floor(changes / 2), fixAlone);
    const {exitCode, stderr} = await after.sessionSync(`sync`);
    expect({exitCode, stderr}).toEqual({exitCode: 0, stderr: ``});
    expect((await state()).notes.flatMap(({done}) => done.map(({unfinished}) => unfinished)).filter(Boolean)).toEqual([]);
  });
});
