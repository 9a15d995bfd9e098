import type {CallRecord, Json}                                        from '../../interchange/index.ts';

import {apiName}                                                      from '../families/names.ts';
import {absoluteIn, addChange, addPatch, editChange, isAbsolute, isPatchable, relativeTo, updatePatch} from './patch.ts';
import type {Change}                                                  from './patch.ts';
import {clipValue, stringify}                                         from '../families/text.ts';

/** How much of each argument the events carry that only show a call. */
const SHOWN = 1_000;

/** What the event at the end of a call needs to know of it. Small whatever the call's arguments were. */
export type Display =
  | {as: `tool`; server: string; tool: string; input: Json}
  | {as: `patch`; changes: {[path: string]: Change}}
  | {as: `none`};

export type Call = {
  /** The payload of the `response_item`. */
  item: {[key: string]: Json};
  /** `custom_tool_call` and `function_call` have outputs of their own type. */
  custom: boolean;
  display: Display;
  /** The output is to look like that of `exec_command`. */
  shell: boolean;
  /** Why the call is not wholly what it was. */
  reduced?: string;
};

export type CallContext = {
  /** Folder that the Codex session runs in; patches name files relative to it. */
  cwd: string;
  /** Folder that the source agent was in, where that is another one. */
  workdir?: string;
  /** Source agent, shown as the server that a foreign tool belongs to. */
  agent: string;
};

/** The call in the shape that Codex's own tools have where there is one, else under its native name. */
export function shapeCall(record: CallRecord, context: CallContext): Call {
  const own = context.agent === `codex` ? ownCall(record, context) : undefined;
  if (own !== undefined)
    return own;

  switch (record.tool) {
    case `shell`:
      return shellCall(record, context);

    case `edit`: {
      const {path: file, edits} = record.args;
      const target = patchPath(context.cwd, file);
      if (edits.length === 0 || !isPatchable(target))
        return nativeCall(record, context);

      const [only] = edits;
      const created = edits.length === 1 && only!.old === ``;
      const call = patchCall(record, created ? addPatch(target, only!.new) : updatePatch(target, edits),
        {[absoluteIn(context.cwd, file)]: created ? addChange(only!.new) : editChange(edits)});
      if (created)
        return {...call, reduced: `an edit that makes the file stands as a new file`};
      return edits.some(edit => edit.all === true) ? {...call, reduced: `an edit of every occurrence stands as an edit of one`} : call;
    }

    case `write`: {
      const {path: file, content} = record.args;
      const target = patchPath(context.cwd, file);
      if (!isPatchable(target))
        return nativeCall(record, context);
      return patchCall(record, addPatch(target, content), {[absoluteIn(context.cwd, file)]: addChange(content)});
    }

    case `plan`:
      if (!record.args.items)
        return nativeCall(record, context);
      return {
        ...functionCall(record, `update_plan`, {plan: record.args.items.map(({step, status}) => ({step, status}))}, {as: `none`}),
        ...record.args.text ? {reduced: `what a plan says beside its steps is left out`} : {},
      };

    case `mcp`: {
      const {server, tool, arguments: input} = record.args;
      const name = `mcp__${server}__${tool}`;
      const call = functionCall(record, name, input, toolDisplay(server, tool, input));
      return apiName(name) === name ? call : {...call, reduced: `its name is written as the API takes names`};
    }

    default:
      return nativeCall(record, context);
  }
}

/** What the source's tool was told beyond the command (a description, a time limit) stays beside it. */
function shellCall(record: CallRecord & {tool: `shell`}, {agent, workdir}: CallContext): Call {
  const {command, workdir: own, background} = record.args;
  const folder = own ?? workdir;
  const input = isObject(record.input) ? Object.fromEntries(Object.entries(record.input).filter(([key]) => !SHELL_KEYS.has(key))) : {};
  const call = functionCall(record, `exec_command`, {cmd: command, ...folder !== undefined ? {workdir: folder} : {}, ...input},
    toolDisplay(agent, record.name, {command}));
  return {...call, shell: background !== true};
}

/** Arguments that `cmd` and `workdir` stand for already. */
const SHELL_KEYS = new Set([`command`, `cmd`, `workdir`, `cwd`, `directory`]);

/** Codex's own free-form tools (`apply_patch`, and `exec` of code-mode models) as they were: the model knows them so. */
function ownCall(record: CallRecord, context: CallContext): Call | undefined {
  if (typeof record.input !== `string`)
    return undefined;

  const item = {type: `custom_tool_call`, status: `completed`, call_id: apiName(record.call), name: apiName(record.name), input: record.input};
  const patch = record.name === `apply_patch` && (record.tool === `edit` || record.tool === `write`) ? record : undefined;
  const display: Display = patch === undefined ? toolDisplay(context.agent, record.name, record.input)
    : {as: `patch`, changes: {[absoluteIn(context.cwd, patch.args.path)]: patch.tool === `edit` ? editChange(patch.args.edits) : addChange(patch.args.content)}};
  const hidden = patch === undefined && record.tool !== `other`;
  return {item, custom: true, display, shell: false, ...hidden ? {reduced: `what a script did stands in the script only`} : {}};
}

function nativeCall(record: CallRecord, {agent}: CallContext): Call {
  const {name, input} = record;
  const call = functionCall(record, name, input, toolDisplay(agent, name, input));
  return apiName(name) === name ? call : {...call, reduced: `its name is written as the API takes names`};
}

/**
 * A patch names files relative to the working folder. One that was relative before gets `./`, which `apply_patch` takes
 * as well: so that reading the patch gives the same path again.
 */
function patchPath(cwd: string, file: string) {
  const relative = relativeTo(cwd, file);
  return relative === file && isPatchable(file) && !isAbsolute(file) ? `./${file}` : relative;
}

function functionCall(record: CallRecord, name: string, input: Json, display: Display): Call {
  // Arguments are a string for Codex (an object there loses the line), and an object inside it for the API.
  const item = {type: `function_call`, name: apiName(name), arguments: stringify(isObject(input) ? input : {input}), call_id: apiName(record.call)};
  return {item, custom: false, display, shell: false};
}

function patchCall(record: CallRecord, patch: string, changes: {[path: string]: Change}): Call {
  const item = {type: `custom_tool_call`, status: `completed`, call_id: apiName(record.call), name: `apply_patch`, input: patch};
  return {item, custom: true, display: {as: `patch`, changes}, shell: false};
}

function toolDisplay(server: string, tool: string, input: Json): Display {
  return {as: `tool`, server, tool, input: clipValue(input, SHOWN) as Json};
}

function isObject(value: Json): value is {[key: string]: Json} {
  return value !== null && typeof value === `object` && !Array.isArray(value);
}
