import {readFile, writeFile}          from 'node:fs/promises';
import path                           from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';

import {sessionIdFor}                 from '../../sources/interchange/index.ts';

import {agentsAreHere}                from './_agents.ts';
import {carryOver, resumeIdIn, succeeded, twoMachines} from './_journey.ts';
import {share}                        from './_share.ts';
import type {Machine, World}          from './_world.ts';
import {claudeCodeDrive}              from './drives/claude-code.ts';
import {codexDrive}                   from './drives/codex.ts';

const data = async (machine: Machine, ...args: Array<string>) => JSON.parse(succeeded(await machine.sessionSync(...args, `--json`))).data;
const shell = (command: string, id: string) => ({calls: [{name: `Bash`, id: `toolu_${id}`, input: {command, description: `Change it`}}]});

describe.runIf(agentsAreHere())(`a session and the code that it works on`, () => {
  let world: World;

  afterEach(async context => {
    await world?.dispose({failed: context.task.result?.state === `fail`});
  });

  test(`what is not committed travels with the session, goes back to a turn and forward again, and each line knows its prompt`, {timeout: 300_000}, async () => {
    const made = await twoMachines();
    const {alice, bob, remote} = made;
    ({world} = made);
    succeeded(await alice.sessionSync(`init`, `--snapshot`, `tracked`, `--trailer`));
    await alice.git(`commit`, `-q`, `-a`, `-m`, `Keep the uncommitted files, too`);
    await alice.git(`push`, `-q`);
    const stock = path.join(alice.project, `src/stock.js`);

    const first = await claudeCodeDrive.begin!(alice, `Count the pears as well`, [shell(`echo 'export const pears = 7;' >> src/stock.js`, `one`), {text: `The pears are counted.`}]);
    await alice.settled();
    const session = sessionIdFor(`claude-code`, first);
    const afterFirst = await readFile(stock, `utf8`);
    const firstTurn = (await data(alice, `show`, session)).header;
    expect(firstTurn).toMatchObject({dirty: true, worktree: {}});
    await claudeCodeDrive.goOn(alice, first, `And the plums`, [shell(`echo 'export const plums = 3;' >> src/stock.js && rm README.md`, `two`), {text: `The plums are counted.`}]);
    await alice.settled();
    const afterSecond = await readFile(stock, `utf8`);
    expect(afterSecond).toContain(`plums`);

    // The line was written by this prompt, long before anybody commits it.
    expect(succeeded(await alice.sessionSync(`why`, `src/stock.js:3`))).toMatch(/not committed[^]*And the plums[^]*Bash/);

    // Bob has it all: the session in Codex, and the files as Alice's were.
    await carryOver(alice, bob, remote);
    const output = succeeded(await bob.sessionSync(`restore`, session, `--agent`, `codex`, `--with-changes`));
    expect(await readFile(path.join(bob.project, `src/stock.js`), `utf8`)).toBe(afterSecond);
    expect(await bob.git(`status`, `--porcelain`)).toBe(` D README.md\n M src/stock.js`);
    const heard = await codexDrive.receives(bob, resumeIdIn(output, `codex`));
    expect(share((await data(bob, `show`, session, `--text`, `--branches`)).records, heard).missing).toEqual([]);

    // Back to the first turn, in files and in what the model hears; and forward again.
    const {restored} = await data(alice, `rewind`, String(Number(firstTurn.streams[`rec/main`].records) - 1));
    expect(await readFile(stock, `utf8`)).toBe(afterFirst);
    expect(await readFile(path.join(alice.project, `README.md`), `utf8`)).toContain(`# Shop`);
    const back = await claudeCodeDrive.receives(alice, restored.id);
    expect(JSON.stringify(back)).toContain(`The pears are counted.`);
    expect(JSON.stringify(back)).not.toContain(`plums`);
    succeeded(await alice.sessionSync(`rewind`, `--forward`));
    expect(await readFile(stock, `utf8`)).toBe(afterSecond);
    expect(await alice.git(`status`, `--porcelain`)).toBe(` D README.md\n M src/stock.js`);

    // Committed by hand.
    await alice.git(`commit`, `-q`, `-a`, `-m`, `Count pears and plums`);
    expect(await alice.git(`log`, `-1`, `--format=%B`)).toContain(`Session-Sync: ${session}`);
    expect(succeeded(await alice.sessionSync(`log`, `HEAD~1..HEAD`))).toContain(session.slice(0, 8));
    // The session goes on, and so learns of the commit; then that becomes another one, without a word of the session.
    await claudeCodeDrive.goOn(alice, first, `Thanks`, [{text: `Any time.`}]);
    await alice.settled();
    await writeFile(path.join(alice.project, `NOTES.md`), `A note\n`);
    await alice.git(`add`, `-A`);
    await alice.git(`commit`, `-q`, `--amend`, `--no-verify`, `-m`, `Everything of today`);
    expect(succeeded(await alice.sessionSync(`why`, `src/stock.js:2`))).toContain(`Count the pears as well`);
  });
});
