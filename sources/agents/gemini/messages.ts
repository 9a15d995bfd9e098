import type {Json, JsonObject, Part}                         from '../../interchange/index.ts';
import {isObject, isoTime, objectAt, shortKey, stringAt}     from '../values.ts';

import {INVISIBLE}                                           from './lines.ts';
import {digestOf}                                            from './values.ts';

/** Longer ids would fill the state. */
export const LONGEST_ID = 100;

/** One thing that a message says, in the order in which it says it. */
export type Unit =
  | {kind: `prompt`; content: Array<Part>}
  | {kind: `reasoning`; text: string}
  | {kind: `reply`; text: string}
  | {kind: `call`; id: string; name: string; input: Json};

/** What a call gave back, and how the harness has it beside (`call`: the entry of `toolCalls`). */
export type Answer = {id: string; name: string; response: Json; content: Array<Part>; call?: JsonObject; time?: string};

export type Message = {
  id: string;
  type: string;
  time?: string;
  model?: string;
  units: Array<Unit>;
  answers: Array<Answer>;
  /** All of its text, for messages that are not part of the conversation. */
  text: string;
  /** Ids of its calls. */
  calls: Array<string>;
  /** Of what it says, in whichever form; empty where it says nothing to the model, or only gives results. */
  digest: string;
};

/** Made afresh on each start, or for one request. */
const CONTEXT = /^\s*<(?:session_context|hook_context)>/;

/** A message in any of the forms that 0.61.0 writes: calls in `toolCalls`, or as parts of the content. */
export function messageOf(value: JsonObject): Message {
  const type = stringAt(value, `type`) ?? `unknown`;
  const message: Message = {
    id: shortKey(stringAt(value, `id`) ?? ``, LONGEST_ID), type, units: [], answers: [], text: ``, calls: [], digest: ``,
  };
  const time = isoTime(value.timestamp);
  if (time !== undefined)
    message.time = time;
  const model = stringAt(value, `model`);
  if (model !== undefined && model !== ``)
    message.model = model.slice(0, 200);

  const parts = partsIn(value.content);
  message.text = parts.flatMap(part => part.thought ? [] : [stringAt(part, `text`) ?? ``]).join(``);
  if (type === `user`)
    readUser(message, parts);
  else if (type === `gemini`)
    readModel(message, parts, value);

  message.calls = message.units.flatMap(unit => unit.kind === `call` ? [unit.id] : []);
  const said = message.units.flatMap(unit => unit.kind === `prompt` ? [JSON.stringify(unit.content)] : unit.kind === `reply` ? [unit.text] : []);
  if (said.length > 0 || message.calls.length > 0)
    message.digest = digestOf(type, said.join(``), ...message.calls);
  return message;
}

function partsIn(content: Json | undefined): Array<JsonObject> {
  if (typeof content === `string`)
    return content === `` ? [] : [{text: content}];
  const list = Array.isArray(content) ? content : isObject(content) ? [content] : [];
  return list.flatMap(part => typeof part === `string` ? [{text: part}] : isObject(part) ? [part] : []);
}

function readUser(message: Message, parts: Array<JsonObject>) {
  const content: Array<Part> = [];
  let last: Answer | undefined;
  for (const part of parts) {
    const answer = answerOf(part, message.time);
    if (answer !== undefined) {
      message.answers.push(answer);
      last = answer;
      continue;
    }
    const text = stringAt(part, `text`);
    if (text === INVISIBLE || text === `` || (text !== undefined && CONTEXT.test(text)))
      continue;
    const neutral = partOf(part);
    // Pictures beside a result are the result's.
    if (last !== undefined && neutral.type === `image`)
      last.content.push(neutral);
    else
      content.push(neutral);
  }
  if (content.some(part => part.type !== `text` || part.text.trim() !== ``))
    message.units.push({kind: `prompt`, content});
}

function readModel(message: Message, parts: Array<JsonObject>, value: JsonObject) {
  const thoughts = Array.isArray(value.thoughts) ? value.thoughts.flatMap(thought => isObject(thought) ? [thoughtText(thought)] : []) : [];
  // After a resume the same thoughts stand in the content as well.
  const reasoning = thoughts.length > 0 ? thoughts : parts.flatMap(part => part.thought === true ? [stringAt(part, `text`) ?? ``] : []);
  message.units.push(...reasoning.filter(text => text.trim() !== ``).map(text => ({kind: `reasoning` as const, text})));

  let inContent = false;
  for (const part of parts) {
    const call = objectAt(part, `functionCall`);
    const text = part.thought === true ? undefined : stringAt(part, `text`);
    if (call !== undefined) {
      inContent = true;
      message.units.push(callUnit(call.id, call.name, call.args));
    } else if (text !== undefined && text !== ``) {
      const previous = message.units.at(-1);
      if (previous?.kind === `reply`)
        previous.text += text;
      else
        message.units.push({kind: `reply`, text});
    }
  }

  const native = Array.isArray(value.toolCalls) ? value.toolCalls.filter(isObject) : [];
  for (const call of native) {
    if (!inContent)
      message.units.push(callUnit(call.id, call.name, call.args));
    message.answers.push(...answersIn(call));
  }
  // Only blanks, as they stand in a message that was made for its calls.
  message.units = message.units.filter(unit => unit.kind !== `reply` || unit.text.trim() !== ``);
}

function thoughtText(thought: JsonObject): string {
  const subject = stringAt(thought, `subject`) ?? ``;
  const description = stringAt(thought, `description`) ?? ``;
  return subject === `` ? description : `**${subject}** ${description}`;
}

function callUnit(id: Json | undefined, name: Json | undefined, args: Json | undefined): Unit {
  return {kind: `call`, id: callId(id), name: typeof name === `string` && name !== `` ? name : `unknown`, input: args ?? null};
}

export function callId(id: Json | undefined): string {
  return typeof id === `string` ? shortKey(id, LONGEST_ID) : ``;
}

/** Of a call's `result` its own: after a resume it holds those of all calls of the turn (0.61.0). */
function answersIn(call: JsonObject): Array<Answer> {
  const id = callId(call.id);
  const time = isoTime(call.timestamp);
  if (typeof call.result === `string`)
    return [withCall({id, name: stringAt(call, `name`) ?? ``, response: {output: call.result}, content: [{type: `text`, text: call.result}]}, call, time)];

  const answers: Array<Answer> = [];
  let own: Answer | undefined;
  for (const part of partsIn(call.result)) {
    const answer = answerOf(part, time);
    if (answer !== undefined) {
      own = answer.id === id ? withCall(answer, call, time) : undefined;
      if (own !== undefined)
        answers.push(own);
    } else if (own !== undefined && part.text === undefined) {
      own.content.push(partOf(part));
    }
  }
  return answers;
}

function withCall(answer: Answer, call: JsonObject, time: string | undefined): Answer {
  return {...answer, call, ...time !== undefined ? {time} : {}};
}

function answerOf(part: JsonObject, time: string | undefined): Answer | undefined {
  const answer = objectAt(part, `functionResponse`);
  if (answer === undefined)
    return undefined;

  const response = answer.response ?? null;
  const said = isObject(response) ? response.output ?? response.error : response;
  const text = typeof said === `string` ? said : said === undefined || said === null ? (isObject(response) && Object.keys(response).length > 0 ? JSON.stringify(response) : ``) : JSON.stringify(said);
  const inner = Array.isArray(answer.parts) ? answer.parts.filter(isObject).map(partOf) : [];
  return {
    id: callId(answer.id), name: stringAt(answer, `name`) ?? ``, response,
    content: [...text === `` && inner.length > 0 ? [] : [{type: `text` as const, text}], ...inner],
    ...time !== undefined ? {time} : {},
  };
}

function partOf(part: JsonObject): Part {
  const text = stringAt(part, `text`);
  if (text !== undefined)
    return {type: `text`, text};

  const data = objectAt(part, `inlineData`);
  const mediaType = stringAt(data, `mimeType`);
  const bytes = stringAt(data, `data`);
  if (mediaType !== undefined && bytes !== undefined && /^image\/[a-z0-9.+-]+$/i.test(mediaType))
    return {type: `image`, mediaType, data: bytes};
  return {type: `other`, name: shortKey(Object.keys(part)[0] ?? `unknown`), value: part};
}
