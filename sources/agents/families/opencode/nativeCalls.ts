import path                        from 'node:path';

import type {CallRecord, Json, JsonObject} from '../../../interchange/index.ts';
import {isObject, stringAt}        from '../../values.ts';
import {apiName}                   from '../names.ts';
import {clip}                      from '../text.ts';

export type NativeCall = {
  tool: string;
  input: JsonObject;
  /** What a person sees of the call. */
  title: string;
  reduced?: string;
};

const SHOWN = 100;

/** The call as one of the agent's own tools, with arguments as those have them (1.18.33); else under its foreign name. */
export function nativeCall(record: CallRecord, cwd: string): NativeCall {
  switch (record.tool) {
    case `shell`: {
      const {command, workdir, timeoutMs} = record.args;
      const title = clip(command.split(`\n`)[0]!, SHOWN);
      const given = isObject(record.input) ? record.input : {};
      return {tool: `bash`, title, input: {
        command,
        description: stringAt(given, `description`) ?? title,
        ...others(given, [`command`, `cmd`, `description`, `timeout`, `timeout_ms`, `workdir`, `cwd`, `directory`]),
        ...timeoutMs === undefined ? {} : {timeout: timeoutMs},
        ...workdir === undefined ? {} : {workdir},
      }};
    }

    case `read`: {
      const {path: file, offset, limit} = record.args;
      return fileCall(`read`, file, cwd, {...offset === undefined ? {} : {offset}, ...limit === undefined ? {} : {limit}});
    }

    case `edit`: {
      const {path: file, edits} = record.args;
      const [edit] = edits;
      if (edits.length !== 1 || edit === undefined)
        return foreignCall(record);
      return fileCall(`edit`, file, cwd, {oldString: edit.old, newString: edit.new, ...edit.all === true ? {replaceAll: true} : {}});
    }

    case `write`:
      return fileCall(`write`, record.args.path, cwd, {content: record.args.content});

    case `search`: {
      const {pattern, path: folder, glob, mode} = record.args;
      const where: JsonObject = folder === undefined ? {} : {path: folder};
      if (mode === `files` && glob === pattern)
        return {tool: `glob`, title: clip(pattern, SHOWN), input: {pattern, ...where}};
      return {tool: `grep`, title: clip(pattern, SHOWN), input: {pattern, ...where, ...glob === undefined ? {} : {include: glob}}};
    }

    case `fetch`: {
      const {url, query, prompt} = record.args;
      const more: JsonObject = prompt === undefined ? {} : {prompt};
      if (url !== undefined)
        return {tool: `webfetch`, title: clip(url, SHOWN), input: {url, format: `markdown`, ...more}};
      return query === undefined ? foreignCall(record) : {tool: `websearch`, title: clip(query, SHOWN), input: {query, ...more}};
    }

    case `plan`: {
      const {items} = record.args;
      if (items === undefined)
        return foreignCall(record);
      const todos = items.map(({step, status}) => ({content: step, status, priority: `medium`}));
      return {tool: `todowrite`, title: `${items.filter(({status}) => status !== `completed`).length} todos`, input: {todos}};
    }

    case `agent`: {
      const {prompt, description, role} = record.args;
      const title = clip(description ?? prompt.split(`\n`)[0]!, SHOWN);
      return {tool: `task`, title, input: {description: description ?? title, prompt, subagent_type: role ?? `general`}};
    }

    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      return {tool: apiName(`${server}_${tool}`), title: clip(`${server} ${tool}`, SHOWN), input: objectOf(input)};
    }

    default:
      return foreignCall(record);
  }
}

/** Names with other characters are refused by some providers, and a session is sent to whichever the person has. */
function foreignCall({name, input}: CallRecord): NativeCall {
  return {tool: apiName(name), title: clip(name, SHOWN), input: objectOf(input)};
}

function fileCall(tool: string, file: string, cwd: string, more: JsonObject): NativeCall {
  const absolute = path.isAbsolute(file) || /^([A-Za-z]:|~|\\\\)/.test(file);
  return {tool, title: clip(file, SHOWN), input: {filePath: absolute ? file : path.join(cwd, file), ...more}};
}

/** `import` refuses arguments that are no object. */
function objectOf(input: Json): JsonObject {
  return isObject(input) ? input : {input};
}

function others(input: JsonObject, without: Array<string>): JsonObject {
  return Object.fromEntries(Object.entries(input).filter(([key]) => !without.includes(key)));
}
