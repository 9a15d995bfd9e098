import type {CallRecord, Json, JsonObject, PlanItem} from '../../interchange/index.ts';

import {isObject, numberAt, stringAt}                from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
const MCP = /^mcp__(.+?)__(.+)$/s;

/** The normal kind and arguments of a call; `other` where the input has not the shape that the tool documents. */
export function toolOf(name: string, input: Json): Tool {
  if (name === `AskUserQuestion`)
    return {tool: `ask`};

  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};

  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

function byName(name: string, input: JsonObject): Tool | undefined {
  switch (name) {
    case `Bash`: {
      const command = stringAt(input, `command`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command,
        ...optional(`timeoutMs`, numberAt(input, `timeout`)),
        ...flag(`background`, input.run_in_background),
      }};
    }
    case `Read`: {
      const path = stringAt(input, `file_path`);
      return path === undefined ? undefined : {tool: `read`, args: {
        path,
        ...optional(`offset`, numberAt(input, `offset`)),
        ...optional(`limit`, numberAt(input, `limit`)),
      }};
    }
    case `Edit`: {
      const path = stringAt(input, `file_path`);
      const edit = editOf(input);
      return path === undefined || edit === undefined ? undefined : {tool: `edit`, args: {path, edits: [edit]}};
    }
    // Gone in 2.1.330, in older sessions still.
    case `MultiEdit`: {
      const path = stringAt(input, `file_path`);
      const edits = Array.isArray(input.edits) ? input.edits.map(edit => isObject(edit) ? editOf(edit) : undefined) : [undefined];
      return path === undefined || edits.includes(undefined) ? undefined : {tool: `edit`, args: {path, edits: edits.filter(edit => edit !== undefined)}};
    }
    case `Write`: {
      const path = stringAt(input, `file_path`);
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `Grep`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern,
        ...optional(`path`, stringAt(input, `path`)),
        ...optional(`glob`, stringAt(input, `glob`)),
        mode: input.output_mode === `content` ? `content` : `files`,
      }};
    }
    // A search by name: the pattern is the glob itself.
    case `Glob`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern,
        ...optional(`path`, stringAt(input, `path`)),
        glob: pattern,
        mode: `files`,
      }};
    }
    case `WebFetch`: {
      const url = stringAt(input, `url`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url, ...optional(`prompt`, stringAt(input, `prompt`))}};
    }
    case `WebSearch`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `TodoWrite`: {
      const items = planItems(input.todos);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `ExitPlanMode`:
      return {tool: `plan`, args: {...optional(`text`, stringAt(input, `plan`))}};
    case `Agent`:
    case `Task`: {
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

/** Items of a TodoWrite list; nothing where it is not one. */
export function planItems(todos: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(todos))
    return undefined;

  const items: Array<PlanItem> = [];
  for (const todo of todos) {
    const step = isObject(todo) ? stringAt(todo, `content`) : undefined;
    if (step === undefined)
      return undefined;
    items.push({step, status: planStatus((todo as JsonObject).status)});
  }
  return items;
}

export function planStatus(status: Json | undefined): PlanItem[`status`] {
  return status === `completed` || status === `in_progress` ? status : `pending`;
}

function editOf(edit: JsonObject): {old: string; new: string; all?: boolean} | undefined {
  const before = stringAt(edit, `old_string`);
  const after = stringAt(edit, `new_string`);
  return before === undefined || after === undefined ? undefined : {old: before, new: after, ...flag(`all`, edit.replace_all)};
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}

function flag<K extends string>(key: K, value: Json | undefined): {[key in K]?: boolean} {
  return value === true ? {[key]: true} as {[key in K]?: boolean} : {};
}
