import * as fs                from 'node:fs/promises';
import path                   from 'node:path';
import {fileURLToPath}        from 'node:url';
import {describe, expect, it} from 'vitest';

import {goOnInCodex}          from './_continue.ts';
import {SESSION, makeWorld}   from './_runCli.ts';
import type {Person}          from './_runCli.ts';

const FIXTURE = fileURLToPath(new URL(`../fixtures/codex/01-classic-tools`, import.meta.url));

/** Puts a recorded session into Codex's store; resolves its id. */
async function recordCodex(person: Person): Promise<string> {
  const [file] = (await fs.readdir(FIXTURE)).filter(name => name.endsWith(`.jsonl`));
  const folder = path.join(person.home, `.codex`, `sessions`, `2026`, `11`, `22`);
  await fs.mkdir(folder, {recursive: true});
  await fs.writeFile(path.join(folder, file!), (await fs.readFile(path.join(FIXTURE, file!), `utf8`)).replaceAll(`/home/alice/shop`, person.repo));
  return /([0-9a-f-]{36})\.jsonl$/.exec(file!)![1]!;
}

const nameIt = async (person: Person, id: string, name: string) =>
  await fs.appendFile(path.join(person.home, `.codex`, `session_index.jsonl`), `${JSON.stringify({id, thread_name: name, updated_at: `2026-11-23T09:09:09.786Z`})}\n`);
const titles = async (person: Person): Promise<{[agent: string]: string}> =>
  Object.fromEntries((await person.json([`list`])).sessions.map(({agent, title}: {agent: string; title: string}) => [agent, title]));
const storedTitle = async (person: Person, session: string): Promise<string> => {
  const ref = (await person.refs()).split(`\n`).find(line => line.includes(`/s/`) && line.includes(session))!.split(` `)[0]!;
  return JSON.parse(await person.git(`show`, `${ref}:header.json`)).title;
};
const mirror = async (person: Person, session: string) => (await person.json([`show`, session])).mirrors[0];
/** Titles that Claude Code is told, one after the other. */
const namesIn = async (file: string) => {
  const all = (await fs.readFile(file, `utf8`)).split(`\n`).flatMap(line => line.includes(`"ai-title"`) ? [JSON.parse(line).aiTitle] : []);
  return all.filter((title, index) => title !== all[index - 1]);
};

describe(`a name that an agent keeps beside the transcript`, {timeout: 120_000}, () => {
  it(`reaches git, the list and the mirrors, whenever it is given`, async () => {
    const {alice, bob, remote} = await makeWorld();
    const id = await recordCodex(alice);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const before = (await titles(alice)).codex;
    const {path: file} = await mirror(alice, id);
    const begin = await fs.readFile(file, `utf8`);
    expect(before).not.toBe(`The cart`);

    // Nothing new is in the transcript.
    await nameIt(alice, id, `  The cart `);
    await nameIt(alice, SESSION, `Another one's name`);
    await alice.ok(`sync`);
    expect(await titles(alice)).toEqual({codex: `The cart`});
    expect(await storedTitle(alice, id)).toBe(`The cart`);
    expect((await fs.readFile(file, `utf8`)).startsWith(begin)).toBe(true);
    expect(await namesIn(file)).toEqual([before, `The cart`]);

    // Once is enough; and no harm comes of it to what follows.
    const [named, refs] = [await fs.readFile(file, `utf8`), await alice.refs()];
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect([await fs.readFile(file, `utf8`), await alice.refs()]).toEqual([named, refs]);
    await goOnInCodex(alice, id, `Now the discount.`, `It is there.`);
    await alice.ok(`sync`);
    await nameIt(alice, id, `Cart and discount`);
    await alice.ok(`sync`);
    const whole = await fs.readFile(file, `utf8`);
    expect(whole.startsWith(named)).toBe(true);
    expect(whole).toContain(`It is there.`);
    expect(await namesIn(file)).toEqual([before, `The cart`, `Cart and discount`]);
    expect(await storedTitle(alice, id)).toBe(`Cart and discount`);

    // An index that cannot be read takes no name away, and a secret in a name does not go into git.
    await fs.rm(path.join(alice.home, `.codex`, `session_index.jsonl`));
    await alice.ok(`sync`);
    expect(await titles(alice)).toEqual({codex: `Cart and discount`});
    const secret = `ghp_${`a1B2c3D4e5F6g7H8i9J0`.repeat(2).slice(0, 36)}`;
    await nameIt(alice, id, `Cart ${secret}`);
    await alice.ok(`sync`);
    expect(await storedTitle(alice, id)).not.toContain(secret);

    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    expect((await titles(bob)).codex).toContain(`Cart `);
  });

  it(`is known again when the notes on this machine are lost`, async () => {
    const {alice} = await makeWorld();
    const id = await recordCodex(alice);
    await nameIt(alice, id, `The cart`);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const {path: file, id: claude} = await mirror(alice, id);
    const text = await fs.readFile(file, `utf8`);
    const refs = await alice.refs();
    const notes = `${alice.repo}/.git/session-sync/sessions`;
    for (const name of await fs.readdir(notes))
      await fs.rm(`${notes}/${name}`);
    await alice.ok(`sync`);
    expect(await mirror(alice, id)).toMatchObject({id: claude, path: file});
    expect(await fs.readFile(file, `utf8`)).toBe(text);
    expect(await storedTitle(alice, id)).toBe(`The cart`);
    expect((await alice.refs()).split(`\n`).length).toBe(refs.split(`\n`).length);
  });

  it(`is that of the session that goes on from it, until that one has its own`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const {'claude-code': title} = await titles(alice);
    expect(title).toBe(`Warenkorb aufräumen (from codex)`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    expect(await titles(alice)).toEqual({'claude-code': title, codex: title});
    const child = (await alice.json([`list`])).sessions.find(({agent}: {agent: string}) => agent === `codex`);
    // What the program shows anyway, and puts into its index when we make the session known.
    await nameIt(alice, child.session, title!);
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    await nameIt(alice, child.session, `The discount`);
    await alice.ok(`sync`);
    expect(await titles(alice)).toEqual({'claude-code': title, codex: `The discount`});
    expect((await namesIn((await mirror(alice, child.session)).path)).slice(-2)).toEqual([title, `The discount`]);
  });
});
