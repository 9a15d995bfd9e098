import * as fs                from 'node:fs/promises';
import path                   from 'node:path';
import {describe, expect, it} from 'vitest';

import {OTHER, SESSION, expectPlain} from './_runCli.ts';
import {Story, makeStory}     from './_story.ts';

const FILE = `src/shipping costs.js`;

describe(`why`, () => {
  it(`prints the prompt and the call behind a line`, async () => {
    const {alice, shipping} = await makeStory();
    const {file, lines} = await alice.json([`why`, `${FILE}:1`]);
    expect(file).toBe(FILE);
    expect(lines).toMatchObject([{
      line: 1, text: `export const shippingCosts = 4;`, origin: {path: FILE, line: 1}, commit: shipping, subject: `Add shipping costs`,
      session: {session: SESSION, how: `commit`, agent: `claude-code`, author: {name: `alice`}}, owner: SESSION,
      prompt: {stream: `main`, record: 0, text: `Add shipping costs`}, writer: {stream: `main`, record: 2, name: `Write`, match: `exact`},
    }]);
    expect((await alice.json([`why`, `cart.js:2`])).lines).toMatchObject([{prompt: {text: `Now a discount of ten percent`}, writer: {name: `Edit`}}]);
    // The number is one that the other verbs take.
    const {records} = await alice.json([`show`, SESSION, `--text`]);
    expect(records.find(({seq}: {seq: number}) => seq === 2)).toMatchObject({kind: `call`, name: `Write`});

    const text = await alice.cliIn(path.join(alice.repo, `src`), `why`, `shipping costs.js:1-3`);
    expectPlain(text);
    expect(text).toMatchObject({exitCode: 0, stderr: ``});
    expect(text.stdout).toContain(`${FILE}:1-3\n  | export const shippingCosts = 4;\n`);
    expect(text.stdout).toContain(`  prompt      0  > Add shipping costs\n  call        2  [Write]\n`);
    expect(text.stdout).toContain(`session-sync restore 5e551000 --at 2`);
  }, 120_000);

  it(`follows a line through renames, indentation, squashes and other clones`, async () => {
    const {alice, bob, remote, story, start} = await makeStory();
    story.clock(90_000);
    await alice.git(`checkout`, `-q`, `-b`, `squashed`, start);
    await alice.git(`merge`, `-q`, `--squash`, `main`);
    await story.byHand(`All at once`);
    await alice.git(`mv`, FILE, `größe.js`);
    await fs.writeFile(path.join(alice.repo, `größe.js`), `if (true) {\n  export const shippingCosts = 4;\n\n  export const freeFrom = 50;\n}\n`);
    await story.byHand(`Rename and indent`);
    const {lines} = await alice.json([`why`, `größe.js:2-4`]);
    expect(lines[0]).toMatchObject({subject: `All at once`, origin: {path: FILE, line: 1}, session: {how: `squash`}, prompt: {text: `Add shipping costs`}, writer: {name: `Write`, match: `trimmed`}});
    expect((await alice.json([`why`, `größe.js:1`], 1)).lines).toMatchObject([{subject: `Rename and indent`, session: null}]);

    await alice.git(`push`, `-q`, `origin`, `squashed:main`, `-f`);
    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect((await bob.json([`why`, `cart.js:2`], 1)).lines).toMatchObject([{session: null}]);
    await bob.ok(`pull`);
    expect((await bob.json([`why`, `cart.js:2`])).lines).toMatchObject([{session: {session: SESSION, how: `squash`}, prompt: {text: `Now a discount of ten percent`}}]);
    expect((await bob.json([`why`, `${FILE}:1`, `--rev`, `HEAD~1`])).lines).toMatchObject([{prompt: {text: `Add shipping costs`}}]);
  }, 120_000);

  it(`finds what is not committed yet in the sessions of this clone, the last call that did it`, async () => {
    const {alice} = await makeStory();
    const other = new Story(alice, OTHER);
    other.clock(5000);
    await other.prompt(`Round the totals`);
    await other.writes(`new file.js`, `export const roundedTotal = 1;\nexport const roundedTax = 2;\n`);
    await other.prompt(`The tax is three`);
    await other.edits(`new file.js`, `export const roundedTax = 2;`, `export const roundedTax = 3;`);
    await other.edits(`new file.js`, `export const roundedTotal = 1;`, `export const roundedTotal = 1; `, {failed: true});
    await other.prompt(`By a command`);
    await fs.appendFile(path.join(alice.repo, `new file.js`), `export const appendedLine = 1;\n`);
    await other.call(`Bash`, {command: `echo 'export const appendedLine = 1;' >> 'new file.js'`}, ``);
    await alice.ok(`sync`);
    const {lines} = await alice.json([`why`, `new file.js:1-3`]);
    expect(lines).toMatchObject([
      {commit: null, session: {session: OTHER}, prompt: {text: `Round the totals`}, writer: {name: `Write`}},
      {prompt: {text: `The tax is three`}, writer: {name: `Edit`}},
      {prompt: {text: `By a command`}, writer: {name: `Bash`, match: `loose`}},
    ]);
    await fs.appendFile(path.join(alice.repo, `cart.js`), `export const byHandAlone = 1;\n`);
    expect((await alice.json([`why`, `cart.js:2-3`], 1)).lines).toMatchObject([{session: {session: SESSION, how: `commit`}}, {commit: null, session: null}]);
  }, 120_000);

  it(`says what it cannot do`, async () => {
    const {alice, start} = await makeStory();
    await fs.writeFile(path.join(alice.repo, `binary`), Buffer.from([0, 1, 2, 10]));
    for (const [args, code] of [
      [[`cart.js`], `BAD_USAGE`], [[`cart.js:0`], `BAD_USAGE`], [[`cart.js:3-2`], `BAD_USAGE`], [[`cart.js:1-9999`], `BAD_USAGE`], [[`cart.js:99`], `NO_SUCH_LINE`],
      [[`../../etc/passwd:1`], `OUTSIDE`], [[`/etc/passwd:1`], `OUTSIDE`], [[`gone.js:1`], `NO_SUCH_FILE`], [[`binary:1`], `BINARY_FILE`], [[`src:1`], `NO_SUCH_FILE`],
      [[`cart.js:1`, `--rev`, `nowhere`], `BAD_REVISION`], [[`cart.js:1`, `--rev=--all`], `BAD_REVISION`], [[`${FILE}:1`, `--rev`, start], `NO_SUCH_FILE`],
    ] as Array<[Array<string>, string]>)
      expect(await alice.json([`why`, ...args], 1), args.join(` `)).toMatchObject({code});
  }, 120_000);
});
