import * as fs                from 'node:fs/promises';
import path                   from 'node:path';
import {describe, expect, it} from 'vitest';

import {OTHER, SESSION, expectPlain} from './_runCli.ts';
import {makeStory}            from './_story.ts';

type Logged = {commit: string; subject: string; sessions: Array<{session: string; how: string; maybe: boolean; known: boolean}>};

/** What ties each commit to which sessions, by its subject. */
function ties(commits: Array<Logged>) {
  return commits.map(({subject, sessions}) => [subject, ...sessions.map(({session, how, maybe}) => `${session === SESSION ? `` : `${session.slice(-1)} `}${how}${maybe ? `?` : ``}`)]);
}

describe(`log`, () => {
  it(`names the session behind each commit, and what ties it`, async () => {
    const {alice, story, discount, shipping} = await makeStory();
    const data = await alice.json([`log`]);
    expect(data.commits.map(({commit}: Logged) => commit)).toEqual([discount, shipping]);
    expect(data).toMatchObject({others: 2, more: false, commits: [{subject: `Add a discount`, author: {name: `alice`}, sessions: [{session: SESSION, how: `commit`, known: true, agent: `claude-code`, author: {name: `alice`}, produced: {by: `call`}}]}, {}]});
    expect(ties((await alice.json([`log`, `--all-commits`])).commits)).toEqual([[`Add a discount`, `commit`], [`Add shipping costs`, `commit`], [`Begin the cart`], [`The shop as it is`]]);
    expect((await alice.json([`log`, `HEAD~1..HEAD`])).commits).toHaveLength(1);
    for (const given of [[`src`], [`src/shipping costs.js`], [`HEAD`, `src/*.js`]])
      expect(ties((await alice.json([`log`, ...given])).commits)).toEqual([[`Add shipping costs`, `commit`]]);
    expect(await alice.ok(`log`, `--`, `src`)).toContain(`Add shipping costs`);
    const text = await alice.cli(`log`, `-n`, `1`);
    expectPlain(text);
    expect(text.stdout).toMatch(new RegExp(`^${discount.slice(0, 10)} {2}Add a discount {2}\\(alice, .*\\)\n {2}5e551000 {2}claude-code {2}alice .* commit {2}Add shipping costs\n`));

    // A commit that the person makes afterwards has lines that the session wrote; another has not.
    await story.prompt(`Write notes`);
    await story.writes(`notes.js`, `export const notesForPeople = true;\n`);
    await alice.ok(`sync`);
    story.clock(3000);
    await story.byHand(`Take the notes over`);
    await fs.writeFile(path.join(alice.repo, `other.js`), `export const somethingElse = 1;\n`);
    await story.byHand(`Something else`);
    await story.byHand(`By hand\n\nSession-Sync: ${OTHER}\nSession-Sync: ../../x`, `--allow-empty`);
    const all = (await alice.json([`log`, `-n`, `3`, `--all-commits`])).commits;
    expect(ties(all)).toEqual([[`By hand`, `2 trailer`], [`Something else`], [`Take the notes over`, `edits`]]);
    expect(all[0].sessions).toMatchObject([{session: OTHER, known: false}]);
  }, 120_000);

  it(`finds commits again that were amended, picked, squashed and fixed up`, async () => {
    const {alice, story, start, shipping} = await makeStory();
    story.clock(90_000);
    await alice.git(`commit`, `-q`, `--amend`, `-m`, `Add a discount, in other words`);
    await alice.git(`checkout`, `-q`, `-b`, `picked`, start);
    await alice.git(`cherry-pick`, shipping);
    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await fs.writeFile(path.join(alice.repo, `own.js`), `export const ownWork = 1;\n`);
    await story.byHand(`Own work`);
    await alice.git(`merge`, `-q`, `--squash`, `main`);
    await story.byHand(`All at once`);
    await alice.git(`checkout`, `-q`, `-b`, `fixed`, `main`);
    await fs.writeFile(path.join(alice.repo, `src/shipping costs.js`), `export const shippingCosts = 4;\n\nexport const freeFrom = 60;\n`);
    await story.byHand(`fixup! Add shipping costs`);
    alice.env.GIT_SEQUENCE_EDITOR = `true`;
    await alice.git(`rebase`, `-q`, `-i`, `--autosquash`, start);

    const logged = async (range: string) => ties((await alice.json([`log`, range, `--all-commits`])).commits);
    expect(await logged(`${start}..main`)).toEqual([[`Add a discount, in other words`, `patch`], [`Add shipping costs`, `commit`]]);
    expect(await logged(`${start}..picked`)).toEqual([[`Add shipping costs`, `patch`]]);
    expect(await logged(`${start}..squashed`)).toEqual([[`All at once`, `squash`], [`Own work`]]);
    expect(await logged(`${start}..fixed`)).toEqual([[`Add a discount, in other words`, `patch`], [`Add shipping costs`, `squash`]]);
  }, 120_000);

  it(`does so in another clone, also a shallow one, and draws what each leg made`, async () => {
    const {alice, bob, remote, shipping, discount} = await makeStory();
    await alice.git(`push`, `-q`, `origin`, `main`);
    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, `--depth`, `1`, `file://${remote}`, bob.repo);
    await bob.ok(`pull`);
    expect(ties((await bob.json([`log`])).commits)).toEqual([[`Add a discount`, `commit`]]);
    const {legs} = await alice.json([`log`, SESSION.slice(0, 10)]);
    expect(legs).toMatchObject([{session: SESSION, agent: `claude-code`, author: `alice`, branch: `main`, commit: discount, produced: [{commit: shipping, by: `call`, subject: `Add shipping costs`}, {commit: discount}]}]);
    const drawn = await bob.ok(`log`, SESSION);
    expect(drawn).toContain(`${discount.slice(0, 10)}  Add a discount\n`);
    expect(drawn).toContain(`${shipping.slice(0, 10)}  (not here any more, or not fetched)\n`);
  }, 120_000);

  it(`says what it does not understand`, async () => {
    const {alice} = await makeStory();
    for (const [given, code] of [[`nowhere..main`, `BAD_REVISION`], [`../..`, `OUTSIDE`], [`/etc/passwd`, `OUTSIDE`]])
      expect(await alice.json([`log`, given!], 1)).toMatchObject({code});
    expect(await alice.json([`log`, `-n`, `0`], 1)).toMatchObject({code: `BAD_USAGE`});
    await alice.git(`branch`, `cart.js`);
    expect(await alice.json([`log`, `cart.js`], 1)).toMatchObject({code: `AMBIGUOUS`});
    expect((await alice.json([`log`, `./cart.js`])).commits).toHaveLength(1);
    expect((await alice.json([`log`, `gone.js`])).commits).toEqual([]);
  }, 120_000);
});
