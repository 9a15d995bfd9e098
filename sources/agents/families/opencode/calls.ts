import type {CallRecord, FilePatch, Json, JsonObject, Part, PlanItem, ResultRecord} from '../../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt} from '../../values.ts';
import {planItems}                              from '../claudeTools.ts';

import {isSessionId}                            from './places.ts';

type Tool = {tool: CallRecord[`tool`]; args?: CallRecord[`args`]};

/** What 1.18.33 puts for a call that was running when the program ended. */
const INTERRUPTED = `[Tool execution was interrupted]`;

/** The normal kind and arguments of a call; `other` where the input has not the shape that the tool documents (1.18.33). */
export function toolOf(name: string, input: Json): Tool {
  if (name === `question`)
    return {tool: `ask`};
  return isObject(input) ? byName(name, input) ?? {tool: `other`} : {tool: `other`};
}

function byName(name: string, input: JsonObject): Tool | undefined {
  const path = stringAt(input, `filePath`);
  switch (name) {
    case `bash`: {
      const command = stringAt(input, `command`);
      return command === undefined ? undefined : {tool: `shell`, args: {
        command, ...optional(`workdir`, stringAt(input, `workdir`)), ...optional(`timeoutMs`, numberAt(input, `timeout`)),
      }};
    }
    case `read`:
      return path === undefined ? undefined : {tool: `read`, args: {path, ...optional(`offset`, numberAt(input, `offset`)), ...optional(`limit`, numberAt(input, `limit`))}};
    case `edit`: {
      const edit = editOf(input);
      return path === undefined || edit === undefined ? undefined : {tool: `edit`, args: {path, edits: [edit]}};
    }
    case `multiedit`: {
      const edits = Array.isArray(input.edits) ? input.edits.map(edit => isObject(edit) ? editOf(edit) : undefined) : [undefined];
      return path === undefined || edits.includes(undefined) ? undefined : {tool: `edit`, args: {path, edits: edits.filter(edit => edit !== undefined)}};
    }
    case `write`: {
      const content = stringAt(input, `content`);
      return path === undefined || content === undefined ? undefined : {tool: `write`, args: {path, content}};
    }
    case `grep`:
    case `glob`: {
      const pattern = stringAt(input, `pattern`);
      return pattern === undefined ? undefined : {tool: `search`, args: {
        pattern, ...optional(`path`, stringAt(input, `path`)),
        ...name === `glob` ? {glob: pattern} : optional(`glob`, stringAt(input, `include`)),
        mode: name === `glob` ? `files` : `content`,
      }};
    }
    case `webfetch`: {
      const url = stringAt(input, `url`);
      return url === undefined ? undefined : {tool: `fetch`, args: {url, ...optional(`prompt`, stringAt(input, `prompt`))}};
    }
    case `websearch`:
    case `codesearch`: {
      const query = stringAt(input, `query`);
      return query === undefined ? undefined : {tool: `fetch`, args: {query}};
    }
    case `todowrite`: {
      const items = planItems(input.todos);
      return items === undefined ? undefined : {tool: `plan`, args: {items}};
    }
    case `task`: {
      const prompt = stringAt(input, `prompt`);
      return prompt === undefined ? undefined : {tool: `agent`, args: {
        prompt, ...optional(`description`, stringAt(input, `description`)), ...optional(`role`, stringAt(input, `subagent_type`)),
      }};
    }
    default:
      return undefined;
  }
}

/** The plan as it stands after this call; nothing when the call made none. */
export function planOf(name: string, state: JsonObject): Array<PlanItem> | undefined {
  return name === `todowrite` && state.status === `completed` ? planItems(objectAt(state, `input`)?.todos) : undefined;
}

export type ResultFields = Omit<ResultRecord, `kind` | `call` | `seq`>;

/** What the model got for a call, out of the state of its part. */
export function resultOf(name: string, state: JsonObject): ResultFields {
  const metadata = objectAt(state, `metadata`);
  if (state.status !== `completed`) {
    const error = state.status === `error` ? stringAt(state, `error`) ?? `` : INTERRUPTED;
    return {
      content: [{type: `text`, text: error}], error: true,
      ...state.status !== `error` || metadata?.interrupted === true || /^Tool execution aborted/.test(error) ? {interrupted: true} : {},
      ...error.startsWith(`The user rejected permission`) ? {denied: true} : {},
    };
  }

  const exitCode = name === `bash` ? numberAt(metadata, `exit`) : undefined;
  const full = stringAt(metadata, `outputPath`);
  const child = stringAt(metadata, `sessionId`);
  const patch = patchOf(name, objectAt(state, `input`), metadata);
  const output = stringAt(state, `output`) ?? ``;
  return {
    content: [...output === `` ? [] : [{type: `text` as const, text: output}], ...attachments(state.attachments)],
    ...exitCode !== undefined && Number.isSafeInteger(exitCode) ? {exitCode} : {},
    ...full === undefined ? {} : {full: {path: full}},
    ...patch.length === 0 ? {} : {patch},
    ...name === `task` && isSessionId(child) ? {stream: `sub-${child}`} : {},
  };
}

/** A file of a message or of a result: images as such, the rest by name. */
export function filePart(part: JsonObject): Part {
  const url = stringAt(part, `url`) ?? ``;
  const mime = stringAt(part, `mime`) ?? ``;
  const data = mime.startsWith(`image/`) ? /^data:[^,]*;base64,([A-Za-z0-9+/=]+)$/.exec(url)?.[1] : undefined;
  if (data !== undefined)
    return {type: `image`, mediaType: mime, data};
  return {type: `other`, name: `file`, value: {mime, ...optional(`filename`, stringAt(part, `filename`)), ...url.startsWith(`data:`) ? {} : {url}}};
}

function attachments(list: Json | undefined): Array<Part> {
  return Array.isArray(list) ? list.flatMap(item => isObject(item) && item.type === `file` ? [filePart(item)] : []) : [];
}

function patchOf(name: string, input: JsonObject | undefined, metadata: JsonObject | undefined): Array<FilePatch> {
  const path = stringAt(input, `filePath`);
  if (path === undefined)
    return [];

  const content = stringAt(input, `content`);
  if (name === `write` && metadata?.exists === false && content !== undefined)
    return [{path, change: `add`, content}];
  const diff = hunks(stringAt(objectAt(metadata, `filediff`), `patch`) ?? stringAt(metadata, `diff`));
  return diff === undefined ? [] : [{path, change: `update`, diff}];
}

/** A diff without what stands before its first hunk. */
function hunks(diff: string | undefined): string | undefined {
  const at = diff === undefined ? -1 : `\n${diff}`.indexOf(`\n@@ `);
  return at === -1 ? undefined : diff!.slice(at);
}

function editOf(edit: JsonObject): {old: string; new: string; all?: boolean} | undefined {
  const before = stringAt(edit, `oldString`);
  const after = stringAt(edit, `newString`);
  return before === undefined || after === undefined ? undefined : {old: before, new: after, ...edit.replaceAll === true ? {all: true} : {}};
}

function optional<K extends string, V>(key: K, value: V | undefined): {[key in K]?: V} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: V};
}
