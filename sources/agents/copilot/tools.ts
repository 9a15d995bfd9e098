import type {CallRecord, Json, JsonObject}   from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}        from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};

/** The normal kind and arguments of a call; `other` where the input has not the shape that the tool documents (1.0.102). */
export function toolOf(name: string, input: Json, request: JsonObject = {}): Tool {
  if (name === `ask_user`)
    return {tool: `ask`};

  const server = stringAt(request, `mcpServerName`);
  const tool = stringAt(request, `mcpToolName`);
  if (server !== undefined && tool !== undefined)
    return {tool: `mcp`, args: {server, tool, arguments: input}};

  return isObject(input) ? byName(name, input) ?? OTHER : OTHER;
}

function byName(name: string, input: JsonObject): Tool | undefined {
  const path = stringAt(input, `path`);
  switch (name) {
    case `bash`:
    case `powershell`:
    case `local_shell`: {
      const command = stringAt(input, `command`);
      const workdir = stringAt(input, `workdir`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command,
        ...workdir === undefined ? {} : {workdir},
        ...input.mode === `async` || input.detach === true ? {background: true} : {},
      }};
    }
    case `view`:
      return path === undefined ? undefined : {tool: `read`, args: {path, ...range(input.view_range)}};
    case `edit`: {
      const before = stringAt(input, `old_str`);
      const after = stringAt(input, `new_str`);
      return path === undefined || before === undefined ? undefined : {tool: `edit`, args: {path, edits: [{old: before, new: after ?? ``}]}};
    }
    case `create`: {
      const content = stringAt(input, `file_text`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `grep`: {
      const pattern = stringAt(input, `pattern`);
      const glob = stringAt(input, `glob`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern, ...place(input), ...glob === undefined ? {} : {glob}, mode: input.output_mode === `content` ? `content` : `files`,
      }};
    }
    // A search by name: the pattern is the glob itself.
    case `glob`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...place(input), glob: pattern, mode: `files`}};
    }
    case `web_fetch`: {
      const url = stringAt(input, `url`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url}};
    }
    case `web_search`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `task`: {
      const prompt = stringAt(input, `prompt`);
      const description = stringAt(input, `description`);
      const role = stringAt(input, `agent_type`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {
        prompt,
        ...description === undefined ? {} : {description},
        ...role === undefined ? {} : {role},
        ...input.mode === `background` ? {background: true} : {},
      }};
    }
    default:
      return undefined;
  }
}

/** `paths` is one or a list; older sessions have `path`. */
function place(input: JsonObject): {path?: string} {
  const {paths} = input;
  const path = typeof paths === `string` ? paths : Array.isArray(paths) && paths.length === 1 && typeof paths[0] === `string` ? paths[0] : stringAt(input, `path`);
  return path === undefined ? {} : {path};
}

/** `[first, last]`, both counted from 1, `last` -1 for the end of the file. */
function range(value: Json | undefined): {offset?: number; limit?: number} {
  if (!Array.isArray(value))
    return {};
  const first = numberAt({first: value[0] ?? null}, `first`);
  const last = numberAt({last: value[1] ?? null}, `last`);
  return {
    ...first === undefined ? {} : {offset: first},
    ...first === undefined || last === undefined || last < first ? {} : {limit: last - first + 1},
  };
}
