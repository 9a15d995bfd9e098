import {spawn}                               from 'node:child_process';
import {once}                                from 'node:events';
import {existsSync, readFileSync}            from 'node:fs';
import {appendFile, readFile, readdir, rm, truncate, writeFile} from 'node:fs/promises';
import path                                  from 'node:path';
import {setTimeout as sleep}                 from 'node:timers/promises';
import {afterAll, describe, expect, it}      from 'vitest';

import {agentById}                           from '../../sources/agents/index.ts';
import type {Machine}                        from '../../sources/agents/types.ts';
import {runningWorker}                       from '../../sources/sync/exclusive.ts';
import {openProject}                         from '../../sources/sync/project.ts';
import {openSync, syncSession}               from '../../sources/sync/sync.ts';

import {faults, grow, kill, makeWorld, script, turn, uuidOf} from './_world.ts';
import type {World}                          from './_world.ts';

/** Worlds that run side by side, and kills in each: 204 in all. */
const WORLDS = 4;
const KILLS = 51;
/** A run from the hook's exit to the commit takes less than this on two busy cores. */
const LONGEST_MS = 1100;

const worlds: Array<World> = [];
afterAll(async () => {
  await Promise.all(worlds.splice(0).map(async world => await world.remove()));
});

async function open(options?: Parameters<typeof makeWorld>[0]) {
  const world = await makeWorld(options);
  worlds.push(world);
  return world;
}

/** The worker that the last hook started or found. */
async function workerOf(world: World): Promise<number | null> {
  for (let look = 0; look < 100; look++) {
    const pid = await runningWorker(world.paths) ?? world.workers()[0];
    if (pid !== undefined)
      return pid;
    await sleep(5);
  }
  return null;
}

/** A normal run to the end. */
async function finish(world: World, session: string) {
  await world.fire(world.event(session, `Stop`), {env: {SESSION_SYNC_LINGER_MS: `50`}});
  await world.quiet();
}

/** What an undisturbed run makes of the files as they are. */
async function undisturbed(world: World, session: string) {
  await world.reset();
  await finish(world, session);
  return {mirrors: await world.mirrors(), streams: await world.streams()};
}

async function check(world: World, session: string) {
  const log = await readFile(world.paths.log, `utf8`).catch(() => ``);
  const after = {mirrors: await world.mirrors(), streams: await world.streams()};
  const fsck = world.run(`git`, [`fsck`, `--no-dangling`, `--no-progress`]);
  const state = await readdir(world.paths.folder, {recursive: true});
  const checkpoints = await Promise.all(state.filter(name => name.endsWith(`.json`)).map(async name => JSON.parse(await readFile(path.join(world.paths.folder, name), `utf8`))));
  expect(checkpoints.map(({session: one, problem}) => ({session: one, problem}))).toHaveLength(1);

  const before = await undisturbed(world, session);
  expect({files: Object.keys(after.mirrors), log}).toEqual({files: Object.keys(before.mirrors), log});
  expect(Object.keys(before.mirrors)).toHaveLength(1);
  for (const [name, text] of Object.entries(before.mirrors))
    expect(differs(after.mirrors[name]!, text)).toBeNull();
  expect(Object.keys(after.streams).sort()).toEqual(Object.keys(before.streams).sort());
  for (const [name, text] of Object.entries(before.streams))
    expect({name, differs: differs(after.streams[name]!, text)}).toEqual({name, differs: null});
  expect(fsck).toBe(``);
  expect(state.filter(name => /session-sync-tmp|\.lock$|^worker$|^waking$|^spool.+|intent$/.test(name))).toEqual([]);
  expect(checkpoints[0].problem).toBeUndefined();
}

/** Where two texts part; whole texts would fill the terminal. */
function differs(actual: string, wanted: string) {
  if (actual === wanted)
    return null;
  const [a, b] = [actual.split(`\n`), wanted.split(`\n`)];
  const line = a.findIndex((text, index) => text !== b[index]);
  return {line, lines: [a.length, b.length], actual: a[line]?.slice(0, 300), wanted: b[line]?.slice(0, 300)};
}

async function killAll(world: World, pid: number | null, group: boolean) {
  const killed = pid !== null && kill(group ? -pid : pid, `SIGKILL`);
  // A hook that fires while one dies sees it alive: its event waits for the next hook.
  // Twice: a process has no name for a moment while it becomes another program.
  for (let looks = 0; looks < 2; await sleep(5)) {
    const others = world.workers();
    looks = others.length === 0 ? looks + 1 : 0;
    for (const other of others)
      kill(other, `SIGKILL`);
  }
  return killed;
}

describe.concurrent(`A killed worker`, () => {
  it(`should leave nothing that the next one does not put right, wherever it is killed`, async () => {
    let kills = 0;
    await Promise.all(Array.from({length: WORLDS}, async (_, index) => {
      const world = await open({lingerMs: 20_000});
      const story = script(world, `killed ${index}`, 2);
      for (let part = 1; part <= KILLS; part++) {
        await grow(world, story, part, KILLS + 2);
        await world.fire(world.event(story.session, part % 3 === 0 ? `Stop` : part % 3 === 1 ? `SessionEnd` : `PostToolUse`));
        const pid = await workerOf(world);
        // All delays from none to a whole run, in an order that mixes early and late ones.
        const delay = ((part * 19) % KILLS * WORLDS + index) / (KILLS * WORLDS) * LONGEST_MS;
        await sleep(delay);
        // Alone, and with the git that it had started.
        if (await killAll(world, pid, part % 2 === 0))
          kills += 1;
      }
      await grow(world, story, KILLS + 1, KILLS + 2);
      await grow(world, story, KILLS + 2, KILLS + 2);
      // A lock of git that a killed one left in our refs counts as left behind after five seconds.
      await finish(world, story.session);
      await check(world, story.session);
    }));
    expect(kills).toBeGreaterThanOrEqual(200);
  }, 120_000);

  it(`should know its own bytes in a mirror when it was killed before it could note them`, async () => {
    const world = await open();
    const story = script(world, `unnoted`, 1);
    const machine: Machine = {env: world.env, home: world.home, platform: process.platform, tmp: world.env.TMPDIR!};
    const adapter = agentById(`claude-code`)!;
    const parts = 60;
    let crashes = 0;
    for (let part = 1; part <= parts; part++) {
      await grow(world, story, part, parts);
      const project = await openProject(world.project, machine);
      const {checkpoints} = project;
      const write = checkpoints.write.bind(checkpoints);
      let writes = 0;
      checkpoints.write = async checkpoint => {
        // Each third part is noted; the others die at the first checkpoint (after the mirror) or the second (after git).
        if (part % 3 !== 0 && part < parts && ++writes >= part % 3)
          throw new Error(`killed`);
        await write(checkpoint);
      };
      const context = await openSync(project);
      const located = adapter.source!.fromEvent(machine, JSON.parse(world.event(story.session, `Stop`)))!;
      await syncSession(context, {adapter, located}, {register: false}).catch(error => {
        expect((error as Error).message).toBe(`killed`);
        crashes += 1;
      });
      await context.store.close();
    }
    expect(crashes).toBeGreaterThan(20);
    await check(world, story.session);
  }, 120_000);

  it.runIf(existsSync(`/proc/self/stat`))(`should not keep an event waiting that comes while it gives back its memory`, async () => {
    const world = await open();
    const session = uuidOf(`dying`);
    const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, `utf8`).split(`) `).at(-1)!.split(` `);
    for (let round = 0; round < 5; round++) {
// One thread, so that the process itself gives back its memory; one of Node's leaves that to another.
      const child = spawn(`perl`, [`-e`, `$| = 1; my $all = "x" x 5e8; print "up\\n"; sleep 1000`], {stdio: [`ignore`, `pipe`, `ignore`]});
      await once(child.stdout, `data`);
      await writeFile(world.paths.worker, `${child.pid} ${stat(child.pid!)[19]}\n`);
      await appendFile(world.transcript(session), turn(world, session, round));
      child.kill(`SIGKILL`);
      // From when the kernel has marked it as exiting; before that, nobody can tell.
      while (stat(child.pid!)[0] !== `Z` && (Number(stat(child.pid!)[6]) & 4) === 0);
      await world.fire(world.event(session, `Stop`));
      await world.quiet();
      expect({round, waiting: await readdir(world.paths.spool)}).toEqual({round, waiting: []});
    }
    expect(await faults(world, session, 5)).toEqual([]);
  });

  it.each<[string, (world: World) => Promise<void>]>([
    [`the checkpoint is gone`, async world => {
      for (const name of await readdir(world.paths.sessions))
        if (name.endsWith(`.json`))
          await rm(path.join(world.paths.sessions, name));
    }],
    [`the checkpoint is cut in half`, async world => {
      for (const name of await readdir(world.paths.sessions))
        if (name.endsWith(`.json`))
          await truncate(path.join(world.paths.sessions, name), 200);
    }],
    [`the states are gone`, async world => {
      for (const name of await readdir(world.paths.sessions))
        if (name.endsWith(`.states`))
          await rm(path.join(world.paths.sessions, name));
    }],
    [`the states are those of another time`, async world => {
      for (const name of await readdir(world.paths.sessions))
        if (name.endsWith(`.states`))
          await writeFile(path.join(world.paths.sessions, name), `{"readers":{},"writers":{}}`);
    }],
    [`the spool is full of torn events`, async world => {
      for (let file = 0; file < 300; file++)
        await writeFile(path.join(world.paths.spool, `claude-code.${900_000 + file}`), `{"session_id":"torn`);
    }],
  ])(`should be made up for where %s`, async (what, damage) => {
    const world = await open();
    const story = script(world, what, 1);
    for (let part = 1; part <= 6; part++) {
      await grow(world, story, part, 6);
      await world.fire(world.event(story.session, `Stop`), {env: {SESSION_SYNC_LINGER_MS: `20000`}});
      const pid = await workerOf(world);
      await sleep(part * 120);
      await killAll(world, pid, false);
      await damage(world);
    }
    await finish(world, story.session);
    if (what.includes(`torn`)) {
      expect((await readdir(world.paths.spool)).length).toBe(300);
      await rm(world.paths.spool, {recursive: true});
    }
    await check(world, story.session);
  }, 120_000);
});
