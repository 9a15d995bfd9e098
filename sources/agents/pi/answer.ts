import type {CallRecord, Json, JsonObject} from '../../interchange/index.ts';

import {isObject, shortKey, stringAt}      from '../values.ts';

import {toolOf}                            from './inbound.ts';
import {nativeId}                          from './ids.ts';

type Call = Pick<CallRecord, `kind` | `name` | `input` | `tool` | `args`>;

export type AnswerBlock =
  | {kind: `reply`; text: string; final?: boolean; partial?: boolean}
  | {kind: `reasoning`; text: string; signature?: string; provider?: string}
  | Call & {native: string};

/** `calls`: goes on with their results. `failed`: nothing that a model was told again. */
export type Answer = {outcome: `ended` | `calls` | `aborted` | `failed`; model?: string; blocks: Array<AnswerBlock>; ignored: Array<string>};

/** An assistant message. Of one that was stopped the model never sees the text again (1.5.2); the person has seen it. */
export function answerOf(message: JsonObject): Answer {
  const content = typeof message.content === `string` ? [{type: `text`, text: message.content}] : Array.isArray(message.content) ? message.content : [];
  const stop = message.stopReason;
  const aborted = stop === `aborted`;
  const provider = stringAt(message, `provider`);
  const model = stringAt(message, `model`);
  const blocks: Array<AnswerBlock> = [];
  const ignored: Array<string> = [];

  for (const block of content) {
    const type = isObject(block) ? block.type : undefined;
    const text = isObject(block) ? stringAt(block, `text`) : undefined;
    if (type === `text` && text !== undefined) {
      if (text !== ``)
        blocks.push({kind: `reply`, text, ...aborted ? {partial: true} : {}});
    } else if (type === `thinking` && isObject(block) && !aborted) {
      const signature = stringAt(block, `thinkingSignature`);
      blocks.push({kind: `reasoning`, text: stringAt(block, `thinking`) ?? ``, ...signature === undefined ? {} : {signature}, ...provider === undefined ? {} : {provider: provider.slice(0, 200)}});
    } else if (type === `toolCall` && isObject(block) && !aborted) {
      blocks.push(callOf(block));
    } else {
      ignored.push(`assistant/${typeof type === `string` ? shortKey(type) : `unknown`}`);
    }
  }

  const calls = blocks.some(block => block.kind === `call`);
  const last = blocks.findLast(block => block.kind === `reply`);
  if (last !== undefined && !calls && !aborted)
    last.final = true;
  return {
    outcome: stop === `error` ? `failed` : aborted ? `aborted` : calls ? `calls` : `ended`,
    ...model === undefined || model.length > 200 ? {} : {model}, blocks, ignored,
  };
}

function callOf(block: JsonObject): Call & {native: string} {
  const name = stringAt(block, `name`) || `unknown`;
  const input: Json = block.arguments ?? null;
  return {kind: `call`, native: nativeId(block.id), name, ...toolOf(name, input), input} as Call & {native: string};
}
