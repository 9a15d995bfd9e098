import * as fs                             from 'node:fs/promises';
import {describe, expect, it}              from 'vitest';

import {goOnInCodex}                       from './_continue.ts';
import {SESSION, grow, makeShared}         from './_runCli.ts';
import type {Person}                       from './_runCli.ts';

/** Alice and Bob have the session in Claude Code, each under its own id, and each go on with it. */
async function makeForked() {
  const made = await makeShared();
  const {alice, bob} = made;
  await bob.ok(`init`, `--project-only`);
  await bob.ok(`restore`, SESSION, `--agent`, `claude-code`);
  await grow(alice, `Alice asks for shipping costs.`);
  await grow(bob, `Bob asks for a discount.`);
  await alice.ok(`sync`);
  await bob.ok(`sync`);
  await alice.ok(`push`);
  await bob.ok(`push`);
  await alice.ok(`pull`);
  await bob.ok(`pull`);
  return made;
}

const forksOf = async (person: Person) => (await person.json([`list`])).sessions.find(({session}: {session: string}) => session === SESSION).forks;
const promptsOf = async (person: Person, session: string): Promise<Array<string>> => (await person.json([`show`, session, `--text`])).records
  .flatMap((record: {kind: string; content?: Array<{text?: string}>}) => record.kind === `prompt` ? record.content![0]!.text ?? `` : []);

describe(`forks`, {timeout: 120_000}, () => {
  it(`are told alike on every machine, and never mixed`, async () => {
    const {alice, bob} = await makeForked();
    const forks = await forksOf(alice);
    expect(forks).toHaveLength(2);
    expect(await forksOf(bob)).toEqual(forks);
    const [ofAlice, ofBob] = [`alice`, `bob`].map(name => forks.find(({author}: {author: {name: string}}) => author.name === name));
    expect(ofAlice.since).toBe(ofBob.since);
    expect(ofAlice.records).toBe(ofAlice.since + 1);

    for (const person of [alice, bob]) {
      expect((await promptsOf(person, `${SESSION}~${ofAlice.name}`)).at(-1)).toBe(`Alice asks for shipping costs.`);
      expect((await promptsOf(person, `${SESSION}~bob`)).at(-1)).toBe(`Bob asks for a discount.`);
      const tree = await person.ok(`list`, `--tree`);
      expect(tree).toMatch(new RegExp(`\\n${SESSION.slice(0, 8)} [^\\n]*\\n├─ ~${forks[0].name} [^\\n]*\\n└─ ~${forks[1].name} `));
      expect(await person.ok(`show`, SESSION)).toContain(`~${ofBob.name}`);
    }
  });

  it(`are chosen by whoever restores`, async () => {
    const {alice, bob} = await makeForked();
    expect(await alice.json([`restore`, SESSION, `--agent`, `codex`], 1)).toMatchObject({code: `FORKED`, message: expect.stringContaining(`by bob`)});
    expect(await alice.json([`restore`, SESSION, `--fork`, `carol`], 1)).toMatchObject({code: `UNKNOWN_FORK`});

    // Bob's beside her own, which stays as it is.
    const before = await fs.readFile(alice.transcript(), `utf8`);
    const {restored} = await alice.json([`restore`, SESSION, `--fork`, `bob`, `--agent`, `claude-code`]);
    expect(restored[0].id).not.toBe(SESSION);
    const text = await fs.readFile(alice.transcript(restored[0].id), `utf8`);
    expect(text).toContain(`Bob asks for a discount.`);
    expect(text).not.toContain(`Alice asks`);
    expect(await fs.readFile(alice.transcript(), `utf8`)).toBe(before);
    expect((await alice.json([`restore`, `${SESSION}~bob`, `--agent`, `claude-code`])).restored).toMatchObject([{id: restored[0].id, outcome: `unchanged`}]);

    // Under the same id wherever it is restored; and what is done with it goes on from Bob's.
    const mine = await bob.json([`restore`, SESSION, `--fork`, `alice`, `--agent`, `codex`]);
    await goOnInCodex(bob, mine.restored[0].id, `Both, please.`, `Both it is.`);
    await bob.ok(`sync`);
    const {sessions} = await bob.json([`list`]);
    const child = sessions.find(({agent}: {agent: string}) => agent === `codex`);
    expect(child.lineage).toMatchObject({parent: SESSION, writer: (await forksOf(bob)).find(({author}: {author: {name: string}}) => author.name === `alice`).writers[0]});
    expect((await promptsOf(bob, child.session)).slice(-2)).toEqual([`Alice asks for shipping costs.`, `Both, please.`]);
  });

  it(`are none where one has only a part of what the other has`, async () => {
    const {alice, bob} = await makeShared();
    await bob.ok(`init`, `--project-only`);
    await bob.ok(`restore`, SESSION, `--agent`, `claude-code`);
    await bob.ok(`sync`);
    await grow(bob, `Bob asks for a discount.`);
    await bob.ok(`sync`);
    await bob.ok(`push`);
    await alice.ok(`pull`);
    expect(await forksOf(alice)).toBeUndefined();
    // It goes on where it is, as one session.
    const {restored} = await alice.json([`restore`, SESSION, `--agent`, `claude-code`]);
    expect(restored).toMatchObject([{id: SESSION}]);
  });

  it(`are told apart by a rewind: one's own unless the other's is named`, async () => {
    const {alice, bob} = await makeForked();
    const [own] = (await forksOf(bob)).filter(({author}: {author: {name: string}}) => author.name === `bob`);
    for (const [args, last] of [[[], `Bob asks for a discount.`], [[`--session`, `${SESSION}~alice`], `Alice asks for shipping costs.`]] as const) {
      const {restored} = await bob.json([`rewind`, String(own.records - 1), `--agent`, `codex`, ...args]);
      expect(await fs.readFile(restored.path, `utf8`)).toContain(last);
    }
    void alice;
  });
});
