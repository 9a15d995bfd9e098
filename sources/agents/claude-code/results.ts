import type {FilePatch, Json, JsonObject, ResultRecord} from '../../interchange/index.ts';

import {partsOf, textOf}                                from './content.ts';
import {isObject, numberAt, stringAt}                   from '../values.ts';

const REJECTED  = `The user doesn't want to `;
const PERSISTED = /^<persisted-output>\n[^\n]*?saved to: ([^\n]+)\n/;
const EXIT_CODE = /^Exit code (\d{1,3})(?:\n|$)/;
const SAFE      = /^[A-Za-z0-9._-]{1,64}$/;

export type ResultFields = Pick<ResultRecord, `content` | `error` | `exitCode` | `interrupted` | `denied` | `full` | `patch` | `stream`>;

/**
 * One `tool_result` block. `detail` is the line's `toolUseResult`, the harness's own structured form (a string for
 * failures); `line` the whole line, for the marks that stand beside it.
 */
export function resultFields(name: string, block: JsonObject, detail: Json | undefined, line: JsonObject): ResultFields {
  const content = partsOf(block.content);
  const fields: ResultFields = {content};
  const text = content.length === 0 ? `` : textOf(content);
  const error = block.is_error === true;
  const structured = isObject(detail) ? detail : undefined;
  if (error)
    fields.error = true;

  const kind = stringAt(line, `toolDenialKind`);
  if (kind !== undefined || (error && text.startsWith(REJECTED))) {
    // The same kind and text for both; only a call that had not begun carries the second mark (2.1.330).
    if (kind !== undefined && line.toolDenialBeforeRun !== true)
      fields.interrupted = true;
    else
      fields.denied = true;
  } else if (structured?.interrupted === true || text.startsWith(`[Request interrupted by user`)) {
    fields.interrupted = true;
  }

  if (name === `Bash`) {
    const code = error ? EXIT_CODE.exec(text)?.[1] : undefined;
    if (code !== undefined)
      fields.exitCode = Number(code);
    else if (!error && structured !== undefined && isFinished(structured))
      fields.exitCode = 0;
  }

  const full = fullOutput(text, structured);
  if (full !== undefined)
    fields.full = full;

  if (!error && structured !== undefined) {
    const patch = patchOf(structured);
    if (patch !== undefined)
      fields.patch = [patch];
    const agent = stringAt(structured, `agentId`);
    if (agent !== undefined && SAFE.test(agent))
      fields.stream = `sub-${agent}`;
  }
  return fields;
}

/** A command that runs on, was stopped, or whose code the tool explains in words has no exit code that is known. */
function isFinished(result: JsonObject) {
  return result.interrupted !== true && result.backgroundTaskId === undefined && typeof result.returnCodeInterpretation !== `string`;
}

function fullOutput(text: string, result: JsonObject | undefined): ResultRecord[`full`] | undefined {
  const path = stringAt(result, `persistedOutputPath`) ?? (text.startsWith(`<persisted-output>`) ? PERSISTED.exec(text)?.[1] : undefined);
  if (path === undefined)
    return undefined;

  const bytes = numberAt(result, `persistedOutputSize`);
  return bytes === undefined ? {path} : {path, bytes};
}

function patchOf(result: JsonObject): FilePatch | undefined {
  const path = stringAt(result, `filePath`);
  if (path === undefined)
    return undefined;

  const content = stringAt(result, `content`);
  if (result.type === `create` && content !== undefined)
    return {path, change: `add`, content};

  if (!Array.isArray(result.structuredPatch) || result.structuredPatch.length === 0)
    return undefined;
  const hunks = result.structuredPatch.map(hunkText);
  return hunks.includes(undefined) ? undefined : {path, change: `update`, diff: hunks.join(``)};
}

function hunkText(hunk: Json): string | undefined {
  if (!isObject(hunk) || !Array.isArray(hunk.lines) || !hunk.lines.every(line => typeof line === `string`))
    return undefined;

  const numbers = [`oldStart`, `oldLines`, `newStart`, `newLines`].map(key => numberAt(hunk, key));
  if (numbers.includes(undefined))
    return undefined;
  const [oldStart, oldLines, newStart, newLines] = numbers;
  return `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@\n${hunk.lines.map(line => `${line}\n`).join(``)}`;
}
