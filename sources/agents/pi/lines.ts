import type {Json}        from '../../interchange/index.ts';
import {stringify, wellFormed} from '../families/text.ts';
import type {WriterTarget} from '../types.ts';

import {createdOf}        from './places.ts';

/** Version of Pi that read what is written here. */
export const PROVEN = `1.5.2`;

/** `customType` of everything that we write and that is no message of Pi's own. */
export const OURS = `session-sync`;

export type Fields = {[key: string]: Json};

/** Pi adds these up for its footer; without them it exits (1.5.2). The tokens were another agent's. */
const USAGE = {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost: {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0}};

/** The first line. */
export function headerLine({header, id, cwd}: WriterTarget): string {
  return `${stringify({type: `session`, version: 3, id, timestamp: createdOf(header.created), cwd})}\n`;
}

/** Where the session comes from. No model sees it. */
export function origin({header}: WriterTarget): Fields {
  return {type: `custom`, customType: OURS, data: {agent: header.agent.id, nativeId: header.agent.nativeId, session: header.session}};
}

/** `fields.type` comes first, as in Pi's own lines: `judge` may see the beginning of a line only. */
export function entryLine(fields: Fields, {id, parentId, timestamp}: {id: string; parentId: string | null; timestamp: string}): string {
  const {type, ...rest} = fields;
  return `${stringify({type, id, parentId, timestamp, ...rest})}\n`;
}

export function message(fields: Fields, timestamp: string): Fields {
  return {type: `message`, message: {...fields, timestamp: millisecondsOf(timestamp)}};
}

/**
 * `provider` and `model` say who answered. The provider is none of Pi's: Pi then goes on with the person's own model, and
 * brings ids of calls into the form that its provider takes, which it leaves out for a model's own messages (1.5.2).
 */
export function assistant(content: Array<Json>, agent: string, model: string | undefined, calls: boolean): Fields {
  return {role: `assistant`, content, api: OURS, provider: agent, model: model ?? agent, usage: USAGE, stopReason: calls ? `toolUse` : `stop`};
}

/** Text that the model sees as a user message, and that nobody typed. */
export function aside(text: string, details?: Fields): Fields {
  return {type: `custom_message`, customType: OURS, content: text, display: true, ...details === undefined ? {} : {details}};
}

/** A name for one line of a list: no control characters or terminal escapes, at most 200 characters. */
export function titleOf(title: string): string {
  const plain = title.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``).replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ` `).trim();
  return wellFormed(plain.slice(0, 200)).trim();
}

function millisecondsOf(timestamp: string): number {
  const time = Date.parse(timestamp);
  return Number.isNaN(time) ? 0 : time;
}
