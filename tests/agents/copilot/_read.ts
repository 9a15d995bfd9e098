import {readFileSync}            from 'node:fs';
import path                      from 'node:path';

import {copilot}                 from '../../../sources/agents/copilot/index.ts';
import type {NeutralRecord, Part} from '../../../sources/interchange/index.ts';
import {linesOf, readLines}      from '../_battery.ts';

export const FIXTURES = path.join(import.meta.dirname, `../../fixtures/copilot`);
export const fixtureNames = [`01-tools`, `02-subagent-error`, `03-terminal`, `04-image-large-output`];

export function fixture(name: string) {
  return readFileSync(path.join(FIXTURES, name, `events.jsonl`), `utf8`);
}

export function read(text: string, stream = `main`) {
  return readLines(copilot.source!, linesOf(text), {name: `events.jsonl`, stream});
}

/** A record in one short line, for tests that are about what stands where. */
export function brief(record: NeutralRecord): string {
  switch (record.kind) {
    case `prompt`: return `prompt${record.midTurn ? ` (mid-turn)` : ``}: ${text(record.content)}`;
    case `reply`: return `reply${record.final ? ` (final)` : ``}: ${record.text}`;
    case `reasoning`: return `reasoning: ${record.text}`;
    case `call`: return `call ${record.name} as ${record.tool}`;
    case `result`: return `result${record.error ? ` (error)` : ``}${record.healed ? ` (healed)` : ``}${record.exitCode === undefined ? `` : ` (exit ${record.exitCode})`}${record.stream ? ` (${record.stream.slice(0, 12)})` : ``}: ${text(record.content).split(`\n`)[0]!.slice(0, 60)}`;
    case `plan`: return `plan`;
    case `compaction`: return `compaction ${record.trigger}, keeps ${record.keep?.join(` `) ?? `nothing`}: ${record.summary}`;
    case `branch`: return `branch from ${record.parent}: ${record.reason}`;
    case `leaf`: return `leaf at ${record.at}`;
    case `interrupt`: return `interrupt during ${record.during}`;
    case `title`: return `title: ${record.title}`;
    case `model`: return `model: ${record.model}`;
    case `note`: return `${record.visible ? `visible ` : ``}note ${record.what}${record.text ? `: ${record.text.split(`\n`)[0]}` : ``}`;
  }
}

export function text(parts: Array<Part>) {
  return parts.map(part => part.type === `text` ? part.text : `[${part.type}]`).join(`\n`);
}

/** An event as Copilot writes it. */
export function event(type: string, data: object, more: {[key: string]: unknown} = {}) {
  count += 1;
  return JSON.stringify({type, data, id: `${String(count).padStart(8, `0`)}-0000-4000-8000-000000000000`, timestamp: `2026-11-20T10:00:00.000Z`, parentId: null, ...more});
}
let count = 0;

export function lines(...texts: Array<string>) {
  return texts.map(text => `${text}\n`).join(``);
}
