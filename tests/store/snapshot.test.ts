import {createHash}                                   from 'node:crypto';
import * as fs                                        from 'node:fs/promises';
import path                                           from 'node:path';
import {describe, expect, it}                         from 'vitest';

import {createRedactor}                               from '../../sources/redaction/index.ts';
import {openRepository, takeSnapshot, treeStatus}     from '../../sources/store/index.ts';
import type {SessionStore}                            from '../../sources/store/index.ts';
import type {StoredRef, WorktreeState}                from '../../sources/store/types.ts';
import {isSafeWorkPath, isSecretName, staysInside}    from '../../sources/store/workPaths.ts';

import {unprivileged}                                 from '../_unprivileged.ts';
import {put}                                          from '../restore/_tree.ts';

import {SESSION, WRITER, feed, freshRepository, lines, meta, scratch} from './_repo.ts';
import type {Scratch}                                 from './_repo.ts';

const redactor = createRedactor();
const isClean  = async (text: string) => (await redactor.text(text)).counts === null;
const TOKEN    = [`ghp`, `9mKq2ZtW8vLx4RbN7cYd1HsJ6fGa3PeU5iQo`].join(`_`);

async function take(place: Scratch, scope: `tracked` | `all` = `all`, more: object = {}, folder = `shop`) {
  return (await takeSnapshot(await openRepository(place.at(folder), place.env), place.env, {scope, isClean, ...more}))!;
}

const short = ({files}: WorktreeState) => files.map(({path: name, change, mode}) => [name, change, ...mode ? [mode] : []].join(` `));
const reasons = ({leftOut}: WorktreeState) => Object.fromEntries(leftOut.map(({path: name, reason}) => [name, reason]));

/** Everything that a snapshot must not touch: index, refs, stash, and each file with its time. */
async function fingerprint(place: Scratch) {
  const hash = createHash(`sha256`);
  for (const name of (await fs.readdir(place.at(`shop`), {recursive: true})).sort()) {
    const file = place.at(`shop`, name);
    const info = await fs.lstat(file);
    hash.update(`${name} ${info.mode} ${info.mtimeMs} ${info.isFile() ? (await fs.readFile(file)).toString(`latin1`) : info.isSymbolicLink() ? await fs.readlink(file) : ``}\n`);
  }
  return hash.digest(`hex`);
}

async function store(repo: SessionStore, from: number, to: number, snapshot?: Awaited<ReturnType<typeof take>>) {
  const appender = await repo.begin(SESSION);
  await appender.append(`native/claude-code/${SESSION}.jsonl`, lines(from, to));
  await appender.append(`rec/main`, lines(from, to));
  return await appender.commit({...meta(SESSION, to), ...snapshot ? {worktree: snapshot.worktree} : {}});
}

describe(`a snapshot of the working tree`, {timeout: 120_000}, () => {
  it(`has what differs from HEAD, staged or not, and touches nothing`, async () => {
    const place = await scratch();
    await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    for (const name of [`changed`, `staged`, `both`, `gone`, `unindexed`, `back`, `run.sh`, `same`])
      await fs.writeFile(at(name), `${name}\n`);
    await fs.mkdir(at(`src`));
    await fs.writeFile(at(`src/größe.ts`), `1\n`);
    await fs.symlink(`changed`, at(`link`));
    await fs.writeFile(at(`.gitignore`), `ignored\n`);
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `More`);

    await fs.appendFile(at(`changed`), `more\n`);
    await fs.appendFile(at(`staged`), `more\n`);
    await place.git(`shop`, `add`, `staged`);
    await fs.appendFile(at(`both`), `one\n`);
    await place.git(`shop`, `add`, `both`);
    await fs.appendFile(at(`both`), `two\n`);
    await fs.rm(at(`gone`));
    await place.git(`shop`, `rm`, `-q`, `--cached`, `unindexed`);
    await fs.appendFile(at(`unindexed`), `more\n`);
    await fs.writeFile(at(`back`), `other\n`);
    await place.git(`shop`, `add`, `back`);
    await fs.writeFile(at(`back`), `back\n`);
    await fs.chmod(at(`run.sh`), 0o755);
    await fs.writeFile(at(`src/größe.ts`), `2\n`);
    await fs.rm(at(`link`));
    await fs.symlink(`same`, at(`link`));
    await fs.writeFile(at(`intended`), `new\n`);
    await place.git(`shop`, `add`, `-N`, `intended`);
    await fs.writeFile(at(`new.ts`), `new\n`);
    await fs.writeFile(at(`ignored`), `x\n`);
    await place.git(`shop`, `stash`, `list`);

    const before = await fingerprint(place);
    const tracked = await take(place, `tracked`);
    const all = await take(place, `all`);
    expect(await fingerprint(place)).toBe(before);
    const changes = [
      `both modified 100644`, `changed modified 100644`, `gone deleted`, `intended added 100644`, `link modified 120000`, `run.sh modified 100755`,
      `src/größe.ts modified 100644`, `staged modified 100644`, `unindexed modified 100644`,
    ];
    expect(short(tracked.worktree.state)).toEqual(changes);
    expect(short(all.worktree.state)).toEqual([...changes, `new.ts untracked 100644`].sort());
    expect(tracked.worktree.state).toMatchObject({scope: `tracked`, branch: `main`, base: (await place.git(`shop`, `rev-parse`, `HEAD`)).trim(), leftOut: []});
    expect(tracked.git).toMatchObject({dirty: true, branch: `main`});
    const both = tracked.worktree.state.files.find(file => file.path === `both`)!;
    expect(tracked.worktree.contents.get(both.blob!)!.toString()).toBe(`both\none\ntwo\n`);
    expect((await take(place, `all`)).worktree.state).toEqual(all.worktree.state);
  });

  it(`leaves out and names what could be a secret, is binary, too large, a submodule or a link out of the tree`, async () => {
    const place = await scratch();
    await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    await fs.writeFile(at(`logo.png`), Buffer.from([1, 0, 2]));
    await place.git(`.`, `init`, `-q`, `lib`);
    await place.git(`lib`, `commit`, `-q`, `--allow-empty`, `-m`, `x`);
    await place.git(`shop`, `-c`, `protocol.file.allow=always`, `submodule`, `--quiet`, `add`, place.at(`lib`), `lib`);
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `More`);
    await place.git(`shop/lib`, `commit`, `-q`, `--allow-empty`, `-m`, `y`);

    for (const name of [`.env`, `.env.local`, `server.pem`, `id_ed25519`, `.npmrc`, `.netrc`, `credentials.json`, `prod.key`])
      await fs.writeFile(at(name), `nothing\n`);
    await fs.writeFile(at(`config.ts`), `export const token = '${TOKEN}';\n`);
    await fs.writeFile(at(`fine.ts`), `export const name = 'shop';\n`);
    await fs.writeFile(at(`data.bin`), Buffer.from([0, 1, 2]));
    await fs.writeFile(at(`big.txt`), `x`.repeat(1024 * 1024 + 1));
    await fs.rename(at(`logo.png`), at(`moved.png`));
    await fs.symlink(`/etc/passwd`, at(`out`));
    await fs.symlink(`../x`, at(`up`));
    await fs.mkdir(at(`nested`));
    await place.git(`shop/nested`, `init`, `-q`);
    await fs.writeFile(at(`nested/x`), `x`);
    await fs.writeFile(at(`a\nb`), `x`);
    await fs.writeFile(at(TOKEN), `x`);
    await fs.writeFile(Buffer.concat([Buffer.from(`${at()}/latin`), Buffer.from([0xe9])]), `x`);

    const {worktree: {state, contents}} = await take(place);
    expect(short(state)).toEqual([`fine.ts untracked 100644`, `logo.png deleted`, `moved.png untracked 100644`]);
    expect(reasons(state)).toMatchObject({
      ...Object.fromEntries([`.env`, `.env.local`, `server.pem`, `id_ed25519`, `.npmrc`, `.netrc`, `credentials.json`, `prod.key`].map(name => [name, `its name says that it holds secrets`])),
      'config.ts': `a secret in it`, 'data.bin': `binary: it cannot be searched for secrets`, 'big.txt': `too large`, out: `a link that leads out of the tree`, up: `a link that leads out of the tree`,
      'nested/': `a repository of its own`, lib: `a submodule`, 'a\nb': `its name`, 'latin\ufffd': `its name`,
    });
    expect(state.more).toBe(1);
    expect(JSON.stringify(state) + [...contents.values()].join(``)).not.toContain(TOKEN);
  });

  it(`has bounds, in number and size, and says what is beyond them`, async () => {
    const place = await scratch();
    await freshRepository(place);
    for (let index = 0; index < 10; index++)
      await fs.writeFile(place.at(`shop`, `f${index}`), `x`.repeat(100));
    const few = await take(place, `all`, {maxFiles: 3});
    expect(short(few.worktree.state)).toHaveLength(3);
    expect(reasons(few.worktree.state)).toMatchObject({f3: `too many files`, f9: `too many files`});
    const small = await take(place, `all`, {maxBytes: 450});
    expect(short(small.worktree.state)).toHaveLength(4);
    expect(reasons(small.worktree.state)).toMatchObject({f4: `too much in all`});
    for (let index = 0; index < 300; index++)
      await fs.writeFile(place.at(`shop`, `id_${index}`), ``);
    const {worktree: {state}} = await take(place);
    expect(state.leftOut).toHaveLength(200);
    expect(state.more).toBe(100);
  });

  it(`works before the first commit, in a conflict, with sparse files and line ends, in a linked worktree, and not in a bare repository`, async () => {
    const place = await scratch();
    await place.git(`.`, `init`, `-q`, `unborn`);
    await fs.writeFile(place.at(`unborn/a`), `a\n`);
    await fs.writeFile(place.at(`unborn/b`), `b\n`);
    await place.git(`unborn`, `add`, `a`);
    const first = await take(place, `all`, {}, `unborn`);
    expect(first.worktree.state).toMatchObject({branch: `main`, files: [{path: `a`, change: `added`}, {path: `b`, change: `untracked`}]});
    expect(first.worktree.state.base).toBeUndefined();

    await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    await place.git(`shop`, `checkout`, `-q`, `-b`, `side`);
    await fs.writeFile(at(`cart.js`), `side\n`);
    await place.git(`shop`, `commit`, `-qam`, `Side`);
    await place.git(`shop`, `checkout`, `-q`, `main`);
    await fs.writeFile(at(`cart.js`), `main\n`);
    await place.git(`shop`, `commit`, `-qam`, `Main`);
    await place.git(`shop`, `merge`, `-q`, `side`).catch(() => {});
    const conflict = await take(place, `tracked`);
    expect(short(conflict.worktree.state)).toEqual([`cart.js modified 100644`]);
    expect([...conflict.worktree.contents.values()].join(``)).toContain(`<<<<<<<`);
    await place.git(`shop`, `reset`, `-q`, `--hard`);

    await fs.mkdir(at(`docs`));
    await fs.writeFile(at(`docs/a`), `a\n`);
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `Docs`);
    await place.git(`shop`, `worktree`, `add`, `-q`, place.at(`linked`), `side`);
    await place.git(`shop`, `sparse-checkout`, `set`, `--no-cone`, `cart.js`);
    expect((await take(place)).worktree.state.files).toEqual([]);
    await fs.writeFile(place.at(`linked/cart.js`), `linked\n`);
    expect((await take(place, `all`, {}, `linked`)).worktree.state).toMatchObject({branch: `side`, files: [{path: `cart.js`}]});
    expect((await take(place)).worktree.state.files).toEqual([]);

    await place.git(`shop`, `config`, `core.autocrlf`, `true`);
    await fs.writeFile(at(`cart.js`), `main\r\nmore\r\n`);
    expect([...(await take(place)).worktree.contents.values()].join(``)).toBe(`main\r\nmore\r\n`);

    await place.git(`.`, `clone`, `-q`, `--bare`, `shop`, `bare.git`);
    expect(await takeSnapshot(await openRepository(place.at(`bare.git`), place.env), place.env, {scope: `all`, isClean})).toBe(null);
  });

  it(`has nothing of what lies behind a link, and nothing that a filter keeps from git`, async () => {
    const place = await scratch();
    await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    await put(at(), {'conf/app.yml': `base\n`, 'conf/deep/x': `x\n`, 'kept.crypt': `hush\n`, 'same.crypt': `hush\n`, 'data.dat': `data\n`, '.gitattributes': `*.crypt filter=crypt\n*.dat filter=lfs\n*.none filter=unset\n`});
    for (const [name, value] of [[`crypt.clean`, `tr a-z n-za-m`], [`crypt.smudge`, `tr a-z n-za-m`], [`crypt.required`, `true`], [`lfs.clean`, `sed s/^/PTR/`], [`lfs.smudge`, `sed s/^PTR//`]])
      await place.git(`shop`, `config`, `filter.${name}`, value!);
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `More`);

    await put(place.root, {'elsewhere/app.yml': `of another project\n`, 'elsewhere/deep/x': `of another project\n`});
    await fs.rm(at(`conf`), {recursive: true});
    await fs.symlink(place.at(`elsewhere`), at(`conf`));
    await put(at(), {'kept.crypt': `hush hush\n`, 'new.crypt': `hush\n`, 'data.dat': `other data\n`, 'plain.none': `x\n`});
    const {worktree: {state, contents}} = await take(place);
    expect(short(state)).toEqual([`conf/app.yml deleted`, `conf/deep/x deleted`, `data.dat modified 100644`, `plain.none untracked 100644`]);
    expect(reasons(state)).toEqual({conf: `a link that leads out of the tree`, 'kept.crypt': `git keeps it in another form, by a filter`, 'new.crypt': `git keeps it in another form, by a filter`});
    expect([...contents.values()].join(``)).toBe(`other data\nx\n`);

    // A filter whose program is gone keeps nothing back but its own files.
    await place.git(`shop`, `config`, `filter.crypt.clean`, `no-such-program`);
    await put(at(), {'same.crypt': `hush\n`});
    await fs.utimes(at(`same.crypt`), 1_000_000_000, 1_000_000_000);
    await expect(place.git(`shop`, `status`)).rejects.toThrow(/filter/);
    expect(short((await take(place)).worktree.state)).toEqual(short(state));
    // One that hangs is given up.
    await place.git(`shop`, `config`, `filter.crypt.clean`, `sleep 1000`);
    const repo = await openRepository(at(), place.env);
    expect((await treeStatus(repo, place.env, {untracked: false, timeoutMs: 3000}))!.entries.map(entry => entry.path)).toEqual([`conf/app.yml`, `conf/deep/x`, `data.dat`, `kept.crypt`, `same.crypt`]);
  });

  it(`names what cannot be read, and has the others`, async () => {
    const place = await scratch();
    await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    await put(at(), {'shut.ts': `1\n`, 'open.ts': `1\n`});
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `More`);
    await put(at(), {'shut.ts': `two\n`, 'open.ts': `two\n`, 'new.ts': `new\n`, 'dir/inside': `x\n`});
    for (const name of [`shut.ts`, `new.ts`, `dir`])
      await fs.chmod(at(name), 0);
    const {worktree: {state}} = await unprivileged(place.root, async () => await take(place));
    await fs.chmod(at(`dir`), 0o755);
    expect(short(state)).toEqual([`open.ts modified 100644`]);
    expect(reasons(state)).toEqual({'new.ts': `it cannot be read`, 'shut.ts': `it cannot be read`});
  });

  it(`is kept in the session's commit as a tree, once, and read back`, async () => {
    const place = await scratch();
    const repo  = await freshRepository(place);
    const at = (...parts: Array<string>) => place.at(`shop`, ...parts);
    await fs.mkdir(at(`src`));
    await fs.writeFile(at(`src/new.sh`), `echo\n`, {mode: 0o755});
    await fs.appendFile(at(`cart.js`), `// more\n`);
    await fs.symlink(`cart.js`, at(`link`));

    const first = await store(repo, 0, 3, await take(place));
    expect(await place.git(`shop`, `ls-tree`, `-r`, `--format=%(objectmode) %(path)`, first!.commit, `worktree`)).toBe([
      `100644 worktree/${WRITER}/files/cart.js`, `120000 worktree/${WRITER}/files/link`, `100755 worktree/${WRITER}/files/src/new.sh`, `100644 worktree/${WRITER}/state.json`, ``,
    ].join(`\n`));
    const head = (await repo.head(SESSION))!;
    expect(head.header.worktree).toEqual({records: 3});
    const state = (await repo.worktree(head))!;
    expect(state).toEqual((await take(place)).worktree.state);
    expect((await repo.readWorktreeFile(head, state.files[0]!)).toString()).toBe(await fs.readFile(at(`cart.js`), `utf8`));

    // The same again is the same tree, and nothing at all where no record is new.
    const appender = await repo.begin(SESSION);
    expect(await appender.commit({...meta(SESSION, 3), worktree: (await take(place)).worktree})).toBe(null);
    const second = await store(repo, 3, 5, await take(place));
    const tree = async (commit: string) => await place.git(`shop`, `rev-parse`, `${commit}:worktree`);
    expect(await tree(second!.commit)).toBe(await tree(first!.commit));

    // Without one, that of before stays and says so.
    await store(repo, 5, 6);
    expect((await repo.head(SESSION))!.header.worktree).toEqual({records: 5});
    await fs.rm(at(`src`), {recursive: true});
    await store(repo, 6, 7, await take(place));
    const last = (await repo.head(SESSION))!;
    expect(last.header.worktree).toEqual({records: 7});
    expect((await repo.worktree(last))!.files.map(file => file.path)).toEqual([`cart.js`, `link`]);
    expect(await repo.streams(last)).toHaveLength(2);
    expect(await place.git(`shop`, `fsck`, `--strict`)).toBe(``);
  });
});

describe(`a working tree that somebody else stored`, {timeout: 120_000}, () => {
  type Entry = [mode: string, name: string, content: string];

  async function plant(place: Scratch, entries: Array<Entry>, state: object, extra: Array<string> = []): Promise<StoredRef> {
    // By hand and level by level: git refuses to put most of these names into an index.
    const build = async (level: Array<Entry>): Promise<string> => {
      const out: Array<string> = [];
      const folders = new Map<string, Array<Entry>>();
      for (const [mode, name, content] of level) {
        const slash = name.indexOf(`/`);
        if (slash === -1)
          out.push(`${mode} ${mode === `160000` ? `commit` : `blob`} ${mode === `160000` ? `1`.repeat(40) : await feed(place, `shop`, [`hash-object`, `-w`, `--stdin`], content)}\t${name}`);
        else
          folders.set(name.slice(0, slash), [...folders.get(name.slice(0, slash)) ?? [], [mode, name.slice(slash + 1), content]]);
      }
      for (const [name, below] of folders)
        out.push(`040000 tree ${await build(below)}\t${name}`);
      return await feed(place, `shop`, [`mktree`, `-z`, `--missing`], out.map(line => `${line}\0`).join(``));
    };
    const json = typeof state === `string` ? state : JSON.stringify(state);
    const tree = await build([
      [`100644`, `worktree/${WRITER}/state.json`, json], ...entries.map(([mode, name, content]): Entry => [mode, `worktree/${WRITER}/files/${name}`, content]),
      ...extra.map((name): Entry => [`100644`, `worktree/${WRITER}/${name}`, `x`]),
    ]);
    const commit = (await place.git(`shop`, `commit-tree`, `-m`, `x`, tree)).trim();
    return {session: SESSION, writer: WRITER, ref: `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITER}`, commit, remote: `origin`};
  }

  const blob = (content: string) => createHash(`sha1`).update(`blob ${Buffer.byteLength(content)}\0${content}`).digest(`hex`);
  const state = (files: Array<object>, more: object = {}) => ({format: `session-sync-worktree/1`, scope: `all`, files, leftOut: [], ...more});
  const file = (name: string, content: string, mode = `100644`) => ({path: name, change: `added`, mode, blob: blob(content), bytes: Buffer.byteLength(content)});

  it(`is read where it is sound`, async () => {
    const place = await scratch();
    const repo  = await freshRepository(place);
    const ref   = await plant(place, [[`100644`, `a/b.ts`, `x\n`], [`100755`, `run`, `y\n`]], state([file(`a/b.ts`, `x\n`), {path: `gone`, change: `deleted`}, file(`run`, `y\n`, `100755`)]));
    expect(short((await repo.worktree(ref))!)).toEqual([`a/b.ts added 100644`, `gone deleted`, `run added 100755`]);
  });

  it(`is refused with names, modes, sizes or numbers that it cannot have, and where state and tree differ`, async () => {
    const place = await scratch();
    const repo  = await freshRepository(place);
    const refused = async (what: string, entries: Array<Entry>, given: object | string, extra: Array<string> = []) =>
      await expect(plant(place, entries, given as object, extra).then(async ref => await repo.worktree(ref)), what).rejects.toMatchObject({code: expect.stringMatching(/^(BAD_DATA|TOO_LARGE|MISSING_OBJECT)$/)});

    for (const name of [`../x`, `a/../../x`, `/etc/x`, `.git/config`, `a/.GIT/hooks/x`, `.git./x`, `.git /x`, `.g\u200cit/config`, `GIT~1/config`, `a\\..\\b`, `c:x`, `a/`, `./a`, `a//b`, `a\u0000b`, `a\u202eb`, `${`d/`.repeat(70)}x`, `x`.repeat(300)])
      await refused(JSON.stringify(name), [], state([file(name, `x`)]));
    for (const name of [`.git/config`, `.GIT/x`, `git~1/x`])
      await refused(`${name} in the tree only`, [[`100644`, name, `x`]], state([]));

    await refused(`a submodule`, [[`160000`, `lib`, ``]], state([]));
    await refused(`a file that the state does not name`, [[`100644`, `a`, `x`]], state([]));
    await refused(`a file that is not in the tree`, [], state([file(`a`, `x`)]));
    await refused(`another mode`, [[`100755`, `a`, `x`]], state([file(`a`, `x`)]));
    await refused(`another content`, [[`100644`, `a`, `y`]], state([file(`a`, `x`)]));
    await refused(`a mode that is none`, [], state([{...file(`a`, `x`), mode: `100666`}]));
    await refused(`a deleted file with content`, [], state([{...file(`a`, `x`), change: `deleted`}]));
    await refused(`a file without content`, [], state([{path: `a`, change: `added`}]));
    await refused(`one twice`, [[`100644`, `a`, `x`]], state([file(`a`, `x`), file(`a`, `x`)]));
    await refused(`not sorted`, [[`100644`, `a`, `x`], [`100644`, `b`, `x`]], state([file(`b`, `x`), file(`a`, `x`)]));
    await refused(`a file that is a folder`, [], state([file(`a`, `x`), file(`a/b`, `x`)]));
    await refused(`too large a file`, [], state([{...file(`a`, `x`), bytes: 2 << 20}]));
    await refused(`too much in all`, [], state(Array.from({length: 30}, (_, index) => ({...file(`f${10 + index}`, `x`), bytes: 1 << 20}))));
    await refused(`too many`, [], state(Array.from({length: 2001}, (_, index) => ({path: `f${10_000 + index}`, change: `deleted`}))));
    await refused(`no state`, [], `nothing`);
    await refused(`another format`, [], state([], {format: `session-sync-worktree/2`}));
    await refused(`a key of JavaScript's`, [], `{"__proto__":{}}`);
    await refused(`more beside it`, [], state([]), [`other`]);
  });

  it(`with a file that lies about its size is refused when that is read`, async () => {
    const place = await scratch();
    const repo  = await freshRepository(place);
    const ref   = await plant(place, [[`100644`, `a`, `xyz`]], state([{...file(`a`, `xyz`), bytes: 1}]));
    const [first] = (await repo.worktree(ref))!.files;
    await expect(repo.readWorktreeFile(ref, first!)).rejects.toMatchObject({code: `BAD_DATA`});
  });
});

describe(`names in a working tree`, () => {
  it(`are told apart: what is safe, what is secret, which links stay inside`, () => {
    for (const name of [`a`, `a/b.ts`, `.gitignore`, `.github/x.yml`, `größe`, `.claude/settings.json`, `git~x`])
      expect(isSafeWorkPath(name), name).toBe(true);
    for (const name of [`.env`, `a/.ENV.production`, `x/id_rsa`, `id_work.pub`, `.ssh/config`, `home/.aws/config`, `tls/Server.PEM`, `prod-credentials.json`, `secrets.yaml`, `docker/prod.env`, `id_rsa.bak`, `id_ed25519_sk-old`, `vpn/Office.ovpn`, `.vault_pass`, `.vault-password.txt`, `token.json`, `terraform.tfstate.1700000000.backup`])
      expect(isSecretName(name), name).toBe(true);
    for (const name of [`id_map.ts`, `environment.ts`, `keys.ts`, `src/secretary.ts`, `monkey`, `credentials/list.ts`, `package.json`, `tokens.json`, `id_test.go`, `environment.d.ts`, `src/token.ts`])
      expect(isSecretName(name), name).toBe(false);
    expect([`b`, `./b`, `../c/d`, `../../x`].map(target => staysInside(`a/b/link`, target))).toEqual([true, true, true, true]);
    // The first is `d -> .`, and what would lead behind it.
    expect([`.`, `d/../x`, `./d/../../x`, `../d/../x`].map(target => staysInside(`a/b/link`, target))).toEqual([true, false, false, false]);
    expect([`../../../x`, `/etc`, `C:\\x`, ``, `..\\..\\x`, `../../.git/config`, `../../../`].map(target => staysInside(`a/b/link`, target))).toEqual(Array.from({length: 7}, () => false));
    expect(path.posix.normalize(path.posix.join(`a/b`, `../../x`))).toBe(`x`);
  });
});
