import type {EditArgs, FilePatch, Json, WriteArgs} from '../../interchange/index.ts';
import {isObject, objectAt, stringAt}              from '../values.ts';

/** Files of one patch; a longer list is no work of a model. */
const MOST_FILES = 500;
/** Content that is remembered between the event that shows a change and the output that ends the call. */
const MOST_CONTENT = 128 * 1024;

type Edit = EditArgs[`edits`][number];
type Section = {change: `add` | `update` | `delete`; file: string; moved: boolean; lines: Array<string>};

/** What a patch of `apply_patch` does, where it does it to one file: many files have no form that other agents share. */
export function patchTool(patch: string, cwd: string): {tool: `write`; args: WriteArgs} | {tool: `edit`; args: EditArgs} | undefined {
  const sections = sectionsOf(patch);
  const [only] = sections;
  if (only === undefined || sections.length > 1 || only.moved)
    return undefined;

  const path = resolved(cwd, only.file);
  if (only.change === `add`)
    return {tool: `write`, args: {path, content: only.lines.map(line => `${line.slice(1)}\n`).join(``)}};
  return only.change === `update` ? {tool: `edit`, args: {path, edits: editsOf(only.lines)}} : undefined;
}

function sectionsOf(patch: string): Array<Section> {
  const sections: Array<Section> = [];
  for (const line of patch.split(`\n`)) {
    const header = /^\*\*\* (Add|Update|Delete) File: (.+)$/s.exec(line);
    const last = sections.at(-1);
    if (header && sections.length < MOST_FILES)
      sections.push({change: header[1]!.toLowerCase() as Section[`change`], file: header[2]!, moved: false, lines: []});
    else if (line.startsWith(`*** Move to: `) && last !== undefined)
      last.moved = true;
    else if (!line.startsWith(`*** `) && last !== undefined)
      last.lines.push(line);
  }
  // The text ends with a newline, which is no line of the last file.
  const last = sections.at(-1);
  if (last?.lines.at(-1) === ``)
    last.lines.pop();
  return sections;
}

/** Hunks as texts to replace; a line without a mark is an empty line of context, as Codex takes it. */
function editsOf(lines: Array<string>): Array<Edit> {
  const edits: Array<{old: Array<string>; new: Array<string>}> = [];
  for (const line of lines) {
    if (line.startsWith(`@@`)) {
      edits.push({old: [], new: []});
      continue;
    }
    if (line.startsWith(`\\`))
      continue;
    if (edits.length === 0)
      edits.push({old: [], new: []});
    const edit = edits.at(-1)!;
    if (!line.startsWith(`+`))
      edit.old.push(line.slice(1));
    if (!line.startsWith(`-`))
      edit.new.push(line.slice(1));
  }
  return edits.map(edit => ({old: edit.old.join(`\n`), new: edit.new.join(`\n`)}));
}

/** The path as an absolute one where `cwd` is known. `./` in front says that it was a relative one before (see tools.ts). */
function resolved(cwd: string, file: string): string {
  if (file.startsWith(`./`))
    return file.slice(2);
  if (cwd === `` || file.startsWith(`/`) || /^[A-Za-z]:[\\/]|^\\\\/.test(file))
    return file;
  return /^[A-Za-z]:[\\/]|^\\\\/.test(cwd) ? `${cwd}\\${file.replaceAll(`/`, `\\`)}` : `${cwd}/${file}`;
}

/** `changes` of a `FileChange` item or a `patch_apply_end` event. */
export function patchesOf(changes: Json | undefined): Array<FilePatch> {
  if (!isObject(changes))
    return [];

  const patches: Array<FilePatch> = [];
  let room = MOST_CONTENT;
  for (const path of Object.keys(changes).slice(0, MOST_FILES)) {
    const change = objectAt(changes, path);
    const type = change?.type;
    if (type !== `add` && type !== `update` && type !== `delete`)
      continue;
    const text = type === `update` ? stringAt(change, `unified_diff`) : stringAt(change, `content`);
    room -= text?.length ?? 0;
    patches.push({path, change: type, ...text === undefined || text === `` || room < 0 ? {} : type === `update` ? {diff: text} : {content: text}});
  }
  return patches;
}

/** The same change as a call of a tool; nothing where it is more than one, or its content is not known. */
export function toolOfPatches(patches: Array<FilePatch>): {tool: `write`; args: WriteArgs} | {tool: `edit`; args: EditArgs} | undefined {
  const [only] = patches;
  if (only === undefined || patches.length > 1)
    return undefined;
  if (only.change === `add` && only.content !== undefined)
    return {tool: `write`, args: {path: only.path, content: only.content}};
  return only.change === `update` && only.diff !== undefined ? {tool: `edit`, args: {path: only.path, edits: editsOf(only.diff.replace(/\n$/, ``).split(`\n`))}} : undefined;
}
