import {appendFile, mkdir, readFile, writeFile} from 'node:fs/promises';
import path                                     from 'node:path';
import {afterEach, describe, expect, it}        from 'vitest';

import {LiveSession}                            from '../../sources/sync/live.ts';
import {openProject}                            from '../../sources/sync/project.ts';
import {findSessions, liveOptions, openSync}    from '../../sources/sync/sync.ts';
import {machineOf}                              from '../../sources/system/machine.ts';

import {makeWorld, turn, uuidOf}                from './_world.ts';
import type {World}                             from './_world.ts';

const worlds: Array<World> = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(async world => await world.remove()));
});

async function open(snapshot: string) {
  const world = await makeWorld();
  worlds.push(world);
  await mkdir(path.join(world.project, `.session-sync`));
  await writeFile(path.join(world.project, `.session-sync/config.json`), JSON.stringify({version: 1, snapshot}));
  await writeFile(path.join(world.project, `cart.ts`), `1\n`);
  world.run(`git`, [`add`, `-A`]);
  world.run(`git`, [`commit`, `-q`, `-m`, `Files`]);
  await writeFile(path.join(world.project, `cart.ts`), `2\n`);
  await writeFile(path.join(world.project, `new.ts`), `new\n`);
  return world;
}

const refs = (world: World) => world.run(`git`, [`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`]).trim().split(`\n`);
const files = (world: World, ref: string) => world.run(`git`, [`ls-tree`, `-r`, `--name-only`, ref, `worktree/`]).trim().split(`\n`).map(name => name.split(`/`).slice(2).join(`/`)).filter(Boolean);

describe(`The working tree of a session`, {timeout: 120_000}, () => {
  it(`is kept when the hook tells of the end of a turn`, async () => {
    const world = await open(`tracked`);
    const session = uuidOf(`a turn`);
    const index = await readFile(path.join(world.project, `.git/index`));
    await appendFile(world.transcript(session), turn(world, session, 0));
    await world.fire(world.event(session, `Stop`));
    await world.quiet(60_000);
    const [ref] = refs(world);
    expect(files(world, ref!)).toEqual([`files/cart.ts`, `state.json`]);
    expect(JSON.parse(world.run(`git`, [`show`, `${ref}:header.json`]))).toMatchObject({dirty: true, worktree: {records: expect.any(Number)}});
    expect(await readFile(path.join(world.project, `.git/index`))).toEqual(index);
  });

  it(`is looked at once at the end of a turn`, async () => {
    const world = await open(`all`);
    const session = uuidOf(`one look`);
    const log = path.join(world.scratch, `looks`);
    await writeFile(path.join(world.bin, `git`), `#!/bin/sh\ncase " $* " in *" status "*) echo "$*" >> '${log}' ;; esac\nPATH="\${PATH#*:}" exec git "$@"\n`, {mode: 0o755});
    await appendFile(world.transcript(session), turn(world, session, 0));
    const context = await openSync(await openProject(world.project, machineOf(world.env)));
    const [found] = await findSessions(context.project);
    const live = await LiveSession.open(liveOptions(context, found!));
    try {
      await live.pump();
      await live.commit({turnEnd: true});
      expect((await readFile(log, `utf8`)).trim().split(`\n`)).toHaveLength(1);
      expect(JSON.parse(world.run(`git`, [`show`, `${refs(world)[0]}:header.json`]))).toMatchObject({dirty: true, branch: `main`, changes: {files: [`cart.ts`]}});
    } finally {
      await live.close();
      await context.store.close();
    }
  });

  it(`is kept at the end of a turn of which all records are stored already, and only then`, async () => {
    const world = await open(`all`);
    const session = uuidOf(`a long turn`);
    await appendFile(world.transcript(session), turn(world, session, 0));
    const context = await openSync(await openProject(world.project, machineOf(world.env)));
    const [found] = await findSessions(context.project);
    const live = await LiveSession.open(liveOptions(context, found!));
    try {
      await live.pump();
      expect(await live.commit()).not.toBe(null);
      const [ref] = refs(world);
      expect(files(world, ref!)).toEqual([]);
      expect([live.pending, live.unfinished]).toEqual([false, true]);
      expect(await live.commit({turnEnd: true})).toMatchObject({sequence: 2});
      expect(files(world, ref!)).toEqual([`files/cart.ts`, `files/new.ts`, `state.json`]);
      expect(live.unfinished).toBe(false);
      expect(await live.commit({turnEnd: true})).toBe(null);
    } finally {
      await live.close();
      await context.store.close();
    }
  });

  it(`does not keep the session from being stored when it cannot be looked at`, async () => {
    const world = await open(`all`);
    const session = uuidOf(`no tree`);
    await appendFile(world.transcript(session), turn(world, session, 0));
    const context = await openSync(await openProject(world.project, machineOf(world.env)));
    const [found] = await findSessions(context.project);
    const live = await LiveSession.open({...liveOptions(context, found!), snapshot: async () => {
      throw new Error(`no`);
    }});
    try {
      await live.pump();
      expect(await live.commit({turnEnd: true})).toMatchObject({sequence: 1});
      expect(files(world, refs(world)[0]!)).toEqual([]);
    } finally {
      await live.close();
      await context.store.close();
    }
  });
});
