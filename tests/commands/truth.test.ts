import * as fs                from 'node:fs/promises';
import path                   from 'node:path';
import {describe, expect, it} from 'vitest';

import {OTHER, Person, SESSION} from './_runCli.ts';
import {Story, makeStory}     from './_story.ts';

type Tied = {subject: string; sessions: Array<{session: string; how: string; maybe: boolean}>};

/** What ties the newest commits to sessions, by their subjects. */
async function ties(person: Person, ...args: Array<string>) {
  const {commits} = await person.json([`log`, `--all-commits`, ...args]);
  return commits.map(({subject, sessions}: Tied) => [subject, ...sessions.map(({session, how, maybe}) => `${session === SESSION ? `` : `${session.slice(-1)} `}${how}${maybe ? `?` : ``}`)]);
}

async function line(person: Person, place: string, exitCode = 0) {
  return (await person.json([`why`, place], exitCode)).lines[0];
}

async function write(person: Person, file: string, content: string) {
  await fs.writeFile(path.join(person.repo, file), content);
}

describe(`who has to do with a commit`, () => {
  it(`is not the session that picked it from somebody else, or brought back what a person had made`, async () => {
    const {alice, bob, remote, story} = await makeStory();
    await alice.git(`push`, `-q`, `origin`, `main`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await story.prompt(`Pick Bob's fix`);
    story.clock();
    Object.assign(bob.env, {GIT_AUTHOR_DATE: alice.env.GIT_AUTHOR_DATE, GIT_COMMITTER_DATE: alice.env.GIT_COMMITTER_DATE});
    await bob.git(`checkout`, `-q`, `-b`, `fix`);
    await write(bob, `bob.js`, `export const byBobAlone = 1;\n`);
    await bob.git(`add`, `-A`);
    await bob.git(`commit`, `-q`, `-m`, `Bob's fix`);
    await bob.git(`push`, `-q`, `origin`, `fix`);
    await alice.git(`fetch`, `-q`);
    story.clock();
    await alice.git(`cherry-pick`, `origin/fix`);
    await story.call(`Bash`, {command: `git cherry-pick origin/fix`}, `[main ${(await story.head()).slice(0, 7)}] Bob's fix\n Author: bob <bob@example.org>\n 1 file changed`);
    await alice.ok(`sync`);
    expect(await ties(alice, `origin/fix`, `-n`, `1`)).toEqual([[`Bob's fix`]]);
    expect(await line(alice, `bob.js:1`, 1)).toMatchObject({session: null});

    story.clock();
    await write(alice, `hand.js`, `export const handWrittenLine = 1;\nexport const anotherByHand = 2;\n`);
    await story.byHand(`By hand`);
    await alice.git(`revert`, `--no-edit`, `HEAD`);
    story.clock();
    await alice.git(`revert`, `--no-edit`, `HEAD`);
    await story.call(`Bash`, {command: `git revert --no-edit HEAD`}, `[main ${(await story.head()).slice(0, 7)}] Revert\n 1 file changed`);
    await alice.ok(`sync`);
    // The time alone speaks for the first: the session was at work.
    expect((await ties(alice, `-n`, `3`)).map(([, how]: Array<string>) => how)).toEqual([`commit`, `commit?`, `commit?`]);
  }, 120_000);

  it(`is not the session that wrote the same lines afterwards`, async () => {
    const {alice, story} = await makeStory();
    story.clock(1200);
    await write(alice, `hand.js`, `export const handWrittenLine = 1;\nexport const anotherByHand = 2;\n`);
    await story.byHand(`By hand`);
    story.clock(1200);
    await story.prompt(`Rewrite it`);
    await story.writes(`hand.js`, `export const handWrittenLine = 1;\nexport const anotherByHand = 2;\nexport const bySession = 3;\n`);
    await story.commits(`Rewrite`);
    await alice.ok(`sync`);
    expect(await ties(alice, `-n`, `2`)).toEqual([[`Rewrite`, `commit`], [`By hand`]]);
    expect(await line(alice, `hand.js:1`, 1)).toMatchObject({subject: `By hand`, session: null});
    expect(await line(alice, `hand.js:3`)).toMatchObject({prompt: {text: `Rewrite it`}});
  }, 120_000);

  it(`is the session whose commit was taken apart, or stands in the middle of a long message`, async () => {
    const {alice, story, start} = await makeStory();
    await story.prompt(`Three files`);
    const names = [`x`, `y`, `z`];
    for (const name of names)
      await write(alice, `${name}.js`, `export const valueOf_${name} = 1;\nexport const other_${name} = 2;\n`);
    await story.call(`Bash`, {command: `make three files`}, ``);
    await story.commits(`Three`);
    await alice.ok(`sync`);
    story.clock(90_000);
    await alice.git(`reset`, `-q`, `--soft`, `HEAD~1`);
    for (const name of names)
      await alice.git(`commit`, `-q`, `-m`, `Only ${name}`, `${name}.js`);
    expect(await ties(alice, `-n`, `3`)).toEqual([[`Only z`, `split`], [`Only y`, `split`], [`Only x`, `split`]]);

    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await story.byHand(`Feature (#12)\n\n* First\n\nSession-Sync: ${SESSION}\n\n* Second\n\n    Session-Sync: ${OTHER}\n\nCo-authored-by: Bob <bob@example.org>`, `--allow-empty`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`Feature (#12)`, `trailer`, `2 trailer`]]);
  }, 120_000);

  it(`is a guess where a person commits later what commands of a session left`, async () => {
    const {alice, story} = await makeStory();
    await story.prompt(`Append by a command`);
    await fs.appendFile(path.join(alice.repo, `cart.js`), `export const appendedByShell = 1;\n`);
    await story.call(`Bash`, {command: `echo 'export const appendedByShell = 1;' >> cart.js`}, ``);
    await story.says(`Done.`);
    await alice.ok(`sync`);
    story.clock(3600);
    await story.byHand(`An hour later`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`An hour later`, `left?`]]);
    expect(await line(alice, `cart.js:3`)).toMatchObject({session: {how: `left`, maybe: true}, prompt: {text: `Append by a command`}, writer: {match: `loose`}});
    await write(alice, `cart.js`, `export const nothingOfThat = 1;\n`);
    await story.byHand(`Something else`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`Something else`]]);
  }, 120_000);

  it(`is told for the working tree of the session, whichever the sync runs in`, async () => {
    const {world, alice} = await makeStory();
    const tree = path.join(world, `alice`, `side tree`);
    await alice.git(`worktree`, `add`, `-q`, tree, `-b`, `side`);
    const side = new Person(world, `alice`, tree);
    const other = new Story(side, OTHER);
    other.clock(3000);
    await other.prompt(`Work in the other tree`);
    await write(side, `side.js`, `export const sideLine = 1;\n`);
    const made = await other.byHand(`In the side tree`);
    await other.call(`Bash`, {command: `git add -A; git commit -q -m "In the side tree"`}, ``);
    await alice.ok(`sync`);
    const {header} = await alice.json([`show`, OTHER]);
    expect(header).toMatchObject({commit: made, produced: [{commit: made, by: `call`}]});
    expect(await ties(alice, `side`, `-n`, `1`)).toEqual([[`In the side tree`, `2 commit`]]);
  }, 120_000);

  it(`is not made up at the end of a shallow clone, nor where a partial clone has no files`, async () => {
    const {alice, bob, remote, story, start} = await makeStory();
    await write(alice, `own.js`, `export const own = 1;\n`);
    await story.byHand(`By hand only`);
    await alice.git(`push`, `-q`, `origin`, `main`);
    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await alice.git(`merge`, `-q`, `--squash`, `main`);
    await story.byHand(`All at once`);
    await alice.git(`push`, `-q`, `origin`, `squashed`);
    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, `--depth`, `1`, `file://${remote}`, bob.repo);
    await bob.ok(`pull`);
    expect(await ties(bob)).toEqual([[`By hand only`]]);
    expect(await line(bob, `cart.js:2`)).toMatchObject({cut: true, subject: `By hand only`, session: {how: `edits`}, prompt: {text: `Now a discount of ten percent`}});
    expect(await line(bob, `cart.js:1`, 1)).toMatchObject({cut: true, session: null});
    expect((await bob.cli(`why`, `cart.js:1`)).stdout).toMatch(/or one before it[^]*--unshallow/);

    await alice.git(`--git-dir=${remote}`, `config`, `uploadpack.allowFilter`, `true`);
    await alice.git(`--git-dir=${remote}`, `config`, `uploadpack.allowAnySHA1InWant`, `true`);
    const partial = new Person(bob.world, `bob`, path.join(bob.world, `bob`, `partial`));
    await bob.git(`clone`, `-q`, `--no-checkout`, `-b`, `squashed`, `--filter=blob:none`, `file://${remote}`, partial.repo);
    await partial.ok(`pull`);
    const log = await partial.cli(`log`);
    expect(log.stderr).toMatch(/^[^\n]*3 of 3 commits could not be compared[^\n]*\n$/);
    // Git gets what it needs for the blame of one line.
    expect((await partial.json([`why`, `cart.js:2`, `--rev`, `HEAD`])).lines).toMatchObject([{session: {how: `squash`}, prompt: {text: `Now a discount of ten percent`}}]);
  }, 180_000);
});

describe(`who wrote a line`, () => {
  it(`is the last of several sessions behind a commit, by the line itself`, async () => {
    const {alice, story, start} = await makeStory();
    const other = new Story(alice, OTHER);
    other.clock(5000);
    await other.prompt(`Twenty percent`);
    // A part of a line, as agents that say no more do it.
    await other.edits(`cart.js`, `discountPercent = 10;`, `discountPercent = 20;`);
    await other.commits(`Twenty`);
    story.clock(9000);
    await story.prompt(`Look for it`);
    await story.call(`Bash`, {command: `grep -n "export const discountPercent = 20;" cart.js`}, `2:export const discountPercent = 20;`);
    await story.writes(`copy.txt`, `export const discountPercent = 20;\n`);
    await story.commits(`A copy`);
    await alice.ok(`sync`);
    story.clock(1000);
    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await alice.git(`merge`, `-q`, `--squash`, `main`);
    await story.byHand(`All at once`);
    expect(await line(alice, `cart.js:2`)).toMatchObject({session: {session: OTHER, how: `squash`}, prompt: {text: `Twenty percent`}, writer: {name: `Edit`, match: `part`}});
    expect(await line(alice, `cart.js:1`, 1)).toMatchObject({subject: `Begin the cart`, session: null});
  }, 120_000);

  it(`is a sub-agent, with the prompt that it worked for; or who came after it`, async () => {
    const {alice, story} = await makeStory();
    await story.prompt(`Let others add taxes`);
    await story.delegates(`b1`, `SUB: write the taxes`, async () => {
      await story.writes(`tax.js`, `export const taxPercent = 19;\nexport const reducedTax = 7;\n`);
      await story.writes(`hand.js`, `export const changedAfter = 1;\n`);
    });
    await story.prompt(`Now change it yourself`);
    await story.edits(`hand.js`, `export const changedAfter = 1;`, `export const somethingElse = 2;`);
    await story.edits(`hand.js`, `export const somethingElse = 2;`, `export const changedAfter = 1;`);
    await alice.ok(`sync`);
    const sub = {stream: `sub-b1`, name: `Write`, match: `exact`};
    expect(await line(alice, `tax.js:1`)).toMatchObject({commit: null, session: {session: SESSION}, prompt: {stream: `main`, text: `Let others add taxes`}, writer: sub});
    expect(await line(alice, `hand.js:1`)).toMatchObject({prompt: {text: `Now change it yourself`}, writer: {stream: `main`, name: `Edit`}});

    await story.commits(`Taxes`);
    story.clock(90_000);
    await story.byHand(`Later`, `--allow-empty`);
    await alice.ok(`sync`);
    expect(await line(alice, `tax.js:2`)).toMatchObject({session: {how: `commit`}, prompt: {text: `Let others add taxes`}, writer: sub});
    expect(await line(alice, `hand.js:1`)).toMatchObject({prompt: {text: `Now change it yourself`}, writer: {stream: `main`}});
    expect((await alice.ok(`why`, `tax.js:1`))).toMatch(/call +sub-b1 \d+ {2}\[Write\]/);

    // What only a sub-agent wrote, and a person committed.
    await story.prompt(`And customs`);
    await story.delegates(`b2`, `SUB: write the customs`, async () => await story.writes(`customs.js`, `export const customsPercent = 3;\n`));
    await alice.ok(`sync`);
    story.clock(9000);
    await story.byHand(`Customs`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`Customs`, `edits`]]);
    expect(await line(alice, `customs.js:1`)).toMatchObject({prompt: {text: `And customs`}, writer: {stream: `sub-b2`}});
  }, 120_000);

  it(`is not the session whose other lines a person committed together with it`, async () => {
    const {alice, story, shipping} = await makeStory();
    await story.prompt(`Edit`);
    await story.edits(`cart.js`, `discountPercent = 10;`, `discountPercent = 10;\nexport const editedBySession = 2;`);
    await alice.ok(`sync`);
    await fs.appendFile(path.join(alice.repo, `cart.js`), `export const thisOneByHand = 1;\n`);
    story.clock(3600);
    await story.byHand(`Mixed`);
    expect(await line(alice, `cart.js:3`)).toMatchObject({session: {how: `edits`, maybe: false}, prompt: {text: `Edit`}});
    const byHand = await line(alice, `cart.js:4`);
    expect(byHand).toMatchObject({session: {how: `edits`, maybe: true}});
    expect([byHand.prompt, byHand.writer]).toEqual([undefined, undefined]);

    // Nor the one that was at work, and is named in the message.
    await write(alice, `named.js`, `export const alsoByHand = 1;\n`);
    await story.byHand(`Named\n\nSession-Sync: ${SESSION}`);
    const named = await line(alice, `named.js:1`);
    expect(named).toMatchObject({session: {how: `trailer`, maybe: true}});
    expect(named.prompt).toBeUndefined();
    await story.prompt(`Generate it`);
    await write(alice, `generated.js`, `export const generated = 1;\n`);
    await story.call(`Bash`, {command: `make generated`}, ``);
    await story.commits(`Generated\n\nSession-Sync: ${SESSION}`);
    await alice.ok(`sync`);
    expect(await line(alice, `generated.js:1`)).toMatchObject({session: {how: `trailer`, maybe: false}, prompt: {text: `Generate it`}});

    // Nor the one whose commit was amended with it.
    await alice.git(`checkout`, `-q`, `--detach`, shipping);
    await fs.appendFile(path.join(alice.repo, `src/shipping costs.js`), Array.from({length: 20}, (_, index) => `export const handLine${index} = ${index};\n`).join(``));
    await alice.git(`commit`, `-q`, `-a`, `--amend`, `-m`, `Amended by hand`);
    const amended = await line(alice, `src/shipping costs.js:10`);
    expect(amended).toMatchObject({text: `export const handLine6 = 6;`, session: {how: `squash`, maybe: true}});
    expect(amended.prompt).toBeUndefined();
    expect(await line(alice, `src/shipping costs.js:1`)).toMatchObject({session: {how: `squash`, maybe: false}, prompt: {text: `Add shipping costs`}});
  }, 120_000);

  it(`is not who only formatted it, where the team ignores such commits`, async () => {
    const {alice, story} = await makeStory();
    await write(alice, `cart.js`, `export const cart = []\nexport const discountPercent = 10\n`);
    const format = await story.byHand(`Format`);
    await write(alice, `.git-blame-ignore-revs`, `# Format\n${format}\n`);
    await story.byHand(`Ignore it`);
    expect(await line(alice, `cart.js:2`, 1)).toMatchObject({subject: `Format`, session: null});
    await alice.git(`config`, `blame.ignoreRevsFile`, `.git-blame-ignore-revs`);
    for (const folder of [`.`, `src`]) {
      const output = await alice.cliIn(path.join(alice.repo, folder), `why`, `${path.join(folder === `.` ? `` : `..`, `cart.js`)}:2`);
      expect(output.stdout).toMatch(/Add a discount [^]*> Now a discount of ten percent/);
    }
  }, 120_000);

  it(`is found when a squash also gave the file another name`, async () => {
    const {alice, story, start} = await makeStory();
    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await alice.git(`merge`, `-q`, `--squash`, `main`);
    await alice.git(`mv`, `src/shipping costs.js`, `lib.js`);
    await story.byHand(`Squash and rename`);
    expect(await line(alice, `lib.js:1`)).toMatchObject({session: {how: `squash`}, writer: {name: `Write`, match: `elsewhere`, path: `src/shipping costs.js`}});

    // Alone, and in another folder: nothing else of the session is in that commit.
    await alice.git(`checkout`, `-q`, `-b`, `moved`, start);
    await fs.mkdir(path.join(alice.repo, `lib`));
    await write(alice, `lib/shipping costs.js`, `export const shippingCosts = 4;\n\nexport const freeFrom = 50;\n`);
    await story.byHand(`Squash and move`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`Squash and move`, `edits?`]]);
    expect(await line(alice, `lib/shipping costs.js:1`)).toMatchObject({session: {how: `edits`, maybe: true}, writer: {name: `Write`, match: `elsewhere`}, prompt: {text: `Add shipping costs`}});
    await fs.mkdir(path.join(alice.repo, `other`));
    await write(alice, `other/shipping costs.js`, `export const shippingCosts = 4;\nexport const nothingElseOfIt = 1;\n`);
    await story.byHand(`One line alone`);
    expect(await ties(alice, `-n`, `1`)).toEqual([[`One line alone`]]);
  }, 120_000);

  it(`is not asked of submodules, of git's own files and of binary ones; nor before the first commit`, async () => {
    const {alice, remote, story} = await makeStory();
    await fs.writeFile(path.join(alice.repo, `binary`), Buffer.from([1, 0, 10, 0, 10]));
    await story.byHand(`Binary`);
    await alice.git(`-c`, `protocol.file.allow=always`, `submodule`, `add`, `-q`, remote, `parts/sub`);
    for (const committed of [false, true]) {
      expect(await alice.json([`why`, `parts/sub/README.md:1`], 1)).toMatchObject({code: `OUTSIDE`, message: expect.stringContaining(`cd parts/sub`)});
      if (!committed)
        await story.byHand(`A submodule`);
    }
    expect(await alice.json([`why`, `.git/config:1`], 1)).toMatchObject({code: `OUTSIDE`});
    expect(await alice.json([`why`, `binary:1`, `--rev`, `HEAD`], 1)).toMatchObject({code: `BINARY_FILE`});
    await alice.git(`config`, `blame.ignoreRevsFile`, `nowhere`);
    expect(await alice.json([`why`, `cart.js:2`], 1)).toMatchObject({code: `GIT_FAILED`, message: expect.stringContaining(`blame.ignoreRevsFile`)});
    await alice.git(`config`, `--unset`, `blame.ignoreRevsFile`);

    await alice.git(`checkout`, `-q`, `--orphan`, `nothing`);
    for (const args of [[], [`cart.js`]])
      expect(await alice.json([`log`, ...args])).toMatchObject({commits: [], others: 0});
    expect(await line(alice, `cart.js:2`)).toMatchObject({commit: null, session: {session: SESSION}});
    expect(await line(alice, `cart.js:1`, 1)).toMatchObject({commit: null, session: null});
  }, 120_000);
});
