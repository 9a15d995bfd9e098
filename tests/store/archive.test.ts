import * as fs                                            from 'node:fs/promises';
import {describe, expect, it}                             from 'vitest';

import {archive, listRemote, planArchivedRemoval, planRemoval, prune, pruneArchived, pull, pullArchives, pullSession, push, remoteSessions, removeRefs, updateIndex} from '../../sources/store/index.ts';
import type {SessionStore}                                from '../../sources/store/index.ts';

import {SESSION, WRITER, content, feed, freshRepository, lines, meta, openStore, scratch, session} from './_repo.ts';
import type {Scratch}                                     from './_repo.ts';

const BOB = `fedcba9876543210`;
const ref = (id: string, writer = WRITER) => `refs/session-sync/s/${id.slice(0, 2)}/${id}/${writer}`;
const day = (text: string) => Date.parse(`${text}T00:00:00.000Z`);

/** A session of `records` lines whose newest record is of that day. */
async function dated(store: SessionStore, id: string, updated: string, records = 3, from = 0, more = {}) {
  const appender = await store.begin(id);
  await appender.append(`rec/main`, lines(from, records));
  return await appender.commit(meta(id, records, {updated: `${updated}T10:00:00.000Z`, ...more}));
}

/** A bare remote with sessions of 2024, 2025 and 2026 by alice, and one of 2024 by bob. */
async function team() {
  const place = await scratch();
  await freshRepository(place, `seed`);
  await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
  for (const name of [`alice`, `bob`, `carol`])
    await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), name);
  const [alice, bob, carol] = [await openStore(place, `alice`), await openStore(place, `bob`, BOB), await openStore(place, `carol`, `00c0ffee00c0ffee`)];
  await dated(alice, session(1), `2024-03-01`);
  await dated(alice, session(2), `2025-03-01`, 300);
  await dated(alice, SESSION, `2026-10-01`);
  await dated(bob, session(9), `2024-05-01`);
  await push(alice);
  await push(bob);
  return {place, alice, bob, carol};
}

const refs = async (place: Scratch, name: string, ...prefixes: Array<string>) => (await place.git(name, `for-each-ref`, `--format=%(refname)`, ...prefixes)).trim().split(`\n`).filter(name => name !== ``);
const liveRefs = async (place: Scratch) => await refs(place, `hub.git`, `refs/session-sync/s`);
const old = {remote: `origin`, before: day(`2026-01-01`)};

describe(`what may go from a remote`, () => {
  it(`is old, this clone's own, and nothing that a session that stays goes on from`, async () => {
    const {place, alice} = await team();
    const plan = await planRemoval(alice, old);
    expect(plan.chosen.map(({session}) => session)).toEqual([session(1), session(2)]);
    expect(plan.left).toMatchObject([{session: session(9), reason: expect.stringMatching(/another clone's.*--others/)}]);

    await dated(alice, session(3), `2026-10-02`, 5, 3, {lineage: {parent: session(2), seq: 3, source: 100}});
    await dated(alice, session(4), `2025-02-02`, 5, 3, {lineage: {parent: session(1), seq: 3, source: 100}});
    await push(alice);
    const again = await planRemoval(alice, old);
    expect(again.chosen.map(({session}) => session)).toEqual([session(1), session(4)]);
    expect(again.left).toContainEqual({ref: ref(session(2)), session: session(2), reason: expect.stringContaining(`goes on from it`)});
    // Nor one that somebody else's session goes on from.
    expect((await planRemoval(alice, {...old, sessions: [session(1)]})).left).toMatchObject([{session: session(1)}]);

    // A state that this clone has not: not its own any more.
    await removeRefs(alice, [(await alice.head(session(1)))!]);
    const lost = await planRemoval(alice, old);
    expect(lost.chosen.map(({session}) => session)).toEqual([session(4)]);
    expect(lost.left.find(one => one.session === session(1))!.reason).toContain(`has not got it`);
    expect(await liveRefs(place)).toHaveLength(6);
  });

  it(`is not what the index does not name, nor what the remote has otherwise`, async () => {
    const {place, alice, bob} = await team();
    await dated(bob, session(8), `2024-01-01`);
    await place.git(`bob`, `push`, `-q`, `origin`, ref(session(8), BOB));
    const plan = await planRemoval(alice, {...old, others: true});
    expect(plan.chosen.map(({session}) => session)).toEqual([session(1), session(2), session(9)]);
    expect(plan.left).toMatchObject([{session: session(8), reason: expect.stringContaining(`age is not known`)}]);

    // Somebody has set back what the remote has of session 1.
    const other = (await place.git(`hub.git`, `commit-tree`, `-m`, `x`, `main^{tree}`)).trim();
    await place.git(`hub.git`, `update-ref`, ref(session(1)), other);
    expect((await planRemoval(alice, old)).left.map(({reason}) => reason)).toContain(`the remote has another state of it, by the same writer`);
  });
});

describe(`prune`, () => {
  it(`takes own sessions off the remote, keeps them here, and does not push them again`, async () => {
    const {place, alice, bob, carol} = await team();
    await pull(bob);
    const before = await place.git(`alice`, `for-each-ref`, `refs/session-sync/s`);
    const result = await prune(alice, await planRemoval(alice, old), old);
    expect(result).toMatchObject({remote: `origin`, removed: [{session: session(1)}, {session: session(2)}], problems: []});
    expect(await liveRefs(place)).toEqual([ref(session(9), BOB), ref(SESSION)]);
    expect(await place.git(`alice`, `for-each-ref`, `refs/session-sync/s`)).toBe(before);
    expect(await place.git(`hub.git`, `ls-tree`, `-r`, `--name-only`, `refs/session-sync/index/${WRITER}`)).toBe(`h/5e/${SESSION}.json\n`);
    expect((await remoteSessions(carol.repo, carol.env, `origin`)).sessions.map(one => one.session)).toEqual([SESSION, session(9)]);

    // Known as not pushed: `clean` must not take the last copy for safe, and a pruning fetch cannot take it.
    expect(await refs(place, `alice`, `refs/session-sync-remotes/origin/s`)).toEqual([`refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITER}`]);
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toHaveLength(2);
    expect(await push(alice)).toMatchObject({pushed: [], rejected: [], withheld: [{session: session(1), reason: `pruned`}, {session: session(2), reason: `pruned`}]});
    await updateIndex(alice);
    expect((await push(alice)).pushed).toEqual([]);
    // What others fetched is theirs.
    expect((await bob.list()).refs.map(one => one.session)).toEqual([session(1), session(2), session(9), SESSION, session(9)]);

    // It comes back when it grows, and when it is named.
    await dated(alice, session(1), `2026-11-01`, 5, 3);
    expect((await push(alice)).pushed.map(one => one.session)).toEqual([undefined, session(1)]);
    expect((await push(alice, {sessions: [session(2)]})).pushed.map(one => one.session)).toEqual([session(2)]);
    await push(alice);
    expect((await remoteSessions(carol.repo, carol.env, `origin`)).sessions.map(one => one.session)).toEqual([session(1), SESSION, session(2), session(9)]);
    expect((await pull(carol)).updated).toBeGreaterThan(3);
    expect(await content(carol.readStream((await carol.list()).refs.find(one => one.session === session(2))!, `rec/main`))).toEqual(lines(0, 300));
  });

  it(`leaves a ref alone that grew after it was looked at`, async () => {
    const {place, alice} = await team();
    const plan = await planRemoval(alice, old);
    await dated(alice, session(2), `2026-11-01`, 303, 300);
    await push(alice);
    const {removed, left} = await prune(alice, plan, old);
    expect(removed.map(({session}) => session)).toEqual([session(1)]);
    expect(left).toMatchObject([{session: session(9)}, {session: session(2), reason: `it has grown meanwhile`}]);
    expect(await liveRefs(place)).toContain(ref(session(2)));
  });

  it(`fetches sessions of others before they go`, async () => {
    const {place, alice, bob} = await team();
    const options = {...old, others: true};
    const plan = await planRemoval(alice, options);
    expect(plan.chosen).toHaveLength(3);
    // Its index is a state behind: what is fetched says how old it is.
    await dated(bob, session(9), `2026-11-01`, 5, 3);
    await place.git(`bob`, `push`, `-q`, `origin`, ref(session(9), BOB));
    expect((await prune(alice, plan, options)).left).toMatchObject([{session: session(9), reason: `it has grown meanwhile`}]);

    await prune(alice, await planRemoval(alice, {remote: `origin`, sessions: [session(9)], others: true}), {remote: `origin`, others: true});
    expect(await liveRefs(place)).toEqual([ref(SESSION)]);
    const kept = (await alice.list()).refs.find(one => one.session === session(9))!;
    expect(await content(alice.readStream(kept, `rec/main`))).toEqual(lines(0, 5));
    expect(await place.git(`alice`, `rev-list`, `--objects`, `--missing=error`, kept.ref)).not.toBe(``);

    // Bob's clone learns it when it pushes, and keeps its own.
    await push(bob);
    await dated(bob, session(9), `2026-11-02`, 6, 5);
    expect(await push(bob)).toMatchObject({withheld: []});
    await prune(alice, await planRemoval(alice, {remote: `origin`, sessions: [session(9)], others: true}), {remote: `origin`, others: true});
    expect(await push(bob, {dryRun: true})).toMatchObject({withheld: [{session: session(9)}]});
    expect(await refs(place, `bob`, `refs/session-sync-pruned`)).toEqual([]);
    expect(await push(bob)).toMatchObject({withheld: [{session: session(9), reason: `pruned`}]});
    expect(await refs(place, `bob`, `refs/session-sync-remotes/origin/s`)).toEqual([]);
    expect(await content(bob.readStream((await bob.head(session(9)))!, `rec/main`))).toEqual(lines(0, 6));
  });

  it(`says what the remote refuses, and removes the others`, async () => {
    const {place, alice} = await team();
    await fs.writeFile(place.at(`hub.git`, `hooks`, `update`), `#!/bin/sh\ncase $1 in *${session(1)}*) echo "not this one" >&2; exit 1;; esac\n`, {mode: 0o755});
    const {removed, left} = await prune(alice, await planRemoval(alice, old), old);
    expect(removed.map(({session}) => session)).toEqual([session(2)]);
    expect(left).toContainEqual({ref: ref(session(1)), session: session(1), reason: expect.stringContaining(`hook declined`)});
    expect((await alice.list()).refs.filter(one => one.session === session(1) && one.remote === `origin`)).toHaveLength(1);
  });

  it(`a remote that lost everything gets everything again`, async () => {
    const {place, alice} = await team();
    await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `new.git`);
    await place.git(`alice`, `remote`, `set-url`, `origin`, place.at(`new.git`));
    expect(await push(alice)).toMatchObject({pushed: {length: 4}, withheld: []});
  });
});

describe(`archive`, () => {
  it(`moves sessions into a ref a year; they are listed, and fetched one at a time`, async () => {
    const {place, alice, carol} = await team();
    const tips = new Map((await alice.list()).refs.map(one => [one.session, one.commit]));
    const result = await archive(alice, await planRemoval(alice, old), old);
    const archives = [`refs/session-sync/archive/${WRITER}/2024`, `refs/session-sync/archive/${WRITER}/2025`];
    expect(result).toMatchObject({removed: [{session: session(1)}, {session: session(2)}], archives, problems: []});
    expect(await refs(place, `hub.git`, `refs/session-sync/archive`)).toEqual(archives);
    expect(await liveRefs(place)).toEqual([ref(session(9), BOB), ref(SESSION)]);
    await place.git(`hub.git`, `gc`, `-q`, `--prune=now`);
    expect(await place.git(`hub.git`, `fsck`, `--strict`)).toBe(``);
    expect(await place.git(`hub.git`, `log`, `--format=%P %ct %s`, `-1`, archives[1]!)).toBe(`${tips.get(session(2))} 1 session-sync archive 2025: 1 session\n`);
    expect(await place.git(`hub.git`, `ls-tree`, `-r`, `--name-only`, archives[1]!)).toBe(`h/02/${session(2)}.${WRITER}.json\n`);

    const live = await remoteSessions(carol.repo, carol.env, `origin`);
    expect(live).toMatchObject({archives: 2, problems: []});
    expect(live.sessions.map(one => one.session)).toEqual([SESSION, session(9)]);
    const listed = await remoteSessions(carol.repo, carol.env, `origin`, {archived: true});
    expect(listed.sessions.map(one => [one.session, one.streams[`rec/main`]!.records])).toEqual([[session(2), 300], [session(1), 3]]);
    expect(listed.problems).toEqual([]);
    await expect(carol.reader.object(tips.get(session(2))!, 1 << 20)).resolves.toBeNull();

    expect(await pullSession(carol, session(2))).toMatchObject({remote: `origin`, sessions: [session(2)], missing: [], archives: []});
    const [found] = (await carol.list()).refs;
    expect(found).toMatchObject({session: session(2), commit: tips.get(session(2)), remote: `origin`});
    expect(await content(carol.readStream(found!, `rec/main`))).toEqual(lines(0, 300));
    await expect(carol.reader.object(tips.get(session(1))!, 1 << 20)).resolves.toBeNull();
    expect((await carol.list()).problems).toEqual([]);

    // A plain pull leaves them where they are.
    await pull(carol);
    expect((await carol.list()).refs.map(one => one.session).sort()).toEqual([session(2), session(9), SESSION]);
    expect(await pullArchives(carol, {remote: `origin`})).toBe(1);
    expect((await carol.list()).refs.map(one => one.session).sort()).toEqual([session(1), session(2), session(9), SESSION]);
    expect((await carol.list()).problems).toEqual([]);
  });

  it(`keeps own sessions here as pushed; one that grows is pushed and archived again`, async () => {
    const {place, alice, carol} = await team();
    await archive(alice, await planRemoval(alice, old), old);
    expect((await alice.list()).refs.filter(one => one.session === session(2)).map(one => one.remote)).toEqual([`origin`, undefined]);
    expect(await push(alice)).toMatchObject({pushed: [], withheld: [{session: session(1), reason: `archived`}, {session: session(2), reason: `archived`}]});
    expect((await planRemoval(alice, old)).chosen).toEqual([]);

    await dated(alice, session(2), `2025-04-01`, 305, 300);
    expect((await push(alice)).pushed.map(one => one.session)).toEqual([undefined, session(2)]);
    expect((await remoteSessions(carol.repo, carol.env, `origin`, {archived: true})).sessions.map(one => one.session)).toEqual([session(1)]);
    await archive(alice, await planRemoval(alice, old), old);
    const commit = (await alice.head(session(2)))!.commit;
    expect((await place.git(`hub.git`, `log`, `-1`, `--format=%P`, `refs/session-sync/archive/${WRITER}/2025`)).trim().split(` `)).toHaveLength(2);
    const [newest] = (await remoteSessions(carol.repo, carol.env, `origin`, {archived: true})).sessions;
    expect(newest).toMatchObject({session: session(2), sequence: 2});
    await pullSession(carol, session(2));
    expect((await carol.list()).refs).toMatchObject([{commit}]);
  });

  it(`of others is fetched first, and known to them as archived`, async () => {
    const {place, alice, bob} = await team();
    const options = {...old, others: true};
    await archive(alice, await planRemoval(alice, options), options);
    expect(await liveRefs(place)).toEqual([ref(SESSION)]);
    expect(await push(bob)).toMatchObject({withheld: [{session: session(9), reason: `archived`}]});
    // Still safe on the remote, so still known as pushed.
    expect(await refs(place, `bob`, `refs/session-sync-remotes/origin/s`)).toEqual([`refs/session-sync-remotes/origin/s/09/${session(9)}/${BOB}`]);
    expect((await remoteSessions(bob.repo, bob.env, `origin`, {archived: true})).sessions.map(one => one.session)).toEqual([session(2), session(9), session(1)]);
  });

  it(`removes nothing when the archive does not arrive, and can be done again`, async () => {
    const {place, alice} = await team();
    const hook = place.at(`hub.git`, `hooks`, `update`);
    await fs.writeFile(hook, `#!/bin/sh\ncase $1 in *archive/*/2025) exit 1;; esac\n`, {mode: 0o755});
    const before = await liveRefs(place);
    await expect(archive(alice, await planRemoval(alice, old), old)).rejects.toMatchObject({code: `REF_MOVED`, message: expect.stringContaining(`nothing was removed`)});
    expect(await liveRefs(place)).toEqual(before);
    // Also when an index goes ahead: what has a ref is listed still.
    await push(alice);
    expect((await remoteSessions(alice.repo, alice.env, `origin`)).sessions).toHaveLength(4);
    await fs.rm(hook);
    expect((await archive(alice, await planRemoval(alice, old), old)).removed).toHaveLength(2);
    expect(await liveRefs(place)).toHaveLength(2);
  });

  it(`is the same for the same sessions, whoever's clock it is`, async () => {
    const [one, two] = [await team(), await team()];
    for (const {alice} of [one, two])
      await archive(alice, await planRemoval(alice, old), old);
    const heads = await Promise.all([one, two].map(async ({place}) => await place.git(`hub.git`, `for-each-ref`, `--format=%(objectname) %(refname)`, `refs/session-sync/archive`, `refs/session-sync/index/${WRITER}`)));
    expect(heads[0]).toBe(heads[1]);
  });

  it(`needs an index of this clone on the remote`, async () => {
    const {place, alice} = await team();
    await place.git(`hub.git`, `update-ref`, `-d`, `refs/session-sync/index/${WRITER}`);
    await expect(archive(alice, await planRemoval(alice, {...old, others: true}), old)).rejects.toMatchObject({code: `NO_INDEX`});
  });

  it(`is fetched as a whole from a remote that gives no single commit`, async () => {
    const {place, alice, carol} = await team();
    await dated(alice, session(5), `2025-05-01`);
    await push(alice);
    await archive(alice, await planRemoval(alice, old), old);
    await place.git(`carol`, `config`, `protocol.version`, `0`);
    expect(await pullSession(carol, session(5))).toMatchObject({archives: [`refs/session-sync/archive/${WRITER}/2025`]});
    expect((await carol.list()).refs).toMatchObject([{session: session(5)}]);
    expect((await carol.list()).problems).toEqual([]);
  });

  it(`is not believed`, async () => {
    const {place, alice, carol} = await team();
    await archive(alice, await planRemoval(alice, old), old);
    const {header} = (await alice.head(session(2)))!;
    const main = (await place.git(`hub.git`, `rev-parse`, `main`)).trim();
    const plant = async (files: {[name: string]: string}) => {
      let input = `commit refs/session-sync/index/${BOB}\ncommitter x <x@y> 1 +0000\ndata 1\nx\ndeleteall\n`;
      for (const [name, text] of Object.entries(files))
        input += `M 100644 inline ${name}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
      await feed(place, `hub.git`, [`fast-import`, `--quiet`, `--force`], input);
      await place.git(`hub.git`, `update-ref`, `refs/session-sync/archive/${BOB}/2025`, main);
      return await listRemote(carol.repo, carol.env, `origin`, {archived: true});
    };
    // A newer state that is no session does not stand in the way of the one that is.
    const name = `a/2025/02/${session(2)}.${WRITER}.json`;
    const planted = await plant({[name]: JSON.stringify({commit: main, header: {...header, sequence: 99}})});
    expect(planted.archived).toHaveLength(3);
    expect(await pullSession(carol, session(2))).toMatchObject({sessions: [session(2)]});
    expect((await carol.list()).refs).toMatchObject([{session: session(2), header: {sequence: 1}}]);
    expect((await carol.list()).problems).toEqual([]);

    // An archive that is not there, a header of another, a depth.
    const bad = await plant({
      [`a/2023/02/${session(2)}.${WRITER}.json`]: JSON.stringify({commit: main, header}),
      [`a/2025/03/${session(3)}.${WRITER}.json`]: JSON.stringify({commit: main, header}),
      [`a/2025/04/${session(4)}.${WRITER}.json`]: `[`.repeat(1000),
    });
    expect(bad.archived.map(one => one.archive)).toEqual([`refs/session-sync/archive/${WRITER}/2024`, `refs/session-sync/archive/${WRITER}/2025`]);
    expect(bad.problems.map(({code}) => code).sort()).toEqual([`BAD_DATA`, `BAD_DATA`]);
    for (const name of [`a/x`, `a/20255/x`, `a/2025/x`, `a/2025/02/${session(2)}.json`, `a/2025/02/${session(2)}.${WRITER}.x.json`, `a/2025/zz/${session(2)}.${WRITER}.json`, `a/2025/02/${session(2)}..json`, `b/2025/02/x.json`])
      expect((await plant({[name]: `x`})).problems, name).toMatchObject([{code: `BAD_DATA`}]);

    await place.git(`hub.git`, `update-ref`, `refs/session-sync/archive/${BOB}/20255`, main);
    expect((await listRemote(carol.repo, carol.env, `origin`)).problems.map(({code}) => code)).toContain(`UNSAFE_NAME`);
    await expect(pullSession(carol, session(7))).rejects.toMatchObject({code: `UNKNOWN_SESSION`});
  });
});

describe(`prune in archives`, () => {
  it(`takes sessions out of this clone's own, and keeps them here`, async () => {
    const {place, alice, carol} = await team();
    const others = {...old, others: true};
    await archive(alice, await planRemoval(alice, others), others);
    const [commit, archives] = [(await alice.head(session(1)))!.commit, [2024, 2025].map(year => `refs/session-sync/archive/${WRITER}/${year}`)];

    const plan = await planArchivedRemoval(alice, old);
    expect(plan.chosen.map(one => one.session)).toEqual([session(1), session(2)]);
    expect(plan.left).toMatchObject([{session: session(9), reason: expect.stringContaining(`--others`)}]);
    const one = {remote: `origin`, sessions: [session(1)]};
    expect(await pruneArchived(alice, await planArchivedRemoval(alice, one), one)).toMatchObject({removed: [{session: session(1)}], left: [], problems: []});
    expect(await refs(place, `hub.git`, `refs/session-sync/archive`)).toEqual(archives);
    await place.git(`hub.git`, `gc`, `-q`, `--prune=now`);
    await expect(place.git(`hub.git`, `cat-file`, `-e`, commit)).rejects.toThrow();
    expect(await place.git(`hub.git`, `log`, `--format=%ct %s`, `-1`, archives[0]!)).toBe(`2 session-sync archive 2024: 1 session\n`);
    expect((await remoteSessions(carol.repo, carol.env, `origin`, {archived: true})).sessions.map(one => one.session)).toEqual([session(2), session(9)]);
    await expect(pullSession(carol, session(1))).rejects.toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await pullSession(carol, session(9))).toMatchObject({sessions: [session(9)]});

    // Still alice's, not called pushed, and not sent again.
    expect((await alice.head(session(1)))!.commit).toBe(commit);
    expect(await refs(place, `alice`, `refs/session-sync-remotes/origin/s/01`)).toEqual([]);
    expect(await push(alice)).toMatchObject({pushed: [], withheld: [{session: session(1), reason: `pruned`}, {session: session(2), reason: `archived`}]});

    // Everything, also bob's: the archives are gone, and nothing names them.
    expect((await pruneArchived(alice, await planArchivedRemoval(alice, others), others)).removed).toHaveLength(2);
    expect(await refs(place, `hub.git`, `refs/session-sync/archive`)).toEqual([]);
    expect(await refs(place, `alice`, `refs/session-sync/archive`, `refs/session-sync-pruned/draft`)).toEqual([]);
    expect(await place.git(`hub.git`, `ls-tree`, `-r`, `--name-only`, `refs/session-sync/index/${WRITER}`)).toBe(`h/5e/${SESSION}.json\n`);
    const kept = (await alice.list()).refs.find(one => one.session === session(9))!;
    await place.git(`alice`, `gc`, `-q`, `--prune=now`);
    expect(await content(alice.readStream(kept, `rec/main`))).toEqual(lines(0, 3));

    // And from the beginning.
    await dated(alice, session(2), `2025-04-01`, 305, 300);
    await push(alice);
    expect((await archive(alice, await planRemoval(alice, old), old)).removed.map(one => one.session)).toEqual([session(2)]);
    expect((await remoteSessions(carol.repo, carol.env, `origin`, {archived: true})).sessions).toMatchObject([{session: session(2), sequence: 2}]);
    expect(await place.git(`hub.git`, `fsck`, `--strict`, `--no-dangling`)).toBe(``);
  });

  it(`leaves those of other clones alone, what a session that stays goes on from, and what the remote refuses`, async () => {
    const {place, alice, bob} = await team();
    await dated(alice, session(3), `2026-10-02`, 5, 3, {lineage: {parent: session(1), seq: 3, source: 100}});
    await archive(alice, await planRemoval(alice, old), old);
    await archive(bob, await planRemoval(bob, {remote: `origin`, sessions: [session(9)]}), {remote: `origin`});
    await push(alice);
    const plan = await planArchivedRemoval(alice, old);
    expect(plan.chosen.map(one => one.session)).toEqual([session(2)]);
    expect(plan.left).toMatchObject([{session: session(9), reason: expect.stringContaining(`another clone`)}, {session: session(1), reason: expect.stringContaining(`goes on from it`)}]);

    await fs.writeFile(place.at(`hub.git`, `hooks`, `update`), `#!/bin/sh\ncase $1 in *archive*) exit 1;; esac\n`, {mode: 0o755});
    const before = await refs(place, `alice`, `refs/session-sync`);
    expect(await pruneArchived(alice, plan, old)).toMatchObject({removed: [], left: expect.arrayContaining([expect.objectContaining({session: session(2), reason: expect.stringContaining(`hook declined`)})])});
    expect(await refs(place, `alice`, `refs/session-sync`)).toEqual(before);
    expect((await remoteSessions(bob.repo, bob.env, `origin`, {archived: true})).sessions.map(one => one.session)).toContain(session(2));
  });

  /** What of the archives a listing of that remote has. */
  const archivedOn = async ({repo, env}: SessionStore, remote: string) => (await remoteSessions(repo, env, remote, {archived: true})).sessions.map(one => one.session).sort();

  it(`keeps the archives of two remotes apart: what goes from the one stays on the other, and does not come back`, async () => {
    const {place, alice} = await team();
    await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `second.git`);
    await place.git(`alice`, `remote`, `add`, `backup`, place.at(`second.git`));
    await dated(alice, session(3), `2024-06-01`);
    await dated(alice, session(4), `2024-07-01`);
    await push(alice);
    await push(alice, {remote: `backup`});
    const on = (remote: string, ...ids: Array<string>) => ({remote, sessions: ids});
    for (const remote of [`origin`, `backup`])
      await archive(alice, await planRemoval(alice, on(remote, session(1), session(2), session(3))), on(remote));

    // Written anew on the one (2024), and dropped whole (2025).
    const going = on(`origin`, session(1), session(2));
    expect(await pruneArchived(alice, await planArchivedRemoval(alice, going), going)).toMatchObject({removed: {length: 2}, problems: []});
    expect(await archivedOn(alice, `origin`)).toEqual([session(3)]);
    expect(await archivedOn(alice, `backup`)).toEqual([session(1), session(2), session(3)]);

    // The other goes on from what it has.
    expect((await archive(alice, await planRemoval(alice, on(`backup`, session(4))), on(`backup`))).removed).toHaveLength(1);
    expect(await archivedOn(alice, `backup`)).toEqual([session(1), session(2), session(3), session(4)]);
    expect((await archive(alice, await planRemoval(alice, on(`origin`, session(4))), on(`origin`))).removed).toHaveLength(1);
    for (const remote of [`origin`, `backup`, `origin`])
      expect(await push(alice, {remote})).toMatchObject({rejected: []});
    expect(await archivedOn(alice, `origin`)).toEqual([session(3), session(4)]);
    expect(await archivedOn(alice, `backup`)).toEqual([session(1), session(2), session(3), session(4)]);
    expect(await refs(place, `hub.git`, `refs/session-sync/archive`)).toEqual([`refs/session-sync/archive/${WRITER}/2024`]);
    expect(await place.git(`hub.git`, `ls-tree`, `-r`, `--name-only`, `refs/session-sync/archive/${WRITER}/2024`)).toBe([3, 4].map(id => `h/0${id}/${session(id)}.${WRITER}.json\n`).join(``));

    const rest = on(`backup`, session(1));
    expect(await pruneArchived(alice, await planArchivedRemoval(alice, rest), rest)).toMatchObject({removed: {length: 1}, left: []});
    expect(await archivedOn(alice, `backup`)).toEqual([session(2), session(3), session(4)]);
  });

  it.each([[`written anew`, [1]], [`dropped whole`, [1, 3]]])(`goes on from what the remote has, where the answer to an archive that was %s got lost`, async (_, ids) => {
    const {place, alice} = await team();
    await dated(alice, session(3), `2024-06-01`);
    await dated(alice, session(4), `2024-07-01`);
    await push(alice);
    const one = {remote: `origin`, sessions: [session(1), session(3)]};
    await archive(alice, await planRemoval(alice, one), one);

    // The server ends when it has done what it was asked for.
    const hook = place.at(`hub.git`, `hooks`, `reference-transaction`);
    await fs.writeFile(hook, `#!/bin/sh\n[ "$1" = committed ] && grep -q /archive/ && kill -9 $PPID\nexit 0\n`, {mode: 0o755});
    const going = {remote: `origin`, sessions: ids.map(id => session(id))};
    const plan  = await planArchivedRemoval(alice, going);
    expect(plan.chosen).toHaveLength(ids.length);
    await expect(pruneArchived(alice, plan, going)).rejects.toMatchObject({code: `GIT_FAILED`});
    await fs.rm(hook);

    await push(alice);
    const again = await planArchivedRemoval(alice, going);
    await pruneArchived(alice, again, going);
    const next = {remote: `origin`, sessions: [session(4)]};
    expect((await archive(alice, await planRemoval(alice, next), next)).removed).toHaveLength(1);
    const staying = [3, 4].filter(id => !ids.includes(id)).map(id => session(id));
    expect(await archivedOn(alice, `origin`)).toEqual(staying);
    expect(await place.git(`hub.git`, `ls-tree`, `-r`, `--name-only`, `refs/session-sync/archive/${WRITER}/2024`)).toBe(staying.map(id => `h/${id.slice(0, 2)}/${id}.${WRITER}.json\n`).join(``));
    const {withheld} = await push(alice);
    expect(withheld.map(({session, reason}) => [session, reason])).toEqual([1, 3, 4].map(id => [session(id), ids.includes(id) ? `pruned` : `archived`]));
    expect(await refs(place, `alice`, `refs/session-sync-pruned/draft`)).toEqual([]);
  });

  it(`takes a session out of the archives of two years at once`, async () => {
    const {place, alice} = await team();
    await archive(alice, await planRemoval(alice, old), old);
    await dated(alice, session(1), `2025-04-01`, 5, 3);
    await push(alice);
    await archive(alice, await planRemoval(alice, old), old);
    const one  = {remote: `origin`, sessions: [session(1)]};
    const plan = await planArchivedRemoval(alice, one);
    expect(plan.chosen).toMatchObject([{session: session(1), archive: `refs/session-sync/archive/${WRITER}/2024`}, {session: session(1), archive: `refs/session-sync/archive/${WRITER}/2025`}]);
    // As plain git has put them there: a plain push would bring back what is pruned.
    await place.git(`alice`, `fetch`, `-q`, `origin`, `refs/session-sync/archive/*:refs/session-sync/archive/*`);
    expect(await pruneArchived(alice, plan, one)).toMatchObject({removed: {length: 2}, left: [], problems: []});
    expect(await archivedOn(alice, `origin`)).toEqual([session(2)]);
    expect(await refs(place, `alice`, `refs/session-sync/archive`)).toEqual([]);
    expect((await place.git(`alice`, `rev-parse`, `refs/session-sync-pruned/origin/s/01/${session(1)}/${WRITER}`)).trim()).toBe((await alice.head(session(1)))!.commit);
  });

  it(`keeps own ones that were cleaned here, also where it is killed, and does not bring them back as this clone's`, async () => {
    const {place, alice} = await team();
    await archive(alice, await planRemoval(alice, old), old);
    const cleaned = (await alice.list()).refs.filter(one => one.session === session(1));
    await removeRefs(alice, cleaned);
    const {commit} = cleaned[0]!;
    const one  = {remote: `origin`, sessions: [session(1)]};
    const note = `refs/session-sync-pruned/origin/s/01/${session(1)}/${WRITER}`;

    // When the archive arrives without it, it has a ref here.
    const [seen, hook] = [place.at(`seen`), place.at(`hub.git`, `hooks`, `update`)];
    await fs.writeFile(hook, `#!/bin/sh\ncase $1 in *archive*) env -u GIT_DIR -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY git --git-dir='${place.at(`alice`, `.git`)}' for-each-ref --contains ${commit} --format='%(refname)' refs/session-sync-pruned > '${seen}'; exit 1;; esac\n`, {mode: 0o755});
    expect(await pruneArchived(alice, await planArchivedRemoval(alice, one), one)).toMatchObject({removed: []});
    expect(await fs.readFile(seen, `utf8`)).toBe(`${note}\n`);
    expect(await refs(place, `alice`, `refs/session-sync-pruned`)).toEqual([]);

    await fs.rm(hook);
    expect(await pruneArchived(alice, await planArchivedRemoval(alice, one), one)).toMatchObject({removed: [{session: session(1)}], problems: []});
    await place.git(`alice`, `gc`, `-q`, `--prune=now`);
    expect((await place.git(`alice`, `rev-parse`, note)).trim()).toBe(commit);
    expect(await refs(place, `alice`, `refs/session-sync-shadow`)).toHaveLength(0);
    expect((await alice.list()).refs.map(({session}) => session)).not.toContain(session(1));
    expect((await push(alice)).pushed).toEqual([]);
  });
});

describe(`what was taken off a remote`, () => {
  it.each([[`archived`, archive], [`pruned`, prune]] as const)(`and is %s stays so when this clone unites it with what others have`, async (reason, remove) => {
    const {place, alice, bob} = await team();
    await dated(bob, session(1), `2024-04-01`, 2);
    await push(bob);
    await remove(alice, await planRemoval(alice, {remote: `origin`, sessions: [session(1)]}), {remote: `origin`});
    expect(await pull(alice)).toMatchObject({united: [{session: session(1), writers: [BOB]}]});
    for (let turn = 0; turn < 2; turn++)
      expect(await push(alice)).toMatchObject({pushed: {length: 1 - turn}, withheld: [{session: session(1), reason}]});
    expect((await liveRefs(place)).filter(name => name.includes(session(1)))).toEqual([ref(session(1), BOB)]);

    // Its own growth is news.
    await dated(alice, session(1), `2026-11-01`, 5, 3);
    expect((await push(alice)).pushed.map(one => one.session)).toContain(session(1));
  });
});

describe(`one session`, () => {
  it(`comes with those that it goes on from, also out of archives, and says which the remote has not`, async () => {
    const {alice, carol} = await team();
    await dated(alice, session(3), `2026-10-02`, 5, 3, {lineage: {parent: session(1), seq: 3, source: 100}});
    await dated(alice, session(4), `2026-10-03`, 8, 5, {lineage: {parent: session(3), seq: 5, source: 100}});
    await dated(alice, session(6), `2026-10-03`, 8, 5, {lineage: {parent: session(7), seq: 5, source: 100}});
    await push(alice);
    expect(await pullSession(carol, session(4))).toMatchObject({sessions: [session(4), session(3), session(1)], missing: []});
    expect((await carol.list()).refs).toHaveLength(3);
    expect(await pullSession(carol, session(6))).toMatchObject({sessions: [session(6)], missing: [session(7)]});
  });
});
