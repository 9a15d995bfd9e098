import * as fs                            from 'node:fs/promises';
import path                               from 'node:path';

import {createRedactor}                   from '../../sources/redaction/index.ts';
import {takeSnapshot}                     from '../../sources/store/index.ts';
import type {SessionStore}                from '../../sources/store/index.ts';
import {openProject}                      from '../../sources/sync/project.ts';
import {machineOf}                        from '../../sources/system/machine.ts';

import {SESSION, lines, meta, openStore}  from '../store/_repo.ts';
import type {Scratch}                     from '../store/_repo.ts';

const redactor = createRedactor();
export const isClean = async (text: string) => (await redactor.text(text)).counts === null;

/** What stands in a working tree, without git's own folder: mode and content of each file, targets of links. */
export async function treeOf(root: string): Promise<{[file: string]: string}> {
  const found: {[file: string]: string} = {};
  for (const name of (await fs.readdir(root, {recursive: true})).sort()) {
    const info = await fs.lstat(path.join(root, name));
    if (name === `.git` || name.startsWith(`.git/`) || info.isDirectory())
      continue;
    found[name] = info.isSymbolicLink() ? `link ${await fs.readlink(path.join(root, name))}` : `${(info.mode & 0o777).toString(8)} ${(await fs.readFile(path.join(root, name))).toString(`latin1`)}`;
  }
  return found;
}

/** Writes files; null removes, `→x` makes a link to x, a trailing `*` of the name makes it executable. */
export async function put(root: string, files: {[name: string]: string | Buffer | null}) {
  for (const [given, content] of Object.entries(files)) {
    const name = given.replace(/\*$/, ``);
    const file = path.join(root, name);
    if (content === null) {
      await fs.rm(file, {recursive: true});
      continue;
    }
    await fs.mkdir(path.dirname(file), {recursive: true});
    if (typeof content === `string` && content.startsWith(`→`)) {
      await fs.rm(file, {force: true});
      await fs.symlink(content.slice(1), file);
    } else {
      await fs.writeFile(file, content);
      await fs.chmod(file, given.endsWith(`*`) ? 0o755 : 0o644);
    }
  }
}

/** A turn: records up to `to`, and the working tree of `folder` as it is now. */
export async function turn(place: Scratch, store: SessionStore, from: number, to: number, {folder = `shop`, scope = `all`}: {folder?: string; scope?: `tracked` | `all`} = {}) {
  const project  = await projectOf(place, folder);
  const snapshot = (await takeSnapshot(project.repository, place.env, {scope, isClean}))!;
  const appender = await store.begin(SESSION);
  await appender.append(`native/claude-code/${SESSION}.jsonl`, lines(from, to));
  await appender.append(`rec/main`, lines(from, to));
  const given = meta(SESSION, to);
  await appender.commit({...given, header: {...given.header, ...snapshot.git, commit: snapshot.git.commit!}, worktree: snapshot.worktree});
  return (await store.head(SESSION))!;
}

export async function projectOf(place: Scratch, folder: string) {
  return await openProject(place.at(folder), machineOf(place.env as NodeJS.ProcessEnv));
}

/** A clone with the session of `shop`, and its store. */
export async function cloneOf(place: Scratch, name: string, ...args: Array<string>) {
  await place.git(`.`, `clone`, `-q`, ...args, place.at(`shop`), name);
  await place.git(name, `fetch`, `-q`, `origin`, `refs/session-sync/*:refs/session-sync-remotes/origin/*`);
  const store = await openStore(place, name, `fedcba9876543210`);
  const {refs} = await store.list();
  return {store, stored: refs[0]!, project: await projectOf(place, name)};
}
