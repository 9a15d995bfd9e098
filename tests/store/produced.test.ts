import * as fs                          from 'node:fs/promises';
import {describe, expect, it}           from 'vitest';

import {gitState, openRepository, verifyHeader} from '../../sources/store/index.ts';
import {parseDiffs, unquote}            from '../../sources/store/diff.ts';
import {hasMark, marksOf, markLines, noMarks} from '../../sources/store/marks.ts';
import {changesOf, committedBy, knownCommits, madeHere} from '../../sources/store/produced.ts';

import {meta, scratch, SESSION, WRITER} from './_repo.ts';
import type {Scratch}                   from './_repo.ts';

const BEGIN = 1_790_000_000;

/** A clone of a repository, and commits at a time of one's own. */
async function makeClone() {
  const place = await scratch();
  await place.git(`.`, `init`, `-q`, `theirs`);
  const commit = async (name: string, at: number, file: string, text: string, ...args: Array<string>) => {
    await fs.writeFile(place.at(name, file), text);
    await place.git(name, `add`, `-A`);
    return await committed(place, name, at, ...args);
  };
  await commit(`theirs`, BEGIN - 1000, `cart.js`, `export const cart = [];\n`);
  await place.git(`.`, `clone`, `-q`, `theirs`, `shop`);
  return {place, commit, repo: await openRepository(place.at(`shop`), place.env)};
}

async function committed(place: Scratch, name: string, at: number, ...args: Array<string>) {
  Object.assign(place.env, {GIT_AUTHOR_DATE: `@${at} +0000`, GIT_COMMITTER_DATE: `@${at} +0000`});
  await place.git(name, `commit`, `-q`, `--allow-empty-message`, `-m`, `At ${at}`, ...args);
  return (await place.git(name, `rev-parse`, `HEAD`)).trim();
}

function at(place: Scratch, time: number) {
  Object.assign(place.env, {GIT_COMMITTER_DATE: `@${time} +0000`});
}

describe(`commits that were made here`, () => {
  it(`are those that were committed, amended, picked and rebased, not those that were pulled or checked out`, async () => {
    const {place, commit, repo} = await makeClone();
    const one = await commit(`shop`, BEGIN + 10, `a.js`, `one\n`);
    const amended = await commit(`shop`, BEGIN + 20, `a.js`, `one, amended\n`, `--amend`);
    const theirs = await commit(`theirs`, BEGIN + 30, `b.js`, `theirs\n`);
    await place.git(`shop`, `fetch`, `-q`);
    at(place, BEGIN + 40);
    await place.git(`shop`, `rebase`, `-q`, `origin/main`);
    const rebased = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    await place.git(`shop`, `checkout`, `-q`, `-b`, `side`, `origin/main`);
    at(place, BEGIN + 50);
    await place.git(`shop`, `cherry-pick`, one);
    const picked = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    await place.git(`shop`, `checkout`, `-q`, `main`);
    at(place, BEGIN + 60);
    await place.git(`shop`, `merge`, `-q`, `-X`, `ours`, `-m`, `Both`, `side`);
    const merge = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();

    const {made, reaches} = await madeHere(repo, place.env, BEGIN);
    expect(reaches).toBe(true);
    expect(made.map(({commit, how}) => [commit, how])).toEqual([[merge, `made`], [picked, `moved`], [rebased, `moved`], [amended, `made`], [one, `made`]]);
    expect(made.map(({commit}) => commit)).not.toContain(theirs);
    expect((await madeHere(repo, place.env, BEGIN + 45)).made.map(({commit}) => commit)).toEqual([merge, picked]);
  });

  it(`are asked of the history where there is no reflog, by committer and time`, async () => {
    const {place, commit, repo} = await makeClone();
    const one = await commit(`shop`, BEGIN + 10, `a.js`, `one\n`);
    Object.assign(place.env, {GIT_COMMITTER_EMAIL: `bob@example.org`});
    await commit(`shop`, BEGIN + 20, `a.js`, `two\n`);
    await place.git(`shop`, `reflog`, `expire`, `--expire=all`, `--all`);
    expect(await madeHere(repo, place.env, BEGIN)).toEqual({made: [], reaches: false});
    const asked = {email: `alice@example.org`, since: BEGIN, until: BEGIN + 100, branch: `main`};
    expect((await committedBy(repo, place.env, asked)).map(({commit}) => commit)).toEqual([one]);
    expect(await committedBy(repo, place.env, {...asked, since: BEGIN + 11, branch: `--all`})).toEqual([]);
  });

  it(`are none in an empty repository; beginnings of names are completed`, async () => {
    const {place, commit, repo} = await makeClone();
    await place.git(`.`, `init`, `-q`, `empty`);
    expect(await madeHere(await openRepository(place.at(`empty`), place.env), place.env, 0)).toEqual({made: [], reaches: false});
    const one = await commit(`shop`, BEGIN, `a.js`, `one\n`);
    expect((await knownCommits(repo, place.env, [one.slice(0, 7), `0000000`, `--all`, `HEAD`])).map(({commit}) => commit)).toEqual([one]);
  });
});

describe(`what commits change`, () => {
  it(`has an id that a rebase keeps, and files and lines whatever their names`, async () => {
    const {place, commit, repo} = await makeClone();
    const name = `Größe und "Preis".js`;
    const one = await commit(`shop`, BEGIN, name, `export const shipping = 4;\n-- not a header\n++ nor this\n`);
    await place.git(`shop`, `config`, `diff.noprefix`, `true`);
    await place.git(`shop`, `config`, `diff.context`, `0`);
    const [expected] = (await place.git(`shop`, `-c`, `diff.noprefix=false`, `-c`, `diff.context=3`, `log`, `-1`, `-p`)).split(`\n`);
    expect(expected).toContain(one);
    const change = (await changesOf(repo, place.env, [one, one, `nonsense`])).changes.get(one)!;
    expect(change.files).toEqual([name]);
    const wanted = noMarks();
    markLines(wanted, name, {added: [`export   const shipping = 4;`, `-- not a header`, `++ nor this`], removed: []});
    expect(marksOf(change.marks).sort()).toEqual(marksOf(wanted).sort());
    expect(change.patch).toMatch(/^[0-9a-f]{40}$/);

    await commit(`theirs`, BEGIN, `b.js`, `theirs\n`);
    await place.git(`shop`, `pull`, `-q`, `--rebase`);
    const rebased = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    expect(rebased).not.toBe(one);
    expect((await changesOf(repo, place.env, [rebased])).changes.get(rebased)).toMatchObject({patch: change.patch, files: [name]});
  });

  it(`of binary files, modes, merges, empty and first commits`, async () => {
    const {place, commit, repo} = await makeClone();
    await fs.writeFile(place.at(`shop`, `a b.bin`), Buffer.from([0, 1, 2]));
    const binary = await commit(`shop`, BEGIN, `run.sh`, `#!/bin/sh\n`);
    await fs.chmod(place.at(`shop`, `run.sh`), 0o755);
    const mode = await committed(place, `shop`, BEGIN + 1, `-a`);
    const empty = await committed(place, `shop`, BEGIN + 2, `--allow-empty`);
    const first = (await place.git(`shop`, `rev-list`, `--max-parents=0`, `HEAD`)).trim();
    const {changes} = await changesOf(repo, place.env, [binary, mode, empty, first]);
    expect(changes.get(binary)!.files).toEqual([`a b.bin`, `run.sh`]);
    expect(marksOf(changes.get(binary)!.marks)).toHaveLength(1);
    expect(marksOf(changes.get(mode)!.marks)).toHaveLength(1);
    expect(changes.has(empty)).toBe(false);
    expect(changes.get(first)!.files).toEqual([`cart.js`]);
  });

  it(`is told apart from what only looks like a diff`, () => {
    const [commit] = [`a`.repeat(40)];
    const diffs = parseDiffs(`${commit}\ndiff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-diff --git a/y b/y\n+${`b`.repeat(40)}\n @@ -1 +1 @@\n\\ No newline at end of file\n`);
    expect(diffs.map(({commit, files}) => [commit, files])).toEqual([[commit, [`x`]]]);
    expect(unquote(`"a\\303\\251\\t\\"\\\\.js"`)).toBe(`aé\t"\\.js`);
    expect(parseDiffs(`diff --git a/x b/x\n@@ -1 +1 @@\n+no commit`)).toEqual([]);
  });

  it(`is found again by its telling lines; by all where it has none`, () => {
    const marks = noMarks();
    markLines(marks, `src/cart.js`, {added: [`  return total(items);`, `}`, ``], removed: []});
    expect(marksOf(marks)).toHaveLength(1);
    const other = noMarks();
    markLines(other, `src/cart.js`, {added: [`}`], removed: []});
    expect(marksOf(other)).toHaveLength(1);
    expect(hasMark(marks, marksOf(other)[0]!)).toBe(true);
    const elsewhere = noMarks();
    markLines(elsewhere, `src/other.js`, {added: [`return total(items);`], removed: []});
    expect(hasMark(marks, marksOf(elsewhere)[0]!)).toBe(false);
  });
});

describe(`the state of a working tree`, () => {
  it(`names changed files, also renamed ones, and counts those beyond 200`, async () => {
    const {place, commit, repo} = await makeClone();
    await commit(`shop`, BEGIN, `old name.js`, `1\n2\n3\n4\n`);
    await place.git(`shop`, `mv`, `old name.js`, `größe "neu".js`);
    await fs.writeFile(place.at(`shop`, `cart.js`), ``);
    expect((await gitState(repo, place.env)).changes).toEqual({files: [`cart.js`, `größe "neu".js`]});
    for (let index = 0; index < 250; index++)
      await fs.writeFile(place.at(`shop`, `f${index}`), ``);
    await place.git(`shop`, `add`, `-A`);
    expect((await gitState(repo, place.env)).changes).toMatchObject({files: {length: 200}, more: 52});
  });
});

describe(`a header of somebody else`, () => {
  const {header} = meta(SESSION, 1);
  const verify = (more: object) => verifyHeader(JSON.stringify({...header, writer: WRITER, sequence: 1, streams: {}, ...more}));
  const produced = {commit: `a`.repeat(40), by: `call`};

  it(`may name commits and files`, () => {
    const more = {produced: [{...produced, patch: `b`.repeat(40), time: `2026-10-01T10:00:00.000Z`, lines: `abcdef`}], changes: {files: [`a`], more: 3}, edited: {files: []}};
    expect(verify(more)).toMatchObject(more);
  });

  it.each([
    {produced: {}}, {produced: [null]}, {produced: [{...produced, commit: `HEAD`}]}, {produced: [{...produced, by: `magic`}]}, {produced: [{...produced, lines: `abc`}]},
    {produced: [{...produced, lines: `\u001b[2Jab`}]}, {produced: [{...produced, lines: `abcdef`.repeat(2001)}]}, {produced: [{...produced, patch: `--all`}]},
    {produced: Array.from({length: 2001}, () => produced)}, {changes: {files: `a`}}, {changes: {files: [1]}}, {changes: {files: [], more: -1}}, {edited: {files: Array.from({length: 2001}, () => `a`)}},
  ])(`is refused where they are of another shape: %#`, more => {
    expect(() => verify(more)).toThrow(/header\.json/);
  });
});
