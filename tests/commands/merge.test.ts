import * as fs                               from 'node:fs/promises';
import path                                  from 'node:path';
import {describe, expect, it}                from 'vitest';

import {SessionStore, openRepository, readWriter} from '../../sources/store/index.ts';

import {SESSION, grow, makeKept, makeShared} from './_runCli.ts';
import type {Person}                         from './_runCli.ts';

/** What a person's own ref has of the session's own lines, and its tree. */
async function own(person: Person) {
  const repo  = await openRepository(person.repo, person.env);
  const store = new SessionStore(repo, person.env, await readWriter(repo));
  try {
    const head = (await store.head(SESSION))!;
    const chunks: Array<Buffer> = [];
    for await (const chunk of store.readStream(head, `native/claude-code/transcript.jsonl`))
      chunks.push(chunk);
    return {text: Buffer.concat(chunks).toString(), writer: head.writer, ref: head.ref, tree: (await person.git(`rev-parse`, `${head.ref}^{tree}`)).trim()};
  } finally {
    await store.close();
  }
}

const transcript = async (person: Person, file = person.transcript()) => await fs.readFile(file, `utf8`);

describe(`a session that two people went on with`, {timeout: 180_000}, () => {
  it(`is united by pull, is pushed work of each, and stays theirs to restore`, async () => {
    const {alice, bob} = await makeShared();
    await bob.ok(`restore`, SESSION, `--agent`, `claude-code`);
    await bob.ok(`init`);
    await grow(alice, `By alice?`);
    await grow(bob, `By bob?`);
    for (const person of [alice, bob]) {
      await person.ok(`sync`);
      await person.ok(`push`);
    }
    expect(await alice.json([`pull`])).toMatchObject({united: [SESSION], problems: []});
    // What was united is nothing that alice would have to push to be safe.
    expect((await alice.json([`list`])).sessions).toMatchObject([{session: SESSION, where: `pushed`}]);
    await alice.ok(`push`);
    expect(await bob.ok(`pull`)).toContain(`1 session of this clone was united with what others have of it.`);
    await bob.ok(`push`);
    expect((await alice.json([`pull`])).united).toEqual([]);
    const [hers, his] = [await own(alice), await own(bob)];
    expect(hers.tree).toBe(his.tree);
    expect([hers.text, his.text]).toEqual([await transcript(alice), await transcript(bob)]);

    // Both go on as if nothing had been.
    await grow(alice, `And now?`);
    await alice.ok(`sync`);
    expect((await own(alice)).text).toBe(await transcript(alice));
    expect((await alice.json([`list`])).sessions).toMatchObject([{session: SESSION, where: `local`}]);
    // Cleaning takes her ref, not bob's, which she has only fetched.
    await alice.ok(`push`);
    await alice.ok(`clean`, `--older-than`, `1h`, `--force`);
    expect((await alice.json([`list`])).sessions).toMatchObject([{session: SESSION, where: `remote`}]);
  });
});

describe(`a machine that was copied as a whole`, {timeout: 180_000}, () => {
  it.each([
    [`before anything of it was stored`, false, `Short?`], [`and has said less since`, true, `Short?`], [`and has said more since`, true, `Something that is longer than what was said on the first disk?`],
  ])(`and took the other's sessions for its own by plain git, %s, stores what was said there nevertheless`, async (_, stored, text) => {
    const {world, alice, bob, remote} = await makeKept();
    if (!stored)
      await alice.ok(`clean`, `--older-than`, `1h`, `--force`);
    const disk = path.join(world, `alice`);
    await fs.cp(disk, path.join(world, `two`), {recursive: true, verbatimSymlinks: true});
    await grow(alice, `On the first disk?`);
    await grow(alice, `And once more on the first disk?`);
    await alice.ok(`sync`);
    await alice.git(`push`, `-q`, `origin`, `refs/session-sync/*`);
    const [first, firstText] = [await own(alice), await transcript(alice)];

    await fs.rename(disk, path.join(world, `one`));
    await fs.rename(path.join(world, `two`), disk);
    await grow(alice, text);
    await alice.git(`fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync/*`);
    await alice.ok(`sync`);
    const second = await own(alice);
    expect(second.text).toBe(await transcript(alice));
    expect(second.writer).not.toBe(first.writer);
    await grow(alice, `Later, on the second disk?`);
    await alice.ok(`sync`);
    expect(await alice.json([`push`])).toMatchObject({rejected: []});
    expect((await own(alice)).text).toBe(await transcript(alice));

    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect((await bob.json([`pull`])).problems).toEqual([]);
    const store = new SessionStore(await openRepository(bob.repo, bob.env), bob.env, `0000000000000000`);
    const texts = new Set<string>();
    for (const state of (await store.list()).refs) {
      const chunks: Array<Buffer> = [];
      for await (const chunk of store.readStream(state, `native/claude-code/transcript.jsonl`))
        chunks.push(chunk);
      texts.add(Buffer.concat(chunks).toString());
    }
    await store.close();
    expect(texts).toEqual(new Set([firstText, await transcript(alice)]));
  });

  it(`gives the session another writer, and goes on with it byte for byte`, async () => {
    const {world, alice, bob, remote} = await makeKept();
    await alice.ok(`push`);
    // Two disks that are mounted at the same place, one at a time.
    const disk = path.join(world, `alice`);
    await fs.cp(disk, path.join(world, `two`), {recursive: true, verbatimSymlinks: true});
    let mounted = `one`;
    const mount = async (name: string) => {
      await fs.rename(disk, path.join(world, mounted));
      await fs.rename(path.join(world, name), disk);
      mounted = name;
    };

    await grow(alice, `On the first disk?`);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    const first = await own(alice);

    await mount(`two`);
    await grow(alice, `On the second disk?`);
    await alice.ok(`sync`);
    const before = await own(alice);
    const output = await alice.cli(`push`);
    expect(output).toMatchObject({exitCode: 0, stderr: expect.stringContaining(`Another copy of this clone`)});
    const second = await own(alice);
    expect(before.writer).toBe(first.writer);
    expect(second.writer).not.toBe(first.writer);
    expect(second.text).toBe(await transcript(alice));
    expect((await alice.json([`list`])).sessions).toMatchObject([{session: SESSION, where: `pushed`}]);
    for (let turn = 0; turn < 2; turn++) {
      await grow(alice, `Later, on the second disk (${turn})?`);
      expect(await alice.json([`sync`])).toMatchObject({synced: [{session: SESSION, records: 1}], failed: []});
      expect((await own(alice)).text).toBe(await transcript(alice));
    }
    expect(await alice.json([`push`])).toMatchObject({rejected: []});
    const last = await transcript(alice);

    await mount(`one`);
    await grow(alice, `Later, on the first disk?`);
    await alice.ok(`sync`);
    expect(await alice.json([`push`])).toMatchObject({rejected: []});
    expect(await alice.json([`pull`])).toMatchObject({united: [SESSION]});
    expect((await own(alice)).text).toBe(await transcript(alice));

    // Whoever fetches it has both.
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    const texts = await Promise.all([first.writer, second.writer].map(async writer => {
      const repo  = await openRepository(bob.repo, bob.env);
      const store = new SessionStore(repo, bob.env, `0000000000000000`);
      const state = (await store.list()).refs.find(one => one.writer === writer && one.via === undefined)!;
      const chunks: Array<Buffer> = [];
      for await (const chunk of store.readStream(state, `native/claude-code/transcript.jsonl`))
        chunks.push(chunk);
      await store.close();
      return Buffer.concat(chunks).toString();
    }));
    expect(texts).toEqual([await transcript(alice), last]);
    expect((await alice.git(`--git-dir=${remote}`, `fsck`, `--strict`, `--no-dangling`))).toBe(``);
  });
});
