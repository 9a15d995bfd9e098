import type {CallRecord, Json, JsonObject, PlanItem} from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}                from '../values.ts';

type Tool = Pick<CallRecord, `tool`> & {args?: unknown};

/**
 * What a call of Amp does. Names have changed with its age: `Bash {cmd}` up to 0.0.1774569934, `shell_command {command,
 * workdir}` in 0.0.1790142911.
 */
export function toolOf(name: string, input: Json): Tool {
  const object = isObject(input) ? input : {};
  const text = (key: string) => stringAt(object, key);
  const path = text(`path`);
  switch (name) {
    case `Bash`:
    case `shell_command`: {
      const command = text(`command`) ?? text(`cmd`);
      const workdir = text(`workdir`) ?? text(`cwd`);
      return command === undefined ? {tool: `other`} : {tool: `shell`, args: {command, ...workdir === undefined ? {} : {workdir}}};
    }
    case `Read`:
      return path === undefined ? {tool: `other`} : {tool: `read`, args: {path, ...rangeOf(object)}};
    case `edit_file`: {
      const [before, after] = [text(`old_str`), text(`new_str`)];
      return path === undefined || before === undefined || after === undefined
        ? {tool: `other`}
        : {tool: `edit`, args: {path, edits: [{old: before, new: after, ...object.replace_all === true ? {all: true} : {}}]}};
    }
    case `create_file`: {
      const content = text(`content`);
      return path === undefined || content === undefined ? {tool: `other`} : {tool: `write`, args: {path, content}};
    }
    case `Grep`: {
      const [pattern, glob] = [text(`pattern`), text(`glob`)];
      return pattern === undefined ? {tool: `other`} : {tool: `search`, args: {pattern, ...path === undefined ? {} : {path}, ...glob === undefined ? {} : {glob}, mode: `content`}};
    }
    case `glob`: {
      const pattern = text(`filePattern`) ?? text(`pattern`);
      return pattern === undefined ? {tool: `other`} : {tool: `search`, args: {pattern, glob: pattern, mode: `files`}};
    }
    case `web_search`: {
      const query = text(`query`) ?? text(`objective`);
      return query === undefined ? {tool: `other`} : {tool: `fetch`, args: {query}};
    }
    case `read_web_page`: {
      const [url, prompt] = [text(`url`), text(`prompt`) ?? text(`objective`)];
      return url === undefined ? {tool: `other`} : {tool: `fetch`, args: {url, ...prompt === undefined ? {} : {prompt}}};
    }
    case `todo_write`: {
      const items = itemsOf(object.todos);
      return items === undefined ? {tool: `other`} : {tool: `plan`, args: {items}};
    }
    case `Task`: {
      const [prompt, description] = [text(`prompt`), text(`description`)];
      return prompt === undefined ? {tool: `other`} : {tool: `agent`, args: {prompt, ...description === undefined ? {} : {description}}};
    }
    default: {
      const mcp = /^mcp__(.+?)__(.+)$/.exec(name);
      return mcp === null ? {tool: `other`} : {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};
    }
  }
}

/** `read_range: [first, last]`, lines from 1. */
function rangeOf(input: JsonObject): {offset?: number; limit?: number} {
  const range = input.read_range;
  const [first, last] = Array.isArray(range) ? range : [];
  if (typeof first !== `number` || typeof last !== `number` || last < first)
    return {};
  return {offset: first, limit: last - first + 1};
}

function itemsOf(value: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(value))
    return undefined;
  return value.flatMap(item => {
    const object = isObject(item) ? item : {};
    const step = stringAt(object, `content`);
    const status = stringAt(object, `status`)?.replace(`-`, `_`);
    return step === undefined ? [] : [{step, status: status === `completed` || status === `in_progress` ? status : `pending` as const}];
  });
}

/** What a tool gave back, as its text, and with its exit code where it has one. */
export function resultOf(value: Json | undefined): {text: string; exitCode?: number} {
  if (typeof value === `string`)
    return {text: value};
  if (!isObject(value))
    return {text: value === undefined || value === null ? `` : JSON.stringify(value)};
  const exitCode = numberAt(value, `exitCode`);
  const text = stringAt(value, `content`) ?? stringAt(value, `output`) ?? stringAt(value, `diff`);
  return {text: text ?? JSON.stringify(value), ...exitCode !== undefined && Number.isSafeInteger(exitCode) ? {exitCode} : {}};
}
