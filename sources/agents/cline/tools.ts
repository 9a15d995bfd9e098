import type {CallRecord, Json, JsonObject} from '../../interchange/index.ts';
import {isObject, numberAt, stringAt}      from '../values.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

/** The normal kind and arguments of a call of Cline 3.0.65, whose tools take lists; `other` where a list is longer than one. */
export function toolOf(name: string, input: Json): Tool {
  if (name === `ask_question`)
    return {tool: `ask`};
  return isObject(input) ? byName(name, input) ?? {tool: `other`} : {tool: `other`};
}

function byName(name: string, input: JsonObject): Tool | undefined {
  switch (name) {
    case `run_commands`: {
      const commands = Array.isArray(input.commands) ? input.commands : [];
      // One after the other in one shell: lines of one command.
      return commands.length === 0 || !commands.every(command => typeof command === `string`) ? undefined : {tool: `shell`, args: {command: commands.join(`\n`)}};
    }
    case `read_files`: {
      const file = only(input.files);
      const path = stringAt(file, `path`);
      const start = numberAt(file, `start_line`);
      const end = numberAt(file, `end_line`);
      return path === undefined ? undefined : {tool: `read`, args: {
        path, ...start === undefined ? {} : {offset: start}, ...end === undefined ? {} : {limit: end - (start ?? 1) + 1},
      }};
    }
    case `search_codebase`: {
      const queries = Array.isArray(input.queries) ? input.queries : [];
      return queries.length === 1 && typeof queries[0] === `string` ? {tool: `search`, args: {pattern: queries[0], mode: `content`}} : undefined;
    }
    case `editor`: {
      const path = stringAt(input, `path`);
      const content = stringAt(input, `new_text`);
      const before = stringAt(input, `old_text`);
      if (path === undefined || content === undefined || typeof input.insert_line === `number`)
        return undefined;
      return before === undefined ? {tool: `write`, args: {path, content}} : {tool: `edit`, args: {path, edits: [{old: before, new: content}]}};
    }
    case `fetch_web_content`: {
      const request = only(input.requests);
      const url = stringAt(request, `url`);
      const prompt = stringAt(request, `prompt`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url, ...prompt === undefined ? {} : {prompt}}};
    }
    default:
      return undefined;
  }
}

function only(list: Json | undefined): JsonObject | undefined {
  return Array.isArray(list) && list.length === 1 && isObject(list[0]) ? list[0] : undefined;
}

/** A call as Cline's own tool where it has an equal one, else under its own name. */
export function nativeCall(record: CallRecord): {name: string; input: JsonObject} {
  switch (record.tool) {
    case `shell`:
      if (record.args.background === true)
        break;
      return {name: `run_commands`, input: {commands: [record.args.workdir === undefined ? record.args.command : `cd ${quoted(record.args.workdir)} && ${record.args.command}`]}};
    case `read`: {
      const {path, offset, limit} = record.args;
      const start: JsonObject = offset === undefined ? {} : {start_line: offset};
      const end: JsonObject = limit === undefined ? {} : {end_line: (offset ?? 1) + limit - 1};
      return {name: `read_files`, input: {files: [{path, ...start, ...end}]}};
    }
    case `edit`: {
      const [edit] = record.args.edits;
      if (record.args.edits.length !== 1 || edit!.all === true)
        break;
      return {name: `editor`, input: {path: record.args.path, old_text: edit!.old, new_text: edit!.new}};
    }
    case `write`:
      return {name: `editor`, input: {path: record.args.path, new_text: record.args.content}};
    case `search`:
      if (record.args.path !== undefined || record.args.glob !== undefined || record.args.mode !== `content`)
        break;
      return {name: `search_codebase`, input: {queries: [record.args.pattern]}};
    case `fetch`:
      if (record.args.url === undefined)
        break;
      return {name: `fetch_web_content`, input: {requests: [{url: record.args.url, prompt: record.args.prompt ?? `What does it say?`}]}};
    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return {name: `${server}__${tool}`, input: isObject(input) ? input : {input}};
    }
  }
  return {name: record.name, input: isObject(record.input) ? record.input : {input: record.input}};
}

function quoted(folder: string) {
  return `'${folder.replaceAll(`'`, `'\\''`)}'`;
}
