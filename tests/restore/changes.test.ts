import * as fs                                    from 'node:fs/promises';
import {describe, expect, it}                     from 'vitest';

import {applyChanges, planChanges}                from '../../sources/restore/changes.ts';
import type {ChangePlan}                          from '../../sources/restore/changes.ts';
import {applyActions, look}                       from '../../sources/restore/workFiles.ts';
import type {WorktreeChange, WorktreeState}       from '../../sources/store/types.ts';

import {unprivileged}                             from '../_unprivileged.ts';
import {freshRepository, scratch}                 from '../store/_repo.ts';
import type {Scratch}                             from '../store/_repo.ts';
import {cloneOf, projectOf, put, treeOf, turn}               from './_tree.ts';

const short = ({changes}: ChangePlan) => Object.fromEntries(changes.map(({path, outcome, reason}) => [path, reason === undefined ? outcome : `${outcome}: ${reason}`]));

const FILES = {
  'text.ts': Array.from({length: 20}, (_, index) => `line ${index}\n`).join(``), 'gone.ts': `gone\n`, 'run.sh': `echo\n`, 'dir/was': `x\n`, link: `→text.ts`, 'größe.ts': `größe\n`,
  'logo.png': Buffer.from([0, 1, 2]), swap: `a file\n`,
};

/** alice's repository with a commit, changes that are not committed, and a turn of a session with them. */
async function changed(place: Scratch, files: {[name: string]: string | Buffer | null} = {}) {
  const store = await freshRepository(place);
  await put(place.at(`shop`), FILES);
  await place.git(`shop`, `add`, `.`);
  await place.git(`shop`, `commit`, `-qm`, `Files`);
  await put(place.at(`shop`), {
    'text.ts': FILES[`text.ts`].replace(`line 2\n`, `line two\n`), 'gone.ts': null, 'run.sh*': `echo more\n`, 'new/one.ts': `new\n`, link: `→run.sh`, 'größe.ts': `grösse\r\n`,
    swap: null, 'swap/inside': `in a folder\n`, ...files,
  });
  return await turn(place, store, 0, 3);
}

async function planned(place: Scratch, name: string) {
  const {store, stored, project} = await cloneOf(place, name);
  const state = (await store.worktree(stored))!;
  const again = async () => await planChanges({project, store, stored, state});
  return {store, stored, project, state, again};
}

describe(`uncommitted files of a session`, {timeout: 120_000}, () => {
  it(`are the same in a clean checkout of the same commit, and doing it twice is as once`, async () => {
    const place = await scratch();
    await changed(place);
    const {project, again} = await planned(place, `bob`);
    const plan = await again();
    expect(plan).toMatchObject({base: `same`, dirty: []});
    expect(short(plan)).toEqual({
      'gone.ts': `deleted`, 'größe.ts': `written`, link: `written`, 'new/one.ts': `written`, 'run.sh': `written`, swap: `deleted`, 'swap/inside': `written`, 'text.ts': `written`,
    });
    expect((await treeOf(place.at(`bob`)))[`new/one.ts`]).toBeUndefined();
    await applyChanges(project, plan);
    expect(await treeOf(place.at(`bob`))).toEqual(await treeOf(place.at(`shop`)));
    const status = async (folder: string) => await place.git(folder, `status`, `--porcelain`);
    expect(await status(`bob`)).toBe(await status(`shop`));

    const second = await again();
    expect(second.dirty).toHaveLength(6);
    expect(second.changes.every(({outcome, action}) => outcome === `unchanged` && action === undefined)).toBe(true);
    // What the plan was made in is gone.
    expect((await fs.readdir(project.paths.folder)).filter(name => name.startsWith(`changes-`))).toEqual([]);
  });

  it(`are merged three ways where the checkout is at another commit`, async () => {
    const place = await scratch();
    await changed(place, {'both.ts': `mine\n`, 'logo.png': Buffer.from(`now a text\n`), 'dir/was': `y\n`, 'cart.js': `cart of the session\n`});
    const {project, again} = await planned(place, `bob`);
    await put(place.at(`bob`), {
      'text.ts': FILES[`text.ts`].replace(`line 18\n`, `line eighteen\n`), 'gone.ts': `still needed\n`, 'run.sh': `echo\necho\n`, 'both.ts': `yours\n`, 'logo.png': Buffer.from([0, 9]),
      'dir/was': null, 'cart.js': `cart of bob\n`, 'größe.ts': `größe\n`,
    });
    await place.git(`bob`, `add`, `.`);
    await place.git(`bob`, `commit`, `-qm`, `Meanwhile`);
    const plan = await again();
    expect(plan.base).toBe(`other`);
    expect(short(plan)).toMatchObject({
      'text.ts': `merged`, 'gone.ts': `left: it was deleted, and has changed here`, 'both.ts': `conflict`, 'cart.js': `conflict`,
      'logo.png': `left: both have changed it, and it is no text`, 'dir/was': `left: it is not there any more`, 'größe.ts': `written`, 'new/one.ts': `written`,
    });
    await applyChanges(project, plan);
    const tree = await treeOf(place.at(`bob`));
    expect(tree[`text.ts`]).toBe(`644 ${FILES[`text.ts`].replace(`line 18\n`, `line eighteen\n`).replace(`line 2\n`, `line two\n`)}`);
    expect(tree[`both.ts`]).toBe(`644 <<<<<<< here\nyours\n=======\nmine\n>>>>>>> session\n`);
    expect(tree[`cart.js`]).toContain(`<<<<<<< here\ncart of bob\n=======\ncart of the session\n>>>>>>> session`);
    expect(tree[`gone.ts`]).toBe(`644 still needed\n`);
    expect(tree[`run.sh`]).toMatch(/^755 /);
    expect(tree[`dir/was`]).toBeUndefined();
  });

  it(`keep the line ends that a merged file has here`, async () => {
    const place = await scratch();
    await changed(place);
    const {project, again} = await planned(place, `bob`);
    await put(place.at(`bob`), {'text.ts': FILES[`text.ts`].replace(`line 18\n`, `line eighteen\n`).replaceAll(`\n`, `\r\n`)});
    await place.git(`bob`, `commit`, `-qam`, `From Windows`);
    const plan = await again();
    expect(short(plan)[`text.ts`]).toBe(`merged`);
    await applyChanges(project, plan);
    expect(await fs.readFile(place.at(`bob/text.ts`), `utf8`)).toBe(FILES[`text.ts`].replace(`line 18\n`, `line eighteen\n`).replace(`line 2\n`, `line two\n`).replaceAll(`\n`, `\r\n`));
  });

  it(`have the line ends of this machine, where git had put CRLF into them on the other`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const root  = place.at(`shop`);
    await put(root, {'text.ts': `one\ntwo\n`, 'crlf.txt': `one\r\ntwo\r\n`, 'logo.png': Buffer.from([0, 13, 10])});
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `Files`);
    // As on Windows: the checkout has CRLF, and so has what the session wrote, but for a line.
    await place.git(`shop`, `config`, `core.autocrlf`, `true`);
    await put(root, {'text.ts': `one\r\nTWO\r\nthree\n`, 'crlf.txt': `one\r\nTWO\r\n`, 'new.ts': `new\r\n`});
    await turn(place, store, 0, 3);
    const {project, again, state} = await planned(place, `bob`);
    expect(state.autocrlf).toBe(true);
    await applyChanges(project, await again());
    expect(await treeOf(place.at(`bob`))).toMatchObject({'text.ts': `644 one\nTWO\nthree\n`, 'crlf.txt': `644 one\r\nTWO\r\n`, 'new.ts': `644 new\n`});
    expect((await again()).changes.map(({outcome}) => outcome)).toEqual([`unchanged`, `unchanged`, `unchanged`]);

    const other = await cloneOf(place, `carol`);
    await place.git(`carol`, `config`, `core.autocrlf`, `true`);
    await applyChanges(other.project, await planChanges({...other, state}));
    expect(await treeOf(place.at(`carol`))).toMatchObject({'text.ts': `644 one\r\nTWO\r\nthree\n`, 'new.ts': `644 new\r\n`});
  });

  it(`keep the carriage returns that git would not have put into them`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const root  = place.at(`shop`);
    const rules = `*.bat eol=crlf\n*.dat -text\n*.cmd text=auto eol=crlf\n*.sh eol=lf\n*.md text=auto\n*.txt text\n`;
    await put(root, {'.gitattributes': rules, 'old.bat': `one\r\n`, 'old.dat': `one\r\n`});
    await place.git(`shop`, `add`, `.`);
    await place.git(`shop`, `commit`, `-qm`, `Files`);
    await place.git(`shop`, `config`, `core.autocrlf`, `true`);
    const kept = {'old.bat': `one\r\nTWO\r\n`, 'old.dat': `TWO\r\n`, 'new.bat': `new\r\n`, 'new.dat': `new\r\n`, 'lib/new.cmd': `new\r\n`, 'progress.log': `10%\r20%\r\ndone\r\n`, 'end.md': `new\r\n\r`};
    const lost = {'new.sh': `new\r\n`, 'new.md': `new\r\n`, 'lone.txt': `a\rb\r\n`, 'new.ts': `new\r\n`};
    await put(root, {...kept, ...lost});
    await turn(place, store, 0, 3);
    const {project, again} = await planned(place, `bob`);
    await applyChanges(project, await again());
    const expected = [...Object.entries(kept), ...Object.entries(lost).map(([name, text]) => [name, text.replaceAll(`\r\n`, `\n`)])];
    expect(await treeOf(place.at(`bob`))).toMatchObject(Object.fromEntries(expected.map(([name, text]) => [name, `644 ${text}`])));
    // As they would lie here when they came by a commit of that machine.
    await place.git(`shop`, `add`, `-A`);
    await place.git(`shop`, `commit`, `-qm`, `All`);
    await place.git(`.`, `clone`, `-q`, root, `dave`);
    expect(await treeOf(place.at(`dave`))).toEqual(await treeOf(place.at(`bob`)));
  });

  it(`come over nothing where the commit that they were changed from is not known`, async () => {
    const place = await scratch();
    await changed(place);
    const {store, stored, state, project} = await planned(place, `bob`);
    const plan = await planChanges({project, store, stored, state: {...state, base: `1`.repeat(40)}});
    expect(plan.base).toBe(`unknown`);
    expect(short(plan)).toMatchObject({
      'text.ts': expect.stringContaining(`left: the commit`), 'gone.ts': expect.stringContaining(`left: the commit`), 'new/one.ts': `written`,
    });
    await applyChanges(project, plan);
    expect((await treeOf(place.at(`bob`)))[`text.ts`]).toBe(`644 ${FILES[`text.ts`]}`);
  });

  it(`come before the first commit as well`, async () => {
    const place = await scratch();
    await changed(place);
    const {store, stored, state} = await planned(place, `bob`);
    await place.git(`.`, `init`, `-q`, `empty`);
    const project = await projectOf(place, `empty`);
    const {base: _, ...unborn} = state;
    const plan = await planChanges({project, store, stored, state: {...unborn, files: state.files.filter(file => file.change === `untracked`)}});
    await applyChanges(project, plan);
    expect(Object.keys(await treeOf(place.at(`empty`)))).toEqual([`new/one.ts`, `swap/inside`]);
  });

  it(`do not come over files that git does not know, ignored ones neither, nor into places that are not the tree's`, async () => {
    const place = await scratch();
    await changed(place, {'out/x': `x\n`, 'lib/x': `x\n`, 'ignored.log': `theirs\n`, 'folder': `a file\n`, 'sub/x': `x\n`});
    const {again, project} = await planned(place, `bob`);
    await fs.mkdir(place.at(`elsewhere`));
    await fs.symlink(place.at(`elsewhere`), place.at(`bob/out`));
    await place.git(`.`, `init`, `-q`, `bob/lib`);
    await put(place.at(`bob`), {'.git/info/exclude': `ignored.log\n`, 'ignored.log': `mine\n`, 'new/one.ts': `other\n`, 'folder/inside': `x\n`, sub: `a file\n`});
    const plan = await again();
    expect(short(plan)).toMatchObject({
      'out/x': `left: out is a link`, 'lib/x': `left: lib is a repository of its own`, folder: `left: a folder is there`, 'sub/x': `left: sub is no folder`, 'ignored.log': `conflict`, 'new/one.ts': `conflict`,
    });
    await applyChanges(project, plan);
    expect(await fs.readdir(place.at(`elsewhere`))).toEqual([]);
    expect(await fs.readFile(place.at(`bob/ignored.log`), `utf8`)).toContain(`mine`);
    await expect(applyActions(place.at(`bob`), [{path: `out/x`, wanted: {mode: `100644`, bytes: Buffer.from(`x`)}, before: null}])).rejects.toMatchObject({code: `NOT_APPLIED`, done: []});
    expect(await fs.readdir(place.at(`elsewhere`))).toEqual([]);
  });

  it(`of somebody hostile bring no link that leads out, no secret file, and no two names that are one`, async () => {
    const place = await scratch();
    await changed(place);
    const {store, stored, state, project} = await planned(place, `bob`);
    const [first] = state.files.filter(file => file.blob !== undefined);
    const file = (path: string, more: Partial<WorktreeChange> = {}): WorktreeChange => ({...first!, path, change: `added`, mode: `100644`, ...more});
    const link = async (target: string): Promise<Partial<WorktreeChange>> => {
      await fs.writeFile(place.at(`bob/target`), target);
      const blob = (await place.git(`bob`, `hash-object`, `-w`, `target`)).trim();
      await fs.rm(place.at(`bob/target`));
      return {mode: `120000`, blob, bytes: Buffer.byteLength(target)};
    };
    const plan = async (files: Array<WorktreeChange>) => short(await planChanges({project, store, stored, state: {...state, files} as WorktreeState}));
    expect(await plan([file(`a`, await link(`/etc/passwd`)), file(`b`, await link(`../../x`)), file(`c`, await link(`text.ts`)), file(`d/.env`), file(`e`, await link(`.git/hooks`))])).toEqual({
      a: `left: a link that leads out of the tree`, b: `left: a link that leads out of the tree`, c: `written`, 'd/.env': `left: its name says that it holds secrets`, e: `left: a link that leads out of the tree`,
    });
    expect(await plan([file(`Readme`), file(`readme`)])).toEqual({Readme: `written`, readme: `written`});
    // Of a name that was only written otherwise nothing may be removed: the file that is there is both.
    const renamed: Array<WorktreeChange> = [file(`RUN.sh`), {path: `run.sh`, change: `deleted`}];
    expect(await plan(renamed)).toEqual({'RUN.sh': `written`, 'run.sh': `deleted`});
    await place.git(`bob`, `config`, `core.ignorecase`, `true`);
    for (const files of [[file(`Readme`), file(`readme`)], renamed])
      expect(Object.values(await plan(files))).toEqual(Array.from({length: 2}, () => `left: this file system takes its name and another for one`));
  });

  it(`come also where a filter of git's does not work, but for the files that need it`, async () => {
    const place = await scratch();
    await changed(place, {'.gitattributes': `run.sh filter=broken\n`});
    const {project, again} = await planned(place, `bob`);
    await put(place.at(`bob`), {'.gitattributes': `run.sh filter=broken\n`});
    for (const [name, value] of [[`smudge`, `no-such-program`], [`clean`, `no-such-program`], [`required`, `true`]])
      await place.git(`bob`, `config`, `filter.broken.${name}`, value!);
    await fs.utimes(place.at(`bob/run.sh`), 1_000_000_000, 1_000_000_000);
    const plan = await again();
    expect(short(plan)).toMatchObject({'run.sh': `left: a filter that git needs for it does not work here`, 'text.ts': `written`, 'new/one.ts': `written`});
    await applyChanges(project, plan);
    expect((await treeOf(place.at(`bob`)))[`run.sh`]).toBe(`644 echo\n`);
  });

  it(`do not come over what was written since they were compared`, async () => {
    const place = await scratch();
    await changed(place);
    const {project, again} = await planned(place, `bob`);
    const plan = await again();
    await put(place.at(`bob`), {'new/one.ts': `just now\n`});
    await expect(applyChanges(project, plan)).rejects.toMatchObject({code: `NOT_APPLIED`, message: `new/one.ts: it has changed meanwhile`});
    expect(await fs.readFile(place.at(`bob/new/one.ts`), `utf8`)).toBe(`just now\n`);
  });

  it(`come beside a file that cannot be read`, async () => {
    const place = await scratch();
    await changed(place);
    const {again} = await planned(place, `bob`);
    await fs.chmod(place.at(`bob/text.ts`), 0);
    expect(short(await unprivileged(place.root, again))).toMatchObject({'text.ts': `left: what is there cannot be read`, 'new/one.ts': `written`});
  });

  it(`say what was done before something went wrong`, async () => {
    const place = await scratch();
    await freshRepository(place);
    await put(place.at(`shop`), {'full/x': `x\n`});
    const error = await applyActions(place.at(`shop`), [
      {path: `full`, wanted: {mode: `100644`, bytes: Buffer.from(`x`)}, before: null}, {path: `a`, wanted: {mode: `100644`, bytes: Buffer.from(`a\n`)}, before: null},
      {path: `cart.js`, wanted: null, before: {mode: `100644`, bytes: Buffer.from(`export const cart = [];\n`)}},
    ]).catch(caught => caught);
    expect(error).toMatchObject({code: `NOT_APPLIED`, done: [`cart.js`, `a`]});
    expect(Object.keys(await treeOf(place.at(`shop`)))).toEqual([`a`, `full/x`]);
    expect(await look(place.at(`shop`), `full`)).toEqual({kind: `folder`});
  });
});
