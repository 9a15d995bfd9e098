import {readFileSync, readdirSync}                from 'node:fs';
import path                                       from 'node:path';

import {openReader}                               from '../../../sources/agents/claude-code/read.ts';
import type {RecordReader, SourceLine}            from '../../../sources/agents/types.ts';
import type {Json, JsonObject, NeutralRecord, Part} from '../../../sources/interchange/index.ts';

const FIXTURES = path.join(import.meta.dirname, `../../fixtures/claude-code`);

/** Path of the main transcript of a fixture, by the number that it begins with. */
export function fixtureFile(number: string) {
  const folder = readdirSync(FIXTURES).find(name => name.startsWith(number))!;
  const file = readdirSync(path.join(FIXTURES, folder)).find(name => name.endsWith(`.jsonl`))!;
  return path.join(FIXTURES, folder, file);
}

export const fixtureNumbers = [`01`, `02`, `03`, `04`, `05`, `06`];

export function handwritten(id: string) {
  return path.join(FIXTURES, `handwritten`, `5e551000-0000-4000-8000-00000000000${id}.jsonl`);
}

export function hookPayloads(): Array<JsonObject> {
  return readFileSync(path.join(FIXTURES, `hook-payloads.jsonl`), `utf8`).trim().split(`\n`).map(line => JSON.parse(line));
}

export function linesOf(text: string): Array<SourceLine> {
  let offset = 0;
  return text.replace(/\n$/, ``).split(`\n`).map(line => {
    const length = Buffer.byteLength(line) + 1;
    const source = {value: parse(line), text: line, offset, length};
    offset += length;
    return source;
  });
}

export function fileLines(file: string) {
  return linesOf(readFileSync(file, `utf8`));
}

export function valueLines(values: Array<Json>) {
  return linesOf(values.map(value => JSON.stringify(value)).join(`\n`));
}

/** Reads some lines with one reader. */
export function read(lines: Array<SourceLine>, {stream = `main`, unbounded = false}: {stream?: string; unbounded?: boolean} = {}): {records: Array<NeutralRecord>; reader: RecordReader} {
  const reader = openReader({name: `transcript.jsonl`, stream}, undefined, {unbounded});
  return {records: lines.flatMap(line => reader.push(line)), reader};
}

/** Reads each line with a reader of its own, opened on what the one before saved. */
export function readInPieces(lines: Array<SourceLine>, stream = `main`): {records: Array<NeutralRecord>; reader: RecordReader} {
  let reader = openReader({name: `transcript.jsonl`, stream});
  const records: Array<NeutralRecord> = [];
  for (const line of lines) {
    records.push(...reader.push(line));
    reader = openReader({name: `transcript.jsonl`, stream}, JSON.parse(JSON.stringify(reader.save())));
  }
  return {records, reader};
}

/** A record in one short line, for tests that are about what stands where. */
export function brief(record: NeutralRecord): string {
  switch (record.kind) {
    case `prompt`: return `prompt${record.midTurn ? ` (mid-turn)` : ``}: ${text(record.content)}`;
    case `reply`: return `reply${record.final ? ` (final)` : ``}${record.partial ? ` (partial)` : ``}${record.error ? ` (error)` : ``}: ${record.text}`;
    case `reasoning`: return `reasoning: ${record.text}`;
    case `call`: return `call ${record.name} as ${record.tool}`;
    case `result`: return `result${record.error ? ` (error)` : ``}${record.interrupted ? ` (interrupted)` : ``}${record.denied ? ` (denied)` : ``}${record.healed ? ` (healed)` : ``}${record.exitCode === undefined ? `` : ` (exit ${record.exitCode})`}: ${text(record.content).split(`\n`)[0]!.slice(0, 60)}`;
    case `plan`: return `plan: ${record.text ?? record.items?.map(({step, status}) => `${step} ${status}`).join(`, `)}`;
    case `compaction`: return `compaction, keeps ${record.keep?.join(` `) ?? `nothing`}`;
    case `branch`: return `branch from ${record.parent}: ${record.reason}`;
    case `leaf`: return `leaf at ${record.at}${record.exact ? ` exactly` : ``}`;
    case `interrupt`: return `interrupt during ${record.during}`;
    case `title`: return `title (${record.origin}): ${record.title}`;
    case `model`: return `model: ${record.model}`;
    case `note`: return `${record.visible ? `visible ` : ``}note: ${record.what}`;
  }
}

/** Brief records without the harness's own notes. */
export function outline(records: Array<NeutralRecord>) {
  return records.filter(record => record.kind !== `note` || record.visible).map(brief);
}

export function text(parts: Array<Part>) {
  return parts.map(part => part.type === `text` ? part.text : `[${part.type}]`).join(`\n`);
}

function parse(line: string): Json | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
