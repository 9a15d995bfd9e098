import {readFileSync}                        from 'node:fs';
import path                                  from 'node:path';
import {fileURLToPath}                       from 'node:url';

import {gemini}                              from '../../../sources/agents/gemini/index.ts';
import type {RecordWriter, WriterTarget}     from '../../../sources/agents/types.ts';
import type {Json, NeutralRecord, Unplaced}  from '../../../sources/interchange/index.ts';
import {linesOf, readLines}                  from '../_battery.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `gemini`);

export function fixture(name: string): string {
  return readFileSync(path.join(FIXTURES, `${name}.jsonl`), `utf8`);
}

export const target: WriterTarget = {
  header: {
    format: `session-sync/1`,
    session: `01a204b3-c9bb-7633-bb95-009b4398dd9f`,
    agent: {id: `claude-code`, nativeId: `01a204b3-c9bb-7633-bb95-009b4398dd9f`},
    created: `2026-11-20T10:00:00.000Z`,
    roots: {},
    counts: {},
  },
  id: `807b109b-27d4-5d77-9050-0fe1889a5b60`,
  cwd: `/home/alice/shop`,
  settings: {},
};

export type Line = {[key: string]: any};

export function parse(text: string): Array<Line> {
  return text.split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line) as Line);
}

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-11-20T10:00:${String(seq % 60).padStart(2, `0`)}.000Z`, ...record}) as NeutralRecord);
}

export function open(state?: Json, more: Partial<WriterTarget> = {}): RecordWriter {
  return gemini.target!.openWriter({...target, ...more}, state);
}

/** The messages of a file as Gemini has them in memory, by its own rules (0.61.0, `loadConversationRecord`). */
export function messagesIn(lines: Array<Line>): Array<Line> {
  let messages = new Map<string, Line>();
  for (const line of lines) {
    if (typeof line.id === `string`)
      messages.set(line.id, line);
    else if (Array.isArray(line.$set?.messages))
      messages = new Map(line.$set.messages.map((message: Line) => [message.id, message]));
  }
  return [...messages.values()];
}

/** What goes to the model: roles with their parts, neighbours of one role together. */
export function contentsOf(lines: Array<Line>): Array<{role: string; parts: Array<Line>}> {
  const contents: Array<{role: string; parts: Array<Line>}> = [];
  for (const {type, content} of messagesIn(lines)) {
    const role = type === `user` ? `user` : `model`;
    const parts: Array<Line> = typeof content === `string` ? content === `` ? [] : [{text: content}] : content;
    if (parts.length === 0)
      continue;
    const last = contents.at(-1);
    if (last?.role === role)
      last.parts.push(...parts);
    else
      contents.push({role, parts: [...parts]});
  }
  return contents;
}

/** What the records become, without the first line. */
export function write(...records: Array<Unplaced>) {
  const writer = open();
  const text = place(...records).map(record => writer.push(record)).join(``);
  const lines = parse(text);
  return {writer, text, lines, contents: contentsOf(lines), report: writer.report()};
}

/** The records of some lines, given as values. */
export function read(...values: Array<Json>) {
  const text = values.map(value => `${JSON.stringify(value)}\n`).join(``);
  return readLines(gemini.source!, linesOf(text), {name: `transcript.jsonl`});
}

/** Records without what each of them has: seq, id, time. */
export function bare(records: Array<NeutralRecord>) {
  return records.map(({seq: _, id: __, time: ___, ...record}) => record);
}

export const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
export const reply = (text: string, message?: string): Unplaced => ({kind: `reply`, text, ...message === undefined ? {} : {message}});
export const shell = (call: string, command: string, message?: string): Unplaced =>
  ({kind: `call`, call, name: `Bash`, tool: `shell`, args: {command}, input: {command}, ...message === undefined ? {} : {message}}) as Unplaced;
export const result = (call: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call, content: [{type: `text`, text}], ...more}) as Unplaced;
