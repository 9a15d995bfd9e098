import {readFileSync, readdirSync}   from 'node:fs';
import path                          from 'node:path';

import {codex}                       from '../../../sources/agents/codex/index.ts';
import {linesOf, readLines}          from '../_battery.ts';

export const FIXTURES = path.join(import.meta.dirname, `..`, `..`, `fixtures`, `codex`);

/** Names of the recorded sessions. */
export const fixtures = readdirSync(FIXTURES).filter(name => /^\d\d-/.test(name)).sort();

/** The rollouts of a recorded session, oldest first. */
export function rolloutsOf(name: string): Array<string> {
  return readdirSync(path.join(FIXTURES, name)).filter(file => file.endsWith(`.jsonl`)).sort().map(file => path.join(FIXTURES, name, file));
}

export function textOf(name: string): string {
  return readFileSync(rolloutsOf(name)[0]!, `utf8`);
}

/** Lines as objects, as rollout lines of the legacy mode. */
export function rollout(...lines: Array<{type: string; payload: object; [key: string]: unknown}>): string {
  return lines.map((line, index) => `${JSON.stringify({timestamp: `2026-11-20T10:00:${String(index % 60).padStart(2, `0`)}.000Z`, ...line})}\n`).join(``);
}

export function read(text: string) {
  return readLines(codex.source!, linesOf(text), {name: `transcript.jsonl`});
}
