import type {CallRecord, Json, JsonObject, PlanItem}     from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}                    from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
/** `mcp_<server>_<tool>`; a server's name has no underscore (0.61.0 refuses one). Older versions: two underscores. */
const MCP = /^mcp_(?:_(.+?)__|([^_]+)_)(.+)$/s;

/** The normal kind and arguments of a call; `other` where the arguments have not the shape that the tool documents. */
export function toolOf(name: string, input: Json): Tool {
  if (name === `ask_user`)
    return {tool: `ask`};

  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1] ?? mcp[2]!, tool: mcp[3]!, arguments: input}};
  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

/** Names and arguments of 0.61.0, and those that earlier versions had for the same. */
function byName(name: string, input: JsonObject): Tool | undefined {
  switch (name) {
    case `run_shell_command`: {
      const command = stringAt(input, `command`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command,
        ...optional(`workdir`, stringAt(input, `dir_path`) ?? stringAt(input, `directory`)),
        ...input.is_background === true ? {background: true} : {},
      }};
    }
    case `read_file`: {
      const path = pathOf(input);
      const start = numberAt(input, `start_line`);
      const end = numberAt(input, `end_line`);
      return path === undefined ? undefined : {tool: `read`, args: {
        path,
        ...optional(`offset`, start ?? numberAt(input, `offset`)),
        ...optional(`limit`, end !== undefined ? Math.max(0, end - (start ?? 1) + 1) : numberAt(input, `limit`)),
      }};
    }
    case `replace`: {
      const path = pathOf(input);
      const before = stringAt(input, `old_string`);
      const after = stringAt(input, `new_string`);
      return path === undefined || before === undefined || after === undefined ? undefined : {tool: `edit`, args: {
        path, edits: [{old: before, new: after, ...input.allow_multiple === true ? {all: true} : {}}],
      }};
    }
    case `write_file`: {
      const path = pathOf(input);
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `grep_search`:
    case `search_file_content`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern,
        ...folderOf(input),
        ...optional(`glob`, stringAt(input, `include_pattern`) ?? stringAt(input, `include`)),
        mode: input.names_only === true ? `files` : `content`,
      }};
    }
    // A search by name: the pattern is the glob itself.
    case `glob`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...folderOf(input), glob: pattern, mode: `files`}};
    }
    case `web_fetch`: {
      const prompt = stringAt(input, `prompt`);
      const url = prompt === undefined ? undefined : /https?:\/\/[^\s<>"']+/.exec(prompt)?.[0];
      return prompt === undefined ? undefined : {tool: `fetch`, args: {...optional(`url`, url), ...prompt === url ? {} : {prompt}}};
    }
    case `google_web_search`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `write_todos`: {
      const items = planItems(input.todos);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `invoke_agent`: {
      const prompt = stringAt(input, `prompt`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {prompt, ...optional(`role`, stringAt(input, `agent_name`))}};
    }
    default:
      return undefined;
  }
}

/** Items of a todo list; nothing where it is not one. */
export function planItems(todos: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(todos))
    return undefined;

  const items: Array<PlanItem> = [];
  for (const todo of todos) {
    const step = isObject(todo) ? stringAt(todo, `description`) : undefined;
    if (step === undefined)
      return undefined;
    const {status} = todo as JsonObject;
    // What will not be done any more has no place in a plan.
    if (status !== `cancelled`)
      items.push({step, status: status === `completed` || status === `in_progress` ? status : `pending`});
  }
  return items;
}

function pathOf(input: JsonObject) {
  return stringAt(input, `file_path`) ?? stringAt(input, `absolute_path`);
}

function folderOf(input: JsonObject) {
  return optional(`path`, stringAt(input, `dir_path`) ?? stringAt(input, `path`));
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}
