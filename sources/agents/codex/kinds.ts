import type {CallRecord, Json, JsonObject, PlanItem} from '../../interchange/index.ts';
import {planStatus, toolOf as claudeTool}            from '../families/claudeTools.ts';
import {isObject, numberAt, stringAt}                from '../values.ts';

import {patchTool}                                   from './unpatch.ts';

export type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

const OTHER: Tool = {tool: `other`};
const MCP = /^mcp__(.*?)__(.*)$/s;
const SHELLS = /(^|[/\\])(ba|z|da|k)?sh(\.exe)?$/;

/**
 * Kind and normal arguments of a call: Codex's own tools (0.169.0, and older names of them), and what other agents call
 * theirs, which stand in the sessions that were written for Codex. `cwd`: folder that paths in patches are relative to.
 */
export function toolOf(name: string, input: Json, {cwd = ``, namespace}: {cwd?: string; namespace?: string | undefined} = {}): Tool {
  const server = namespace === undefined ? undefined : /^mcp__(.+?)(?:__)?$/s.exec(namespace)?.[1];
  if (server !== undefined)
    return {tool: `mcp`, args: {server, tool: name, arguments: input}};
  const mcp = MCP.exec(name);
  if (mcp)
    return {tool: `mcp`, args: {server: mcp[1]!, tool: mcp[2]!, arguments: input}};
  if (name === `request_user_input`)
    return {tool: `ask`};
  if (name === `apply_patch`)
    return patchTool(patchText(input), cwd) ?? OTHER;
  if (!isObject(input))
    return OTHER;

  const own = ownTool(name, input);
  if (own !== undefined)
    return own;
  const claude = claudeTool(name, input);
  return claude.tool === `other` ? foreignTool(name, input) ?? OTHER : claude;
}

function patchText(input: Json): string {
  if (typeof input === `string`)
    return input;
  return isObject(input) ? stringAt(input, `input`) ?? stringAt(input, `patch`) ?? `` : ``;
}

function ownTool(name: string, input: JsonObject): Tool | undefined {
  switch (name) {
    case `exec_command`:
    case `shell`:
    case `shell_command`:
    case `container.exec`:
    case `local_shell`: {
      const command = commandOf(input.cmd ?? input.command);
      const timeout = numberAt(input, `timeout_ms`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command, ...optional(`workdir`, stringAt(input, `workdir`) ?? stringAt(input, `working_directory`)), ...optional(`timeoutMs`, timeout),
      }};
    }
    case `update_plan`: {
      const items = planItems(input.plan);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `view_image`: {
      const path = stringAt(input, `path`);
      return path === undefined ? undefined : {tool: `read`, args: {path}};
    }
    case `web_search`: {
      const url = stringAt(input, `url`);
      const query = stringAt(input, `query`);
      return url === undefined && query === undefined ? undefined : {tool: `fetch`, args: {...optional(`url`, url), ...optional(`query`, query)}};
    }
    case `spawn_agent`: {
      const prompt = stringAt(input, `message`) ?? stringAt(input, `prompt`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {prompt, ...optional(`role`, stringAt(input, `agent_type`))}};
    }
    default:
      return undefined;
  }
}

/** A command as text; `["bash", "-lc", "…"]` is what the shell was given. */
export function commandOf(command: Json | undefined): string | undefined {
  if (typeof command === `string`)
    return command;
  if (!Array.isArray(command) || !command.every(word => typeof word === `string`) || command.length === 0)
    return undefined;
  const words = command as Array<string>;
  return words.length === 3 && SHELLS.test(words[0]!) && /^-[a-z]*c$/.test(words[1]!) ? words[2] : words.join(` `);
}

const PATHS    = [`path`, `file_path`, `filePath`, `absolute_path`, `target_file`, `filename`];
const PATTERNS = [`pattern`, `query`, `regex`];

/** Tools of other agents by what they are mostly called, when the arguments say what such a tool needs. */
function foreignTool(name: string, input: JsonObject): Tool | undefined {
  const plain = name.toLowerCase().replaceAll(/[_-]/g, ``);
  const path = firstOf(input, PATHS);

  if (/^(bash|shell|runshellcommand|runcommand|executecommand|execute)$/.test(plain)) {
    const command = stringAt(input, `command`);
    return command === undefined ? undefined : {tool: `shell`, args: {command}};
  }
  if (/^(read|readfile|view|viewfile|readmanyfiles)$/.test(plain))
    return path === undefined ? undefined : {tool: `read`, args: {path, ...optional(`offset`, numberAt(input, `offset`)), ...optional(`limit`, numberAt(input, `limit`))}};
  if (/^(write|writefile|writetofile|createfile|create)$/.test(plain)) {
    const content = stringAt(input, `content`);
    return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
  }
  if (/^(edit|editfile|replace|strreplace|multiedit|strreplacefile)$/.test(plain)) {
    const edits = editsOf(input);
    return path === undefined || edits === undefined ? undefined : {tool: `edit`, args: {path, edits}};
  }
  if (/^(grep|grepsearch|grepfiles|searchfilecontent|searchfiles|search|glob|find|findfiles|ls)$/.test(plain)) {
    const pattern = firstOf(input, PATTERNS);
    const mode = input.mode === `content` || input.mode === `files` ? input.mode : /^(glob|find|findfiles)$/.test(plain) ? `files` : `content`;
    return pattern === undefined ? undefined : {tool: `search`, args: {pattern, ...optional(`path`, stringAt(input, `path`)), ...optional(`glob`, stringAt(input, `glob`)), mode}};
  }
  if (/^(webfetch|fetch|fetchurl|readwebpage|websearch|googlewebsearch|searchweb)$/.test(plain)) {
    const url = stringAt(input, `url`);
    const query = stringAt(input, `query`);
    return url === undefined && query === undefined ? undefined : {tool: `fetch`, args: {...optional(`url`, url), ...optional(`query`, query)}};
  }
  if (/^(agent|task|newtask|subagent)$/.test(plain)) {
    const prompt = stringAt(input, `prompt`);
    return prompt === undefined ? undefined : {tool: `agent`, args: {prompt, ...optional(`description`, stringAt(input, `description`))}};
  }
  if (/^(todowrite|writetodos|todo|exitplanmode|updateplan)$/.test(plain)) {
    const items = planItems(input.items ?? input.todos);
    const text = stringAt(input, `text`) ?? stringAt(input, `plan`);
    return items === undefined && text === undefined ? undefined : {tool: `plan`, args: {...optional(`items`, items), ...optional(`text`, text)}};
  }
  return undefined;
}

function editsOf(input: JsonObject): Array<{old: string; new: string; all?: boolean}> | undefined {
  const list: Array<Json> = Array.isArray(input.edits) ? input.edits : [input];
  const edits = list.map(edit => {
    const before = isObject(edit) ? firstOf(edit, [`old`, `old_string`, `oldString`, `oldText`, `old_str`]) : undefined;
    const after = isObject(edit) ? firstOf(edit, [`new`, `new_string`, `newString`, `newText`, `new_str`]) : undefined;
    return before === undefined || after === undefined ? undefined : {old: before, new: after, ...isObject(edit) && edit.all === true ? {all: true} : {}};
  });
  return edits.includes(undefined) ? undefined : edits.filter(edit => edit !== undefined);
}

function planItems(list: Json | undefined): Array<PlanItem> | undefined {
  if (!Array.isArray(list))
    return undefined;
  const items = list.map(item => {
    const step = isObject(item) ? firstOf(item, [`step`, `content`, `description`, `title`]) : undefined;
    const status = isObject(item) ? item.status : undefined;
    return step === undefined ? undefined : {step, status: planStatus(status)};
  });
  return items.includes(undefined) ? undefined : items.filter(item => item !== undefined);
}

function firstOf(input: JsonObject, keys: Array<string>): string | undefined {
  for (const key of keys)
    if (typeof input[key] === `string`)
      return input[key];
  return undefined;
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}
