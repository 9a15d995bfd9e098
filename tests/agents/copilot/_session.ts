import {copilot}                                  from '../../../sources/agents/copilot/index.ts';
import type {RecordWriter, WriterTarget}          from '../../../sources/agents/types.ts';
import type {Json, NeutralRecord, Unplaced}       from '../../../sources/interchange/index.ts';

export const target: WriterTarget = {
  header: {
    format: `session-sync/1`,
    session: `01a204b3-c9bb-7633-bb95-009b4398dd9f`,
    agent: {id: `claude-code`, nativeId: `01a204b3-c9bb-7633-bb95-009b4398dd9f`},
    created: `2026-11-20T10:00:00.000Z`,
    branch: `main`,
    roots: {},
    counts: {},
  },
  id: `807b109b-27d4-5d77-9050-0fe1889a5b60`,
  cwd: `/home/alice/shop`,
  settings: {},
};

export type Event = {type: string; data: {[key: string]: any}; id: string; timestamp: string; parentId: string | null};

export function parse(text: string): Array<Event> {
  return text.split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line) as Event);
}

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-11-20T10:00:0${seq % 10}.000Z`, ...record}) as NeutralRecord);
}

export function open(state?: Json, more: Partial<WriterTarget> = {}): RecordWriter {
  return copilot.target!.openWriter({...target, ...more}, state);
}

/** What the records become, without the first line; `briefs`: type and data, without ids that are made up. */
export function write(...records: Array<Unplaced>) {
  const writer = open();
  const text = place(...records).map(record => writer.push(record)).join(``) + writer.end();
  const events = parse(text);
  const briefs = events.map(({type, data: {messageId: _, ...data}}) => [type, data]);
  return {writer, text, events, briefs, report: writer.report()};
}

export const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
export const reply = (text: string, more: {[key: string]: unknown} = {}): Unplaced => ({kind: `reply`, text, ...more});
export const shell = (call: string, command: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `call`, call, name: `Bash`, tool: `shell`, args: {command}, input: {command, description: `Look`}, ...more}) as Unplaced;
export const result = (call: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call, content: [{type: `text`, text}], ...more}) as Unplaced;
export const call = (tool: string, name: string, args: object): Unplaced => ({kind: `call`, call: `c`, name, tool, args, input: {native: true}}) as unknown as Unplaced;
