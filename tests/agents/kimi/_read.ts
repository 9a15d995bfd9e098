import {readFileSync, readdirSync} from 'node:fs';
import path                        from 'node:path';
import {fileURLToPath}             from 'node:url';

import {kimi}                      from '../../../sources/agents/kimi/index.ts';
import type {ReaderFacts}          from '../../../sources/agents/types.ts';
import type {NeutralRecord}        from '../../../sources/interchange/index.ts';
import {linesOf, readLines}        from '../_battery.ts';
import type {Fixture}              from '../_battery.ts';

const FIXTURES = path.join(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))), `fixtures`, `kimi`);

/** The log of one agent of a recorded session. */
export function fixture(name: string, agent = `main`): Fixture {
  const folder = path.join(FIXTURES, name);
  const file = path.join(folder, readdirSync(folder)[0]!, `agents`, agent, `wire.jsonl`);
  return {name: `${name}/${agent}`, text: readFileSync(file, `utf8`), stream: agent === `main` ? `main` : `sub-${agent}`};
}

export function read(text: string): {records: Array<NeutralRecord>; facts: ReaderFacts} {
  const {records, reader} = readLines(kimi.source!, linesOf(text), {name: `wire.jsonl`});
  return {records, facts: reader.facts()};
}

/** Lines of a log, each as Kimi Code writes it; `time` counts up by a second. */
export function log(...lines: Array<object>): string {
  return lines.map((line, index) => `${JSON.stringify({...line, time: 1_795_168_800_000 + index * 1000})}\n`).join(``);
}

export const event = (value: object) => ({type: `context.append_loop_event`, agentId: `main`, event: value});
export const said = (role: string, text: string, origin?: object) => ({
  type: `context.append_message`, agentId: `main`, message: {role, content: [{type: `text`, text}], toolCalls: [], ...origin === undefined ? {} : {origin}},
});
