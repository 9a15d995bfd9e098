import {deriveId}                from '../../interchange/index.ts';
import type {Json, JsonObject}   from '../../interchange/index.ts';
import {stringify, wellFormed}   from '../families/text.ts';
import type {WriterTarget}       from '../types.ts';

import {createdOf}               from './places.ts';

/** Version of Copilot CLI that read what is written here, and wrote what is read. */
export const PROVEN = `1.0.102`;

/** Parsers of its kind give up at a depth of 128; what Copilot itself does with such a line was not tried (1.0.102). */
const DEEPEST = 90;

/** One event; `data` as JSON text. `index` is its place in the file: ids are the session's and this. */
export function line(session: string, index: number, time: string, type: string, data: string): string {
  const parent = index === 0 ? `null` : `"${eventId(session, index - 1)}"`;
  return `{"type":"${type}","data":${data},"id":"${eventId(session, index)}","timestamp":${stringify(time)},"parentId":${parent}}\n`;
}

export function eventId(session: string, index: number) {
  return deriveId(`copilot`, session, index);
}

/** The first line. All fields but `context` are required: without one of them Copilot calls the file corrupted. */
export function sessionStart({header, id, cwd}: WriterTarget): string {
  const created = createdOf(header.created);
  const {branch, commit} = header;
  const context: JsonObject = {cwd, ...branch !== undefined ? {branch} : {}, ...commit !== undefined ? {headCommit: commit} : {}};
  return line(id, 0, created, `session.start`, stringify({
    sessionId: id, version: 1, producer: `session-sync`, copilotVersion: PROVEN, startTime: created, context,
  }));
}

/** A title for one line of a list: no control characters or terminal escapes, at most 200 characters. */
export function titleOf(title: string): string {
  const plain = title.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``).replace(/[\0-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]+/g, ` `).replace(/ {2,}/g, ` `).trim();
  return wellFormed(plain.slice(0, 200)).trim();
}

/** Arguments as the API takes them: an object, not too deep for Copilot's parser. */
export function argumentsOf(input: Json): {value: JsonObject; reduced?: string} {
  const value = input !== null && typeof input === `object` && !Array.isArray(input) ? input : {input};
  return isDeeper(value, DEEPEST) ? {value: {input: stringify(input)}, reduced: `arguments nested too deep, written as text`} : {value};
}

function isDeeper(value: Json, levels: number): boolean {
  if (value === null || typeof value !== `object`)
    return false;
  return levels === 0 || Object.values(value).some(inner => isDeeper(inner as Json, levels - 1));
}
