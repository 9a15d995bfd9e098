import type {CallRecord, Json, JsonObject} from '../../interchange/index.ts';
import {apiName}                           from '../families/names.ts';

import {MCP}                               from './kinds.ts';

/** A call as a `functionCall` part has it, without the id. */
type Shape = {name: string; args: JsonObject};

/**
 * The call as Qwen Code's own tool has it where there is one (0.24.4), else under its native name with its own arguments,
 * which reach the model as well. `folder`: where the source agent was, if not where the session is.
 */
export function shapeOf(record: CallRecord, {agent, folder}: {agent: string; folder?: string}): Shape & {reduced: Array<string>} {
  const own = agent === `qwen` ? undefined : ownTool(record, folder);
  const {name, args} = own ?? {name: record.name, args: asObject(record.input)};
  const reduced: Array<string> = [];
  if (own === undefined && !isObject(record.input) || record.tool === `mcp` && !isObject(record.args.arguments))
    reduced.push(`arguments that are no object stand in one`);
  if (own === undefined && agent !== `qwen` && record.tool !== `other` && record.tool !== `ask`)
    reduced.push(`Qwen Code has no tool that does the same at once, stands under its own name`);
  if (apiName(name) !== name || record.tool === `mcp` && !saysBoth(name, record.args.server, record.args.tool))
    reduced.push(`its name is none that a model's API takes, and was changed`);
  if (own !== undefined && record.tool === `plan` && record.args.items !== undefined && record.args.text !== undefined)
    reduced.push(`a plan of steps, without its text`);
  return {name: apiName(name), args, reduced};
}

/** Whether server and tool can be told apart again. */
function saysBoth(name: string, server: string, tool: string) {
  const match = MCP.exec(name);
  return match?.[1] === server && match[2] === tool;
}

function asObject(value: Json): JsonObject {
  return isObject(value) ? value : {input: value};
}

function ownTool(record: CallRecord, folder: string | undefined): Shape | undefined {
  switch (record.tool) {
    case `shell`: {
      const {command, workdir = folder, timeoutMs, background} = record.args;
      const description = isObject(record.input) ? record.input.description : undefined;
      return {name: `run_shell_command`, args: {
        command,
        ...typeof description === `string` ? {description} : {},
        is_background: background === true,
        ...workdir === undefined ? {} : {directory: workdir},
        ...timeoutMs === undefined ? {} : {timeout: timeoutMs},
      }};
    }
    case `read`: {
      const {path, offset, limit} = record.args;
      return {name: `read_file`, args: {file_path: path, ...offset === undefined ? {} : {offset}, ...limit === undefined ? {} : {limit}}};
    }
    case `edit`: {
      const [edit, ...more] = record.args.edits;
      if (edit === undefined || more.length > 0)
        return undefined;
      return {name: `edit`, args: {file_path: record.args.path, old_string: edit.old, new_string: edit.new, ...edit.all === true ? {replace_all: true} : {}}};
    }
    case `write`:
      return {name: `write_file`, args: {file_path: record.args.path, content: record.args.content}};
    case `search`: {
      const {pattern, path, glob, mode} = record.args;
      const where: JsonObject = path === undefined ? {} : {path};
      if (mode === `files` && glob === pattern)
        return {name: `glob`, args: {pattern, ...where}};
      return {name: `grep_search`, args: {pattern, ...where, ...glob === undefined ? {} : {glob}}};
    }
    case `fetch`: {
      const {url, query, prompt} = record.args;
      if (url !== undefined)
        return {name: `web_fetch`, args: {url, ...prompt === undefined ? {} : {prompt}}};
      return query === undefined ? undefined : {name: `web_search`, args: {query}};
    }
    case `plan`: {
      const {items, text} = record.args;
      if (items !== undefined)
        return {name: `todo_write`, args: {todos: items.map(({step, status}, index) => ({id: String(index + 1), content: step, status}))}};
      return text === undefined ? undefined : {name: `exit_plan_mode`, args: {plan: text}};
    }
    case `agent`: {
      const {prompt, description, role, background} = record.args;
      return {name: `agent`, args: {
        description: description ?? ``, prompt, ...role === undefined ? {} : {subagent_type: role}, ...background === true ? {run_in_background: true} : {},
      }};
    }
    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return {name: `mcp__${server}__${tool}`, args: asObject(input)};
    }
    case `ask`:
    case `other`:
      return undefined;
  }
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === `object` && !Array.isArray(value);
}
