import path                         from 'node:path';

import type {CallRecord, Json, JsonObject} from '../../../interchange/index.ts';

import {apiName, titleOf}           from './text.ts';

/** Edits of one call that stand as calls of their own; more are no real edit. */
const MOST_EDITS = 50;

/** One `tool_use` block, without its id. */
export type ToolUse = {name: string; input: JsonObject};

export type ShapedCall = {
  /** One, but for several edits of a file in one call: Claude Code 2.1.330 has no tool that takes them. */
  uses: Array<ToolUse>;
  /** Why the call is not wholly what it was. */
  reduced?: string;
};

export type CallContext = {
  /** Folder that the session is written for. */
  cwd: string;
  /** Folder that the source agent was in, where that is another one. */
  workdir?: string;
  /** The session is of Claude Code itself: its calls have their form already. */
  own: boolean;
};

/** The call in the shape that Claude Code's own tools have where there is one (2.1.330), else under its native name. */
export function shapeCall(record: CallRecord, context: CallContext): ShapedCall {
  if (context.own)
    return native(record);

  switch (record.tool) {
    case `shell`:
      return one(`Bash`, shellInput(record, context));

    case `read`: {
      const {path: file, offset, limit} = record.args;
      return one(`Read`, {file_path: absolute(file, context), ...given({offset, limit})});
    }

    case `edit`: {
      const {path: file, edits} = record.args;
      if (edits.length === 0 || edits.length > MOST_EDITS)
        return native(record);
      const file_path = absolute(file, context);
      const uses = edits.map(edit => ({name: `Edit`, input: {file_path, old_string: edit.old, new_string: edit.new, replace_all: edit.all === true}}));
      return uses.length === 1 ? {uses} : {uses, reduced: `the edits of one call stand as one call each`};
    }

    case `write`:
      return one(`Write`, {file_path: absolute(record.args.path, context), content: record.args.content});

    case `search`: {
      const {pattern, path: folder, glob, mode} = record.args;
      const where = given({path: folder});
      // Readers say a search by name so: the pattern is the glob itself.
      if (mode === `files` && glob === pattern)
        return one(`Glob`, {pattern, ...where});
      return one(`Grep`, {pattern, ...where, ...given({glob}), output_mode: mode === `content` ? `content` : `files_with_matches`});
    }

    case `fetch`: {
      const {url, query, prompt} = record.args;
      if (url !== undefined)
        return one(`WebFetch`, {url, ...given({prompt})});
      return query !== undefined ? one(`WebSearch`, {query}) : native(record);
    }

    case `plan`: {
      const {items, text} = record.args;
      if (items !== undefined)
        return one(`TodoWrite`, {todos: items.map(({step, status}) => ({content: step, status, activeForm: step}))});
      return text !== undefined && text.trim() !== `` ? one(`ExitPlanMode`, {plan: text}) : native(record);
    }

    case `agent`: {
      const {prompt, description, role, background} = record.args;
      const title = description ?? titleOf(prompt, 60);
      return one(`Agent`, {description: title, prompt, ...given({subagent_type: role}), ...background === true ? {run_in_background: true} : {}});
    }

    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return one(`mcp__${server}__${tool}`, objectOf(input));
    }

    default:
      return native(record);
  }
}

/** Bash has no working folder of its own: a model of Claude Code would have changed to it. */
function shellInput({args, input}: CallRecord & {tool: `shell`}, context: CallContext): JsonObject {
  const {command, workdir, timeoutMs, background} = args;
  const folder = workdir === undefined ? context.workdir : absolute(workdir, context);
  const elsewhere = folder !== undefined && folder !== context.cwd;
  const description = isObject(input) && typeof input.description === `string` ? input.description : undefined;
  return {
    command: elsewhere ? `cd ${quoted(folder)} && ${command}` : command,
    ...given({description, timeout: timeoutMs}),
    ...background === true ? {run_in_background: true} : {},
  };
}

function quoted(folder: string) {
  return /^[\w@%+=:,./~-]+$/.test(folder) ? folder : `'${folder.replaceAll(`'`, `'\\''`)}'`;
}

function one(name: string, input: JsonObject): ShapedCall {
  return {uses: [{name: apiName(name), input}]};
}

function native(record: CallRecord): ShapedCall {
  return one(record.name, objectOf(record.input));
}

/** Input that is no object is refused by the API. */
function objectOf(input: Json): JsonObject {
  return isObject(input) ? input : {input};
}

function given(values: {[key: string]: Json | undefined}): JsonObject {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

/** Claude Code's file tools take absolute paths only. */
function absolute(file: string, {cwd, workdir}: CallContext): string {
  const base = workdir ?? cwd;
  if (file === `` || path.posix.isAbsolute(file) || path.win32.isAbsolute(file) || file.startsWith(`~`))
    return file;
  return /^[A-Za-z]:[\\/]|^\\\\/.test(base) ? path.win32.join(base, file) : path.posix.join(base, file);
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === `object` && !Array.isArray(value);
}
