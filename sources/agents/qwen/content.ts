import type {Json, JsonObject, Part}  from '../../interchange/index.ts';
import {isObject, objectAt, stringAt} from '../values.ts';

import {ACKNOWLEDGED, TRAILER}        from './memory.ts';

/** Parts of a message that are what a person, or a tool, gave the model. */
export function partsOf(list: Array<JsonObject>): Array<Part> {
  return list.map(partOf);
}

function partOf(part: JsonObject): Part {
  if (typeof part.text === `string`)
    return {type: `text`, text: part.text};

  const inline = objectAt(part, `inlineData`);
  const data = stringAt(inline, `data`);
  const mediaType = stringAt(inline, `mimeType`);
  if (data !== undefined && mediaType?.startsWith(`image/`))
    return {type: `image`, mediaType, data};
  return {type: `other`, name: (Object.keys(part)[0] ?? `empty`).slice(0, 100), value: part};
}

/** Objects in the message's parts; nothing where it has none. */
export function messageParts(value: JsonObject): Array<JsonObject> {
  const parts = objectAt(value, `message`)?.parts;
  return Array.isArray(parts) ? parts.flatMap(part => typeof part === `string` ? [{text: part}] : isObject(part) ? [part] : []) : [];
}

/** What the model gets of a tool's answer: `output`, else `error`, else the whole as JSON; then its further parts. */
export function responseParts(response: JsonObject): Array<Part> {
  const more = Array.isArray(response.parts) ? partsOf(response.parts.filter(isObject)) : [];
  const inner = response.response;
  const text = typeof inner === `string` ? inner : stringAt(isObject(inner) ? inner : undefined, `output`) ?? stringAt(isObject(inner) ? inner : undefined, `error`) ?? jsonOf(inner);
  return text === `` ? more : [{type: `text`, text}, ...more];
}

function jsonOf(value: Json | undefined) {
  return value === undefined || value === null ? `` : JSON.stringify(value);
}

/** `beside`: what is put beside the summary, files that were read last and the like. */
export type Compressed = {summary: string; beside: string; calls: Set<string>};

/**
 * What a `chat_compression` says: a summary, and the calls that are kept.
 * Null where it holds no summary: the quick way only takes old outputs out, the rest stays word for word (0.24.4).
 */
export function compressed(history: Json | undefined): Compressed | null {
  if (!Array.isArray(history))
    return null;
  const contents = history.filter(isObject);
  const parts = (content: JsonObject) => Array.isArray(content.parts) ? content.parts.filter(isObject) : [];
  const [first, second] = contents;
  if (first?.role !== `user` || second?.role !== `model` || stringAt(parts(second)[0], `text`) !== ACKNOWLEDGED)
    return null;

  const texts = (some: Array<JsonObject>) => some.flatMap(part => typeof part.text === `string` ? [part.text] : []).join(`\n\n`);
  const text = texts(parts(first));
  const summary = text.endsWith(`\n\n${TRAILER}`) ? text.slice(0, -TRAILER.length - 2) : text;
  const beside = texts(contents.slice(2).filter(({role}) => role === `user`).flatMap(parts));
  const calls = contents.flatMap(parts).flatMap(part => stringAt(objectAt(part, `functionCall`), `id`) ?? []);
  return {summary, beside, calls: new Set(calls)};
}

const CONTEXT = /^\s*<qwen:user-prompt-submit-context>\n[\s\S]*\n<\/qwen:user-prompt-submit-context>\s*$/;

/** What a hook adds to a prompt: its last part, in tags. */
export function isHookContext(part: Part | undefined): part is Part & {type: `text`} {
  return part?.type === `text` && CONTEXT.test(part.text);
}
