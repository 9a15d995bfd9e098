import {execFile}                                  from 'node:child_process';
import * as fs                                     from 'node:fs/promises';
import {promisify}                                 from 'node:util';
import {describe, expect, it}                      from 'vitest';

import {gitEnv}                                    from '../../sources/store/git.ts';

import {SESSION, WRITER, content, freshRepository, lines, meta, openStore, scratch, session, sync} from './_repo.ts';

const REF = `refs/session-sync/s/5e/${SESSION}/${WRITER}`;
const NATIVE = `native/claude-code/${SESSION}.jsonl`;

describe(`an append`, () => {
  it(`stores a session that plain git can read, and touches nothing else`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);

    expect(await store.head(SESSION)).toBeNull();
    const first = await sync(store, SESSION, 0, 3);
    expect(first).toMatchObject({sequence: 1});
    expect(await place.git(`shop`, `rev-parse`, REF)).toBe(`${first!.commit}\n`);

    expect(await place.git(`shop`, `ls-tree`, `-r`, `--name-only`, REF)).toBe([
      `header.json`, `native/${WRITER}/claude-code/${SESSION}.jsonl/0000/00`, `rec/${WRITER}/main/0000/00`, ``,
    ].join(`\n`));
    expect(await place.git(`shop`, `log`, `-1`, `--format=%an <%ae> %aI | %cn %ct | %s | %(trailers:only,unfold)`, REF)).toBe([
      `Alice <alice@example.org> 2026-10-01T10:00:03+00:00 | session-sync 1 | claude-code session 5e551000: 3 records | Session: ${SESSION}`,
      `Agent: claude-code 2.1.330`, `Branch: main`, `Commit: ${`1`.repeat(40)}`, `Dirty: yes`, `Records: 3`, ``, ``,
    ].join(`\n`));

    const head = await store.head(SESSION);
    expect(head).toMatchObject({commit: first!.commit, session: SESSION, writer: WRITER, header: {
      sequence: 1, writer: WRITER, branch: `main`, commit: `1`.repeat(40), dirty: true, author: {name: `Alice`},
      streams: {'rec/main': {bytes: lines(0, 3).length, records: 3}, [NATIVE]: {bytes: lines(0, 3).length, source: 30}},
    }});
    expect(await content(store.readStream(head!, `rec/main`))).toEqual(lines(0, 3));
    expect(await store.streams(head!)).toHaveLength(2);

    expect(await place.git(`shop`, `status`, `--porcelain`)).toBe(``);
    expect(await place.git(`shop`, `branch`, `-a`)).toBe(`* main\n`);
    expect(await place.git(`shop`, `fsck`, `--strict`)).toBe(``);
  });

  it(`gives the same commit for the same input`, async () => {
    const place = await scratch();
    const commits = new Set<string>();
    for (const name of [`one`, `two`]) {
      const store = await freshRepository(place, name);
      await sync(store, SESSION, 0, 5);
      commits.add((await sync(store, SESSION, 5, 9))!.commit);
    }
    expect(commits.size).toBe(1);
  });

  it(`goes on in the last chunk, and closes it at the newline that passes 64 KB`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    for (let at = 0; at < 1000; at += 50)
      await sync(store, SESSION, at, at + 50, 300);

    const head = (await store.head(SESSION))!;
    expect(head.header).toMatchObject({sequence: 20, streams: {'rec/main': {records: 1000}}});
    for (const name of [`rec/main`, NATIVE])
      expect((await content(store.readStream(head, name))).equals(lines(0, 1000, 300))).toBe(true);

    const sizes = (await place.git(`shop`, `ls-tree`, `-r`, `-l`, REF, `rec/`)).trim().split(`\n`).map(line => Number(line.split(/\s+/)[3]));
    expect(sizes.length).toBe(5);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(65536);
      expect(size).toBeLessThan(65536 + 400);
    }
  });

  it(`cuts long appends large and giant lines at 1 MB, and reads them back`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const giant = Buffer.concat([lines(0, 3000), Buffer.from(`${`x`.repeat(3_500_000)}\n`), lines(3001, 3010)]);
    const appender = await store.begin(SESSION);
    for (let at = 0; at < giant.length; at += 100_000)
      await appender.append(`rec/main`, giant.subarray(at, at + 100_000));
    await appender.commit(meta(SESSION, 3010));

    const again = await store.begin(SESSION);
    await again.append(`rec/main`, lines(3010, 3011));
    await again.commit(meta(SESSION, 3011));

    const head = (await store.head(SESSION))!;
    expect((await content(store.readStream(head, `rec/main`))).equals(Buffer.concat([giant, lines(3010, 3011)]))).toBe(true);
    const sizes = (await place.git(`shop`, `ls-tree`, `-r`, `-l`, REF, `rec/`)).trim().split(`\n`).map(line => Number(line.split(/\s+/)[3]));
    expect(Math.max(...sizes)).toBe(1024 * 1024);
    expect(sizes[0]).toBeGreaterThanOrEqual(256 * 1024);
  });

  it(`begins a new folder after 64 chunks`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const piece = lines(0, 500, 540);
    const all: Array<Buffer> = [];
    // One append cuts at 256 KB; every piece is a little more.
    const appender = await store.begin(SESSION);
    for (let bytes = 0; bytes < 66 * 263_000; bytes += piece.length) {
      all.push(piece);
      await appender.append(`rec/main`, piece);
    }
    await appender.commit(meta(SESSION, 1));
    const names = (await place.git(`shop`, `ls-tree`, `-r`, `--name-only`, REF, `rec/`)).trim().split(`\n`);
    expect(names.at(63)).toMatch(/0000\/63$/);
    expect(names.at(64)).toMatch(/0001\/00$/);
    expect((await content(store.readStream((await store.head(SESSION))!, `rec/main`))).equals(Buffer.concat(all))).toBe(true);

    await sync(store, SESSION, 0, 1);
    expect((await content(store.readStream((await store.head(SESSION))!, `rec/main`))).length).toBe(all.length * piece.length + lines(0, 1).length);
  });

  it(`makes no commit of nothing`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    expect(await (await store.begin(SESSION)).commit(meta(SESSION, 0))).toBeNull();
    const first = await sync(store, SESSION, 0, 1);
    const empty = await store.begin(SESSION);
    await empty.append(`rec/main`, Buffer.alloc(0));
    expect(await empty.commit(meta(SESSION, 1))).toBeNull();
    expect((await store.head(SESSION))!.commit).toBe(first!.commit);
  });

  it(`replaces opaque files, and sees when they are the same`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const name  = `native/claude-code/tool-results/å b.txt`;
    const put   = async (bytes: Buffer) => {
      const appender = await store.begin(SESSION);
      await appender.replace(name, bytes);
      return await appender.commit(meta(SESSION, 0));
    };
    const long = lines(0, 3000);
    expect(await put(long)).not.toBeNull();
    expect(await put(long)).toBeNull();
    expect((await content(store.readStream((await store.head(SESSION))!, name))).equals(long)).toBe(true);

    expect(await put(Buffer.from(`short`))).not.toBeNull();
    expect(await content(store.readStream((await store.head(SESSION))!, name))).toEqual(Buffer.from(`short`));
    expect(await put(Buffer.alloc(0))).not.toBeNull();
    expect(await put(Buffer.alloc(0))).toBeNull();
    expect(await content(store.readStream((await store.head(SESSION))!, name))).toEqual(Buffer.alloc(0));
    expect((await store.streams((await store.head(SESSION))!)).map(stream => stream.name)).toContain(name);
  });

  it(`stores an attachment once`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const image = Buffer.from(`not really a picture`);
    const shas  = new Set<string>();
    for (let round = 0; round < 2; round++) {
      const appender = await store.begin(SESSION);
      shas.add(await appender.attach(image));
      shas.add(await appender.attach(image));
      expect(await appender.commit(meta(SESSION, 0)) === null).toBe(round === 1);
    }
    const [sha] = shas;
    expect(shas.size).toBe(1);
    const head = (await store.head(SESSION))!;
    expect(await store.readAttachment(head, sha!)).toEqual(image);
    await expect(store.readAttachment(head, `0`.repeat(64))).rejects.toMatchObject({code: `MISSING_OBJECT`});
    await expect(store.readAttachment(head, `../header.json`)).rejects.toMatchObject({code: `UNSAFE_NAME`});
  });

  it(`refuses names that could lead elsewhere`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    for (const id of [`../../heads/main`, `short`, `UPPERCASE00`, `a/b-c-d-e-f`, ``, `ends-with-lock.lock`])
      await expect(store.begin(id)).rejects.toMatchObject({code: `UNSAFE_NAME`});

    const appender = await store.begin(SESSION);
    for (const name of [`rec/../x`, `rec/`, `native/claude-code/../x`, `native/claude-code//x`, `native/Claude/x`, `native/claude-code/a\nb`, `native/claude-code/C:\\x`, `other/x`, `/rec/main`])
      await expect(appender.append(name, Buffer.from(`x\n`))).rejects.toMatchObject({code: `UNSAFE_NAME`});
    await appender.abort();
    await expect(appender.append(`rec/main`, Buffer.from(`x\n`))).rejects.toThrow(/has ended/);
  });

  it(`keeps texts of the session out of the trailers and the author line`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const appender = await store.begin(SESSION);
    await appender.append(`rec/main`, lines(0, 1));
    await appender.commit({
      ...meta(SESSION, 1, {title: `a\u001b[31m\n\nDirty: no\nSession: other\u0000\ud800`}),
      author: {name: `<\n>`, email: `a b>\u0007`}, git: {branch: `x\nRecords: 9`, dirty: true},
    });
    expect(await place.git(`shop`, `log`, `-1`, `--format=%an <%ae>%n%(trailers:only,unfold)`, REF)).toBe([
      `unknown <ab>`, `Session: ${SESSION}`, `Agent: claude-code 2.1.330`, `Branch: x Records: 9`, `Dirty: yes`, `Records: 1`, ``, ``,
    ].join(`\n`));
    expect(await place.git(`shop`, `fsck`, `--strict`)).toBe(``);
  });
});

describe(`two at once`, () => {
  it(`lets one of two appends to a session win and tells the other`, async () => {
    const place  = await scratch();
    const store  = await freshRepository(place);
    await sync(store, SESSION, 0, 2);
    const [one, two] = [await store.begin(SESSION), await (await openStore(place, `shop`)).begin(SESSION)];
    await one.append(`rec/main`, lines(2, 3));
    await two.append(`rec/main`, lines(2, 4));
    const won = await one.commit(meta(SESSION, 3));
    await expect(two.commit(meta(SESSION, 4))).rejects.toMatchObject({code: `REF_MOVED`});
    expect((await store.head(SESSION))!.commit).toBe(won!.commit);

    const results = await Promise.allSettled([1, 2, 3, 4].map(async index => {
      const appender = await (await openStore(place, `shop`)).begin(SESSION);
      await appender.append(`rec/main`, lines(100 * index, 100 * index + 1));
      return await appender.commit(meta(SESSION, 4));
    }));
    const moved = results.filter(result => result.status === `rejected`);
    expect(moved.length).toBeLessThan(4);
    for (const result of moved)
      expect((result as PromiseRejectedResult).reason).toMatchObject({code: `REF_MOVED`});
    expect((await store.head(SESSION))!.header.sequence).toBe(2 + 4 - moved.length);
  });

  it(`also when both begin a session, and when it was removed meanwhile`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const [one, two] = [await store.begin(SESSION), await store.begin(SESSION)];
    await one.append(`rec/main`, lines(0, 1));
    await two.append(`rec/main`, lines(0, 2));
    await two.commit(meta(SESSION, 2));
    await expect(one.commit(meta(SESSION, 1))).rejects.toMatchObject({code: `REF_MOVED`});

    const three = await store.begin(SESSION);
    await three.append(`rec/main`, lines(2, 3));
    await place.git(`shop`, `update-ref`, `-d`, REF);
    await expect(three.commit(meta(SESSION, 3))).rejects.toMatchObject({code: `REF_MOVED`});
    // Nobody asked for it to go: the shadow brings it back.
    expect((await store.head(SESSION))!.header.sequence).toBe(1);
  });

  it(`loses nothing when 16 sessions are written side by side`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await Promise.all(Array.from({length: 16}, async (_, index) => {
      const store = await openStore(place, `shop`);
      for (let round = 0; round < 3; round++)
        await sync(store, session(index), round * 5, round * 5 + 5);
    }));
    const {refs, problems} = await (await openStore(place, `shop`)).list();
    expect(problems).toEqual([]);
    expect(refs.map(({header}) => [header.sequence, header.streams[`rec/main`]!.records])).toEqual(Array.from({length: 16}, () => [3, 15]));
    expect(await place.git(`shop`, `fsck`, `--strict`)).toBe(``);
  });
});

describe(`trouble`, () => {
  it(`takes over a lock that a killed process left, and waits for a fresh one`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    await sync(store, SESSION, 0, 1);
    for (const ref of [REF, REF.replace(`session-sync/s`, `session-sync-shadow`)]) {
      const lock = place.at(`shop`, `.git`, `${ref}.lock`);
      await fs.writeFile(lock, ``);
      await fs.utimes(lock, new Date(0), new Date(0));
    }
    expect(await sync(store, SESSION, 1, 2)).toMatchObject({sequence: 2});

    const patient = await openStore(place, `shop`, WRITER, {staleLockMs: 200});
    await fs.writeFile(place.at(`shop`, `.git`, `${REF}.lock`), ``);
    expect(await sync(patient, SESSION, 2, 3)).toMatchObject({sequence: 3});
    expect(await content(store.readStream((await store.head(SESSION))!, `rec/main`))).toEqual(lines(0, 3));
    expect(await place.git(`shop`, `for-each-ref`, `--format=%(objectname)`, `refs/session-sync`, `refs/session-sync-shadow`).then(out => new Set(out.trim().split(`\n`)).size)).toBe(1);
  });

  it(`says when the disk is full, and goes on when there is room`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    await sync(store, SESSION, 0, 1);

    // A git whose fast-import reads and then fails as it does on a full disk.
    const real = (await promisify(execFile)(`sh`, [`-c`, `command -v git`], {env: gitEnv(place.env)})).stdout.trim();
    await fs.mkdir(place.at(`bin`));
    await fs.writeFile(place.at(`bin`, `git`), `#!/bin/sh\nfor a in "$@"; do if [ "$a" = fast-import ]; then head -c 1000 >/dev/null; echo x >objects/pack/tmp_pack_Ab1; echo "fatal: sha1 file '$PWD/objects/pack/tmp_pack_Ab1' write error. Out of diskspace" >&2; exit 128; fi; done\nexec ${real} "$@"\n`, {mode: 0o755});
    const env  = {...place.env, PATH: `${place.at(`bin`)}:${place.env.PATH}`};
    const full = await openStore({...place, env}, `shop`);

    await expect(sync(full, SESSION, 1, 2)).rejects.toMatchObject({code: `DISK_FULL`});
    const long = await full.begin(SESSION);
    await expect((async () => {
      for (let round = 0; round < 100; round++)
        await long.append(`rec/main`, lines(0, 5000));
    })()).rejects.toMatchObject({code: `DISK_FULL`});
    await long.abort();
    // The pack that was begun is what fills the disk.
    expect((await fs.readdir(place.at(`shop`, `.git`, `objects`, `pack`))).filter(name => name.startsWith(`tmp_`))).toEqual([]);

    expect(await sync(store, SESSION, 1, 2)).toMatchObject({sequence: 2});
  });

  it(`removes the reports that git leaves when we are killed, and no others`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const [ours, foreign] = [place.at(`shop`, `.git`, `fast_import_crash_1`), place.at(`shop`, `.git`, `fast_import_crash_2`)];
    await fs.writeFile(ours, `fast-import crash report:\nfatal: stream ends early\n\nMost Recent Commands Before Crash\n---\n  commit ${REF}\n  mark :3\n* data 4\n`);
    await fs.writeFile(foreign, `fast-import crash report:\nfatal: stream ends early\n\nMost Recent Commands Before Crash\n---\n  commit refs/heads/import\n`);
    await sync(store, SESSION, 0, 1);
    await expect(fs.stat(ours)).rejects.toMatchObject({code: `ENOENT`});
    await fs.stat(foreign);
  });
});
