import {spawn}                               from 'node:child_process';
import {existsSync}                          from 'node:fs';
import * as fs                               from 'node:fs/promises';
import http                                  from 'node:http';
import type {AddressInfo}                    from 'node:net';
import path                                  from 'node:path';
import process                               from 'node:process';
import {afterEach, describe, expect, it, vi} from 'vitest';

import {grow, makeKept}                      from './_runCli.ts';
import type {Person}                         from './_runCli.ts';
import {outcome, script, sent, settled, stateFile, work, working} from './_auto.ts';

// Real pushes beside one another, on a machine that may be busy.
vi.setConfig({testTimeout: 120_000});

const ends: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const end of ends.splice(0))
    await end();
});

async function kept() {
  const made = await makeKept();
  ends.push(async () => await settled(made.world));
  return {...made, hook: path.join(made.alice.repo, `.git`, `hooks`, `pre-push`)};
}

async function serve(answer: http.RequestListener) {
  const server = http.createServer(answer);
  await new Promise<void>(resolve => server.listen(0, `127.0.0.1`, resolve));
  ends.unshift(async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/sessions.git`;
}

const push = async (person: Person, ...args: Array<string>) => await person.program(`git`, `push`, ...args);

describe(`init --auto-push`, () => {
  it(`sends sessions after the user's push, which neither fails nor says anything of it`, async () => {
    const {alice, remote, world, hook} = await kept();
    await work(alice);
    const plain = await push(alice, `--porcelain`, `origin`, `main`);
    expect(await sent(alice, remote)).toEqual([]);

    const data = await alice.json([`init`, `--auto-push`]);
    expect(data).toMatchObject({sharing: {remote: `origin`, autoPush: true, autoPull: false, trailer: false}, hooks: [{hook: `pre-push`, changed: true}]});
    expect(await alice.git(`config`, `--local`, `--get-regexp`, `session-sync`)).toBe(`session-sync.remote origin\nsession-sync.autopush true\n`);
    expect(await alice.json([`init`])).toMatchObject({sharing: {autoPush: true}, hooks: [{changed: false}]});
    expect(await sent(alice, remote)).toEqual([]);

    await work(alice);
    const riding = await push(alice, `--porcelain`, `origin`, `main`);
    expect({...riding, stdout: riding.stdout.replace(/[0-9a-f]{7}\.\.[0-9a-f]{7}/, ``)}).toEqual({...plain, stdout: plain.stdout.replace(/[0-9a-f]{7}\.\.[0-9a-f]{7}/, ``)});
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);
    expect(await outcome(alice, `push`)).toMatchObject({remote: `origin`, refs: 2});
    expect(await alice.ok(`status`)).toMatch(/^Automatic: sessions go to origin after your git push \(last .*\)\.$/m);
    expect((await alice.json([`status`])).sharing).toMatchObject({autoPush: true, push: {refs: 2}});
    expect((await alice.cli(`doctor`)).exitCode).toBe(0);

    // Off again: the hook is gone, and what grows stays at home.
    expect(await alice.json([`init`, `--no-auto-push`])).toMatchObject({sharing: {autoPush: false}, hooks: [{hook: `pre-push`, changed: true}]});
    expect(existsSync(hook)).toBe(false);
    await grow(alice);
    await alice.ok(`sync`);
    await work(alice);
    await push(alice, `-q`, `origin`, `main`);
    await settled(world);
    expect((await alice.json([`push`, `--dry-run`])).pushed).toHaveLength(2);
    expect(await alice.ok(`status`)).not.toContain(`Automatic`);
  });

  it(`sends nothing with --dry-run, --no-verify, while paused, to another remote, or when the user's own hook says no`, async () => {
    const {alice, remote, world, hook} = await kept();
    expect(await alice.json([`init`, `--auto-push`, `--dry-run`])).toMatchObject({hooks: [{changed: true}]});
    expect(existsSync(hook)).toBe(false);
    expect((await alice.program(`git`, `config`, `--get-regexp`, `session-sync`)).stdout).toBe(``);

    await script(hook, `#!/bin/sh\ncat > /dev/null\n[ ! -e "$HOME/no" ] || { echo no >&2; exit 3; }\necho called >> "$HOME/called"\n`);
    await alice.ok(`init`, `--auto-push`);
    await alice.git(`init`, `-q`, `--bare`, path.join(world, `backup.git`));
    await alice.git(`remote`, `add`, `backup`, path.join(world, `backup.git`));

    await work(alice);
    await fs.writeFile(path.join(alice.home, `no`), ``);
    expect(await push(alice, `origin`, `main`)).toMatchObject({exitCode: 1, stdout: ``, stderr: expect.stringMatching(/^no\nerror: failed to push/)});
    expect(await push(alice, `-q`, `--no-verify`, `origin`, `main`)).toMatchObject({exitCode: 0});
    await fs.rm(path.join(alice.home, `no`));
    await push(alice, `-q`, `backup`, `main`);
    await push(alice, `-q`, path.join(world, `backup.git`), `main:other`);
    await alice.ok(`pause`);
    await work(alice);
    await push(alice, `-q`, `origin`, `main`);
    await settled(world);
    expect([await sent(alice, remote), await sent(alice, path.join(world, `backup.git`)), await outcome(alice, `push`)]).toEqual([[], [], null]);

    // By its address it is the same remote; and the team's checks run for the user's pushes only, not for ours.
    await alice.ok(`resume`);
    await work(alice);
    await push(alice, `-q`, remote, `main`);
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);
    expect(await fs.readFile(path.join(alice.home, `called`), `utf8`)).toBe(`called\n`.repeat(4));
    await alice.ok(`push`);
    expect(await fs.readFile(path.join(alice.home, `called`), `utf8`)).toBe(`called\n`.repeat(4));
  });

  it(`sends nothing when a push is only tried, however that is written, and what happens after a deletion, of tags, of all`, async () => {
    const {alice, remote, world, hook} = await kept();
    await alice.ok(`init`, `--auto-push`);
    await alice.git(`config`, `alias.try`, `push --dry-run`);
    for (const args of [[`push`, `--dry-run`, `origin`, `main`], [`push`, `-n`, `origin`, `main:one`], [`push`, `-qn`, `origin`, `main:two`], [`push`, `--dry`, `--all`, `origin`], [`try`, `origin`, `main:three`]])
      expect(await alice.program(`git`, ...args), args.join(` `)).toMatchObject({exitCode: 0});
    // As a manager of hooks calls a line that was written by hand.
    const ours = await fs.readFile(hook, `utf8`);
    await script(hook, `#!/bin/sh\nsh -c 'h=$(git rev-parse --git-common-dir)/session-sync/git-hook; [ ! -r "$h" ] || sh "$h" pre-push "$@"; :' sh "$@"\n`);
    expect(await alice.program(`git`, `push`, `--dry-run`, `origin`, `main:four`)).toMatchObject({exitCode: 0});
    await settled(world);
    expect([await sent(alice, remote), await outcome(alice, `push`)]).toEqual([[], null]);

    const pending = async () => (await alice.json([`push`, `--dry-run`])).pushed.length;
    const rides = async (...args: Array<string>) => {
      await grow(alice, `And ${args.join(` `)}?`);
      await alice.ok(`sync`);
      expect(await pending()).toBe(2);
      expect(await push(alice, ...args), args.join(` `)).toMatchObject({exitCode: 0});
      await settled(world);
      expect(await pending(), args.join(` `)).toBe(0);
    };
    await rides(`-q`, `origin`, `main:new`);
    await fs.writeFile(hook, ours);
    await alice.git(`tag`, `v1`);
    for (const args of [[`-q`, `origin`, `--delete`, `new`], [`-q`, `--tags`], [`-q`, `-u`, `--all`], [`-q`]])
      await rides(...args);
    expect(await sent(alice, remote)).toHaveLength(2);
  });

  it(`works from an editor with a poor PATH, from a worktree, and does nothing where the program is gone`, async () => {
    const {alice, remote, world} = await kept();
    await alice.ok(`init`, `--auto-push`);
    const tree = path.join(world, `alice`, `other tree`);
    await alice.git(`worktree`, `add`, `-q`, tree, `-b`, `topic`);
    const poor = {...alice.env, PATH: `/usr/bin:/bin`};
    const pushed = (cwd: string, env: NodeJS.ProcessEnv) => new Promise<number | null>((resolve, reject) => {
      const child = spawn(`git`, [`push`, `-q`, `origin`, `HEAD`], {cwd, env, stdio: `inherit`});
      child.on(`error`, reject);
      child.on(`close`, resolve);
    });
    expect(await pushed(tree, poor)).toBe(0);
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);

    await grow(alice);
    await alice.ok(`sync`);
    await fs.writeFile(stateFile(alice, `program`), `/gone/node\n/gone/cli.js\n`);
    await work(alice);
    expect(await pushed(alice.repo, poor)).toBe(0);
    await settled(world);
    expect((await alice.json([`push`, `--dry-run`])).pushed).toHaveLength(2);
    // On the person's PATH it is found.
    await work(alice);
    expect(await pushed(alice.repo, alice.env)).toBe(0);
    await settled(world);
    expect((await alice.json([`push`, `--dry-run`])).pushed).toEqual([]);
  });

  it(`of several pushes at once one sends, and nothing is left over`, async () => {
    const {alice, remote, world} = await kept();
    await alice.ok(`init`, `--auto-push`);
    const pushes = await Promise.all(Array.from({length: 6}, async (_, index) => await push(alice, `-q`, `origin`, `main:branch-${index}`)));
    expect(pushes.map(({exitCode, stdout, stderr}) => [exitCode, stdout, stderr])).toEqual(pushes.map(() => [0, ``, ``]));
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);
    expect(await outcome(alice, `push`)).not.toHaveProperty(`problem`);
    expect(existsSync(stateFile(alice, `auto-push.wanted`))).toBe(false);
  });
});

describe(`when sessions cannot be sent`, () => {
  it(`the user's push is as always, and status and doctor tell; a remote that says nothing is given up, with what git had started`, async () => {
    const {alice, world} = await kept();
    const asked: Array<string> = [];
    const url = await serve(request => asked.push(request.url!));
    alice.env = {...alice.env, SESSION_SYNC_STALL_MS: `700`};
    await alice.ok(`init`, `--auto-push`, `--remote`, url);
    await work(alice);
    expect(await push(alice, `-q`, `origin`, `main`)).toEqual({exitCode: 0, stdout: ``, stderr: ``});
    await settled(world);
    expect(asked).toHaveLength(1);
    expect(working(world)).toEqual([]);
    expect(await outcome(alice, `push`)).toMatchObject({remote: `session-sync`, problem: expect.stringContaining(`took too long`)});
    expect(await alice.ok(`status`)).toMatch(/Automatic: .*FAILED .*took too long/);
    const doctor = await alice.cli(`doctor`);
    expect(doctor).toMatchObject({exitCode: 1, stdout: expect.stringMatching(/PROBLEM sharing: the last automatic push failed: .*took too long/)});
    expect(await fs.readFile(stateFile(alice, `log`), `utf8`)).toContain(`automatic push: `);
  });

  it(`nobody is asked for a password`, async () => {
    const {alice, world} = await kept();
    const url = await serve((request, response) => {
      void request;
      response.writeHead(401, {'www-authenticate': `Basic realm="sessions"`}).end();
    });
    const ask = path.join(world, `ask.sh`);
    await script(ask, `#!/bin/sh\necho asked >> "${world}/asked"\necho secret\n`);
    alice.env = {...alice.env, GIT_ASKPASS: ask, SSH_ASKPASS: ask, DISPLAY: `:9`};
    delete alice.env.GIT_TERMINAL_PROMPT;
    await alice.git(`config`, `core.askPass`, ask);
    await alice.ok(`init`, `--auto-push`, `--remote`, url);
    await work(alice);
    expect(await push(alice, `-q`, `origin`, `main`)).toEqual({exitCode: 0, stdout: ``, stderr: ``});
    await settled(world);
    expect(await outcome(alice, `push`)).toMatchObject({problem: expect.stringMatching(/could not read Username|Authentication failed/)});
    expect(existsSync(path.join(world, `asked`))).toBe(false);
  });

  it(`a killed one does not keep the next from its work`, async () => {
    const {alice, remote, world} = await kept();
    let reach = () => {};
    const reached = new Promise<void>(resolve => {
      reach = resolve;
    });
    const url = await serve(() => reach());
    await alice.ok(`init`, `--auto-push`, `--remote`, url);
    await work(alice);
    await push(alice, `-q`, `origin`, `main`);
    await reached;
    for (const pid of working(world))
      process.kill(pid, `SIGKILL`);
    await settled(world);
    await alice.ok(`init`, `--remote`, `origin`);
    await work(alice);
    await push(alice, `-q`, `origin`, `main`);
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);
  });
});

describe(`what comes with a clone`, () => {
  it(`cannot turn it on, nor say where sessions go`, async () => {
    const {alice, bob, remote, world} = await kept();
    const evil = path.join(world, `evil.git`);
    await alice.git(`init`, `-q`, `--bare`, evil);
    const settings = `[session-sync]\n\tautoPush = true\n\tautoPull = true\n\ttrailer = true\n\tremote = evil\n[remote "evil"]\n\turl = ${evil}\n`;
    await fs.writeFile(path.join(alice.repo, `.gitconfig`), settings);
    await fs.writeFile(path.join(alice.repo, `.gitmodules`), settings);
    await fs.writeFile(path.join(alice.repo, `.session-sync/config.json`), `{"version": 1, "remote": "evil"}`);
    await script(path.join(alice.repo, `hooks/pre-push`), `#!/bin/sh\n`);
    await work(alice, `An evil commit`);
    await push(alice, `-q`, `origin`, `main`);

    await bob.git(`clone`, `-q`, remote, bob.repo);
    // What some projects ask of people: to include the file that comes with them.
    await bob.git(`config`, `include.path`, `../.gitconfig`);
    await bob.record();
    const data = await bob.json([`init`]);
    expect(data).toMatchObject({sharing: {remote: null, autoPush: false, autoPull: false, trailer: false}, hooks: []});
    await bob.ok(`sync`);
    await work(bob);
    await push(bob, `-q`, `origin`, `main`);
    await settled(world);
    expect([await sent(bob, evil), await sent(bob, remote)]).toEqual([[], []]);

    // Once bob has asked for it, it goes where git pushes, which is said: not to what the file names.
    expect(await bob.ok(`init`, `--auto-push`)).toContain(`Sessions will go to and come from origin (${remote})`);
    await work(bob);
    await push(bob, `-q`, `origin`, `main`);
    await settled(world);
    expect(await sent(bob, evil)).toEqual([]);
    expect((await sent(bob, remote)).length).toBeGreaterThan(0);
  });

  it(`is a folder of hooks, which is not written to; a line that a person adds does it, and does nothing for others`, async () => {
    const {alice, bob, remote, world, hook} = await kept();
    const team = path.join(alice.repo, `.husky`, `pre-push`);
    await script(team, `echo team\n`);
    await script(path.join(alice.repo, `.husky/_/pre-push`), `#!/usr/bin/env sh\nsh -e "$(dirname "$0")/../pre-push" "$@"\n`);
    await alice.git(`config`, `core.hooksPath`, `.husky/_`);
    await work(alice, `Hooks of the team`);
    const {exitCode, stderr} = await alice.cli(`init`, `--auto-push`);
    expect(exitCode).toBe(2);
    const line = /by hand, at its end \(.*\): (h=.*)$/m.exec(stderr)![1]!;
    expect(stderr).toContain(`Add this line to ${team} by hand`);
    expect(await alice.git(`status`, `--porcelain`)).toBe(``);
    expect(existsSync(hook)).toBe(false);
    expect(await alice.cli(`doctor`)).toMatchObject({exitCode: 1, stdout: expect.stringMatching(/PROBLEM sharing: core.hooksPath names/)});

    await fs.appendFile(team, `${line}\n`);
    expect((await alice.cli(`init`)).exitCode).toBe(0);
    expect((await alice.cli(`doctor`)).exitCode).toBe(0);
    await work(alice);
    expect(await push(alice, `-q`, `origin`, `main`)).toEqual({exitCode: 0, stdout: `team\n`, stderr: ``});
    await settled(world);
    expect(await sent(alice, remote)).toHaveLength(2);

    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.git(`config`, `core.hooksPath`, `.husky/_`);
    await work(bob);
    expect(await push(bob, `-q`, `origin`, `main`)).toEqual({exitCode: 0, stdout: `team\n`, stderr: ``});
    expect(existsSync(path.join(bob.repo, `.git/session-sync`))).toBe(false);
  });
});

describe(`a place for hooks that is none`, () => {
  it(`is told of for what it is, and what can be done`, async () => {
    const {alice, hook} = await kept();
    const told = async () => {
      const {exitCode, stderr} = await alice.cli(`init`, `--auto-push`);
      expect(exitCode).toBe(2);
      return stderr;
    };
    await alice.git(`config`, `core.hooksPath`, `/dev/null`);
    expect(await told()).toBe(`core.hooksPath names /dev/null: git runs no hooks here, and so nothing of ours either\n`);
    await alice.git(`config`, `--unset`, `core.hooksPath`);

    await fs.rename(path.dirname(hook), path.join(alice.repo, `githooks`));
    await fs.writeFile(path.dirname(hook), `no folder\n`);
    expect(await told()).toMatch(/^.*pre-push could not be written \(E\w+\)\. Add this line at its end by hand: h=/);
    await fs.rm(path.dirname(hook));
    await fs.symlink(`../githooks`, path.dirname(hook));
    expect(await told()).toMatch(/^Git's folder of hooks is a link to .*githooks, which is not this clone's own: nothing was written there/);
    await alice.ok(`uninit`);
    expect((await fs.readdir(path.join(alice.repo, `githooks`))).filter(name => !name.endsWith(`.sample`))).toEqual([]);
  });
});

describe(`uninit`, () => {
  it(`gives the hooks back, and takes the settings and the remote that init made out`, async () => {
    const {alice, world, hook} = await kept();
    const before = await fs.readFile(path.join(alice.repo, `.git/config`), `utf8`);
    const theirs = `#!/bin/sh\necho theirs\n`;
    await script(hook, theirs);
    await alice.ok(`init`, `--auto-push`, `--auto-pull`, `--trailer`, `--remote`, path.join(world, `sessions.git`));
    expect((await fs.readdir(path.dirname(hook))).filter(name => !name.endsWith(`.sample`)).sort()).toEqual([`commit-msg`, `post-merge`, `post-rewrite`, `pre-push`]);
    const state = await fs.readdir(stateFile(alice, `.`));
    expect(state).toEqual(expect.arrayContaining([`git-hook`, `live`, `program`]));
    expect((await fs.stat(stateFile(alice, `program`))).mode & 0o777).toBe(0o600);

    const planned = await alice.json([`uninit`, `--dry-run`]);
    expect(await fs.readFile(hook, `utf8`)).not.toBe(theirs);
    const done = await alice.json([`uninit`]);
    expect(done.changed).toEqual(planned.changed);
    expect(done.changed).toEqual(expect.arrayContaining([path.join(`.git`, `hooks`, `pre-push`), path.join(`.git`, `hooks`, `commit-msg`), `this clone's git configuration`]));
    expect((await fs.readdir(path.dirname(hook))).filter(name => !name.endsWith(`.sample`))).toEqual([`pre-push`]);
    expect(await fs.readFile(hook, `utf8`)).toBe(theirs);
    expect(await fs.readFile(path.join(alice.repo, `.git/config`), `utf8`)).toBe(before);
    for (const name of [`git-hook`, `live`, `program`])
      expect(existsSync(stateFile(alice, name))).toBe(false);
    expect(await alice.json([`uninit`])).toMatchObject({changed: []});
  });
});
