import {chmod, mkdir, mkdtemp, realpath, readFile, rm, writeFile} from 'node:fs/promises';
import os                                 from 'node:os';
import path                               from 'node:path';
import {fileURLToPath}                    from 'node:url';

import {afterEach}                        from 'vitest';

import {readJournal}                      from '../../../sources/agents/families/opencode/import.ts';
import {updateJournal}                    from '../../../sources/agents/families/opencode/journal.ts';
import {complete}                         from '../../../sources/agents/families/opencode/rows.ts';
import type {StoredMessage}               from '../../../sources/agents/families/opencode/rows.ts';
import {opencode}                         from '../../../sources/agents/opencode/index.ts';
import type {Machine, RecordWriter, WriterTarget} from '../../../sources/agents/types.ts';
import type {Json, JsonObject, NeutralRecord, Unplaced} from '../../../sources/interchange/index.ts';
import {linesOf, readLines}               from '../_battery.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `opencode`);

const folders: Array<string> = [];

afterEach(async () => {
  for (const folder of folders.splice(0))
    await rm(folder, {recursive: true, force: true});
});

/** A machine with an empty home; its PATH has the system's programs, and what `program` puts there. */
export async function scratchMachine(env: {[name: string]: string} = {}): Promise<Machine & {bin: string; tmp: string}> {
  const root = await realpath(await mkdtemp(path.join(os.tmpdir(), `opencode-test-`)));
  folders.push(root);
  const bin = path.join(root, `bin`);
  const home = path.join(root, `home`);
  await mkdir(bin);
  await mkdir(home);
  return {bin, home, platform: process.platform, tmp: root, env: {PATH: `${bin}:${path.dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, ...env}};
}

export async function program(folder: string, name: string, source: string) {
  const file = path.join(folder, name);
  await writeFile(file, source);
  await chmod(file, 0o755);
  return file;
}

export const target: WriterTarget = {
  header: {
    format: `session-sync/1`,
    session: `01a204b3-c9bb-7633-bb95-009b4398dd9f`,
    agent: {id: `claude-code`, nativeId: `01a204b3-c9bb-7633-bb95-009b4398dd9f`},
    created: `2026-07-20T10:00:00.000Z`,
    roots: {},
    counts: {},
  },
  id: opencode.target!.mirrorId(`01a204b3-c9bb-7633-bb95-009b4398dd9f`, 0),
  cwd: `/home/alice/shop`,
  settings: {model: {providerID: `fake`, modelID: `fake-model`}},
};

export const open = (state?: Json): RecordWriter => opencode.target!.openWriter(target, state);

export function place(...records: Array<Unplaced>): Array<NeutralRecord> {
  return records.map((record, seq) => ({seq, time: `2026-07-20T10:00:${String(seq).padStart(2, `0`)}.000Z`, ...record}) as NeutralRecord);
}

export function write(...records: Array<Unplaced>) {
  const writer = open();
  const text = writer.begin() + place(...records).map(record => writer.push(record)).join(``);
  return {writer, text, lines: text.trimEnd().split(`\n`).map(line => JSON.parse(line)), journal: readJournal(Buffer.from(text))!, report: writer.report()};
}

export const prompt = (text: string): Unplaced => ({kind: `prompt`, content: [{type: `text`, text}]});
export const reply = (text: string, message?: string): Unplaced => ({kind: `reply`, text, ...message === undefined ? {} : {message}});
export const call = (id: string, message?: string): Unplaced =>
  ({kind: `call`, call: id, name: `Bash`, tool: `shell`, args: {command: id}, input: {command: id}, ...message === undefined ? {} : {message}}) as Unplaced;
export const result = (id: string, text: string, more: {[key: string]: unknown} = {}): Unplaced =>
  ({kind: `result`, call: id, content: [{type: `text`, text}], ...more}) as Unplaced;

export type Exported = {info: JsonObject; messages: Array<{info: JsonObject; parts: Array<JsonObject>}>};

export async function exported(name: string): Promise<Exported> {
  return JSON.parse(await readFile(path.join(FIXTURES, name), `utf8`)) as Exported;
}

/** The journal that `refresh` makes of sessions as they follow one another in the database. */
export async function journalOf(...states: Array<Exported>): Promise<string> {
  const machine = await scratchMachine();
  const file = path.join(machine.tmp, `in`, `session.jsonl`);
  for (const {info, messages} of states) {
    const stored: Array<StoredMessage> = messages.map(message => ({id: message.info.id as string, ...message}));
    await updateJournal(machine, file, {info: {id: info.id ?? null, version: info.version ?? null, directory: info.directory ?? null, title: info.title ?? null, created: (info.time as JsonObject).created ?? null}}, complete(stored, Date.now()));
  }
  return await readFile(file, `utf8`).catch(() => ``);
}

export function read(journal: string): Array<NeutralRecord> {
  return readLines(opencode.source!, linesOf(journal), {name: `session.jsonl`}).records;
}
