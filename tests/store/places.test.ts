import * as fs                                             from 'node:fs/promises';
import path                                                from 'node:path';
import {describe, expect, it}                              from 'vitest';

import {distance, addWorktree, gitState, gitVersion, identity, openFallback, openRepository, openWithoutGit, publicUrl, readWriter, SessionStore} from '../../sources/store/index.ts';
import {isBranchName}                                      from '../../sources/store/facts.ts';
import {formerWriters, placeWriter, renewedWriter, successorOf} from '../../sources/store/repository.ts';
import {gitEnv}                                            from '../../sources/store/git.ts';

import {SESSION, WRITER, content, freshRepository, lines, openStore, scratch, session, sync} from './_repo.ts';
import type {Scratch}                                      from './_repo.ts';

/** A session is written in `name`, read back by git and by isomorphic-git, and the repository is sound. */
async function works(place: Scratch, name: string, {second = true}: {second?: boolean} = {}) {
  const store = await openStore(place, name);
  await sync(store, SESSION, 0, 400);
  await sync(store, SESSION, 400, 410);
  const head = (await store.head(SESSION))!;
  expect(head.header.sequence).toBe(2);
  expect(await content(store.readStream(head, `rec/main`))).toEqual(lines(0, 410));
  expect((await place.git(name, `fsck`)).replace(/^dangling .*\n/gm, ``)).toBe(``);
  expect((await store.list()).refs).toHaveLength(1);

  if (second) {
    const repo  = await openWithoutGit(place.at(name));
    expect({...repo, partial: store.repo.partial}).toEqual(store.repo);
    const other = new SessionStore(repo, place.env, WRITER, {reader: await openFallback(repo)});
    expect(await other.list()).toEqual(await store.list());
    expect(await other.head(SESSION)).toEqual(head);
    for (const {name: stream} of await store.streams(head))
      expect(await content(other.readStream(head, stream))).toEqual(await content(store.readStream(head, stream)));
    await expect(other.begin(SESSION)).rejects.toMatchObject({code: `NO_GIT`});
  }
  return store;
}

describe(`a store works in`, () => {
  it(`a main worktree, from a folder below`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await fs.mkdir(place.at(`shop`, `src`));
    expect((await openRepository(place.at(`shop`, `src`), place.env))).toEqual({
      workTree: place.at(`shop`), gitDir: place.at(`shop`, `.git`), commonDir: place.at(`shop`, `.git`), objectFormat: `sha1`, bare: false, shallow: false, partial: false,
    });
    await works(place, `shop/src`);
  });

  it(`a linked worktree, which shares it with the main one`, async () => {
    const place = await scratch();
    const main  = await freshRepository(place);
    await place.git(`shop`, `worktree`, `add`, `-q`, `../feature`);
    const store = await works(place, `feature`);
    expect(store.repo).toMatchObject({workTree: place.at(`feature`), gitDir: place.at(`shop`, `.git`, `worktrees`, `feature`), commonDir: place.at(`shop`, `.git`)});
    expect((await main.list()).refs).toHaveLength(1);
    expect(await readWriter(store.repo)).toBe(await readWriter(main.repo));
    expect((await gitState(store.repo, place.env)).branch).toBe(`feature`);
  });

  it(`a submodule`, async () => {
    const place = await scratch();
    await freshRepository(place, `lib`);
    await freshRepository(place);
    await place.git(`shop`, `submodule`, `--quiet`, `add`, place.at(`lib`), `lib`);
    const store = await works(place, `shop/lib`);
    expect(store.repo.commonDir).toBe(place.at(`shop`, `.git`, `modules`, `lib`));
  });

  it(`a bare repository`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await place.git(`.`, `clone`, `-q`, `--bare`, `shop`, `shop.git`);
    const store = await works(place, `shop.git`);
    expect(store.repo).toMatchObject({workTree: null, bare: true});
    expect(await gitState(store.repo, place.env)).toMatchObject({branch: `main`, dirty: false});
  });

  it(`a repository with its git directory elsewhere`, async () => {
    const place = await scratch();
    await freshRepository(place, `shop`, {init: [`--separate-git-dir`, place.at(`git-of-shop`)]});
    expect((await works(place, `shop`)).repo.commonDir).toBe(place.at(`git-of-shop`));
  });

  it(`a shallow clone`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await place.git(`shop`, `commit`, `-q`, `--allow-empty`, `-m`, `More`);
    await place.git(`.`, `clone`, `-q`, `--depth=1`, `file://${place.at(`shop`)}`, `shallow`);
    expect((await works(place, `shallow`)).repo).toMatchObject({shallow: true});
  });

  it(`a partial clone`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await place.git(`shop`, `config`, `uploadpack.allowFilter`, `true`);
    await place.git(`.`, `clone`, `-q`, `--filter=blob:none`, `file://${place.at(`shop`)}`, `partial`);
    expect((await works(place, `partial`)).repo).toMatchObject({partial: true});
  });

  it(`a repository with SHA-256 names, but not without git`, async () => {
    const place = await scratch();
    await freshRepository(place, `shop`, {init: [`--object-format=sha256`]});
    const store = await works(place, `shop`, {second: false});
    expect(store.repo.objectFormat).toBe(`sha256`);
    expect((await store.head(SESSION))!.commit).toMatch(/^[0-9a-f]{64}$/);
    await expect(openWithoutGit(place.at(`shop`))).rejects.toMatchObject({code: `UNSUPPORTED_REPOSITORY`});
  });

  it(`a repository that borrows objects, but not without git`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await place.git(`.`, `clone`, `-q`, `--shared`, `shop`, `borrower`);
    await works(place, `borrower`, {second: false});
    await expect(openWithoutGit(place.at(`borrower`))).rejects.toMatchObject({code: `UNSUPPORTED_REPOSITORY`});
  });
});

describe(`a store keeps everything through`, () => {
  it(`packed refs and every kind of tidying up`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    for (let index = 0; index < 3; index++)
      await sync(store, session(index), 0, 20);
    for (const command of [
      [`pack-refs`, `--all`, `--prune`], [`gc`, `-q`, `--prune=now`], [`gc`, `-q`, `--aggressive`, `--prune=now`], [`reflog`, `expire`, `--expire=now`, `--all`], [`prune`], [`repack`, `-adq`],
      [`maintenance`, `run`, `--quiet`],
    ]) {
      await place.git(`shop`, ...command);
      // The same store goes on: its reader is a process that was started before.
      for (let index = 0; index < 3; index++) {
        const head = (await store.head(session(index)))!;
        const {records} = head.header.streams[`rec/main`]!;
        expect(await content(store.readStream(head, `rec/main`)), command.join(` `)).toEqual(lines(0, records!));
        await sync(store, session(index), records!, records! + 5);
      }
    }
    expect(await place.git(`shop`, `fsck`, `--strict`, `--no-dangling`)).toBe(``);
  });
});

describe(`a repository`, () => {
  it(`is found whatever a git hook left in the environment`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await freshRepository(place, `other`);
    const env = {...place.env, GIT_DIR: place.at(`other`, `.git`), GIT_INDEX_FILE: `x`, GIT_WORK_TREE: `/`, GIT_OBJECT_DIRECTORY: `/x`, GIT_QUARANTINE_PATH: `/x`};
    expect((await openRepository(place.at(`shop`), env)).commonDir).toBe(place.at(`shop`, `.git`));
    const names = (await place.git(`shop`, `rev-parse`, `--local-env-vars`)).trim().split(`\n`).filter(name => name !== `GIT_NO_REPLACE_OBJECTS`);
    expect(names.filter(name => name in gitEnv(Object.fromEntries(names.map(one => [one, `x`]))))).toEqual([]);
  });

  it(`is refused with a code where there is none, or no git`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await expect(openRepository(place.root, {...place.env, GIT_CEILING_DIRECTORIES: path.dirname(place.root)})).rejects.toMatchObject({code: `NOT_A_REPOSITORY`});
    await expect(openRepository(place.at(`nowhere`), place.env)).rejects.toMatchObject({code: `NOT_A_REPOSITORY`});
    await expect(openRepository(place.at(`shop`), {...place.env, PATH: place.at(`home`)})).rejects.toMatchObject({code: `NO_GIT`});
    await expect(openWithoutGit(place.at(`home`))).rejects.toMatchObject({code: `NOT_A_REPOSITORY`});
    await fs.appendFile(place.at(`shop`, `.git`, `config`), `[core]\n  repositoryFormatVersion = 1\n[extensions]\n  unknownThing = true\n`);
    await expect(openRepository(place.at(`shop`), place.env)).rejects.toMatchObject({code: `UNSUPPORTED_REPOSITORY`});
    await expect(openWithoutGit(place.at(`shop`))).rejects.toMatchObject({code: `UNSUPPORTED_REPOSITORY`});
  });

  it(`has one writer id, whoever asks first`, async () => {
    const place = await scratch();
    const {repo} = await freshRepository(place);
    const ids = await Promise.all(Array.from({length: 20}, async () => await readWriter(repo)));
    expect(new Set(ids).size).toBe(1);
    const file = path.join(repo.commonDir, `session-sync`, `writer`);
    expect((await fs.stat(file)).mode & 0o777).toBe(0o600);
    expect(await fs.readdir(path.dirname(file))).toEqual([`writer`]);

    await fs.writeFile(file, ``);
    const again = await readWriter(repo);
    expect(again).toMatch(/^[0-9a-f]{16}$/);
    expect(await readWriter(repo)).toBe(again);
    const next = await Promise.all(Array.from({length: 8}, async () => await successorOf(repo, again)));
    expect(new Set(next).size).toBe(1);
    expect(next[0]).not.toBe(again);
    expect([await readWriter(repo), await renewedWriter(repo, again)]).toEqual([again, null]);
    await placeWriter(repo, next[0]!);
    expect([await readWriter(repo), await renewedWriter(repo, again), await renewedWriter(repo, next[0]!)]).toEqual([next[0], next[0], null]);
    expect(await formerWriters(repo)).toEqual([again]);
  });

  it(`has a state: unborn, on a branch, changed, detached`, async () => {
    const place = await scratch();
    await place.git(`.`, `init`, `-q`, `new`);
    const fresh = await openRepository(place.at(`new`), place.env);
    expect(await gitState(fresh, place.env)).toEqual({branch: `main`, dirty: false});

    const {repo} = await freshRepository(place);
    const commit = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    await fs.writeFile(place.at(`shop`, `untracked`), `x`);
    expect(await gitState(repo, place.env)).toEqual({branch: `main`, commit, dirty: false});

    await fs.writeFile(place.at(`shop`, `cart.js`), `changed\n`);
    await place.git(`shop`, `remote`, `add`, `origin`, `https://alice:secret@example.org/shop.git`);
    await place.git(`shop`, `checkout`, `-q`, `--detach`);
    expect(await gitState(repo, place.env)).toEqual({commit, dirty: true, changes: {files: [`cart.js`]}, origin: `https://example.org/shop.git`});
    expect(await identity(repo, place.env)).toEqual({name: `Alice`, email: `alice@example.org`});
    expect(await gitVersion(place.env)).toMatch(/^\d+\.\d+/);
  });

  it(`says how far a checkout is from a commit, and makes a worktree at it`, async () => {
    const place  = await scratch();
    const {repo} = await freshRepository(place);
    const commit = async () => (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    const first  = await commit();
    await place.git(`shop`, `commit`, `-q`, `--allow-empty`, `-m`, `More`);
    const second = await commit();
    expect(await distance(repo, place.env, first, second)).toEqual({missing: false, ahead: 1, behind: 0});
    expect(await distance(repo, place.env, second, first)).toEqual({missing: false, ahead: 0, behind: 1});
    expect(await distance(repo, place.env, `1`.repeat(40), first)).toEqual({missing: true, ahead: null, behind: null});
    expect(await distance(repo, place.env, `--all`, first)).toEqual({missing: true, ahead: null, behind: null});
    expect(await distance(repo, place.env, undefined, first)).toEqual({missing: false, ahead: null, behind: null});

    await addWorktree(repo, place.env, {folder: place.at(`old`), commit: first});
    expect((await gitState(await openRepository(place.at(`old`), place.env), place.env)).commit).toBe(first);
    await expect(addWorktree(repo, place.env, {folder: place.at(`x`), commit: `--force`})).rejects.toMatchObject({code: `BAD_DATA`});
  });

  it(`shows no credentials`, () => {
    expect(publicUrl(`https://user:token@example.org/a.git?key=1#x`)).toBe(`https://example.org/a.git`);
    expect(publicUrl(`https://p@ss:w@example.org/a.git`)).toBe(`https://example.org/a.git`);
    expect(publicUrl(`ssh://git:pw@example.org:22/a.git`)).toBe(`ssh://git@example.org:22/a.git`);
    expect(publicUrl(`git@example.org:a/b.git`)).toBe(`git@example.org:a/b.git`);
    expect(publicUrl(`/srv/\u001b[31mx`)).toBe(`/srv/x`);
  });
});

describe(`names of branches`, () => {
  it.each([`main`, `fix/cart`, `größe-日本語`, `a.b`, `@`, `v1.0-rc_1`])(`%j is one`, name => {
    expect(isBranchName(name)).toBe(true);
  });

  it.each([``, `-x`, `a b`, `a\u0000`, `\u001b[2J`, `*`, `a..b`, `a~1`, `a^`, `x@{1}`, `/a`, `a/`, `a//b`, `.a`, `a/.b`, `a.lock`, `x.lock/y`, `a:b`, `[a]`, `a\\b`])(`%j is none`, name => {
    expect(isBranchName(name)).toBe(false);
  });
});
