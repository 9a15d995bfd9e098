import {mkdir, open, readdir, readFile, rename, rm, stat} from 'node:fs/promises';
import path                                     from 'node:path';
import process                                  from 'node:process';
import * as t                                   from 'typanion';

import {isSafeId, stableJson}                   from '../interchange/index.ts';
import {isSafeWorkPath}                         from '../store/index.ts';
import type {Project}                           from '../sync/project.ts';
import {isGone, makeFolder, readIfThere, writeAtomic} from '../system/files.ts';
import {startOf}                                from '../system/processes.ts';

import type {Action, Content, FileMode}         from './workFiles.ts';

/** Of one repository; what is beyond goes when more is kept. */
export const MOST_KEEPSAKES = 100;
export const KEEPSAKE_DAYS  = 90;
const DAY_MS = 86_400_000;

/** What stood in a working tree before it was brought to another state. */
export type Keepsake = {
  number: number;
  /** `rewind`: before files were brought back; `forward`: before that was taken back. */
  kind: `rewind` | `forward`;
  /** Top of the working tree, and where git keeps what is its own, below the common directory. */
  root: string;
  tree?: string;
  session?: string;
  record?: number;
  head?: string;
  /** Taken back already. */
  undone: boolean;
  files: Array<{path: string; mode?: FileMode; permissions?: number; file?: string}>;
};

const isKeepsake = t.isPartial({
  kind: t.isEnum([`rewind`, `forward`] as const),
  root: t.isString(),
  tree: t.isOptional(t.isString()),
  session: t.isOptional(t.isString()),
  record: t.isOptional(t.isNumber()),
  head: t.isOptional(t.isString()),
  files: t.isArray(t.isPartial({
    path: t.isString(),
    mode: t.isOptional(t.isEnum([`100644`, `100755`, `120000`] as const)),
    permissions: t.isOptional(t.isNumber()),
    file: t.isOptional(t.cascade(t.isString(), t.matchesRegExp(/^\d{1,6}$/))),
  })),
});

/**
 * States of a working tree before something was brought back, each in a folder of its own in the git directory. Not in
 * git: they hold files as they are, with whatever secrets are in them, and no push of any kind takes them along.
 */
export class Keepsakes {
  private readonly folder: string;
  private readonly place: {root: string; tree: string};

  constructor({paths, root, repository}: Project) {
    this.folder = path.join(paths.folder, `rewind`);
    this.place = {root, tree: path.relative(repository.commonDir, repository.gitDir)};
  }

  /**
   * Keeps what these actions will change. It is on the disk, whole, when this resolves; then what is too old or too much
   * goes. Not the one that is being brought back, of which a part may stay to be done: `spared`.
   */
  async keep(given: Pick<Keepsake, `kind` | `session` | `record` | `head`>, actions: Array<Action>, now: Date, spared?: number): Promise<Keepsake> {
    const about = {...given, ...this.place};
    await makeFolder(this.folder);
    const number = (await this.numbers()).reduce((most, one) => Math.max(most, one), 0) + 1;
    const draft = path.join(this.folder, `.${number}.${process.pid}`);
    await rm(draft, {recursive: true, force: true});
    await mkdir(draft, {mode: 0o700});
    const files: Keepsake[`files`] = [];
    for (const [index, {path: name, before}] of actions.entries()) {
      if (before === null) {
        files.push({path: name});
        continue;
      }
      const file = String(index);
      const handle = await open(path.join(draft, file), `wx`, 0o600);
      try {
        await handle.writeFile(before.bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      files.push({path: name, mode: before.mode, permissions: before.permissions!, file});
    }
    await writeAtomic(path.join(draft, `state.json`), stableJson({...about, files}));
    await rename(draft, this.of(number));
    await this.tidy(now, spared);
    return {...about, number, undone: false, files};
  }

  /** Those of this working tree, also from before it was moved; the oldest first. */
  async here(): Promise<Array<Keepsake>> {
    const found: Array<Keepsake> = [];
    for (const keepsake of await this.list())
      if (keepsake.root === this.place.root || (keepsake.tree === this.place.tree && await isGone(keepsake.root)))
        found.push(keepsake);
    return found;
  }

  /** When it was kept. */
  async time(number: number): Promise<Date> {
    return (await stat(path.join(this.of(number), `state.json`))).mtime;
  }

  async remove(number: number) {
    // Without its state it is none, should this be ended in the middle.
    await rm(path.join(this.of(number), `state.json`), {force: true});
    await rm(this.of(number), {recursive: true, force: true});
  }

  /** Never the last one of a working tree that is still there: it always has a way forward. */
  private async tidy(now: Date, spared?: number) {
    for (const name of await readdir(this.folder)) {
      const pid = /^\.\d+\.(\d+)$/.exec(name)?.[1];
      if (pid !== undefined && await startOf(Number(pid)) === null)
        await rm(path.join(this.folder, name), {recursive: true, force: true});
    }
    const all  = await this.list();
    const last = new Set<number>();
    for (const [root, number] of new Map(all.map(one => [one.root, one.number])))
      if (!await isGone(root))
        last.add(number);
    for (const [index, {number}] of all.entries())
      if (!last.has(number) && number !== spared && (index < all.length - MOST_KEEPSAKES || now.getTime() - (await this.time(number)).getTime() > KEEPSAKE_DAYS * DAY_MS))
        await this.remove(number);
  }

  /** The oldest first. One that cannot be read is left out. */
  async list(): Promise<Array<Keepsake>> {
    const found: Array<Keepsake> = [];
    for (const number of await this.numbers()) {
      const keepsake = await this.read(number);
      if (keepsake !== null)
        found.push(keepsake);
    }
    return found;
  }

  async content(number: number, {mode, permissions, file}: Keepsake[`files`][number]): Promise<Content | null> {
    if (file === undefined)
      return null;
    return {mode: mode!, permissions: permissions!, bytes: await readFile(path.join(this.of(number), file))};
  }

  async markUndone(number: number) {
    await writeAtomic(path.join(this.of(number), `undone`), ``);
  }

  private async read(number: number): Promise<Keepsake | null> {
    const text = await readIfThere(path.join(this.of(number), `state.json`));
    try {
      const value: unknown = JSON.parse(text ?? ``);
      if (!isKeepsake(value))
        return null;
      const keepsake = value as unknown as Omit<Keepsake, `number` | `undone`>;
      if (!keepsake.files.every(file => isSafeWorkPath(file.path)) || (keepsake.session !== undefined && !isSafeId(keepsake.session)))
        return null;
      return {...keepsake, number, undone: await readIfThere(path.join(this.of(number), `undone`)) !== null};
    } catch {
      return null;
    }
  }

  private async numbers() {
    const names = await readdir(this.folder).catch(() => []);
    return names.filter(name => /^[1-9]\d{0,8}$/.test(name)).map(Number).sort((a, b) => a - b);
  }

  private of(number: number) {
    return path.join(this.folder, String(number));
  }
}
