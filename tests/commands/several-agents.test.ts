import * as fs                       from 'node:fs/promises';
import {describe, expect, it}        from 'vitest';

import {goOnInCodex}                 from './_continue.ts';
import {SESSION, makeWorld}          from './_runCli.ts';
import type {Person}                 from './_runCli.ts';

const sessionsOf = async (person: Person) => (await person.json([`list`])).sessions as Array<{session: string; agent: string; lineage?: object}>;

describe(`with several agents`, {timeout: 120_000}, () => {
  it(`a mirror is no session of its own until its agent goes on with it`, async () => {
    const {alice} = await makeWorld();
    await alice.record();
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const before = await sessionsOf(alice);
    expect(before.map(({agent}) => agent)).toEqual(before.map(() => `claude-code`));
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await sessionsOf(alice)).toHaveLength(before.length);
  });

  it(`what Codex adds to a mirror comes back to Claude Code, with where it is from`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    // Filed under the day that the session began, also at the very first sync.
    expect((await alice.rollouts()).map(name => name.slice(`${alice.home}/.codex/sessions/`.length, -`-00000000-0000-0000-0000-000000000000.jsonl`.length))).toEqual([`2026/11/20/rollout-2026-11-20T09-00-01`]);
    const file = await goOnInCodex(alice, undefined, `And now the discount, please.`, `The discount is there.`);
    const written = await fs.readFile(file, `utf8`);

    await alice.ok(`sync`);
    const {sessions} = await alice.json([`list`]);
    const [child] = sessions.filter(({agent}: {agent: string}) => agent === `codex`);
    expect(child).toMatchObject({lineage: {parent: SESSION}});
    expect(await fs.readFile(file, `utf8`)).toBe(written);

    // In Claude Code's store: the source, and one session that has all of it and what Codex added.
    const transcripts = (await fs.readdir(alice.claudeFolder())).filter(name => name.endsWith(`.jsonl`));
    const texts = await Promise.all(transcripts.map(async name => await fs.readFile(`${alice.claudeFolder()}/${name}`, `utf8`)));
    const back = texts.filter(text => text.includes(`The discount is there.`));
    expect(back).toHaveLength(1);
    const source = await fs.readFile(alice.transcript(SESSION), `utf8`);
    for (const line of source.trim().split(`\n`).map(text => JSON.parse(text)))
      for (const block of Array.isArray(line.message?.content) ? line.message.content : [])
        if (block.type === `text` && line.type === `assistant`)
          expect(back[0]!.split(JSON.stringify(block.text)).length, block.text).toBe(2);

    expect(await alice.ok(`list`, `--tree`)).toMatch(new RegExp(`${SESSION.slice(0, 8)}[^\\n]*\\n└─ ${child.session.slice(0, 8)}`));
    expect(await alice.ok(`status`)).toContain(`goes on from ${SESSION.slice(0, 8)}`);
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await sessionsOf(alice)).toHaveLength(2);
  });

  it(`a restored session is none of its own either`, async () => {
    const {alice, bob} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, `${bob.world}/shop.git`, bob.repo);
    await bob.ok(`init`, `--project-only`);
    await bob.ok(`pull`);
    await bob.ok(`restore`, SESSION, `--agent`, `codex`);
    await bob.ok(`sync`);
    expect((await sessionsOf(bob)).map(({session}) => session)).toEqual([SESSION]);

    await goOnInCodex(bob, undefined, `And now the discount, please.`, `The discount is there.`);
    await bob.ok(`sync`);
    expect((await sessionsOf(bob)).filter(({agent}) => agent === `codex`)).toMatchObject([{lineage: {parent: SESSION}}]);
  });

  it(`watch does what sync does, again and again`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    expect(await alice.ok(`watch`, `--once`)).toContain(`new records`);
    expect(await alice.json([`watch`, `--once`])).toEqual({rounds: 1});
    expect(await alice.cli(`watch`, `--interval`, `0`)).toMatchObject({exitCode: 1});
    expect(await sessionsOf(alice)).toHaveLength(1);
  });

  it(`an import is asked only of agents that keep sessions elsewhere`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`);
    expect(await alice.json([`import`, `--agent`, `codex`, SESSION], 1)).toMatchObject({code: `NOT_FETCHED`});
    expect(await alice.json([`import`, `--agent`, `amp`, `../x`], 1)).toMatchObject({code: `BAD_THREAD`});
  });
});
