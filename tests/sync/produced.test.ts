import * as fs                                from 'node:fs/promises';
import {describe, expect, it}                 from 'vitest';

import type {NeutralRecord, Produced, Unplaced} from '../../sources/interchange/index.ts';
import {openRepository}                       from '../../sources/store/index.ts';
import type {StoredHeader}                    from '../../sources/store/types.ts';
import {Evidence, relativePath}               from '../../sources/store/evidence.ts';
import {ProducedCommits}                      from '../../sources/sync/produced.ts';
import type {Project}                         from '../../sources/sync/project.ts';

import {scratch}                              from '../store/_repo.ts';

const BEGIN = 1_790_000_000;
const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** A clone, and sessions at work in it whose records and commits have times of one's own. */
async function makeWorld() {
  const place = await scratch();
  await place.git(`.`, `init`, `-q`, `theirs`);
  await fs.writeFile(place.at(`theirs`, `cart.js`), `export const cart = [];\n`);
  const stamp = (at: number) => Object.assign(place.env, {GIT_AUTHOR_DATE: `@${at} +0000`, GIT_COMMITTER_DATE: `@${at} +0000`});
  const commit = async (at: number, file: string, text: string, {name = `shop`, args = []}: {name?: string; args?: Array<string>} = {}) => {
    stamp(at);
    await fs.writeFile(place.at(name, file), text);
    await place.git(name, `add`, `-A`);
    await place.git(name, `commit`, `-q`, `-m`, `Change ${file}`, ...args);
    return await head(name);
  };
  const head = async (name = `shop`) => (await place.git(name, `rev-parse`, `HEAD`)).trim();
  await commit(BEGIN - 5000, `cart.js`, `export const cart = [];\n`, {name: `theirs`});
  stamp(BEGIN - 4000);
  await place.git(`.`, `clone`, `-q`, `theirs`, `shop`);
  const repository = await openRepository(place.at(`shop`), place.env);
  const project = {repository, machine: {env: place.env}} as unknown as Project;

  const session = () => {
    let [seq, calls] = [0, 0];
    let base: StoredHeader | null = null;
    let updated = BEGIN;
    let evidence = new Evidence(() => [place.at(`shop`)]);
    let produced = new ProducedCommits({project, author: async () => ({name: `Alice`, email: `alice@example.org`}), evidence});
    const see = (at: number, record: Unplaced) => {
      updated = Math.max(updated, at);
      evidence.see(`main`, {...record, seq: seq++, time: iso(at)} as NeutralRecord);
    };
    return {
      says: (at: number) => see(at, {kind: `reply`, text: `Done.`}),
      edits: (at: number, file: string, text: string) => see(at, {kind: `call`, call: `c${calls++}`, name: `Edit`, input: {}, tool: `edit`, args: {path: file, edits: [{old: `export const unchanged = 0;`, new: `export const unchanged = 0;\n${text}`}]}}),
      runs: (at: number, command: string, output = ``, seconds = 1) => {
        see(at, {kind: `call`, call: `c${calls}`, name: `Bash`, input: {command}, tool: `shell`, args: {command}});
        see(at + seconds, {kind: `result`, call: `c${calls++}`, content: [{type: `text`, text: output}]});
      },
      writes: (at: number, file: string, content: string, result: object = {}) => {
        see(at, {kind: `call`, call: `c${calls}`, name: `Write`, input: {}, tool: `write`, args: {path: file, content}});
        see(at + 1, {kind: `result`, call: `c${calls++}`, content: [], ...result});
      },
      sync: async (former?: Array<Produced>): Promise<Array<Produced>> => {
        if (former !== undefined)
          base = {produced: former, updated: iso(updated)} as unknown as StoredHeader;
        const list = await produced.at({base, repository, created: iso(BEGIN), updated: iso(updated), branch: `main`});
        base = {produced: list, updated: iso(updated)} as unknown as StoredHeader;
        return list;
      },
      /** As a new worker has it: only what was saved. */
      restart: () => {
        evidence = new Evidence(() => [place.at(`shop`)], JSON.parse(JSON.stringify(evidence.save())));
        produced = new ProducedCommits({project, author: async () => ({name: `Alice`, email: `alice@example.org`}), evidence});
      },
    };
  };
  return {place, commit, head, stamp, session};
}

const brief = (list: Array<Produced>) => list.map(({commit, by}) => [commit, by]);

describe(`commits of a session`, () => {
  it(`are those that its calls made, with what finds them again`, async () => {
    const {commit, session, place} = await makeWorld();
    const one = session();
    one.says(BEGIN);
    expect(await one.sync()).toEqual([]);
    one.runs(BEGIN + 10, `git add -A && git commit -qm "Shipping"`);
    const made = await commit(BEGIN + 10, `shipping.js`, `export const shipping = 4;\n`);
    const [produced] = await one.sync();
    const expected = (await place.git(`shop`, `log`, `-1`, `--format=%H %cI`)).trim();
    expect(expected).toContain(made);
    expect(produced).toMatchObject({commit: made, by: `call`, time: iso(BEGIN + 10), patch: expect.stringMatching(/^[0-9a-f]{40}$/), lines: expect.stringMatching(/^[\w-]{6}$/)});
    one.restart();
    one.says(BEGIN + 20);
    expect(await one.sync()).toEqual([produced]);
  });

  it(`stay noted when they were amended or rebased away, beside what came of them`, async () => {
    const {commit, head, session, place, stamp} = await makeWorld();
    const one = session();
    one.runs(BEGIN + 10, `git commit -m x`);
    const first = await commit(BEGIN + 10, `a.js`, `export const first = 1;\n`);
    await one.sync();
    one.runs(BEGIN + 20, `git commit --amend -m x`);
    const amended = await commit(BEGIN + 20, `a.js`, `export const second = 2;\n`, {args: [`--amend`]});
    await one.sync();
    await commit(BEGIN + 25, `b.js`, `export const theirs = 1;\n`, {name: `theirs`});
    one.runs(BEGIN + 30, `git pull --rebase`);
    stamp(BEGIN + 30);
    await place.git(`shop`, `pull`, `-q`, `--rebase`);
    const list = await one.sync();
    expect(brief(list)).toEqual([[first, `call`], [amended, `call`], [await head(), `call`]]);
    expect(list[2]!.patch).toBe(list[1]!.patch);
  });

  it(`are not those that came by a pull, a checkout or a merge of others' work`, async () => {
    const {commit, session, place, stamp} = await makeWorld();
    const one = session();
    one.says(BEGIN);
    await one.sync();
    await commit(BEGIN + 5, `b.js`, `export const theirs = 1;\n`, {name: `theirs`});
    await place.git(`theirs`, `checkout`, `-q`, `-b`, `side`);
    await commit(BEGIN + 6, `c.js`, `export const side = 1;\n`, {name: `theirs`});
    one.runs(BEGIN + 10, `git pull && git checkout side && git checkout main`);
    stamp(BEGIN + 10);
    await place.git(`shop`, `pull`, `-q`, `--ff-only`);
    await place.git(`shop`, `fetch`, `-q`);
    await place.git(`shop`, `checkout`, `-q`, `side`);
    await place.git(`shop`, `checkout`, `-q`, `main`);
    expect(await one.sync()).toEqual([]);
  });

  it(`of two sessions at once go to the one whose call or lines they are; what nothing speaks for, to both as a guess`, async () => {
    const {commit, session} = await makeWorld();
    const [one, two] = [session(), session()];
    for (const each of [one, two]) {
      each.says(BEGIN);
      await each.sync();
    }
    one.edits(BEGIN + 5, `cart.js`, `export const discount = 10;`);
    two.says(BEGIN + 6);
    const byHand = await commit(BEGIN + 10, `cart.js`, `export const cart = [];\nexport const discount = 10;\n`);
    const shipping = await commit(BEGIN + 40, `a.js`, `export const shipping = 4;\n`);
    two.runs(BEGIN + 39, `git commit -m x`, `[main ${shipping.slice(0, 7)}] x\n 1 file changed`);
    one.runs(BEGIN + 41, `git commit -m y`, `[main 0000000] y`);
    const nobody = await commit(BEGIN + 50, `notes.txt`, `something else altogether\n`);
    one.says(BEGIN + 52);
    two.says(BEGIN + 52);
    expect(brief(await one.sync())).toEqual([[byHand, `edits`], [shipping, `time`], [nobody, `time`]]);
    expect(brief(await two.sync())).toEqual([[byHand, `time`], [shipping, `call`], [nobody, `time`]]);
  });

  it(`are not those with lines that were written after them, by a call that failed, or that were in a file before`, async () => {
    const {commit, session} = await makeWorld();
    const [one, two] = [session(), session()];
    const byHand = await commit(BEGIN + 10, `a.js`, `export const byHand = 1;\nexport const alsoByHand = 2;\n`);
    one.writes(BEGIN + 100, `a.js`, `export const byHand = 1;\nexport const alsoByHand = 2;\nexport const third = 3;\n`);
    two.writes(BEGIN + 5, `a.js`, `export const byHand = 1;\n`, {error: true});
    two.writes(BEGIN + 6, `a.js`, `export const byHand = 1;\nexport const own = 1;\n`, {patch: [{path: `a.js`, change: `update`, diff: `@@ -1 +1,2 @@\n export const byHand = 1;\n+export const own = 1;\n`}]});
    expect(brief(await one.sync())).toEqual([]);
    expect(brief(await two.sync())).toEqual([]);
    const later = await commit(BEGIN + 200, `a.js`, `export const third = 3;\nexport const own = 1;\n`);
    one.restart();
    one.says(BEGIN + 201);
    two.says(BEGIN + 201);
    expect(brief(await one.sync())).toEqual([[later, `edits`]]);
    // The time is another thing.
    expect(brief(await two.sync())).toEqual([[byHand, `time`], [later, `edits`]]);
  });

  it(`are not those that somebody else made while a long command ran, that also calls git`, async () => {
    const {commit, session} = await makeWorld();
    const one = session();
    one.says(BEGIN);
    await one.sync();
    one.runs(BEGIN + 10, `npm test && git commit -qm x`, ``, 300);
    const others = await commit(BEGIN + 100, `notes.txt`, `something else altogether\n`);
    const own = await commit(BEGIN + 309, `a.js`, `export const shipping = 4;\n`);
    expect(brief(await one.sync())).toEqual([[others, `time`], [own, `call`]]);
  });

  it(`are looked for in commands of any length and form`, async () => {
    const {commit, session} = await makeWorld();
    const one = session();
    for (const [index, part] of [`-c `, `git -c "`, `git `, `-x"" `].entries())
      one.runs(BEGIN - 300 + index, `git ${part.repeat(20_000)}status`);
    one.runs(BEGIN + 10, `git -C "/home/alice/my shop" -c user.name='A B' commit -qm x`);
    const made = await commit(BEGIN + 10, `a.js`, `one\n`);
    expect(brief(await one.sync())).toEqual([[made, `call`]]);
  });

  it(`made long after the work stopped are a guess no more`, async () => {
    const {commit, session} = await makeWorld();
    const one = session();
    one.says(BEGIN);
    await one.sync();
    await commit(BEGIN + 5000, `notes.txt`, `something else altogether\n`);
    one.says(BEGIN + 9000);
    expect(await one.sync()).toEqual([]);
  });

  it(`are found long after by lines and calls, also without a reflog`, async () => {
    const {commit, session, place} = await makeWorld();
    const one = session();
    one.edits(BEGIN + 5, place.at(`shop`, `cart.js`), `export const discount = 10;`);
    const byHand = await commit(BEGIN + 10, `cart.js`, `export const cart = [];\nexport const discount = 10;\n`);
    await commit(BEGIN + 20, `notes.txt`, `something else altogether\n`);
    expect(brief(await one.sync())).toEqual([[byHand, `edits`]]);
    await place.git(`shop`, `reflog`, `expire`, `--expire=all`, `--all`);
    const again = session();
    again.edits(BEGIN + 5, `./cart.js`, `export const discount = 10;`);
    expect(brief(await again.sync())).toEqual([[byHand, `edits`]]);
  });

  it(`in another worktree are known when a call names them`, async () => {
    const {commit, session, place} = await makeWorld();
    const one = session();
    one.says(BEGIN);
    await one.sync();
    await place.git(`shop`, `worktree`, `add`, `-q`, `-b`, `side`, `../side`);
    const made = await commit(BEGIN + 10, `a.js`, `export const shipping = 4;\n`, {name: `side`});
    one.runs(BEGIN + 10, `git -C ../side commit -m x`, `[side ${made.slice(0, 9)}] x`);
    expect(brief(await one.sync())).toEqual([[made, `call`]]);
  });

  it(`are bounded, the newest kept`, async () => {
    const {session} = await makeWorld();
    const list = Array.from({length: 1500}, (_, index) => ({commit: index.toString(16).padStart(40, `0`), time: iso(BEGIN + index), by: `call` as const, lines: `abcdef`.repeat(200)}));
    const one = session();
    one.says(BEGIN);
    const kept = await one.sync(list);
    expect(kept).toHaveLength(1000);
    expect(kept.at(-1)).toEqual(list.at(-1));
    expect(kept.filter(({lines}) => lines !== undefined)).toHaveLength(50);
    expect(JSON.stringify(kept).length).toBeLessThan(400_000);
  });
});

describe(`paths of a session`, () => {
  it(`are relative to the innermost working tree that they are in`, () => {
    const folders = [`/home/alice/shop`, `/home/alice/shop/trees/side`];
    expect(relativePath(`/home/alice/shop/src/cart.js`, undefined, folders)).toBe(`src/cart.js`);
    expect(relativePath(`/home/alice/shop/trees/side/a.js`, undefined, folders)).toBe(`a.js`);
    expect(relativePath(`../a.js`, `/home/alice/shop/src`, folders)).toBe(`a.js`);
    expect(relativePath(`../../../etc/passwd`, `/home/alice/shop`, folders)).toBeNull();
    expect(relativePath(`/home/alice/shop2/a.js`, undefined, folders)).toBeNull();
  });
});
