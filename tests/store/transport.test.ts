import * as fs                                            from 'node:fs/promises';
import {describe, expect, it}                             from 'vitest';

import {defaultRemote, isPushed, newest, packRefs, pull, push, readIndex, remoteRefs, remoteSessions, removeRefs, unionRefs, updateIndex} from '../../sources/store/index.ts';

import {SESSION, WRITER, content, feed, freshRepository, lines, meta, openStore, scratch, session, sync} from './_repo.ts';
import type {Scratch}                                     from './_repo.ts';

const BOB = `fedcba9876543210`;
const REF = `refs/session-sync/s/5e/${SESSION}/${WRITER}`;

/** A bare remote, and two clones of it. */
async function team() {
  const place = await scratch();
  await freshRepository(place, `seed`);
  await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
  for (const name of [`alice`, `bob`])
    await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), name);

  return {place, alice: await openStore(place, `alice`), bob: await openStore(place, `bob`, BOB)};
}

const refs = async (place: Scratch, name: string, ...prefixes: Array<string>) => (await place.git(name, `for-each-ref`, `--format=%(refname)`, ...prefixes)).trim().split(`\n`).filter(ref => ref !== ``);

describe(`push and pull`, () => {
  it(`bring sessions to another clone, and tell what they did`, async () => {
    const {place, alice, bob} = await team();
    await sync(alice, SESSION, 0, 30);
    await sync(alice, session(1), 0, 3);
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toHaveLength(2);

    const dry = await push(alice, {remote: `origin`, dryRun: true});
    expect(dry.pushed.map(({ref}) => ref).sort()).toEqual([`refs/session-sync/s/01/${session(1)}/${WRITER}`, REF]);
    expect(await refs(place, `hub.git`, `refs/session-sync`)).toEqual([]);

    const first = await push(alice, {remote: `origin`});
    expect(first.pushed).toHaveLength(3);
    expect(first.rejected).toEqual([]);
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toEqual([]);
    expect(isPushed((await alice.head(SESSION))!, await remoteRefs(alice.repo, alice.env, `origin`))).toBe(true);
    expect(await push(alice)).toMatchObject({remote: `origin`, pushed: [], rejected: [], upToDate: {length: 3}});

    expect(await pull(bob)).toMatchObject({remote: `origin`, updated: 3});
    expect(await pull(bob)).toMatchObject({updated: 0});
    const {refs: listed, problems} = await bob.list();
    expect(problems).toEqual([]);
    expect(listed.map(one => [one.session, one.writer, one.remote])).toEqual([[session(1), WRITER, `origin`], [SESSION, WRITER, `origin`]]);
    expect(await content(bob.readStream(listed[1]!, `rec/main`))).toEqual(lines(0, 30));

    // Both go on, each in a ref of their own.
    await sync(bob, SESSION, 0, 40);
    await sync(alice, SESSION, 30, 35);
    expect((await push(bob)).rejected).toEqual([]);
    expect((await push(alice)).rejected).toEqual([]);
    await pull(alice);
    const all = (await alice.list()).refs;
    expect(all.filter(one => one.session === SESSION)).toHaveLength(3);
    const union = unionRefs(all).find(one => one.session === SESSION)!;
    expect(union.refs.map(one => [one.writer, one.header.streams[`rec/main`]!.records])).toEqual([[WRITER, 35], [BOB, 40]]);
    expect(newest(all.filter(one => one.session === SESSION && one.writer === WRITER))!.header.sequence).toBe(2);

    expect(await place.git(`alice`, `branch`, `-a`)).not.toContain(`session`);
    expect(await place.git(`alice`, `status`, `--porcelain`, `--branch`)).toBe(`## main...origin/main\n`);
    expect(await place.git(`hub.git`, `fsck`, `--strict`)).toBe(``);
  });

  it(`transfer one session alone`, async () => {
    const {place, alice, bob} = await team();
    await sync(alice, SESSION, 0, 3);
    await sync(alice, session(1), 0, 3);
    expect((await push(alice, {sessions: [SESSION]})).pushed.map(({ref}) => ref)).toEqual([REF]);
    // The index names all sessions, so that it stays at home.
    expect(await refs(place, `hub.git`, `refs/session-sync`)).toEqual([REF]);

    await push(alice);
    expect((await pull(bob, {session: SESSION})).refs.map(({ref}) => ref)).toEqual([`refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITER}`]);
    await sync(alice, SESSION, 3, 6);
    await push(alice);
    expect(await pull(bob, {session: SESSION})).toMatchObject({updated: 1});
    expect((await bob.list()).refs).toMatchObject([{session: SESSION, header: {sequence: 2}}]);
    await expect(pull(bob, {session: `../x`})).rejects.toMatchObject({code: `UNSAFE_NAME`});
  });

  it(`work with plain git, word for word`, async () => {
    const {place, alice, bob} = await team();
    await sync(alice, SESSION, 0, 3);
    await place.git(`alice`, `push`, `-q`, `origin`, `refs/session-sync/*`);
    await place.git(`bob`, `fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync/*`);
    const [stored] = (await bob.list()).refs;
    expect(stored).toMatchObject({session: SESSION, writer: WRITER});
    expect(stored!.remote).toBeUndefined();
    expect(await content(bob.readStream(stored!, `rec/main`))).toEqual(lines(0, 3));

    // Somebody else's ref in the own namespace is neither gone on with nor pushed.
    expect(await bob.head(SESSION)).toBeNull();
    await sync(bob, SESSION, 0, 5);
    expect((await push(bob)).pushed.map(({ref}) => ref)).toEqual([`refs/session-sync/index/${BOB}`, REF.replace(WRITER, BOB)]);
    await sync(alice, SESSION, 3, 6);
    await place.git(`alice`, `push`, `-q`, `origin`, `refs/session-sync/*`);
    await place.git(`bob`, `fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync/*`);
    expect((await bob.list()).refs.find(({writer, remote}) => writer === WRITER && !remote)!.header.sequence).toBe(2);
    expect(await refs(place, `hub.git`, `refs/session-sync-shadow`, `refs/session-sync-remotes`)).toEqual([]);

    // After a push by plain git, ours only notes what is so.
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toHaveLength(1);
    expect((await push(alice)).pushed.map(({ref}) => ref)).toEqual([`refs/session-sync/index/${WRITER}`]);
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toEqual([]);
  });

  it(`push many refs in batches`, async () => {
    const {place, alice} = await team();
    const head = await sync(alice, SESSION, 0, 1);
    const tree = (await place.git(`alice`, `rev-parse`, `${head!.commit}:rec`)).trim();
    let input = ``;
    for (let index = 0; index < 230; index++) {
      const json = JSON.stringify({...(await alice.head(SESSION))!.header, session: session(index)});
      input += `commit refs/session-sync/s/${session(index).slice(0, 2)}/${session(index)}/${WRITER}\ncommitter x <x@y> 1 +0000\ndata 1\nx\nM 100644 inline header.json\ndata ${Buffer.byteLength(json)}\n${json}\nM 040000 ${tree} rec\n\n`;
    }
    await feed(place, `alice`, [`fast-import`, `--quiet`], input);
    const progress: Array<string> = [];
    const result = await push(alice, {onProgress: text => progress.push(text)});
    expect([result.pushed.length, result.rejected.length]).toEqual([232, 0]);
    expect(progress.length).toBeGreaterThan(0);
    expect(await packRefs(alice.repo, alice.env)).toBe(true);
    expect(await packRefs(alice.repo, alice.env)).toBe(false);
    expect((await alice.list()).refs).toHaveLength(462);
    expect((await remoteSessions(alice.repo, alice.env, `origin`)).sessions).toHaveLength(231);
  });

  it(`need a remote of the user's own configuration`, async () => {
    const {place, alice} = await team();
    const lonely = await freshRepository(place, `lonely`);
    await expect(push(lonely)).rejects.toMatchObject({code: `NO_REMOTE`});
    for (const remote of [place.at(`hub.git`), `https://example.org/x.git`, `--upload-pack=x`, `elsewhere`])
      await expect(pull(alice, {remote})).rejects.toMatchObject({code: `NO_REMOTE`});

    await place.git(`alice`, `remote`, `add`, `gone`, `https://alice:secret@127.0.0.1:1/gone.git`);
    const failure = await push(alice, {remote: `gone`}).catch(error => error);
    expect(failure).toMatchObject({code: `GIT_FAILED`});
    expect(failure.message).not.toContain(`secret`);

    expect(await defaultRemote(alice.repo, alice.env)).toBe(`origin`);
    await place.git(`alice`, `config`, `remote.pushDefault`, `gone`);
    expect(await defaultRemote(alice.repo, alice.env)).toBe(`gone`);
    await place.git(`alice`, `config`, `branch.main.pushRemote`, `https://example.org/not-a-name.git`);
    expect(await defaultRemote(alice.repo, alice.env)).toBe(`gone`);
  });

  it(`find a remote whose address is relative, from a worktree and with settings that would change push and fetch`, async () => {
    const {place, alice, bob} = await team();
    await place.git(`alice`, `remote`, `set-url`, `origin`, `../hub.git`);
    await place.git(`alice`, `tag`, `-a`, `-m`, `x`, `v1`);
    for (const [name, value] of [[`push.followTags`, `true`], [`push.default`, `nothing`], [`push.recurseSubmodules`, `on-demand`], [`fetch.prune`, `true`], [`fetch.pruneTags`, `true`], [`remote.origin.prune`, `true`]])
      await place.git(`alice`, `config`, name!, value!);
    await sync(alice, SESSION, 0, 2);
    expect((await push(alice)).pushed).toHaveLength(2);
    expect(await refs(place, `hub.git`, `refs/tags`)).toEqual([]);
    await sync(bob, SESSION, 0, 2);
    await push(bob);
    await pull(alice);
    expect((await alice.list()).refs).toHaveLength(3);
  });

  it(`bring whole sessions into a partial clone, also when plain git fetched them without contents`, async () => {
    const {place, alice} = await team();
    await place.git(`hub.git`, `config`, `uploadpack.allowFilter`, `true`);
    await place.git(`hub.git`, `config`, `uploadpack.allowAnySHA1InWant`, `true`);
    await sync(alice, SESSION, 0, 500);
    await push(alice);

    await place.git(`.`, `clone`, `-q`, `--filter=blob:none`, `file://${place.at(`hub.git`)}`, `partial`);
    const partial = await openStore(place, `partial`, BOB);
    await pull(partial);
    const [stored] = (await partial.list()).refs;
    await fs.rename(place.at(`hub.git`), place.at(`away.git`));
    expect(await content(partial.readStream(stored!, `rec/main`))).toEqual(lines(0, 500));
    await fs.rename(place.at(`away.git`), place.at(`hub.git`));

    await place.git(`.`, `clone`, `-q`, `--filter=blob:none`, `file://${place.at(`hub.git`)}`, `hollow`);
    await place.git(`hollow`, `fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync/*`);
    await fs.rename(place.at(`hub.git`), place.at(`away.git`));
    const hollow = await openStore(place, `hollow`, BOB);
    expect((await hollow.list()).problems).toMatchObject([{code: `MISSING_OBJECT`}]);
    await fs.rename(place.at(`away.git`), place.at(`hub.git`));
    const [found] = (await hollow.list()).refs;
    expect(await content(hollow.readStream(found!, `rec/main`))).toEqual(lines(0, 500));
  });
});

describe(`what was not pushed`, () => {
  it(`comes back after a fetch that prunes, and after one that forces`, async () => {
    const {place, alice} = await team();
    await sync(alice, SESSION, 0, 3);
    await push(alice);
    await sync(alice, SESSION, 3, 6);
    await sync(alice, session(1), 0, 3);
    await place.git(`alice`, `config`, `fetch.prune`, `true`);
    await place.git(`alice`, `fetch`, `-q`, `origin`, `+refs/session-sync/*:refs/session-sync/*`);
    expect(await refs(place, `alice`, `refs/session-sync/s`)).toEqual([REF]);

    expect((await alice.healShadow()).sort()).toEqual([`refs/session-sync/s/01/${session(1)}/${WRITER}`, REF]);
    expect(await alice.healShadow()).toEqual([]);
    expect((await alice.head(SESSION))!.header.sequence).toBe(2);
    expect((await alice.list()).refs.filter(({remote}) => !remote)).toHaveLength(2);

    // One session alone, on the way to its next sync.
    await place.git(`alice`, `fetch`, `-q`, `origin`, `+refs/session-sync/*:refs/session-sync/*`);
    expect(await sync(alice, session(1), 3, 5)).toMatchObject({sequence: 2});
    expect(await content(alice.readStream((await alice.head(session(1)))!, `rec/main`))).toEqual(lines(0, 5));
  });

  it(`is removed for good by removeRefs, unless it has moved`, async () => {
    const {place, alice} = await team();
    await sync(alice, SESSION, 0, 3);
    const old = (await alice.head(SESSION))!;
    await sync(alice, SESSION, 3, 4);
    expect(await removeRefs(alice, [old])).toEqual({removed: [], kept: [REF]});
    await place.git(`alice`, `pack-refs`, `--all`);
    expect(await removeRefs(alice, [(await alice.head(SESSION))!])).toEqual({removed: [REF], kept: []});
    expect(await alice.head(SESSION)).toBeNull();
    expect(await refs(place, `alice`, `refs/session-sync`, `refs/session-sync-shadow`)).toEqual([]);
    await expect(removeRefs(alice, [{...old, ref: `refs/heads/main`}])).rejects.toMatchObject({code: `UNSAFE_NAME`});
  });
});

describe(`the index`, () => {
  it(`lists what a remote has without fetching it`, async () => {
    const {place, alice, bob} = await team();
    await sync(alice, SESSION, 0, 500);
    await push(alice);
    await sync(alice, SESSION, 500, 600);
    await push(alice);
    await sync(bob, session(2), 0, 1);
    await place.git(`bob`, `push`, `-q`, `origin`, `refs/session-sync/*`);

    const {sessions, problems} = await remoteSessions(bob.repo, bob.env, `origin`);
    expect(sessions).toMatchObject([{session: SESSION, sequence: 2, title: `Fix the cart`, streams: {'rec/main': {records: 600}}}]);
    expect(problems).toMatchObject([{ref: `refs/session-sync/s/02/${session(2)}/${BOB}`, code: `MISSING_OBJECT`}]);
    expect(await refs(place, `bob`, `refs/session-sync-remotes`)).toEqual([`refs/session-sync-remotes/origin/index/${WRITER}`]);
    await expect(bob.reader.object((await alice.head(SESSION))!.commit, 1 << 20)).resolves.toBeNull();
    expect((await bob.list()).problems).toEqual([]);
  });

  it(`changes only with what it lists`, async () => {
    const {place, alice} = await team();
    expect(await updateIndex(alice)).toBeNull();
    await sync(alice, SESSION, 0, 1);
    await sync(alice, session(1), 0, 1);
    const first = await updateIndex(alice);
    expect(await updateIndex(alice)).toBe(first);
    expect((await readIndex(alice.reader, `x`, first!, WRITER)).entries.map(({header}) => header.session)).toEqual([session(1), SESSION]);

    await removeRefs(alice, [(await alice.head(session(1)))!]);
    expect(await updateIndex(alice)).toBe(first);
    const second = await updateIndex(alice, () => false);
    expect((await readIndex(alice.reader, `x`, second!, WRITER)).entries).toEqual([{commit: (await alice.head(SESSION))!.commit, header: (await alice.head(SESSION))!.header}]);
    expect(await place.git(`alice`, `log`, `--format=%cn %ct %s`, `refs/session-sync/index/${WRITER}`)).toBe(`session-sync 2 session-sync index: 1 session\nsession-sync 1 session-sync index: 2 sessions\n`);
  });

  it(`is not believed`, async () => {
    const {place, alice} = await team();
    await sync(alice, SESSION, 0, 1);
    await sync(alice, session(1), 0, 1);
    const {header} = (await alice.head(SESSION))!;
    const plant = async (files: {[name: string]: string}) => {
      let input = `commit refs/session-sync/index/${WRITER}\ncommitter x <x@y> 1 +0000\ndata 1\nx\ndeleteall\n`;
      for (const [name, text] of Object.entries(files))
        input += `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
      await feed(place, `alice`, [`fast-import`, `--quiet`, `--force`], input);
      await place.git(`alice`, `push`, `-q`, `--force`, `origin`, `refs/session-sync/*`);
      return await remoteSessions(alice.repo, alice.env, `origin`);
    };
    const commit = `1`.repeat(40);
    const bad = await plant({
      [`h/5e/${SESSION}.json`]: JSON.stringify({commit, header}),
      [`h/01/${session(1)}.json`]: JSON.stringify({commit, header}),
      [`h/02/${session(2)}.json`]: `{`.repeat(100_000),
      [`h/03/${session(3)}.json`]: JSON.stringify({commit: `HEAD`, header: {...header, session: session(3)}}),
      [`h/04/${session(4)}.json`]: JSON.stringify({commit, header: {...header, session: session(4)}}),
    });
    // Session 4 is in the index, but has no ref.
    expect(bad.sessions.map(one => one.session)).toEqual([SESSION]);
    expect(bad.problems.map(({code}) => code).sort()).toEqual([`BAD_DATA`, `BAD_DATA`, `BAD_DATA`, `MISSING_OBJECT`]);

    for (const name of [`run.sh`, `h/x`, `h/5e/x`, `h/zz/${SESSION}.json`])
      expect(await plant({[name]: `x`})).toMatchObject({sessions: [], problems: expect.arrayContaining([expect.objectContaining({code: `BAD_DATA`})])});
  });
});

it(`a push leaves the meta of a session as it was`, async () => {
  const {alice} = await team();
  const appender = await alice.begin(SESSION);
  await appender.append(`rec/main`, lines(0, 1));
  await appender.commit(meta(SESSION, 1));
  const before = await alice.head(SESSION);
  await push(alice);
  expect(await alice.head(SESSION)).toEqual(before);
});
