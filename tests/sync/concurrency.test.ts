import {execFile, spawn, spawnSync}                from 'node:child_process';
import {existsSync, readFileSync}                  from 'node:fs';
import {appendFile, mkdir, readFile, readdir, realpath, rm, symlink, writeFile} from 'node:fs/promises';
import path                                        from 'node:path';
import process                                     from 'node:process';
import {setTimeout as sleep}                       from 'node:timers/promises';
import {promisify}                                 from 'node:util';
import {afterEach, describe, expect, it}           from 'vitest';

import {faults, kill, makeWorld, turn, uuidOf}     from './_world.ts';
import type {World}                                from './_world.ts';

const run = promisify(execFile);

const worlds: Array<World> = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(async world => await world.remove()));
});

async function open(options?: Parameters<typeof makeWorld>[0]) {
  const world = await makeWorld(options);
  worlds.push(world);
  return world;
}

const spooled = async (world: World) => (await readdir(world.paths.spool)).length;

async function until(what: string, check: () => Promise<boolean> | boolean, timeoutMs = 15_000) {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(20))
    if (await check())
      return;
  throw new Error(`never: ${what}`);
}

describe(`Hooks and workers at once`, () => {
  it(`should lose and double nothing when sixteen hooks fire at once, twenty times, and start one worker`, async () => {
    const world = await open({lingerMs: 1500});
    const session = uuidOf(`sixteen hooks`);
    let most = 0;
    for (let round = 0; round < 20; round++) {
      await appendFile(world.transcript(session), turn(world, session, round));
      await Promise.all(Array.from({length: 16}, () => world.fire(world.event(session, round % 2 === 0 ? `PostToolUse` : `Stop`))));
      most = Math.max(most, world.workers().length);
    }
    expect(most).toBeLessThanOrEqual(16);
    await until(`all events taken`, async () => await spooled(world) === 0);
    await until(`one worker`, () => world.workers().length <= 1);
    await world.quiet();
    expect(await faults(world, session, 20)).toEqual([]);
    expect(await spooled(world)).toBe(0);
    expect(existsSync(world.paths.log) ? readFileSync(world.paths.log, `utf8`) : ``).toBe(``);
  }, 60_000);

  it(`should keep sixteen sessions apart that grow at once`, async () => {
    const world = await open({lingerMs: 300});
    const sessions = Array.from({length: 16}, (_, index) => uuidOf(`session ${index}`));
    await Promise.all(sessions.map(async session => {
      for (let number = 0; number < 4; number++) {
        await appendFile(world.transcript(session), turn(world, session, number));
        await world.fire(world.event(session, number === 3 ? `Stop` : `PostToolUse`));
      }
    }));
    await world.quiet(30_000);
    for (const session of sessions)
      expect(await faults(world, session, 4)).toEqual([]);
  }, 60_000);

  it(`should end all but one of several workers that are started by hand`, async () => {
    const world = await open({lingerMs: 2500});
    const session = uuidOf(`by hand`);
    await writeFile(world.transcript(session), turn(world, session, 0));
    await writeFile(path.join(world.paths.spool, `claude-code.1`), world.event(session, `Stop`));
    const children = Array.from({length: 4}, () => spawn(`session-sync-worker`, [path.join(world.project, `.git`)], {env: world.env, stdio: `ignore`}));
    const ended = children.map(child => new Promise<number | null>(resolve => child.on(`close`, resolve)));
    await until(`one worker is left`, () => world.workers().length === 1);
    await appendFile(world.transcript(session), turn(world, session, 1));
    expect(await Promise.all(ended)).toEqual([0, 0, 0, 0]);
    expect(await faults(world, session, 2)).toEqual([]);
  }, 60_000);

  it(`should go on after a sync that came in between, without another event`, async () => {
    const world = await open({lingerMs: 3000});
    const session = uuidOf(`in between`);
    await writeFile(world.transcript(session), turn(world, session, 0));
    await world.fire(world.event(session, `PostToolUse`));
    await until(`the worker runs`, () => existsSync(world.paths.worker));
    for (let round = 1; round <= 3; round++) {
      await appendFile(world.transcript(session), turn(world, session, round));
      await run(`session-sync`, [`sync`], {cwd: world.project, env: world.env});
    }
    await appendFile(world.transcript(session), turn(world, session, 4));
    await world.quiet();
    expect(await faults(world, session, 5)).toEqual([]);
  }, 60_000);

  it(`should not be stopped by a sync that was killed while it waited`, async () => {
    const world = await open();
    const session = uuidOf(`killed sync`);
    await writeFile(world.transcript(session), turn(world, session, 0));
    await writeFile(path.join(world.paths.folder, `yield`), `${world.run(`sh`, [`-c`, `echo $$`]).trim()} 1\n`);
    await world.fire(world.event(session, `Stop`));
    await world.quiet();
    expect(await faults(world, session, 1)).toEqual([]);
  }, 60_000);

  it(`should miss no event that comes while a worker goes`, async () => {
    await Promise.all([1, 20, 50].map(async lingerMs => {
      const world = await open({lingerMs});
      const session = uuidOf(`going ${lingerMs}`);
      for (let round = 0; round < 12; round++) {
        await appendFile(world.transcript(session), turn(world, session, 2 * round));
        await world.fire(world.event(session, `Stop`));
        // The very moment in which it takes its name away, and some before and after.
        await until(`it runs`, () => existsSync(world.paths.worker));
        while (existsSync(world.paths.worker))
          await sleep(round % 4 === 0 ? 0 : 1);
        await sleep(round % 3 * 4);
        await appendFile(world.transcript(session), turn(world, session, 2 * round + 1));
        await world.fire(world.event(session, `Stop`));
        await world.quiet();
        const log = await readFile(world.paths.log, `utf8`).catch(() => ``);
        expect({lingerMs, round, log, left: await spooled(world), faults: await faults(world, session, 2 * round + 2)}).toEqual({lingerMs, round, log: ``, left: 0, faults: []});
      }
    }));
  }, 90_000);

  it(`should not take another process for a worker that is gone`, async () => {
    const world = await open();
    const session = uuidOf(`reused number`);
    for (const [round, name] of [`worker`, `waking`].entries()) {
      await appendFile(world.transcript(session), turn(world, session, round));
      // Our own number, with the start time of another process.
      await writeFile(path.join(world.paths.folder, name), `${process.pid} 1\n`);
      await world.fire(world.event(session, `Stop`));
      await world.quiet();
      expect(await faults(world, session, round + 1)).toEqual([]);
    }
  }, 30_000);
});

const shells = [[], [`dash`], [`bash`, `--posix`], [`busybox`, `sh`]].filter(([program]) => program === undefined || spawnSync(program, [`-c`, `true`]).status === 0);

describe.each(shells.map(shell => ({name: shell.join(` `) || `sh`, shell})))(`The hook under $name`, ({shell}) => {
  /** No worker: what is spooled stays. */
  async function alone(name?: string) {
    const world = await open(name === undefined ? {} : {name});
    await rm(path.join(world.bin, `session-sync-worker`));
    return world;
  }
  const contents = async (world: World) => await Promise.all((await readdir(world.paths.spool)).map(async file => await readFile(path.join(world.paths.spool, file), `utf8`)));

  /** Runs a command line around the hook (`"$@"`); gives exit code and output. */
  function around(world: World, line: string, {args = [`claude-code`], input, cwd = world.project}: {args?: Array<string>; input?: string; cwd?: string} = {}) {
    const {status, signal, stdout, stderr} = spawnSync(`bash`, [`-c`, line, `bash`, ...shell, world.hook, ...args], {cwd, env: world.env, input, encoding: `utf8`, timeout: 10_000});
    return {code: status ?? signal, output: stdout + stderr};
  }
  const silent = {code: 0, output: ``};

  it(`should spool what it gets, whole and as it was`, async () => {
    const world = await alone();
    const payload = JSON.stringify({text: `\\n é \u{1f600} %s $(x) \``.repeat(60_000)});
    await world.fire(payload, {shell});
    await world.fire(``, {shell});
    expect((await contents(world)).sort()).toEqual([``, payload]);
  });

  it(`should find the repository from any place in it`, async () => {
    for (const name of [`shop`, `my  shop's $(x) "é" *`, `two\nlines`]) {
      const world = await alone(name);
      const deep = path.join(world.project, `a b`, `c`);
      const tree = path.join(world.home, `tree`);
      await mkdir(deep, {recursive: true});
      await world.fire(`1`, {shell, cwd: deep});
      if (!name.includes(`\n`)) {
        world.run(`git`, [`worktree`, `add`, `-q`, tree]);
        await world.fire(`2`, {shell, cwd: tree});
      }
      expect(around(world, `"$@"`, {args: [`claude-code`, deep], cwd: `/`, input: `3`})).toEqual(silent);
      // Nonsense in place of the project: the working folder counts.
      expect(around(world, `"$@"`, {args: [`claude-code`, `-n $(x)`], input: `4`})).toEqual(silent);
      expect((await contents(world)).sort()).toEqual(name.includes(`\n`) ? [`1`, `3`, `4`] : [`1`, `2`, `3`, `4`]);
    }
  });

  it(`should find a submodule's own repository, and none where there is none`, async () => {
    const world = await alone();
    const modules = path.join(world.project, `.git`, `modules`, `lib`);
    const lib = path.join(world.project, `lib`);
    await mkdir(path.join(modules, `session-sync`, `spool`), {recursive: true});
    await mkdir(lib);
    await writeFile(path.join(lib, `.git`), `gitdir: ../.git/modules/lib\n`);
    await world.fire(`1`, {shell, cwd: lib});
    expect(await readdir(path.join(modules, `session-sync`, `spool`))).toHaveLength(1);
    for (const text of [``, `gitdir: `, `gitdir: /nowhere`, `nonsense\n`, `gitdir: ../lib`]) {
      await writeFile(path.join(lib, `.git`), text);
      await world.fire(`2`, {shell, cwd: lib});
    }
    await world.fire(`3`, {shell, cwd: await realpath(`/`)});
    expect(await spooled(world)).toBe(0);
  });

  it(`should exit 0 and be silent when it cannot do its work`, async () => {
    const world = await alone();
    const event = world.event(uuidOf(`x`), `Stop`);
    for (const args of [[], [``], [`../x`], [`a b`], [`-x`, `--help`], [`claude-code`, ``], [`claude-code`, `/nowhere/at/all`]])
      expect({args, ...around(world, `"$@"`, {args, input: event})}).toEqual({args, ...silent});
    expect(around(world, `"$@" <&-`)).toEqual(silent);
    expect(around(world, `"$@" >&- 2>&-`, {input: event})).toEqual(silent);
    expect(around(world, `ulimit -f 1; "$@"`, {input: event.repeat(100)})).toEqual(silent);
    expect(around(world, `PATH=/nowhere; ${shell.length > 0 ? `` : `/bin/sh `}"$@"`, {input: event})).toEqual(shell.length > 0 ? expect.anything() : silent);

    await rm(world.paths.spool, {recursive: true});
    expect(around(world, `"$@"`, {input: event})).toEqual(silent);
    await writeFile(world.paths.spool, ``);
    expect(around(world, `"$@"`, {input: event})).toEqual(silent);
    await rm(world.paths.spool);
    await symlink(`/proc/self`, world.paths.spool);
    expect(around(world, `"$@"`, {input: event})).toEqual(silent);
    await rm(world.paths.folder, {recursive: true});
    expect(around(world, `"$@"`, {input: event})).toEqual(silent);
  });

  it(`should end at once when it is told to, though its stdin stays open`, async () => {
    const world = await alone();
    for (const signal of [`SIGTERM`, `SIGINT`, `SIGHUP`] as const) {
      const [program = world.hook, ...args] = [...shell, world.hook, `claude-code`];
      const child = spawn(program, args, {cwd: world.project, env: world.env, stdio: [`pipe`, `pipe`, `pipe`]});
      let output = ``;
      child.stdout.on(`data`, chunk => output += chunk);
      child.stderr.on(`data`, chunk => output += chunk);
      const ended = new Promise(resolve => child.on(`close`, (code, by) => resolve(code ?? by)));
      child.stdin.write(`{"half":`);
      const before = await spooled(world);
      await until(`it reads`, async () => await spooled(world) > before || before > 0 && await sleep(100, true));
      const began = performance.now();
      kill(child.pid!, signal);
      expect({signal, code: await Promise.race([ended, sleep(5000, `hangs`)]), output}).toEqual({signal, code: 0, output: ``});
      expect(performance.now() - began).toBeLessThan(2000);
      child.stdin.destroy();
    }
  });
});
