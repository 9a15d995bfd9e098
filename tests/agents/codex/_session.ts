import {codex}                                                from '../../../sources/agents/codex/index.ts';
import type {RecordWriter, WriterTarget}                      from '../../../sources/agents/types.ts';
import type {Json, NeutralRecord, Unplaced}                   from '../../../sources/interchange/index.ts';

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
  settings: {provider: `openai`},
};

type Line = {timestamp: string; type: string; payload: {[key: string]: any}; metadata?: {[key: string]: Json}};

export function parse(text: string): Array<Line> {
  return text.split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line) as Line);
}

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-11-20T10:00:0${seq % 10}.000Z`, ...record}) as NeutralRecord);
}

export function open(state?: Json, more: Partial<WriterTarget> = {}): RecordWriter {
  return codex.target!.openWriter({...target, ...more}, state);
}

/** What the records become, without the first line; with the items the model gets and the events a person sees apart. */
export function write(...records: Array<Unplaced>) {
  const writer = open();
  const text = place(...records).map(record => writer.push(record)).join(``);
  const lines = parse(text);
  const of = (type: string) => lines.filter(line => line.type === type).map(line => line.payload);
  return {writer, text, lines, items: of(`response_item`), events: of(`event_msg`), report: writer.report()};
}

export const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
export const result = (call: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call, content: [{type: `text`, text}], ...more}) as Unplaced;
