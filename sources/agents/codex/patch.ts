import path                           from 'node:path';

import type {EditArgs, FilePatch}     from '../../interchange/index.ts';

import {clip}                         from '../families/text.ts';

/** How much of a file's new content is put into the event that shows a change. The model's copy is never cut. */
const SHOWN = 8_000;

/** A change as `patch_apply_end` has it. */
export type Change =
  | {type: `add`; content: string}
  | {type: `delete`; content: string}
  | {type: `update`; unified_diff: string; move_path: null};

/** `apply_patch` is a format of lines: a path with a line break in it would say something else. */
export function isPatchable(file: string) {
  return file !== `` && file.trim() === file && !/[\0-\x1f\x7f\u2028\u2029]/.test(file);
}

/** The patch that Codex's own tool would have been given for these edits. */
export function updatePatch(file: string, edits: EditArgs[`edits`]): string {
  return envelope([`*** Update File: ${file}`, ...edits.flatMap(edit => [`@@`, ...hunk(edit.old, edit.new)])]);
}

/** The patch for a whole file. Codex 0.169.0 takes an Add File for a file that exists, and replaces it. */
export function addPatch(file: string, content: string): string {
  const body = content.endsWith(`\n`) ? content.slice(0, -1) : content;
  return envelope([`*** Add File: ${file}`, ...content === `` ? [] : [`+${body.replaceAll(`\n`, `\n+`)}`]]);
}

function envelope(lines: Array<string>) {
  return `*** Begin Patch\n${lines.join(`\n`)}\n*** End Patch\n`;
}

function linesOf(text: string) {
  if (text === ``)
    return [];
  return (text.endsWith(`\n`) ? text.slice(0, -1) : text).split(`\n`);
}

/** Lines that both texts begin and end with become context, as Codex's models write it. */
function hunk(before: string, after: string) {
  const old = linesOf(before);
  const now = linesOf(after);
  const shortest = Math.min(old.length, now.length);

  let head = 0;
  while (head < shortest && old[head] === now[head])
    head += 1;
  let tail = 0;
  while (tail < shortest - head && old[old.length - 1 - tail] === now[now.length - 1 - tail])
    tail += 1;

  return [
    ...old.slice(0, head).map(line => ` ${line}`),
    ...old.slice(head, old.length - tail).map(line => `-${line}`),
    ...now.slice(head, now.length - tail).map(line => `+${line}`),
    ...old.slice(old.length - tail).map(line => ` ${line}`),
  ];
}

/** What to show for edits whose result says nothing of the change: line numbers are not known then. */
export function editChange(edits: EditArgs[`edits`]): Change {
  const shown: Array<string> = [];
  let room = SHOWN;
  for (const edit of edits) {
    if (room <= 0)
      break;
    const lines = hunk(clip(edit.old, room), clip(edit.new, room));
    const removed = lines.filter(line => !line.startsWith(`+`)).length;
    const added = lines.filter(line => !line.startsWith(`-`)).length;
    const text = `@@ -1,${removed} +1,${added} @@\n${lines.join(`\n`)}\n`;
    shown.push(text);
    room -= text.length;
  }
  return {type: `update`, unified_diff: shown.join(``), move_path: null};
}

export function addChange(content: string): Change {
  return {type: `add`, content: clip(content, SHOWN)};
}

export function patchChange(patch: FilePatch): Change {
  if (patch.change === `update`)
    return {type: `update`, unified_diff: patch.diff ?? ``, move_path: null};
  return {type: patch.change, content: clip(patch.content ?? ``, SHOWN)};
}

const windows = (folder: string) => /^[A-Za-z]:[\\/]|^\\\\/.test(folder);

/** The path as Codex writes it into a patch: relative below the working folder, else as it is. */
export function relativeTo(cwd: string, file: string): string {
  const base = cwd.replace(/[\\/]+$/, ``);
  const separator = file[base.length];
  if (base === `` || !file.startsWith(base) || (separator !== `/` && separator !== `\\`))
    return file;

  const rest = file.slice(base.length + 1);
  return rest === `` || isAbsolute(rest) ? file : windows(cwd) ? rest.replaceAll(`\\`, `/`) : rest;
}

export function isAbsolute(file: string) {
  return path.posix.isAbsolute(file) || windows(file);
}

export function absoluteIn(cwd: string, file: string): string {
  if (isAbsolute(file))
    return file;
  return windows(cwd) ? path.win32.join(cwd, file) : path.posix.join(cwd, file);
}
