import {target}                             from '../../../sources/agents/claude-code/target.ts';
import type {RecordWriter, WriterTarget}    from '../../../sources/agents/types.ts';
import type {Json, NeutralRecord, SessionHeader, Unplaced} from '../../../sources/interchange/index.ts';

const SESSION = `0199c0de-0000-7000-8000-000000000001`;

export const header: SessionHeader = {
  format: `session-sync/1`, session: SESSION, agent: {id: `codex`, nativeId: SESSION}, created: `2026-11-20T09:00:00.000Z`,
  branch: `main`, roots: {root: `/home/alice/shop`}, counts: {},
};

export const writing: WriterTarget = {header, id: target.mirrorId(SESSION, 0), cwd: `/home/alice/shop`, settings: {}};

export function open(state?: Json, agent = `codex`): RecordWriter {
  return target.openWriter({...writing, header: {...header, agent: {id: agent, nativeId: SESSION}}}, state);
}

export function numbered(records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-11-20T09:00:${String(seq % 60).padStart(2, `0`)}.000Z`, ...record}) as NeutralRecord);
}

export type Line = any;

export function parse(text: string): Array<Line> {
  return text.split(`\n`).slice(0, -1).map(line => JSON.parse(line));
}

/** What records become, without the first line and the ones that only name the title and the live end. */
export function chain(records: Array<Unplaced>, {agent, end = false}: {agent?: string; end?: boolean} = {}): {lines: Array<Line>; writer: RecordWriter; all: Array<Line>} {
  const writer = open(undefined, agent);
  const all = parse(writer.begin() + numbered(records).map(record => writer.push(record)).join(``) + (end ? writer.end() : ``));
  return {lines: all.filter(line => line.uuid !== undefined), writer, all};
}

export const prompt = (text: string, more: {[key: string]: unknown} = {}): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}], ...more}) as Unplaced;
export const reply = (text: string, more: {[key: string]: unknown} = {}): Unplaced => ({kind: `reply`, text, ...more}) as Unplaced;
export const call = (id: string, tool: string, args: unknown, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `call`, call: id, name: `foreign_tool`, tool, args, input: {}, ...more}) as Unplaced;
export const result = (id: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call: id, content: [{type: `text`, text}], ...more}) as Unplaced;

/** A line's message in short. */
export function said(line: Line): unknown {
  const content = line.attachment?.prompt ?? line.message?.content;
  return [line.attachment?.type ?? line.subtype ?? line.type, typeof content === `string` ? content : content?.map((block: Line) => block.text ?? block.thinking ?? block.name ?? block.content ?? block.type).join(`|`)];
}
