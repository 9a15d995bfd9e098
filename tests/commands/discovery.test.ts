import * as fs                                  from 'node:fs/promises';
import path                                     from 'node:path';
import {describe, expect, it}                   from 'vitest';

import {makeRemote}                             from '../_remote.mjs';

import {OTHER, SESSION, expectPlain, grow, makeKept, makeWorld} from './_runCli.ts';

/** bob has cloned the remote of a team of which he has fetched nothing. Every git that he runs is counted. */
async function makeTeam(sessions: number) {
  const made = await makeWorld();
  const remote = path.join(made.world, `team.git`);
  const all = makeRemote(remote, {env: made.bob.env, sessions, writers: 50, commits: 3, bytes: 500});
  await made.bob.git(`clone`, `-q`, `file://${remote}`, made.bob.repo);
  const calls = path.join(made.world, `calls`);
  await fs.writeFile(path.join(made.world, `bin`, `git`), `#!/bin/sh\necho "$*" >> '${calls}'\nexec /usr/bin/git "$@"\n`, {mode: 0o755});
  return {...made, remote, all, calls: async () => {
    const lines = (await fs.readFile(calls, `utf8`)).trim().split(`\n`);
    await fs.rm(calls);
    return lines;
  }};
}

describe(`a remote with thousands of sessions`, () => {
  it(`is listed with a handful of processes and without a transcript; one session is fetched alone`, async () => {
    const {bob, all, calls} = await makeTeam(2000);
    const objects = async () => new Set((await bob.git(`cat-file`, `--batch-all-objects`, `--batch-check=%(objectname)`)).trim().split(`\n`));
    const text = await bob.ok(`list`, `--remote`);
    expect((await calls()).length).toBeLessThan(12);
    const lines = text.trimEnd().split(`\n`);
    expect(lines[0]).toMatch(/^session +age +agent +author +branch +size +records +title$/);
    expect(lines).toHaveLength(2001);
    expect(lines[1]).toMatch(/^[0-9a-f-]{8,14} +\w+ ago +\S+ +Alice +\S+ +1\.\d kB +\d+ +\S/);

    // Every id in the first column means one session.
    const shown = lines.slice(1).map(line => line.split(` `)[0]!);
    const ids = all.map(({session}) => session);
    expect(ids.filter(id => shown.filter(short => id.startsWith(short)).length !== 1)).toEqual([]);
    expect(shown.some(short => short.length > 8)).toBe(true);

    await bob.ok(`list`, `--remote`);
    expect((await calls()).filter(call => call.includes(`fetch`))).toEqual([]);
    const before = await objects();
    const wanted = all[1234]!;
    expect(await bob.json([`pull`, `--session`, shown.find(short => wanted.session.startsWith(short))!])).toMatchObject({updated: 1, archives: [], missing: []});
    const brought = [...await objects()].filter(oid => !before.has(oid));
    const its = (await bob.git(`rev-list`, `--objects`, wanted.commit)).trim().split(`\n`).map(line => line.split(` `)[0]!);
    expect(brought.filter(oid => !its.includes(oid))).toEqual([]);
    expect(brought.length).toBeGreaterThan(3);
    expect((await bob.json([`list`])).sessions.map(({session}: {session: string}) => session)).toEqual([wanted.session]);
    expect(await bob.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync`, `refs/session-sync-remotes/origin/s`)).toBe(`${wanted.ref.replace(`session-sync`, `session-sync-remotes/origin`)}\n`);

    expect(await bob.json([`pull`, `--session`, `0`], 1)).toMatchObject({code: `AMBIGUOUS_SESSION`, message: expect.stringMatching(/and \d+ more$/)});
    expect(await bob.json([`pull`, `--session`, `ffffffffffff`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await bob.json([`pull`, `--session`, `5e551000-0000-4000-8000-00000000ffff`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
  }, 120_000);

  it(`is narrowed down by author, branch, agent, title and age`, async () => {
    const {bob, all} = await makeTeam(200);
    const ids = async (...args: Array<string>) => (await bob.json([`list`, `--remote`, ...args])).sessions.map(({session}: {session: string}) => session);
    const expected = (test: (header: any) => boolean) => all.filter(({header}) => test(header)).map(({session}) => session);
    expect(await ids()).toEqual(expected(() => true));
    expect(await ids(`--author`, `ALICE@`, `--agent`, `codex`, `--branch`, `main`)).toEqual(expected(({author, agent, branch}) => author.name === `Alice` && agent.id === `codex` && branch === `main`));
    expect(await ids(`--title`, `Cart`)).toEqual(expected(({title}) => title.includes(`cart`)));
    expect(await ids(`--since`, `2026-10-30`)).toEqual(expected(({updated}) => updated >= `2026-10-30`));
    expect(await ids(`--limit`, `3`)).toEqual(expected(() => true).slice(0, 3));
    expect((await bob.json([`list`, `--remote`, `--limit`, `1`])).sessions[0].bytes).toBe(all[0]!.header.streams[`rec/main`].bytes * 2);
    for (const [option, value, code] of [[`--since`, `soon`, `BAD_BOUND`], [`--since`, `2026-13-45`, `BAD_BOUND`], [`--limit`, `0`, `BAD_LIMIT`], [`--limit`, `x`, `BAD_LIMIT`]])
      expect(await bob.json([`list`, `--remote`, option!, value!], 1)).toMatchObject({code});
    expect(await bob.json([`list`, `--archived`], 1)).toMatchObject({code: `BAD_USAGE`});
    const {exitCode, stdout} = await bob.cli(`list`, `--remote`, `--title`, `no such title`);
    expect({exitCode, stdout}).toEqual({exitCode: 0, stdout: `session  age  agent  author  branch  size  records  title\n`});
  }, 60_000);

  it(`does not reach people who do not use the program`, async () => {
    const {bob, all} = await makeTeam(300);
    await bob.git(`fetch`, `-q`);
    await bob.git(`gc`, `-q`);
    expect(await bob.git(`for-each-ref`, `--format=%(refname)`, `refs/session-sync*`)).toBe(``);
    expect(await bob.git(`status`, `--porcelain`)).toBe(``);
    expect((await bob.program(`git`, `cat-file`, `-e`, all[0]!.commit)).exitCode).not.toBe(0);
  });
});

describe(`prune and archive`, () => {
  it(`show what would go, and do nothing without a yes`, async () => {
    const {alice, remote} = await makeKept(`handwritten`, null);
    await alice.ok(`push`);
    const refs = async () => await alice.git(`--git-dir=${remote}`, `for-each-ref`, `refs/session-sync/`);
    const before = await refs();
    for (const verb of [`prune`, `archive`]) {
      const output = await alice.cli(verb, `--older-than`, `1h`, `--dry-run`);
      // The other one has no times in it.
      expect(output).toMatchObject({exitCode: 0, stderr: expect.stringMatching(/^5e551000-0000-4000-8000-000000000002 is left alone: its header does not say when it was\n$/)});
      expect(output.stdout).toMatch(/^session +age +agent +of +size +title\n5e551000-0000-4000-8000-000000000001 .*this clone/);
      expect(output.stdout).toMatch(/1 would be (removed from|moved into archives on) origin\.\n$/);
      expectPlain(output);
      const refused = await alice.cli(verb, `--older-than`, `1h`);
      expect(refused).toMatchObject({exitCode: 1, stderr: expect.stringContaining(`--yes`)});
      expect(await alice.json([verb, `--older-than`, `1h`], 1)).toMatchObject({code: `NOT_CONFIRMED`});
      expect(await alice.json([verb, `--older-than`, `soon`], 1)).toMatchObject({code: `BAD_BOUND`});
      expect(await alice.json([verb, `--session`, `5e55`, `--dry-run`], 1)).toMatchObject({code: `AMBIGUOUS_SESSION`});
      expect((await alice.json([verb, `--session`, SESSION, `--dry-run`]))).toMatchObject({dryRun: true, left: []});
      expect(await alice.ok(verb, `--older-than`, `90y`)).toMatch(/^There is nothing to /);
    }
    expect(await alice.json([`prune`], 1)).toMatchObject({code: `NO_BOUND`});
    expect(await refs()).toBe(before);
  }, 120_000);

  it(`what is pruned stays here, is not called pushed, and is not sent again`, async () => {
    const {alice, bob, remote} = await makeKept(`handwritten`, null);
    await alice.ok(`push`);
    expect(await alice.json([`prune`, `--session`, SESSION, `--yes`])).toMatchObject({removed: [{session: SESSION, own: true}], left: []});
    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect((await bob.json([`list`, `--remote`])).sessions.map(({session}: {session: string}) => session)).toEqual([OTHER]);
    expect(await bob.json([`prune`, `--older-than`, `1h`, `--dry-run`])).toMatchObject({removed: [], left: [{session: OTHER, reason: expect.stringContaining(`does not say`)}]});
    expect(await bob.json([`prune`, `--session`, OTHER, `--dry-run`])).toMatchObject({removed: [], left: [{session: OTHER, reason: expect.stringContaining(`--others`)}]});
    const where = async () => Object.fromEntries((await alice.json([`list`])).sessions.map(({session, where}: {session: string; where: string}) => [session, where]));
    expect(await where()).toEqual({[SESSION]: `local`, [OTHER]: `pushed`});
    expect(await alice.json([`clean`, `--older-than`, `1h`, `--dry-run`], 2)).toMatchObject({removed: [], kept: [SESSION]});
    expect(await alice.json([`push`])).toMatchObject({pushed: [], withheld: [{session: SESSION, reason: `pruned`}]});
    await grow(alice);
    await alice.ok(`sync`);
    expect((await alice.json([`push`])).pushed.map(({session}: {session?: string}) => session)).toContain(SESSION);
    expect(await where()).toEqual({[SESSION]: `pushed`, [OTHER]: `pushed`});
  }, 120_000);

  it(`what is archived is listed, fetched and restored elsewhere`, async () => {
    const {alice, bob, remote} = await makeKept();
    await alice.ok(`push`);
    const text = await alice.ok(`archive`, `--older-than`, `1h`, `--yes`);
    expect(text).toMatch(/1 moved on origin, into refs\/session-sync\/archive\/[0-9a-f]{16}\/\d{4}\.\n$/);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect(await bob.ok(`list`, `--remote`)).toMatch(/^origin has no session that it lists\.\n.*list --remote --archived\n$/);
    expect((await bob.json([`list`, `--remote`, `--archived`])).sessions).toMatchObject([{session: SESSION}]);
    expect(await bob.json([`pull`])).toMatchObject({sessions: []});
    expect(await bob.json([`pull`, `--session`, `5e55`])).toMatchObject({updated: 1, sessions: [{session: SESSION}]});
    expect(await bob.json([`restore`, `--agent`, `codex`])).toMatchObject({session: SESSION, restored: [{outcome: `created`}]});
    expect((await alice.json([`list`])).sessions).toMatchObject([{where: `pushed`}]);
    expect(await alice.json([`push`])).toMatchObject({pushed: [], withheld: [{session: SESSION, reason: `archived`}]});

    expect(await alice.ok(`prune`, `--archived`, `--session`, `5e55`, `--dry-run`)).toMatch(/1 would be removed from origin\.\n$/);
    expect(await alice.json([`prune`, `--archived`, `--session`, `5e55`, `--yes`])).toMatchObject({removed: [{session: SESSION}], left: []});
    expect((await bob.json([`list`, `--remote`, `--archived`])).sessions).toEqual([]);
    expect((await alice.json([`list`])).sessions).toMatchObject([{where: `local`}]);
  }, 180_000);
});
