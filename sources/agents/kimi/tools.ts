import type {CallRecord, Json, JsonObject, PlanItem} from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}                from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
const MCP = /^mcp__(.+?)__(.+)$/s;

/** The normal kind and arguments of a call of Kimi Code 2.1.0; `other` where the input has not the shape that the tool documents. */
export function toolOf(name: string, input: Json): Tool {
  if (name === `AskUserQuestion`)
    return {tool: `ask`};
  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};
  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

function byName(name: string, input: JsonObject): Tool | undefined {
  const path = stringAt(input, `path`);
  const pattern = stringAt(input, `pattern`);
  switch (name) {
    case `Bash`: {
      const command = stringAt(input, `command`);
      const seconds = numberAt(input, `timeout`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command,
        ...optional(`workdir`, stringAt(input, `cwd`)),
        ...optional(`timeoutMs`, seconds === undefined ? undefined : seconds * 1000),
        ...input.run_in_background === true ? {background: true} : {},
      }};
    }
    case `Read`:
      return path === undefined ? undefined : {tool: `read`, args: {path, ...optional(`offset`, numberAt(input, `line_offset`)), ...optional(`limit`, numberAt(input, `n_lines`))}};
    case `ReadMediaFile`:
      return path === undefined ? undefined : {tool: `read`, args: {path}};
    case `Edit`: {
      const before = stringAt(input, `old_string`);
      const after = stringAt(input, `new_string`);
      return path === undefined || before === undefined || after === undefined ? undefined
        : {tool: `edit`, args: {path, edits: [{old: before, new: after, ...input.replace_all === true ? {all: true} : {}}]}};
    }
    case `Write`: {
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined || input.mode === `append` ? undefined : {tool: `write`, args: {path, content}};
    }
    case `Grep`:
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern, ...optional(`path`, path), ...optional(`glob`, stringAt(input, `glob`)), mode: input.output_mode === `content` ? `content` : `files`,
      }};
    // A search by name: the pattern is the glob itself.
    case `Glob`:
      return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...optional(`path`, path), glob: pattern, mode: `files`}};
    case `FetchURL`: {
      const url = stringAt(input, `url`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url}};
    }
    case `WebSearch`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `TodoList`: {
      const items = planItems(input.todos);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `Agent`: {
      const prompt = stringAt(input, `prompt`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {
        prompt,
        ...optional(`description`, stringAt(input, `description`)),
        ...optional(`role`, stringAt(input, `subagent_type`)),
        ...input.run_in_background === true ? {background: true} : {},
      }};
    }
    default:
      return undefined;
  }
}

export function planItems(todos: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(todos))
    return undefined;
  const items: Array<PlanItem> = [];
  for (const todo of todos) {
    const step = isObject(todo) ? stringAt(todo, `title`) : undefined;
    if (step === undefined)
      return undefined;
    const {status} = todo as JsonObject;
    items.push({step, status: status === `done` ? `completed` : status === `in_progress` ? `in_progress` : `pending`});
  }
  return items;
}

/** A call as Kimi Code's own tool where it has an equal one, else under its own name. */
export function nativeCall(record: CallRecord): {name: string; args: Json} {
  switch (record.tool) {
    case `shell`: {
      const {command, workdir, timeoutMs, background} = record.args;
      return {name: `Bash`, args: {
        command,
        ...optional(`cwd`, workdir),
        ...optional(`timeout`, timeoutMs === undefined ? undefined : Math.max(1, Math.ceil(timeoutMs / 1000))),
        ...background === true ? {run_in_background: true, description: stringAt(isObject(record.input) ? record.input : undefined, `description`) ?? `a command`} : {},
      }};
    }
    case `read`: {
      const {path, offset, limit} = record.args;
      return {name: `Read`, args: {path, ...optional(`line_offset`, offset), ...optional(`n_lines`, limit)}};
    }
    case `edit`: {
      const {path, edits} = record.args;
      const [only] = edits;
      if (edits.length !== 1)
        break;
      return {name: `Edit`, args: {path, old_string: only!.old, new_string: only!.new, ...only!.all === true ? {replace_all: true} : {}}};
    }
    case `write`:
      return {name: `Write`, args: {path: record.args.path, content: record.args.content}};
    case `search`: {
      const {pattern, path, glob, mode} = record.args;
      if (glob === pattern && mode === `files`)
        return {name: `Glob`, args: {pattern, ...optional(`path`, path)}};
      return {name: `Grep`, args: {pattern, ...optional(`path`, path), ...optional(`glob`, glob), output_mode: mode === `content` ? `content` : `files_with_matches`}};
    }
    case `fetch`: {
      const {url, query, prompt} = record.args;
      if (url !== undefined && prompt === undefined)
        return {name: `FetchURL`, args: {url}};
      if (url === undefined && query !== undefined)
        return {name: `WebSearch`, args: {query}};
      break;
    }
    case `plan`:
      if (record.args.items === undefined)
        break;
      return {name: `TodoList`, args: {todos: record.args.items.map(({step, status}) => ({title: step, status: status === `completed` ? `done` : status}))}};
    case `agent`: {
      const {prompt, description, role, background} = record.args;
      return {name: `Agent`, args: {prompt, description: description ?? `a task`, ...optional(`subagent_type`, role), ...background === true ? {run_in_background: true} : {}}};
    }
    case `mcp`:
      return {name: `mcp__${record.args.server}__${record.args.tool}`, args: record.args.arguments};
  }
  return {name: record.name, args: record.input};
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}
