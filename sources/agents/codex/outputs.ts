import {createHash}                                           from 'node:crypto';

import type {FilePatch, Json, JsonObject, Part, ResultRecord} from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt}               from '../values.ts';

/** What `exec_command` and its elders put before a command's output (0.169.0), and what our writer does. */
const COMMAND = /^(?:Chunk ID: [0-9a-f]+\n)?(?:Wall time: [\d.]+ seconds\n)?Process exited with code (-?\d{1,9})\n(?:Original token count: \d+\n)?Output:\n/;
const TOOL    = /^Exit code: (-?\d{1,9})\nWall time: [\d.]+ seconds\n(?:Total output lines: \d+\n)?Output:\n/;
/** What stands before the output of a script of a code-mode model. */
export const SCRIPT = /^Script (completed|failed|terminated)\nWall time:? [\d.]+ seconds\nOutput:\n/;

const FAILED = /^(?:apply_patch verification failed|patch rejected|exec_command failed|Script error:)/;

/** What events told of a call before its output came. */
export type Effects = {patch?: Array<FilePatch>; exitCode?: number; error?: true};

/** What a tool's output says of it beside the text. */
export type Outcome = Pick<ResultRecord, `content` | `error` | `exitCode` | `interrupted` | `denied` | `patch`>;

/** Content of a message or an output. Tags that Codex puts around a picture go with it. */
export function partsOf(content: Json | undefined): Array<Part> {
  if (typeof content === `string`)
    return content === `` ? [] : [{type: `text`, text: content}];
  if (!Array.isArray(content))
    return [];

  const hasImage = content.some(item => isObject(item) && item.type === `input_image`);
  return content.flatMap((item): Array<Part> => {
    if (!isObject(item))
      return [];
    const text = stringAt(item, `text`);
    if (text !== undefined && (item.type === `input_text` || item.type === `output_text` || item.type === `text`))
      return hasImage && /^<\/?image\b[^>]*>$/.test(text) ? [] : [{type: `text`, text}];
    const data = item.type === `input_image` ? /^data:([a-z]+\/[a-z0-9.+-]+);base64,(.*)$/is.exec(stringAt(item, `image_url`) ?? ``) : null;
    if (data)
      return [{type: `image`, mediaType: data[1]!, data: data[2]!}];
    return [{type: `other`, name: typeof item.type === `string` && item.type !== `` ? item.type.slice(0, 100) : `unknown`, value: item}];
  });
}

export function textOf(parts: Array<Part>): string {
  return parts.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
}

/** Text of a message, all its pieces. */
export function textIn(content: Json | undefined): string {
  return Array.isArray(content) ? content.map(item => isObject(item) ? stringAt(item, `text`) ?? `` : ``).join(``) : ``;
}

export function digestOf(text: string) {
  return createHash(`sha256`).update(text.trim()).digest(`hex`).slice(0, 24);
}

/** An output as a result. The head that says how it ended becomes fields. */
export function outcomeOf(output: Json | undefined, kind: `shell` | `script` | `other`, effects: Effects): Outcome {
  let parts = partsOf(older(output));
  let exitCode = kind === `shell` ? effects.exitCode : undefined;
  let error = effects.error === true;

  const [first] = parts;
  if (first?.type === `text`) {
    const head = (kind === `shell` ? COMMAND.exec(first.text) : null) ?? TOOL.exec(first.text);
    if (head) {
      exitCode = Number(head[1]);
      error ||= exitCode !== 0;
      parts = withoutHead(parts, head[0]);
    }
    const script = SCRIPT.exec(first.text);
    error ||= script !== null && script[1] !== `completed` || FAILED.test(first.text);
  }
  if (exitCode !== undefined && exitCode !== 0)
    error = true;

  const text = textOf(parts).trim();
  const interrupted = text === `aborted` || /^aborted by user/.test(text);
  const denied = !interrupted && /^(?:patch |exec command )?rejected by user/.test(text);
  return {
    content: parts,
    ...error || interrupted || denied ? {error: true} : {},
    ...exitCode === undefined || interrupted || kind !== `shell` ? {} : {exitCode},
    ...interrupted ? {interrupted} : {},
    ...denied ? {denied} : {},
    ...effects.patch === undefined || effects.patch.length === 0 || error ? {} : {patch: effects.patch},
  };
}

/** The parts without this beginning; a part that is nothing else goes. */
export function withoutHead(parts: Array<Part>, head: string): Array<Part> {
  const [first, ...rest] = parts;
  if (first?.type !== `text`)
    return parts;
  const text = first.text.slice(head.length);
  return text === `` && rest.length > 0 ? rest : [{type: `text`, text}, ...rest];
}

/** Before 2026 the output of a command was JSON: `{"output":"…","metadata":{"exit_code":0}}`. */
function older(output: Json | undefined): Json | undefined {
  if (typeof output !== `string` || !output.startsWith(`{"output":`))
    return output;
  try {
    const value = JSON.parse(output) as Json;
    const text = isObject(value) ? stringAt(value, `output`) : undefined;
    const code = numberAt(objectAt(value, `metadata`), `exit_code`);
    return text === undefined || code === undefined || !Number.isSafeInteger(code) ? output : `Process exited with code ${code}\nOutput:\n${text}`;
  } catch {
    return output;
  }
}

/** `result` of an MCP call's event: did it fail? */
export function isFailure(result: JsonObject | undefined): boolean {
  return result !== undefined && (result.Err !== undefined || objectAt(result, `Ok`)?.isError === true);
}
