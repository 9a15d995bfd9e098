import {readFileSync, readdirSync}             from 'node:fs';
import path                                    from 'node:path';

import {qwen}                                  from '../../../sources/agents/qwen/index.ts';
import type {RecordWriter, WriterTarget}       from '../../../sources/agents/types.ts';
import type {Json, JsonObject, NeutralRecord, Unplaced} from '../../../sources/interchange/index.ts';
import {linesOf, readLines}                    from '../_battery.ts';

const FIXTURES = path.join(import.meta.dirname, `../../fixtures/qwen`);

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

/** Text of a recorded session's main transcript, by the number that its folder begins with. */
export function fixture(number: string): {name: string; text: string} {
  const name = readdirSync(FIXTURES).find(folder => folder.startsWith(number))!;
  const file = readdirSync(path.join(FIXTURES, name)).find(one => one.endsWith(`.jsonl`))!;
  return {name, text: readFileSync(path.join(FIXTURES, name, file), `utf8`)};
}

export function hookPayloads(): Array<JsonObject> {
  return readFileSync(path.join(FIXTURES, `hook-payloads.jsonl`), `utf8`).trim().split(`\n`).map(line => JSON.parse(line) as JsonObject);
}

export function read(text: string) {
  const {records, reader} = readLines(qwen.source!, linesOf(text), {name: `transcript.jsonl`});
  return {records, facts: reader.facts()};
}

export type Line = {uuid: string; parentUuid: string | null; type: string; subtype?: string; timestamp: string; message?: {role: string; parts: Array<any>}; systemPayload?: any; toolCallResult?: any; [key: string]: any};

export function parse(text: string): Array<Line> {
  return text.split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line) as Line);
}

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-11-20T10:00:0${seq % 10}.000Z`, ...record}) as NeutralRecord);
}

export function open(state?: Json, more: Partial<WriterTarget> = {}): RecordWriter {
  return qwen.target!.openWriter({...target, ...more}, state);
}

/** What the records become. */
export function write(...records: Array<Unplaced>) {
  const writer = open();
  const text = writer.begin() + place(...records).map(record => writer.push(record)).join(``);
  return {writer, text, lines: parse(text), report: writer.report()};
}

export const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
export const reply = (text: string): Unplaced => ({kind: `reply`, text});
export const shell = (call: string, command = `ls`): Unplaced => ({kind: `call`, call, name: `Bash`, tool: `shell`, args: {command}, input: {command}});
export const result = (call: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call, content: [{type: `text`, text}], ...more}) as Unplaced;

/** Contents that Qwen Code 0.24.4 makes of a session: from the last line through the parents, pieces of one `uuid` put together. */
export function historyOf(lines: Array<Line>): Array<{role: string; parts: Array<any>}> {
  const byId = new Map<string, Array<Line>>();
  for (const line of lines)
    byId.set(line.uuid, [...byId.get(line.uuid) ?? [], line]);
  const chain: Array<Array<Line>> = [];
  const seen = new Set<string>();
  for (let uuid = lines.at(-1)?.uuid ?? null; uuid !== null; uuid = byId.get(uuid)![0]!.parentUuid) {
    if (!byId.has(uuid) || seen.has(uuid))
      throw new Error(`a link leads nowhere: ${uuid}`);
    seen.add(uuid);
    chain.unshift(byId.get(uuid)!);
  }

  let history: Array<{role: string; parts: Array<any>}> = [];
  for (const pieces of chain) {
    const [first] = pieces;
    if (first!.subtype === `chat_compression`)
      history = [...first!.systemPayload.compressedHistory];
    else if (first!.type !== `system`)
      history.push({role: first!.message!.role, parts: pieces.flatMap(piece => piece.message!.parts)});
  }
  return history;
}
