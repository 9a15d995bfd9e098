import type {CallRecord, FilePatch, Json, JsonObject, ResultRecord} from '../../interchange/index.ts';

import {isObject, numberAt, objectAt, stringAt} from '../values.ts';

import {partsOf, textOf}                        from './values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
const MCP = /^mcp__(.+?)__(.+)$/s;
const SHELLS = new Set([`bash`, `powershell`]);
/** What Pi's shell tools put at the end of an output (1.5.2). */
const EXITED = /Command exited with code (\d{1,9})\s*$/;
const STOPPED = /(?:Command|Operation) aborted\s*$/;

/** The normal kind and arguments of a call; `other` where the arguments have not the shape that the tool documents. */
export function toolOf(name: string, input: Json): Tool {
  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};
  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

function byName(name: string, input: JsonObject): Tool | undefined {
  const path = stringAt(input, `path`);
  const pattern = stringAt(input, `pattern`);
  const where = path === undefined ? {} : {path};
  switch (name) {
    case `bash`:
    case `powershell`: {
      const command = stringAt(input, `command`);
      const timeout = numberAt(input, `timeout`);
      return command === undefined ? undefined : {tool: `shell`, args: {command, ...timeout === undefined ? {} : {timeoutMs: Math.round(timeout * 1000)}}};
    }
    case `read`: {
      const offset = numberAt(input, `offset`);
      const limit = numberAt(input, `limit`);
      return path === undefined ? undefined : {tool: `read`, args: {path, ...offset === undefined ? {} : {offset}, ...limit === undefined ? {} : {limit}}};
    }
    case `edit`: {
      const edits = editsOf(input);
      return path === undefined || edits === undefined ? undefined : {tool: `edit`, args: {path, edits}};
    }
    case `write`: {
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `grep`: {
      const glob = stringAt(input, `glob`);
      return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...where, ...glob === undefined ? {} : {glob}, mode: `content`}};
    }
    case `find`:
      return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...where, glob: pattern, mode: `files`}};
    default:
      return undefined;
  }
}

/** Older versions had one edit a call. */
function editsOf(input: JsonObject): Array<{old: string; new: string}> | undefined {
  const edits = Array.isArray(input.edits) ? input.edits : [input];
  const pairs = edits.map(edit => isObject(edit) ? {old: stringAt(edit, `oldText`), new: stringAt(edit, `newText`)} : {old: undefined, new: undefined});
  return pairs.every((pair): pair is {old: string; new: string} => pair.old !== undefined && pair.new !== undefined) ? pairs : undefined;
}

export function resultFields(name: string, message: JsonObject): Omit<ResultRecord, `seq` | `kind` | `call`> {
  const content = partsOf(message.content);
  const error = message.isError === true;
  const text = textOf(content).slice(-200);
  const code = SHELLS.has(name) ? error ? EXITED.exec(text)?.[1] : `0` : undefined;
  const details = objectAt(message, `details`);
  const full = stringAt(details, `fullOutputPath`);
  const patch = patchOf(stringAt(details, `patch`));
  return {
    content,
    ...error ? {error} : {},
    ...code === undefined ? {} : {exitCode: Number(code)},
    ...error && STOPPED.test(text) ? {interrupted: true} : {},
    ...full === undefined ? {} : {full: {path: full}},
    ...patch === undefined ? {} : {patch: [patch]},
  };
}

/** `details.patch` of an edit: a unified diff of one file with its header (1.5.2). */
function patchOf(text: string | undefined): FilePatch | undefined {
  const match = text === undefined ? null : /^--- [^\n]*\n\+\+\+ ([^\n]+)\n(@@[\s\S]*)$/.exec(text);
  return match === null ? undefined : {path: match[1]!, change: `update`, diff: match[2]!};
}
