import type {CallRecord, Json, JsonObject} from '../../interchange/index.ts';
import {apiName}                           from '../families/names.ts';

import {argumentsOf}                       from './lines.ts';

export type Call = {
  /** As it stands in `toolRequests`. */
  request: JsonObject;
  /** A failure of it is an exit code, not an error. */
  shell: boolean;
  /** Why the call is not wholly what it was. */
  reduced?: string;
};

/** The call as one of Copilot's own tools where there is an equal one (1.0.102), else under its own name. */
export function shapeCall(record: CallRecord, workdir?: string): Call {
  const {name, input, more = {}} = shapeOf(record, workdir);
  const {value, reduced} = argumentsOf(input);
  return {
    // Copilot hands names on as they are, and an API refuses the whole request for a space in one.
    request: {toolCallId: apiName(record.call), name: apiName(name), arguments: value, type: `function`, ...more},
    shell: record.tool === `shell`,
    ...reduced !== undefined ? {reduced} : {},
  };
}

type Shape = {name: string; input: Json; more?: JsonObject};

function shapeOf(record: CallRecord, workdir?: string): Shape {
  switch (record.tool) {
    case `shell`: {
      const {command, workdir: own, background} = record.args;
      const folder = own ?? workdir;
      return {name: `bash`, input: {
        command,
        description: text(record.input, `description`) ?? `Run a command`,
        ...background === true ? {mode: `async`} : {},
        ...folder !== undefined ? {workdir: folder} : {},
      }};
    }

    case `read`: {
      const {path, offset, limit} = record.args;
      if (offset === undefined && limit === undefined)
        return {name: `view`, input: {path}};
      const first = Math.max(1, offset ?? 1);
      return {name: `view`, input: {path, view_range: [first, limit === undefined ? -1 : first + Math.max(1, limit) - 1]}};
    }

    case `edit`: {
      const {path, edits} = record.args;
      const [only] = edits;
      // Copilot's own tool changes one place.
      if (edits.length !== 1 || only!.all === true)
        break;
      return only!.old === `` ? {name: `create`, input: {path, file_text: only!.new}} : {name: `edit`, input: {path, old_str: only!.old, new_str: only!.new}};
    }

    case `write`: {
      const {path, content} = record.args;
      return {name: `create`, input: {path, file_text: content}};
    }

    case `search`: {
      const {pattern, path, glob, mode} = record.args;
      const paths: JsonObject = path === undefined ? {} : {paths: path};
      if (mode === `files` && glob === pattern)
        return {name: `glob`, input: {pattern, ...paths}};
      return {name: `grep`, input: {pattern, ...paths, ...glob !== undefined ? {glob} : {}, output_mode: mode === `content` ? `content` : `files_with_matches`}};
    }

    case `fetch`: {
      const {url, query, prompt} = record.args;
      if (url !== undefined)
        return {name: `web_fetch`, input: {url, ...prompt !== undefined ? {prompt} : {}}};
      if (query !== undefined)
        return {name: `web_search`, input: {query}};
      break;
    }

    case `agent`: {
      const {prompt, description, role, background} = record.args;
      const label = description ?? role ?? `agent`;
      return {name: `task`, input: {description: label, prompt, agent_type: role ?? `general-purpose`, name: label, mode: background === true ? `background` : `sync`}};
    }

    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return {name: `${server}-${tool}`, input, more: {mcpServerName: server, mcpToolName: tool}};
    }
  }
  return {name: record.name, input: record.input};
}

function text(input: Json, key: string): string | undefined {
  const value = input !== null && typeof input === `object` && !Array.isArray(input) ? input[key] : undefined;
  return typeof value === `string` && value !== `` ? value : undefined;
}
