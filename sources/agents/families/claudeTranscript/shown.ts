import type {FilePatch, Json, JsonObject, ResultRecord} from '../../../interchange/index.ts';

import type {Content}                                   from './content.ts';
import {clip}                                           from './text.ts';
import type {ToolUse}                                   from './tools.ts';

/** What is shown of an output; the model's copy is never cut. Claude Code 2.1.330 keeps as much of a Bash output here. */
const SHOWN = 30_000;

/** What has to be remembered of a call so that its result can be shown. Small: `null` where it would not be. */
export type Remembered = {name: string; input: JsonObject} | null;

/** Tools whose results show something of what they were called with. */
const SHOWS_INPUT = new Set([`Read`, `Edit`, `Write`, `TodoWrite`, `Grep`, `ExitPlanMode`]);

export function remember({name, input}: ToolUse, room: number): Remembered {
  if (!SHOWS_INPUT.has(name))
    return {name, input: {}};
  return JSON.stringify(input).length <= room ? {name, input} : null;
}

/**
 * The `toolUseResult` of a result's line: what Claude Code shows a person, in the shape of each tool (2.1.330). Nothing
 * where there is no shape that is known, or what it would say is not known whole: then the person sees the call alone.
 */
export function shownResult(call: Remembered, record: ResultRecord, content: Content): Json | undefined {
  const text = clip(content.text, SHOWN);
  if (record.denied || record.interrupted)
    return `User rejected tool use`;
  if (isFailure(record))
    return `Error: ${text}`;
  if (call === null || content.images > 0)
    return undefined;

  const {name, input} = call;
  const lines = countLines(content.text);
  switch (name) {
    case `Bash`:
      return {stdout: text, stderr: ``, interrupted: false, isImage: false, noOutputExpected: false};
    case `Read`:
      return {type: `text`, file: {filePath: input.file_path!, content: text, numLines: lines, startLine: typeof input.offset === `number` ? input.offset : 1, totalLines: lines}};
    case `Edit`:
      return {
        filePath: input.file_path!, oldString: input.old_string!, newString: input.new_string!, originalFile: null,
        structuredPatch: hunksOf(record.patch, input), userModified: false, replaceAll: input.replace_all === true,
      };
    case `Write`:
      return {type: `create`, filePath: input.file_path!, content: input.content!, structuredPatch: [], originalFile: null, userModified: false};
    case `TodoWrite`:
      return {oldTodos: [], newTodos: input.todos!};
    case `ExitPlanMode`:
      return {plan: input.plan ?? null, isAgent: false};
    case `Grep`:
      return {mode: input.output_mode === `content` ? `content` : `files_with_matches`, numFiles: input.output_mode === `content` ? 0 : lines, filenames: input.output_mode === `content` ? [] : text.split(`\n`), content: text, numLines: lines};
    case `Glob`:
      return {filenames: text.split(`\n`), durationMs: 0, numFiles: lines, truncated: false};
    default:
      return name.startsWith(`mcp__`) ? text : undefined;
  }
}

/** A command that ends with another code than 0 has failed, whatever its agent calls it. */
export function isFailure({error, exitCode}: Pick<ResultRecord, `error` | `exitCode`>) {
  return error === true || (exitCode !== undefined && exitCode !== 0);
}

function countLines(text: string) {
  return text === `` ? 0 : text.split(`\n`).length - (text.endsWith(`\n`) ? 1 : 0);
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/** Hunks of the change; made of the two texts, from line 1, where the source does not say where in the file they stand. */
function hunksOf(patches: Array<FilePatch> | undefined, input: JsonObject): Array<JsonObject> {
  const diff = patches?.length === 1 ? patches[0]!.diff : undefined;
  const hunks: Array<{oldStart: number; oldLines: number; newStart: number; newLines: number; lines: Array<string>}> = [];
  for (const line of diff?.split(`\n`) ?? []) {
    const match = HUNK.exec(line);
    if (match)
      hunks.push({oldStart: Number(match[1]), oldLines: Number(match[2] ?? 1), newStart: Number(match[3]), newLines: Number(match[4] ?? 1), lines: []});
    else if (line !== ``)
      hunks.at(-1)?.lines.push(line);
  }
  if (hunks.length > 0)
    return hunks;

  const before = linesOf(input.old_string);
  const after = linesOf(input.new_string);
  return [{oldStart: 1, oldLines: before.length, newStart: 1, newLines: after.length, lines: [...before.map(line => `-${line}`), ...after.map(line => `+${line}`)]}];
}

function linesOf(text: Json | undefined): Array<string> {
  if (typeof text !== `string` || text === ``)
    return [];
  return (text.endsWith(`\n`) ? text.slice(0, -1) : text).split(`\n`);
}
