import type {CallRecord, Json, JsonObject, PlanItem} from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}                from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
/** Name of a server's tool. */
export const MCP = /^mcp__(.+?)__(.+)$/s;

/** The normal kind and arguments of a call; `other` where the input has not the shape that the tool documents (0.24.4). */
export function toolOf(name: string, input: Json): Tool {
  if (name === `ask_user_question`)
    return {tool: `ask`};

  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};

  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

function byName(name: string, input: JsonObject): Tool | undefined {
  switch (name) {
    case `run_shell_command`: {
      const command = stringAt(input, `command`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command,
        ...optional(`workdir`, stringAt(input, `directory`)),
        ...optional(`timeoutMs`, numberAt(input, `timeout`)),
        ...flag(`background`, input.is_background),
      }};
    }
    case `read_file`: {
      const path = stringAt(input, `file_path`);
      return path === undefined ? undefined : {tool: `read`, args: {
        path,
        ...optional(`offset`, numberAt(input, `offset`)),
        ...optional(`limit`, numberAt(input, `limit`)),
      }};
    }
    case `edit`: {
      const path = stringAt(input, `file_path`);
      const before = stringAt(input, `old_string`);
      const after = stringAt(input, `new_string`);
      return path === undefined || before === undefined || after === undefined ? undefined : {tool: `edit`, args: {
        path, edits: [{old: before, new: after, ...flag(`all`, input.replace_all)}],
      }};
    }
    case `write_file`: {
      const path = stringAt(input, `file_path`);
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `grep_search`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern,
        ...optional(`path`, stringAt(input, `path`)),
        ...optional(`glob`, stringAt(input, `glob`)),
        mode: `content`,
      }};
    }
    // A search by name: the pattern is the glob itself.
    case `glob`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern,
        ...optional(`path`, stringAt(input, `path`)),
        glob: pattern,
        mode: `files`,
      }};
    }
    case `web_fetch`: {
      const url = stringAt(input, `url`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url, ...optional(`prompt`, stringAt(input, `prompt`))}};
    }
    case `web_search`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `todo_write`: {
      const items = planItems(input.todos);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `exit_plan_mode`:
      return {tool: `plan`, args: {...optional(`text`, stringAt(input, `plan`))}};
    case `agent`: {
      const prompt = stringAt(input, `prompt`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {
        prompt,
        ...optional(`description`, stringAt(input, `description`)),
        ...optional(`role`, stringAt(input, `subagent_type`)),
        ...flag(`background`, input.run_in_background),
      }};
    }
    default:
      return undefined;
  }
}

/** Items of a `todo_write` list; nothing where it is not one. */
export function planItems(todos: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(todos))
    return undefined;

  const items: Array<PlanItem> = [];
  for (const todo of todos) {
    const step = isObject(todo) ? stringAt(todo, `content`) : undefined;
    if (step === undefined)
      return undefined;
    const {status} = todo as JsonObject;
    items.push({step, status: status === `completed` || status === `in_progress` ? status : `pending`});
  }
  return items;
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}

function flag<K extends string>(key: K, value: Json | undefined): {[key in K]?: boolean} {
  return value === true ? {[key]: true} as {[key in K]?: boolean} : {};
}
