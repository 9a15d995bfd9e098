import {describe, expect, it}                    from 'vitest';

import {openFallback, pull, push, unite, unionRefs} from '../../sources/store/index.ts';
import type {SessionStore}                       from '../../sources/store/index.ts';
import {joinParts}                               from '../../sources/store/merge.ts';
import type {WriterPart}                         from '../../sources/store/read.ts';

import fc                                        from '../_properties.ts';
import {SESSION, WRITER, content, feed, freshRepository, lines, meta, openStore, scratch, session, sync} from './_repo.ts';
import type {Scratch}                            from './_repo.ts';

const WRITERS = [WRITER, `fedcba9876543210`, `1111111111111111`, `2222222222222222`, `3333333333333333`];
const NAMES   = [`alice`, `bob`, `carol`, `dave`, `erin`];

/** A bare remote, and clones of it. */
async function team(count: number) {
  const place = await scratch();
  await freshRepository(place, `seed`);
  await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
  const stores: Array<SessionStore> = [];
  for (const [index, name] of NAMES.slice(0, count).entries()) {
    await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), name);
    stores.push(await openStore(place, name, WRITERS[index]!));
  }
  return {place, stores};
}

const tree = async (store: SessionStore, place: Scratch, name: string) => (await place.git(name, `rev-parse`, `${(await store.head(SESSION))!.ref}^{tree}`)).trim();

/** Records of every writer in the tree of a store's own ref. */
async function records(store: SessionStore) {
  const head  = (await store.head(SESSION))!;
  const found = new Map<string, string>();
  for (const writer of (await store.reader.object(`${head.commit}:rec`, 1 << 20).then(object => object!.body.toString(`latin1`).match(/[0-9a-f]{16}(?=\0)/g)))!)
    found.set(writer, (await content(store.readStream({...head, writer}, `rec/main`))).toString());

  return found;
}

describe(`what two machines stored of one session`, {timeout: 120_000}, () => {
  it(`is united by a pull, in one commit with two parents, and comes to rest`, async () => {
    const {place, stores: [alice, bob]} = await team(2) as {place: Scratch; stores: [SessionStore, SessionStore]};
    await sync(alice, SESSION, 0, 10);
    await sync(bob, SESSION, 0, 5);
    await push(alice);
    await push(bob);
    const before = (await alice.head(SESSION))!;
    const theirs = (await bob.head(SESSION))!;

    expect(await pull(alice)).toMatchObject({united: [{session: SESSION, writers: [WRITERS[1]]}], problems: []});
    const after = (await alice.head(SESSION))!;
    expect(after.header).toEqual(before.header);
    expect((await place.git(`alice`, `log`, `-1`, `--format=%P|%an|%ae|%at|%cn|%ct`, after.ref)).trim()).toBe(`${before.commit} ${theirs.commit}|session-sync|session-sync@localhost|1790848810|session-sync|1`);
    expect(await place.git(`alice`, `ls-tree`, `--name-only`, after.ref)).toBe(`header.json\nheads\nnative\nrec\n`);
    expect(await place.git(`alice`, `ls-tree`, `--name-only`, after.ref, `heads/`)).toBe(`heads/${WRITERS[1]}.json\n`);
    expect(await records(alice)).toEqual(new Map([[WRITER, lines(0, 10).toString()], [WRITERS[1]!, lines(0, 5).toString()]]));
    // Not yet known by the remote.
    expect((await place.git(`alice`, `rev-parse`, `refs/session-sync-shadow/5e/${SESSION}/${WRITER}`)).trim()).toBe(after.commit);

    // Nothing more comes of doing it again, nor of the exchange of what it made.
    expect(await pull(alice)).toMatchObject({united: []});
    await push(alice);
    expect((await pull(bob)).united).toHaveLength(1);
    await push(bob);
    for (const store of [alice, bob, alice])
      expect((await pull(store)).united).toEqual([]);
    expect(await tree(alice, place, `alice`)).toBe(await tree(bob, place, `bob`));

    // Each goes on with its own, and keeps the other's.
    await sync(bob, SESSION, 5, 40);
    expect(await place.git(`bob`, `ls-tree`, `--name-only`, `${(await bob.head(SESSION))!.ref}`, `heads/`)).toBe(`heads/${WRITER}.json\n`);
    expect((await bob.head(SESSION))!.header).toMatchObject({writer: WRITERS[1], sequence: 2, streams: {'rec/main': {records: 40}}});
    await push(bob);
    await sync(alice, SESSION, 10, 12);
    await pull(alice);
    await push(alice);
    await pull(bob);
    expect(await tree(alice, place, `alice`)).toBe(await tree(bob, place, `bob`));
    expect(await records(bob)).toEqual(new Map([[WRITER, lines(0, 12).toString()], [WRITERS[1]!, lines(0, 40).toString()]]));
    for (const name of [`alice`, `bob`, `hub.git`])
      expect(await place.git(name, `fsck`, `--strict`, `--no-dangling`)).toBe(``);
  });

  it(`is united also without a remote, with what plain git fetched`, async () => {
    const {place, stores: [alice, bob]} = await team(2) as {place: Scratch; stores: [SessionStore, SessionStore]};
    await sync(alice, SESSION, 0, 10);
    await sync(alice, session(1), 0, 10);
    await sync(bob, SESSION, 0, 5);
    await place.git(`alice`, `push`, `-q`, `origin`, `refs/session-sync/*`);
    await place.git(`bob`, `fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync/*`);
    // Of a session that is none of bob's there is nothing to unite.
    expect(await unite(bob)).toEqual({united: [{session: SESSION, writers: [WRITER]}], foreign: [], problems: []});
    expect((await records(bob)).size).toBe(2);
  });

  it(`keeps everybody's attachments, and each under its own hash`, async () => {
    const {place, stores: [alice, bob]} = await team(2) as {place: Scratch; stores: [SessionStore, SessionStore]};
    const attach = async (store: SessionStore, text: string) => {
      const appender = await store.begin(SESSION);
      const sha256 = await appender.attach(Buffer.from(text));
      await appender.append(`rec/main`, lines(0, 1));
      await appender.commit(meta(SESSION, 1));
      return sha256;
    };
    const [one, two] = [await attach(alice, `one`), await attach(bob, `two`)];
    // Somebody keeps something else under the name of alice's.
    const file = (await feed(place, `bob`, [`hash-object`, `-w`, `--stdin`], `not one`)).trim();
    const ref  = (await bob.head(SESSION))!.ref;
    await feed(place, `bob`, [`fast-import`, `--quiet`, `--force`], `commit ${ref}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nfrom ${ref}^0\nM 100644 ${file} att/${one}\n\n`);
    await push(bob);
    await push(alice);
    await pull(alice);
    await pull(bob);
    for (const store of [alice, bob]) {
      const head = (await store.head(SESSION))!;
      expect((await store.readAttachment(head, one)).toString()).toBe(`one`);
      expect((await store.readAttachment(head, two)).toString()).toBe(`two`);
    }

    // A name that is taken by something else is no reason to leave an attachment out.
    await feed(place, `bob`, [`fast-import`, `--quiet`, `--force`], `commit ${ref}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nfrom ${ref}^0\nM 100644 ${file} att/${one}\n\n`);
    await attach(bob, `one`);
    expect((await bob.readAttachment((await bob.head(SESSION))!, one)).toString()).toBe(`one`);
  });

  it(`leaves out a state that is not what it should be, and takes in the others`, async () => {
    const {place, stores: [alice, bob, carol]} = await team(3) as {place: Scratch; stores: [SessionStore, SessionStore, SessionStore]};
    await sync(alice, SESSION, 0, 10);
    await sync(bob, SESSION, 0, 5);
    await sync(carol, SESSION, 0, 3);
    const ref = (await bob.head(SESSION))!.ref;
    await feed(place, `bob`, [`fast-import`, `--quiet`, `--force`], `commit ${ref}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nfrom ${ref}^0\nM 120000 inline rec/${WRITERS[1]}/main/0000/01\ndata 11\n/etc/passwd\n\n`);
    await push(bob);
    await push(carol);
    expect(await pull(alice)).toMatchObject({united: [{session: SESSION, writers: [WRITERS[2]]}], problems: [{ref: `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITERS[1]}`, code: `BAD_DATA`}]});
    expect([...(await records(alice)).keys()].sort()).toEqual([WRITER, WRITERS[2]].sort());
  });

  it(`is not believed where headers and folders do not fit`, async () => {
    const {place, stores: [alice]} = await team(1) as {place: Scratch; stores: [SessionStore]};
    await sync(alice, SESSION, 0, 2);
    const {header, commit} = (await alice.head(SESSION))!;
    const ref  = `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITER}`;
    const json = (more: object) => JSON.stringify({...header, writer: WRITERS[1], streams: {}, ...more});
    for (const [name, text] of [
      [`heads/..json`, json({})], [`heads/${WRITERS[1]}`, json({})], [`heads/${WRITERS[1]}.json`, json({writer: WRITERS[2]})],
      [`heads/${WRITERS[1]}.json`, json({session: session(1)})], [`heads/${WRITER}.json`, JSON.stringify(header)], [`heads/${WRITERS[1]}.json`, `{`], [`heads/${WRITERS[1]}.json/x`, `x`],
    ] as const) {
      await feed(place, `alice`, [`fast-import`, `--quiet`, `--force`], `commit ${ref}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nfrom ${commit}\nM 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n\n`);
      expect((await alice.list()).problems, name).toMatchObject([{ref, code: `BAD_DATA`}]);
    }
    await feed(place, `alice`, [`fast-import`, `--quiet`, `--force`], `commit ${ref}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nfrom ${commit}\nM 100644 inline rec/${WRITERS[1]}/main/0000/00\ndata 2\nx\n\n`);
    const planted = (await alice.list()).refs.find(({remote}) => remote === `origin`)!;
    await expect(alice.streams(planted)).rejects.toMatchObject({code: `BAD_DATA`});
  });

  it(`is listed when it is known from a united tree only, also without git`, async () => {
    const {place, stores: [alice, bob, carol]} = await team(3) as {place: Scratch; stores: [SessionStore, SessionStore, SessionStore]};
    await sync(alice, SESSION, 0, 10);
    await sync(bob, SESSION, 0, 15);
    await push(bob);
    await pull(alice);
    await place.git(`alice`, `push`, `-q`, `origin`, (await alice.head(SESSION))!.ref);
    await pull(carol);
    // Bob's own ref is known as well.
    expect((await carol.list()).refs.map(({writer, via}) => [writer, via])).toEqual([[WRITER, undefined], [WRITERS[1], undefined]]);

    await place.git(`carol`, `update-ref`, `-d`, `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITERS[1]}`);
    const without = await openStore(place, `carol`, WRITERS[2], {reader: await openFallback(carol.repo)});
    for (const store of [carol, without]) {
      const {refs, problems} = await store.list();
      expect(problems).toEqual([]);
      const states = unionRefs(refs)[0]!.refs;
      expect(states.map(({writer, via, remote}) => [writer, via, remote])).toEqual([[WRITER, undefined, `origin`], [WRITERS[1], WRITER, `origin`]]);
      expect(await content(store.readStream(states[1]!, `rec/main`))).toEqual(lines(0, 15));
      expect(await content(store.readStream(states[0]!, `rec/main`))).toEqual(lines(0, 10));
      expect((await store.streams(states[1]!)).map(({name}) => name).sort()).toEqual([`native/claude-code/${SESSION}.jsonl`, `rec/main`]);
    }

    // A later state of the same writer in a tree stands beside the one that its ref had.
    await sync(bob, SESSION, 15, 20);
    await push(bob);
    await pull(alice);
    await push(alice);
    await pull(carol);
    await place.git(`carol`, `update-ref`, `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITERS[1]}`, `${(await bob.head(SESSION))!.commit}~1`);
    expect((await carol.list()).refs.map(({writer, via, header}) => [writer, via, header.sequence])).toEqual([[WRITER, undefined, 1], [WRITERS[1], WRITER, 2], [WRITERS[1], undefined, 1]]);
  });
});

describe(`uniting`, () => {
  const part = fc.record({
    writer: fc.constantFrom(...WRITERS), sequence: fc.integer({min: 1, max: 3}), updated: fc.constantFrom(undefined, `2026-10-01`, `2026-10-02`), oid: fc.constantFrom(`a`, `b`), rec: fc.constantFrom(undefined, `c`, `d`),
  }).map(({writer, sequence, updated, oid, rec}) => [writer, {header: {writer, sequence, updated}, oid, folders: {rec}} as unknown as WriterPart] as const);
  const parts = fc.array(part, {maxLength: 5}).map(list => new Map(list));
  const sorted = (map: Map<string, WriterPart>) => [...map].sort(([a], [b]) => a < b ? -1 : 1);

  it(`comes to the same in any order and grouping, however often`, () => {
    fc.assert(fc.property(parts, parts, parts, (a, b, c) => {
      expect(sorted(joinParts(a, b))).toEqual(sorted(joinParts(b, a)));
      expect(sorted(joinParts(joinParts(a, b), c))).toEqual(sorted(joinParts(a, joinParts(b, c))));
      expect(sorted(joinParts(joinParts(a, b), b))).toEqual(sorted(joinParts(a, b)));
    }), {numRuns: 2000});
  });

  it(`gives every clone the same tree with every record in it once, after any interleaving`, {timeout: 300_000}, async () => {
    const step = fc.record({kind: fc.constantFrom(`append`, `append`, `push`, `pull`), who: fc.nat({max: 4})});
    await fc.assert(fc.asyncProperty(fc.integer({min: 2, max: 5}), fc.array(step, {minLength: 6, maxLength: 14}), async (count, steps) => {
      const {place, stores} = await team(count);
      const written = stores.map(() => 0);
      const append = async (who: number) => {
        const next = written[who]! + 1 + who;
        await sync(stores[who]!, SESSION, written[who]!, next);
        written[who] = next;
      };
      for (const {kind, who} of [...steps, ...stores.map((_, who) => ({kind: `append`, who}))]) {
        const store = stores[who % count]!;
        if (kind === `append`)
          await append(who % count);
        else if (kind === `push`)
          expect((await push(store, {sessions: [SESSION]})).rejected).toEqual([]);
        else
          expect((await pull(store)).problems).toEqual([]);
      }
      for (const store of stores)
        await push(store, {sessions: [SESSION]});
      for (const store of stores)
        await pull(store);

      const trees = await Promise.all(stores.map(async (store, who) => await tree(store, place, NAMES[who]!)));
      expect(new Set(trees).size).toBe(1);
      expect(await records(stores[0]!)).toEqual(new Map(stores.map((store, who) => [store.writer, lines(0, written[who]!).toString()] as const).sort(([a], [b]) => a < b ? -1 : 1)));
      // What was made of it changes nothing any more.
      for (const store of stores)
        await push(store, {sessions: [SESSION]});
      for (const store of stores)
        expect((await pull(store)).united).toEqual([]);
      for (const store of stores)
        await store.close();
    }), {numRuns: 6, endOnFailure: true});
  });
});
