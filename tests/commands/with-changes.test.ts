import * as fs                                          from 'node:fs/promises';
import path                                             from 'node:path';
import {describe, expect, it}                           from 'vitest';

import {put, treeOf}                                    from '../restore/_tree.ts';

import {RECORDS, SESSION, expectPlain, grow, makeWorld} from './_runCli.ts';
import type {Person}                                    from './_runCli.ts';

/** alice keeps uncommitted files, and has some when a turn of her session ends; all is pushed and bob has a clone. */
async function makeChanged(mode = `all`) {
  const {alice, bob, world, remote} = await makeWorld();
  await put(alice.repo, {'cart.ts': `export const cart = [];\n`, 'old.ts': `old\n`, 'run.sh': `echo\n`});
  await alice.record(`handwritten`, SESSION);
  await alice.ok(`init`, `--snapshot`, mode);
  await alice.git(`add`, `-A`);
  await alice.git(`commit`, `-q`, `-m`, `Keep sessions`);
  await alice.git(`push`, `-q`, `origin`, `main`);
  await put(alice.repo, {'cart.ts': `export const cart = [1];\n`, 'old.ts': null, 'run.sh*': `echo\n`, 'new.ts': `new\n`, '.env': `nothing\n`});
  await alice.ok(`sync`);
  await alice.ok(`push`);
  await bob.git(`clone`, `-q`, remote, bob.repo);
  await bob.ok(`pull`);
  return {alice, bob, world};
}

const outcomes = ({files}: {files: Array<{path: string; outcome: string}>}) => Object.fromEntries(files.map(({path: name, outcome}) => [name, outcome]));
const head = async (person: Person) => (await person.git(`rev-parse`, `HEAD`)).trim();

describe(`restore --with-changes`, {timeout: 120_000}, () => {
  it(`brings what was not committed on the other machine, and nothing that could be a secret`, async () => {
    const {alice, bob} = await makeChanged();
    const planned = await bob.json([`restore`, SESSION, `--with-changes`, `--dry-run`]);
    expect(outcomes(planned.changes)).toEqual({'cart.ts': `written`, 'old.ts': `deleted`, 'run.sh': `written`, 'new.ts': `written`});
    expect(await bob.git(`status`, `--porcelain`)).toBe(``);

    const output = await bob.cli(`restore`, SESSION, `--with-changes`);
    expect(output).toMatchObject({exitCode: 0});
    expectPlain(output);
    expect(output.stdout).toContain(`Uncommitted files, as they were after record ${RECORDS - 1} (at ${(await head(alice)).slice(0, 8)}):`);
    expect(output.stdout).toContain(`  .env: its name says that it holds secrets`);
    const {'.env': _, ...tree} = await treeOf(alice.repo);
    expect(await treeOf(bob.repo)).toEqual(tree);

    // Twice is as once; what bob has done since is not written over.
    expect(outcomes((await bob.json([`restore`, SESSION, `--with-changes`])).changes)).toEqual({'cart.ts': `unchanged`, 'old.ts': `unchanged`, 'run.sh': `unchanged`, 'new.ts': `unchanged`});
    await put(bob.repo, {'cart.ts': `bob's\n`});
    expect(await bob.json([`restore`, SESSION, `--with-changes`], 1)).toMatchObject({code: `DIRTY_TREE`, message: expect.stringContaining(`cart.ts`)});
    expect(await fs.readFile(path.join(bob.repo, `cart.ts`), `utf8`)).toBe(`bob's\n`);
  });

  it(`makes a worktree of its own with --checkout, whatever stands here`, async () => {
    const {alice, bob, world} = await makeChanged(`tracked`);
    await put(bob.repo, {'cart.ts': `bob's\n`});
    await bob.git(`commit`, `-qam`, `Mine`);
    await put(bob.repo, {'cart.ts': `bob's, too\n`});
    expect(await bob.json([`restore`, SESSION, `--with-changes`, `--checkout`, `--dry-run`])).toMatchObject({changes: {records: RECORDS}});
    const {cwd, changes} = await bob.json([`restore`, SESSION, `--with-changes`, `--checkout`]);
    expect(cwd).toBe(path.join(world, `bob/src/my shop-5e551000`));
    expect(outcomes(changes)).toEqual({'cart.ts': `written`, 'old.ts': `deleted`, 'run.sh': `written`});
    const {'.env': _, 'new.ts': __, ...tree} = await treeOf(alice.repo);
    expect(await treeOf(cwd)).toEqual(tree);
    expect(await fs.readFile(path.join(bob.repo, `cart.ts`), `utf8`)).toBe(`bob's, too\n`);
  });

  it(`merges at another commit, and tells what does not fit with exit code 2`, async () => {
    const {bob} = await makeChanged();
    await put(bob.repo, {'cart.ts': `export const cart = [2];\n`});
    await bob.git(`commit`, `-qam`, `Mine`);
    const output = await bob.cli(`restore`, SESSION, `--with-changes`);
    expect(output.exitCode).toBe(2);
    expect(output.stdout).toContain(`this checkout is at another commit`);
    expect(output.stderr).toContain(`1 file has conflict marks`);
    expect(await fs.readFile(path.join(bob.repo, `cart.ts`), `utf8`)).toContain(`<<<<<<< here`);
  });

  it(`changes nothing for an agent that nobody knows, and says nothing of changes that it has just brought`, async () => {
    const {bob} = await makeChanged();
    expect(await bob.json([`restore`, SESSION, `--with-changes`, `--agent`, `nobody`], 1)).toMatchObject({code: `UNKNOWN_AGENT`});
    expect(await bob.json([`restore`, SESSION, `--with-changes`, `--checkout`, `--agent`, `nobody`], 1)).toMatchObject({code: `UNKNOWN_AGENT`});
    expect(await bob.git(`status`, `--porcelain`)).toBe(``);
    expect(await fs.readdir(path.dirname(bob.repo))).toEqual([path.basename(bob.repo)]);

    const {differences, cwd} = await bob.json([`restore`, SESSION, `--with-changes`, `--checkout`]);
    expect(differences).toEqual([`The session was on branch main; no branch is checked out here.`]);
    await put(cwd, {'cart.ts': `mine\n`});
    const refused = await bob.json([`restore`, SESSION, `--with-changes`, `--checkout`], 1);
    expect(refused).toMatchObject({code: `DIRTY_TREE`, message: expect.stringContaining(`${cwd} has changes`)});
    expect(refused.message).not.toContain(`--checkout`);
  });

  it(`takes the turn that --at names, and says when nothing was kept`, async () => {
    const {alice, bob} = await makeChanged();
    await put(alice.repo, {'cart.ts': `export const cart = [1, 2];\n`});
    await grow(alice);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await bob.ok(`pull`);
    await bob.ok(`restore`, SESSION, `--with-changes`, `--at`, `${RECORDS - 1}`, `--agent`, `codex`);
    expect(await fs.readFile(path.join(bob.repo, `cart.ts`), `utf8`)).toBe(`export const cart = [1];\n`);
    expect(await bob.json([`restore`, SESSION, `--with-changes`, `--at`, `2`], 1)).toMatchObject({code: `NO_CHANGES`});
  });

  it(`is off until it is wanted: then status says so, and sync keeps the files only of the newest session`, async () => {
    const {alice} = await makeWorld();
    await alice.record();
    await alice.ok(`init`);
    await put(alice.repo, {'new.ts': `new\n`});
    await alice.ok(`sync`);
    const refs = async () => (await alice.refs()).split(`\n`).filter(line => line.includes(`/s/`)).map(line => line.split(` `)[0]!);
    for (const ref of await refs())
      expect(await alice.git(`ls-tree`, `-r`, ref, `worktree`)).toBe(``);
    expect(await alice.json([`status`])).toMatchObject({snapshot: `off`});

    expect(await alice.json([`init`, `--snapshot`, `some`], 1)).toMatchObject({code: `BAD_SNAPSHOT`});
    expect(await alice.json([`init`, `--snapshot`, `all`, `--local`], 1)).toMatchObject({code: `BAD_SNAPSHOT`});
    expect(await alice.ok(`init`, `--snapshot`, `all`)).toContain(`uncommitted changes and new files that are not ignored are kept`);
    expect(JSON.parse(await fs.readFile(path.join(alice.repo, `.session-sync/config.json`), `utf8`))).toEqual({version: 1, snapshot: `all`});
    expect(await alice.ok(`status`)).toContain(`Uncommitted files are kept`);
    await grow(alice);
    await alice.ok(`sync`);
    const kept = await Promise.all((await refs()).map(async ref => await alice.git(`ls-tree`, `-r`, `--name-only`, ref, `worktree`)));
    expect(kept.filter(list => list.includes(`files/new.ts`))).toHaveLength(1);
    expect(kept.filter(list => list === ``)).toHaveLength(1);
  });
});
