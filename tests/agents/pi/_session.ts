import {readFileSync, readdirSync}                 from 'node:fs';
import path                                        from 'node:path';

import {pi}                                        from '../../../sources/agents/pi/index.ts';
import {openReader}                                from '../../../sources/agents/pi/read.ts';
import type {Machine, RecordWriter, WriterTarget}  from '../../../sources/agents/types.ts';
import type {Json, JsonObject, NeutralRecord, Unplaced} from '../../../sources/interchange/index.ts';
import {linesOf, readLines}                        from '../_battery.ts';
import type {Fixture}                              from '../_battery.ts';

const FIXTURES = path.join(import.meta.dirname, `../../fixtures/pi`);

export const machine: Machine = {env: {}, home: `/home/alice`, platform: `linux`, tmp: `/tmp`};

/** Recorded sessions of Pi 1.5.2. */
export const fixtures: Array<Fixture> = readdirSync(FIXTURES).sort().map(name => {
  const [file] = readdirSync(path.join(FIXTURES, name));
  return {name, text: readFileSync(path.join(FIXTURES, name, file!), `utf8`)};
});

export const HEADER: JsonObject = {type: `session`, version: 3, id: `01a2061c-7ee6-71f1-86a4-d2597323d07c`, timestamp: `2026-11-20T10:00:00.000Z`, cwd: `/home/alice/shop`};

/** Entries below a header, each the child of the one before where it does not say otherwise. */
export function textOf(entries: Array<JsonObject>): string {
  let last: string | null = null;
  const lines = entries.map((entry, index) => {
    const id: string = typeof entry.id === `string` ? entry.id : `e${index}`;
    const line = {type: entry.type!, id, parentId: last, timestamp: new Date(Date.UTC(2026, 10, 20, 10, 0, index + 1)).toISOString(), ...entry};
    last = id;
    return line;
  });
  return [HEADER, ...lines].map(line => `${JSON.stringify(line)}\n`).join(``);
}

export function read(entries: Array<JsonObject>) {
  return readText(textOf(entries));
}

export function readText(text: string) {
  const {records, reader} = readLines({openReader}, linesOf(text), {name: `session.jsonl`});
  return {records, facts: reader.facts()};
}

export function user(text: string, more: JsonObject = {}): JsonObject {
  return {type: `message`, message: {role: `user`, content: [{type: `text`, text}]}, ...more};
}

export function answer(content: Array<Json> | string, {stop = `stop`, ...more}: {stop?: string; [key: string]: Json | undefined} = {}): JsonObject {
  const blocks = typeof content === `string` ? [{type: `text`, text: content}] : content;
  return {type: `message`, message: {role: `assistant`, content: blocks, provider: `fake`, model: `fake-1`, stopReason: stop}, ...more as JsonObject};
}

export function call(id: string, name = `bash`, input: Json = {command: id}): JsonObject {
  return {type: `toolCall`, id, name, arguments: input};
}

export function result(id: string, text = `out of ${id}`, more: JsonObject = {}): JsonObject {
  return {type: `message`, message: {role: `toolResult`, toolCallId: id, toolName: `bash`, content: [{type: `text`, text}], isError: false, ...more}};
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

export function open(state?: Json): RecordWriter {
  return pi.target!.openWriter(target, state);
}

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: new Date(Date.UTC(2026, 10, 20, 10, 0, seq)).toISOString(), ...record}) as NeutralRecord);
}

export function parse(text: string): Array<any> {
  return text.split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line));
}

/** What records become, without the header and the line of the origin. `end`: closed. */
export function write(records: Array<NeutralRecord>, {end = false} = {}) {
  const writer = open();
  const text = writer.begin() + records.map(record => writer.push(record)).join(``) + (end ? writer.end() : ``);
  return {text, lines: parse(text).slice(2), writer};
}

/** What Pi 1.5.2 makes of a file: the messages on the way to the last line, after the last compaction on it. */
export function contextOf(text: string): Array<any> {
  const entries = parse(text).slice(1);
  const byId = new Map(entries.map(entry => [entry.id, entry]));
  const way: typeof entries = [];
  for (let entry = entries.at(-1); entry !== undefined; entry = byId.get(entry.parentId))
    way.unshift(entry);
  const at = way.findLastIndex(entry => entry.type === `compaction`);
  const first = at === -1 ? 0 : way.findIndex(entry => entry.id === way[at].firstKeptEntryId);
  const kept = at === -1 ? way : [way[at], ...first === -1 || first >= at ? [] : way.slice(first, at).filter(entry => entry.type !== `compaction`), ...way.slice(at + 1)];
  const gone = new Set(kept.filter(entry => entry.type === `context_edit`).map(entry => entry.targetId));
  return kept.filter(entry => [`message`, `custom_message`, `compaction`].includes(entry.type) && !gone.has(entry.id));
}
