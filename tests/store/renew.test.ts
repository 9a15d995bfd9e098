import * as fs                                       from 'node:fs/promises';
import {describe, expect, it}                        from 'vitest';

import {openRepository, pull, push, readWriter, remoteSessions, updateIndex} from '../../sources/store/index.ts';
import type {SessionStore}                           from '../../sources/store/index.ts';
import {renewWriter}                                 from '../../sources/store/renew.ts';
import {placeWriter}                                 from '../../sources/store/repository.ts';

import {SESSION, WRITER, content, freshRepository, lines, meta, openStore, scratch, session, sync} from './_repo.ts';
import type {Scratch}                                from './_repo.ts';

const REF = `refs/session-sync/s/5e/${SESSION}/${WRITER}`;

/** A clone, what it has pushed, and a copy of it with everything in it, also its writer id. */
async function copied() {
  const place = await scratch();
  await freshRepository(place, `seed`);
  await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
  await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), `alice`);
  await fs.mkdir(place.at(`alice`, `.git`, `session-sync`));
  await placeWriter(await openRepository(place.at(`alice`), place.env), WRITER);
  const alice = await openStore(place, `alice`);
  await sync(alice, SESSION, 0, 3);
  await sync(alice, session(1), 0, 3);
  await push(alice);
  await fs.cp(place.at(`alice`), place.at(`copy`), {recursive: true});
  return {place, alice, copy: await openStore(place, `copy`)};
}

/** Text of every stream `rec/main` of a session that a store knows, by writer. */
async function known(store: SessionStore, id = SESSION) {
  const {refs, problems} = await store.list();
  expect(problems).toEqual([]);
  const texts = new Set<string>();
  for (const ref of refs.filter(one => one.session === id))
    texts.add((await content(store.readStream(ref, `rec/main`))).toString());

  return texts;
}

/** Another turn of this store's own, with words of its own. */
async function say(store: SessionStore, words: string, id = SESSION) {
  const appender = await store.begin(id);
  const records  = (appender.base?.streams[`rec/main`]?.records ?? 0) + 1;
  await appender.append(`rec/main`, Buffer.from(`{"text":"${words}"}\n`));
  return await appender.commit(meta(id, records));
}

const writerOf = async (place: Scratch, name: string) => await readWriter(await openRepository(place.at(name), place.env));

describe(`a clone that was copied with its writer id`, {timeout: 120_000}, () => {
  it(`takes another id at its push, and loses nothing of either`, async () => {
    const {place, alice, copy} = await copied();
    await say(copy, `by the copy`);
    await push(copy);
    await say(alice, `by alice`);
    await say(alice, `by alice again`);
    await sync(alice, session(2), 0, 2);
    const mine   = (await alice.head(SESSION))!;
    const theirs = (await copy.head(SESSION))!;

    const result = await push(alice);
    expect(result.rejected).toEqual([]);
    const writer = await writerOf(place, `alice`);
    expect(result.renewed).toEqual({from: WRITER, to: writer, sessions: expect.arrayContaining([SESSION]), problems: []});
    expect([alice.writer, writer === WRITER]).toEqual([writer, false]);

    const head = (await alice.head(SESSION))!;
    expect(head.header).toEqual({...mine.header, writer});
    expect((await place.git(`alice`, `log`, `-1`, `--format=%P`, head.ref)).trim()).toBe(`${mine.commit} ${theirs.commit}`);
    expect((await place.git(`hub.git`, `rev-parse`, head.ref, REF)).trim().split(`\n`)).toEqual([head.commit, theirs.commit]);
    // The old ref is the other's, and no shadow says that there is something to put back.
    expect((await place.git(`alice`, `rev-parse`, REF)).trim()).toBe(theirs.commit);
    expect(await place.git(`alice`, `for-each-ref`, `refs/session-sync-shadow`)).toBe(``);
    const prefix = lines(0, 3).toString();
    expect(await known(alice)).toEqual(new Set([`${prefix}{"text":"by alice"}\n{"text":"by alice again"}\n`, `${prefix}{"text":"by the copy"}\n`]));
    expect((await content(alice.readStream({...head, writer: WRITER}, `rec/main`))).toString()).toBe(`${prefix}{"text":"by the copy"}\n`);

    // Everybody finds everything.
    expect((await remoteSessions(copy.repo, copy.env, `origin`)).problems).toEqual([]);
    await pull(copy);
    expect(await known(copy)).toEqual(await known(alice));
    expect(await known(copy, session(2))).toEqual(new Set([lines(0, 2).toString()]));
    for (const name of [`alice`, `copy`, `hub.git`])
      expect(await place.git(name, `fsck`, `--strict`, `--no-dangling`)).toBe(``);

    // Both go on, each under an id of its own, and come to rest.
    await say(alice, `later`);
    await say(copy, `later, too`);
    expect(await push(copy)).toMatchObject({rejected: []});
    expect(await push(alice)).toMatchObject({rejected: []});
    expect((await push(alice)).renewed).toBeUndefined();
    for (const store of [copy, alice, copy, alice]) {
      await pull(store);
      expect((await push(store)).renewed).toBeUndefined();
    }
    expect((await pull(alice)).united).toEqual([]);
    expect((await pull(copy)).united).toEqual([]);
    expect((await place.git(`alice`, `rev-parse`, `${(await alice.head(SESSION))!.ref}^{tree}`))).toBe(await place.git(`copy`, `rev-parse`, `${(await copy.head(SESSION))!.ref}^{tree}`));
  });

  it(`takes another id at a pull, and at a push of what the other has gone on with`, async () => {
    for (const way of [pull, push]) {
      const {place, alice, copy} = await copied();
      await say(copy, `by the copy`);
      await push(copy);
      // All that alice has is in what the copy pushed: it is none of hers all the same.
      await way(alice);
      expect(alice.writer).not.toBe(WRITER);
      expect(await alice.head(SESSION)).toBeNull();
      expect((await place.git(`alice`, `rev-parse`, REF)).trim()).toBe((await copy.head(SESSION))!.commit);
      // Her transcript went another way. It is stored from its beginning, nothing of it is taken as stored.
      expect((await alice.begin(SESSION)).base).toBeNull();
      await sync(alice, SESSION, 0, 5);
      expect((await push(alice)).rejected).toEqual([]);
      await pull(copy);
      expect(await known(copy)).toEqual(new Set([`${lines(0, 3).toString()}{"text":"by the copy"}\n`, lines(0, 5).toString()]));
    }
  });

  it(`tells a program that stores at that moment to look again`, async () => {
    const {place, alice, copy} = await copied();
    const worker = await openStore(place, `alice`);
    await say(copy, `by the copy`);
    await push(copy);
    await say(alice, `by alice`);
    // One has begun before, on a session that moves, and on one that stays.
    const [moving, staying] = [await worker.begin(SESSION), await worker.begin(session(1))];
    await moving.append(`rec/main`, Buffer.from(`{"text":"in between"}\n`));
    await staying.append(`rec/main`, Buffer.from(`{"text":"in between"}\n`));
    await push(alice);
    await expect(moving.commit(meta(SESSION, 5))).rejects.toMatchObject({code: `REF_MOVED`});
    await staying.commit(meta(session(1), 4));
    await expect(worker.begin(SESSION)).rejects.toMatchObject({code: `REF_MOVED`});
    const again = await worker.begin(SESSION);
    expect(again.base).toEqual((await alice.head(SESSION))!.header);
    await again.append(`rec/main`, Buffer.from(`{"text":"in between"}\n`));
    await again.commit(meta(SESSION, 5));

    // What was stored under the old id after all goes along with the next push.
    expect((await push(alice)).rejected).toEqual([]);
    expect((await place.git(`alice`, `rev-parse`, `refs/session-sync/s/01/${session(1)}/${WRITER}`)).trim()).toBe((await copy.head(session(1)))!.commit);
    expect((await content(alice.readStream((await alice.head(session(1)))!, `rec/main`))).toString()).toBe(`${lines(0, 3).toString()}{"text":"in between"}\n`);
    await pull(copy);
    expect(await known(copy, session(1))).toEqual(await known(alice, session(1)));
    expect((await known(copy)).size).toBe(2);
  });

  it(`goes on where it was killed in between`, async () => {
    const {place, alice, copy} = await copied();
    await say(copy, `by the copy`);
    await push(copy);
    await say(alice, `by alice`);
    await place.git(`alice`, `fetch`, `-q`, `origin`, `+refs/session-sync/*:refs/session-sync-remotes/origin/*`);
    await fs.cp(place.at(`alice`), place.at(`before`), {recursive: true});
    await renewWriter(alice, `origin`);
    const expected = await place.git(`alice`, `for-each-ref`, `refs/session-sync`, `refs/session-sync-shadow`);

    // The refs of the new id are there, but not the id itself; then alice has gone on.
    const killed = await openStore(place, `before`);
    await fs.cp(place.at(`alice`, `.git`, `session-sync`, `former`), place.at(`before`, `.git`, `session-sync`, `former`), {recursive: true});
    await renewWriter(killed, `origin`);
    expect(await place.git(`before`, `for-each-ref`, `refs/session-sync`, `refs/session-sync-shadow`)).toBe(expected);
    await placeWriter(killed.repo, WRITER);
    await place.git(`before`, `update-ref`, REF, `${(await killed.head(SESSION))!.commit}^1`);
    const late = await openStore(place, `before`);
    await say(late, `by alice, later`);
    expect(await push(late)).toMatchObject({rejected: [], renewed: {problems: []}});
    expect((await content(late.readStream((await late.head(SESSION))!, `rec/main`))).toString()).toBe(`${lines(0, 3).toString()}{"text":"by alice"}\n{"text":"by alice, later"}\n`);
  });

  it(`is one of three`, async () => {
    const {place, alice, copy} = await copied();
    await fs.cp(place.at(`alice`), place.at(`third`), {recursive: true});
    const third = await openStore(place, `third`);
    const stores = [alice, copy, third];
    for (const [index, store] of stores.entries())
      await say(store, `by ${index}`);
    for (const store of stores)
      expect((await push(store)).rejected).toEqual([]);
    for (const store of stores)
      await pull(store);
    const expected = new Set(stores.map((_, index) => `${lines(0, 3).toString()}{"text":"by ${index}"}\n`));
    for (const store of stores)
      expect(await known(store)).toEqual(expected);
    expect(new Set(stores.map(({writer}) => writer)).size).toBe(3);
    await updateIndex(third);
  });
});

describe(`a ref that cannot be pushed`, {timeout: 120_000}, () => {
  /** A clone with three sessions, of which the second is the bad one. */
  async function three(hook?: {name: string; script: string}) {
    const place = await scratch();
    await freshRepository(place, `seed`);
    await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
    await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), `alice`);
    const alice = await openStore(place, `alice`);
    for (const index of [1, 2, 3])
      await sync(alice, session(index), 0, 1 + index);
    if (hook)
      await fs.writeFile(place.at(`hub.git`, `hooks`, hook.name), `#!/bin/sh\n${hook.script}\n`, {mode: 0o755});
    return {place, alice};
  }
  const bad = `refs/session-sync/s/02/${session(2)}/${WRITER}`;

  it.each([
    [`update`, `case "$1" in *${session(2)}*) echo "no such session here" >&2; exit 1;; esac`],
    [`pre-receive`, `while read old new ref; do case "$ref" in *${session(2)}*) exit 1;; esac; done`],
  ])(`for a %s hook does not keep the others`, async (name, script) => {
    const {place, alice} = await three({name, script});
    const result = await push(alice);
    expect(result.rejected).toMatchObject([{ref: bad, reason: expect.stringContaining(`hook declined`)}]);
    expect(result.pushed).toHaveLength(3);
    expect((await place.git(`hub.git`, `for-each-ref`, `refs/session-sync/s`)).trim().split(`\n`)).toHaveLength(2);
    // It stays ours to push.
    expect((await place.git(`alice`, `for-each-ref`, `--format=%(refname)`, `refs/session-sync-shadow`)).trim()).toBe(bad.replace(`session-sync/s`, `session-sync-shadow`));
    await fs.rm(place.at(`hub.git`, `hooks`, name));
    expect((await push(alice)).pushed.map(({ref}) => ref)).toContain(bad);
  });

  it(`for a damaged object does not keep the others`, async () => {
    const {place, alice} = await three();
    const blob = (await place.git(`alice`, `rev-parse`, `${bad}:rec/${WRITER}/main/0000/00`)).trim();
    await fs.rm(place.at(`alice`, `.git`, `objects`, blob.slice(0, 2), blob.slice(2)));
    const result = await push(alice);
    expect(result.rejected.map(({ref}) => ref)).toEqual([bad]);
    expect(result.pushed).toHaveLength(3);
  });

  it(`because another push holds it is tried again`, async () => {
    const {place, alice} = await three();
    const lock = place.at(`hub.git`, `${bad}.lock`);
    await fs.mkdir(place.at(`hub.git`, bad, `..`), {recursive: true});
    await fs.writeFile(lock, ``);
    // Whoever has it lets go when it was asked for twice.
    await fs.writeFile(place.at(`hub.git`, `hooks`, `pre-receive`), `#!/bin/sh\ncat > /dev/null\nif [ -f asked ]; then rm -f '${lock}'; fi\ntouch asked\n`, {mode: 0o755});
    expect(await push(alice)).toMatchObject({rejected: [], pushed: {length: 4}});

    await fs.writeFile(lock, ``);
    await fs.rm(place.at(`hub.git`, `hooks`, `pre-receive`));
    await sync(alice, session(1), 2, 5);
    await sync(alice, session(2), 3, 5);
    const result = await push(alice);
    expect(result.rejected.map(({ref}) => ref)).toEqual([bad]);
    expect(result.pushed.map(({ref}) => ref)).toContain(bad.replaceAll(`02`, `01`).replace(session(2), session(1)));
  });
});
