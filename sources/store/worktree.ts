import * as t                         from 'typanion';

import {stableJson}                   from '../interchange/canonical.ts';

import type {FastImport}              from './fastImport.ts';
import {parseBounded}                 from './header.ts';
import {MAX_HEADER_BYTES, MAX_TREE_BYTES, OBJECT_ID, checkId} from './layout.ts';
import {parseTree}                    from './objects.ts';
import type {ObjectReader}            from './objects.ts';
import {MAX_SNAPSHOT_BYTES, MAX_SNAPSHOT_FILES, MAX_SNAPSHOT_FILE_BYTES} from './snapshot.ts';
import {StoreError}                   from './types.ts';
import type {StoredRef, Worktree, WorktreeChange, WorktreeState} from './types.ts';
import {isSafeWorkPath}               from './workPaths.ts';

/** Folders of one snapshot. */
const MAX_FOLDERS = 10_000;
const DIRECTORY = `40000`;

const text = t.cascade(t.isString(), t.hasMaxLength(4096));
const oid  = t.cascade(t.isString(), t.matchesRegExp(OBJECT_ID));
const count = t.cascade(t.isNumber(), [t.isInteger(), t.isAtLeast(0), t.isAtMost(Number.MAX_SAFE_INTEGER)]);

const isState = t.isPartial({
  format:  t.isLiteral(`session-sync-worktree/1`),
  scope:   t.isEnum([`tracked`, `all`] as const),
  base:    t.isOptional(oid),
  branch:  t.isOptional(text),
  autocrlf: t.isOptional(t.isBoolean()),
  files:   t.cascade(t.isArray(t.isPartial({
    path:   text,
    change: t.isEnum([`added`, `modified`, `deleted`, `untracked`] as const),
    mode:   t.isOptional(t.isEnum([`100644`, `100755`, `120000`] as const)),
    blob:   t.isOptional(oid),
    bytes:  t.isOptional(t.cascade(count, t.isAtMost(MAX_SNAPSHOT_FILE_BYTES))),
  })), t.hasMaxLength(MAX_SNAPSHOT_FILES)),
  leftOut: t.cascade(t.isArray(t.isPartial({path: text, reason: text})), t.hasMaxLength(MAX_SNAPSHOT_FILES)),
  more:    t.isOptional(count),
  moreTracked: t.isOptional(count),
});

/** Checks `state.json`, which anybody may have written. Throws BAD_DATA, TOO_LARGE. */
export function verifyWorktree(bytes: Buffer | string): WorktreeState {
  const bad = (reason: string) => new StoreError(`BAD_DATA`, `A working tree that is stored with a session cannot be used: ${reason}`);
  const json = parseBounded(bytes, `worktree/state.json`);
  const errors: Array<string> = [];
  if (!isState(json, {errors}))
    throw bad(errors[0] ?? `wrong shape`);

  const state = json as unknown as WorktreeState;
  let before = ``;
  let total = 0;
  const folders = new Set<string>();
  for (const {path, change, mode, blob, bytes: size} of state.files) {
    if (!isSafeWorkPath(path) || path <= before)
      throw bad(`${JSON.stringify(path.slice(0, 200))} is not a path that it may have there`);
    if (change === `deleted` ? mode !== undefined || blob !== undefined || size !== undefined : mode === undefined || blob === undefined || size === undefined)
      throw bad(`${JSON.stringify(path.slice(0, 200))} is described in part`);
    before = path;
    total += size ?? 0;
    if (change !== `deleted`)
      for (let slash = path.indexOf(`/`); slash !== -1; slash = path.indexOf(`/`, slash + 1))
        folders.add(path.slice(0, slash));
  }
  if (total > MAX_SNAPSHOT_BYTES)
    throw new StoreError(`TOO_LARGE`, `A working tree that is stored with a session has more than ${MAX_SNAPSHOT_BYTES} bytes`);
  if (state.files.some(({path, change}) => change !== `deleted` && folders.has(path)))
    throw bad(`a file is a folder as well`);
  return state;
}

/** Commands that put a working tree into the commit of a running import; none where it is the one that is there. */
export async function stageWorktree(git: () => FastImport, reader: ObjectReader, {base, writer, worktree}: {base: string | null; writer: string; worktree: Worktree}): Promise<Array<string>> {
  const {state, contents} = worktree;
  const folder = `worktree/${checkId(writer, `writer`)}`;
  const json   = stableJson(state);
  verifyWorktree(json);
  const before = base === null ? null : await reader.object(`${base}:${folder}/state.json`, MAX_HEADER_BYTES);
  if (before?.body.toString() === json)
    return [];

  const known = new Set(before === null ? [] : knownBlobs(before.body));
  const commands = [`D ${folder}\n`, `M 100644 :${await git().blob(Buffer.from(json))} ${folder}/state.json\n`];
  const marks = new Map<string, number>();
  for (const {path, mode, blob} of state.files) {
    if (blob === undefined)
      continue;
    if (!known.has(blob) && !marks.has(blob))
      marks.set(blob, await git().blob(contents.get(blob)!));
    commands.push(`M ${mode} ${marks.has(blob) ? `:${marks.get(blob)}` : blob} ${folder}/files/${path}\n`);
  }
  return commands;
}

function knownBlobs(json: Buffer) {
  try {
    return verifyWorktree(json).files.flatMap(({blob}) => blob === undefined ? [] : [blob]);
  } catch {
    return [];
  }
}

/**
 * The working tree that one writer stored with a session: its state, and that the tree beside it holds exactly the files
 * that the state names. Null where none is kept.
 *
 * Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT.
 */
export async function readWorktree(reader: ObjectReader, ref: Pick<StoredRef, `session` | `writer` | `commit`>): Promise<WorktreeState | null> {
  checkId(ref.session);
  const folder = `worktree/${checkId(ref.writer, `writer`)}`;
  const bad = (reason: string) => new StoreError(`BAD_DATA`, `The working tree that is stored with session ${ref.session} cannot be used: ${reason}`);
  const top = await reader.object(`${ref.commit}:${folder}`, MAX_TREE_BYTES);
  if (top === null)
    return null;
  if (top.type !== `tree`)
    throw bad(`it is not a folder`);

  const entries = parseTree(top.body, top.oid.length / 2);
  const json = entries.find(({name}) => name === `state.json`);
  const files = entries.find(({name}) => name === `files`);
  if (json?.mode !== `100644` || (files !== undefined && files.mode !== DIRECTORY) || entries.length !== (files === undefined ? 1 : 2))
    throw bad(`it has an unexpected entry`);
  const object = await reader.object(json.oid, MAX_HEADER_BYTES);
  if (object === null)
    throw missing(ref.session, json.oid);
  if (object.type !== `blob`)
    throw bad(`its state is not a file`);
  const state = verifyWorktree(object.body);

  const wanted = new Map(state.files.flatMap(({path, mode, blob}) => blob === undefined ? [] : [[path, `${mode} ${blob}`]]));
  let folders = 0;
  const walk = async (tree: string, prefix: string): Promise<void> => {
    if (++folders > MAX_FOLDERS)
      throw new StoreError(`TOO_LARGE`, `The working tree that is stored with session ${ref.session} has more than ${MAX_FOLDERS} folders`);
    const found = await reader.object(tree, MAX_TREE_BYTES);
    if (found === null)
      throw missing(ref.session, tree);
    if (found.type !== `tree`)
      throw bad(`it has an unexpected entry`);
    for (const {name, mode, oid: child} of parseTree(found.body, tree.length / 2)) {
      const path = `${prefix}${name}`;
      if (!isSafeWorkPath(path))
        throw bad(`it has an unexpected entry`);
      if (mode === DIRECTORY)
        await walk(child, `${path}/`);
      else if (wanted.get(path) === `${mode} ${child}`)
        wanted.delete(path);
      else
        throw bad(`it has an unexpected entry`);
    }
  };
  if (files !== undefined)
    await walk(files.oid, ``);
  if (wanted.size > 0)
    throw bad(`a file that it names is not there`);
  return state;
}

/** What a file of a stored working tree holds; of a link, where it leads to. Throws BAD_DATA, TOO_LARGE, MISSING_OBJECT. */
export async function readWorktreeFile(reader: ObjectReader, session: string, {path, blob, bytes}: WorktreeChange): Promise<Buffer> {
  const object = await reader.object(blob!, MAX_SNAPSHOT_FILE_BYTES);
  if (object === null)
    throw missing(session, blob!);
  if (object.type !== `blob` || object.body.length !== bytes)
    throw new StoreError(`BAD_DATA`, `${JSON.stringify(path)} of the working tree that is stored with session ${session} is not as its state says`);
  return object.body;
}

function missing(session: string, object: string) {
  return new StoreError(`MISSING_OBJECT`, `Object ${object} of session ${session} is missing: \`session-sync pull\` fetches it`, {oid: object});
}
