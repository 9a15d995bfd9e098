import type {CallRecord, Json} from '../../interchange/index.ts';
import {apiName}               from '../families/names.ts';
import {clip, clipValue}       from '../families/text.ts';

/** How much of a call is shown beside what the model gets. */
const SHOWN = 1_000;

export type Args = {[key: string]: Json};

export type Call = {
  name: string;
  args: Args;
  /** How Gemini's terminal shows it. */
  shown: {displayName: string; description: string; args: Json; renderOutputAsMarkdown: boolean};
};

/** The call in the shape of Gemini's own tool where there is an equal one, else under its native name. */
export function shapeCall(record: CallRecord): Call {
  const own = ownTool(record);
  const name = own?.name ?? apiName(record.name);
  const args = own?.args ?? (isObject(record.input) ? record.input : {input: record.input});
  return {
    name,
    args,
    shown: {
      displayName: own?.title ?? clip(record.name, 60),
      description: clip(own?.says ?? ``, 200),
      args: clipValue(args, SHOWN) as Json,
      renderOutputAsMarkdown: record.tool !== `shell`,
    },
  };
}

type Own = {name: string; title: string; says: string; args: Args};

/** Names and arguments of 0.61.0. */
function ownTool(record: CallRecord): Own | undefined {
  switch (record.tool) {
    case `shell`: {
      const {command, workdir, background} = record.args;
      const description = isObject(record.input) && typeof record.input.description === `string` ? record.input.description : undefined;
      return {name: `run_shell_command`, title: `Shell`, says: command, args: {
        command, ...optional(`description`, description), ...optional(`dir_path`, workdir), ...background === true ? {is_background: true} : {},
      }};
    }
    case `read`: {
      const {path, offset, limit} = record.args;
      const start = offset !== undefined && offset > 0 ? Math.floor(offset) : undefined;
      const lines = limit !== undefined && limit > 0 ? Math.floor(limit) : undefined;
      return {name: `read_file`, title: `ReadFile`, says: path, args: {
        file_path: path, ...optional(`start_line`, start), ...optional(`end_line`, lines === undefined ? undefined : (start ?? 1) + lines - 1),
      }};
    }
    case `edit`: {
      const {path, edits} = record.args;
      const [only] = edits;
      // One place a call: several at once keep the form that they had.
      if (edits.length !== 1 || only === undefined)
        return undefined;
      return {name: `replace`, title: `Edit`, says: path, args: {
        file_path: path, old_string: only.old, new_string: only.new, ...only.all === true ? {allow_multiple: true} : {},
      }};
    }
    case `write`: {
      const {path, content} = record.args;
      return {name: `write_file`, title: `WriteFile`, says: path, args: {file_path: path, content}};
    }
    case `search`: {
      const {pattern, path, glob, mode} = record.args;
      const folder = optional(`dir_path`, path);
      if (mode === `files` && glob === pattern)
        return {name: `glob`, title: `FindFiles`, says: pattern, args: {pattern, ...folder}};
      return {name: `grep_search`, title: `SearchText`, says: pattern, args: {
        pattern, ...folder, ...optional(`include_pattern`, glob), ...mode === `files` ? {names_only: true} : {},
      }};
    }
    case `fetch`: {
      const {url, query, prompt} = record.args;
      if (url !== undefined)
        return {name: `web_fetch`, title: `WebFetch`, says: url, args: {prompt: prompt === undefined ? url : `${url}\n${prompt}`}};
      return query === undefined ? undefined : {name: `google_web_search`, title: `GoogleSearch`, says: query, args: {query}};
    }
    case `plan`: {
      const {items} = record.args;
      if (items === undefined)
        return undefined;
      return {name: `write_todos`, title: `WriteTodos`, says: `${items.length} steps`, args: {
        todos: items.map(({step, status}) => ({description: step, status})),
      }};
    }
    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return {name: apiName(`mcp_${server}_${tool}`), title: `${tool} (${server})`, says: ``, args: isObject(input) ? input : {input}};
    }
    default:
      return undefined;
  }
}

function optional(key: string, value: Json | undefined): Args {
  return value === undefined ? {} : {[key]: value};
}

function isObject(value: Json): value is Args {
  return value !== null && typeof value === `object` && !Array.isArray(value);
}
