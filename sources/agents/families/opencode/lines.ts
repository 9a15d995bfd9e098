import type {Json, JsonObject} from '../../../interchange/index.ts';
import {stringify}             from '../text.ts';

/**
 * The journal of a session on its way into the agent's database: a line for each thing that the database gets a row of,
 * and one for what completes a call. Times in milliseconds, `seq` of the record it comes from. `import.ts` makes what the
 * program takes out of it: what depends on the machine, and the model, are not in here.
 */
export type Line =
  | {type: `session`; id: string; agent: string; session: string; cwd: string; created: number}
  | {type: `message`; id: string; role: `user` | `assistant`; parent?: string; time: number; seq: number; summary?: true}
  | {type: `part`; id: string; message: string; seq: number; part: JournalPart}
  /** Completes the `tool` part `id`. `error`: what the model got instead of an output. */
  | {type: `result`; id: string; seq: number; time: number; output?: string; error?: string; exit?: number; diff?: string; files?: Array<{id: string; mime: string; url: string}>}
  /** From here on the model sees these records again; `at`: the place of their copies. */
  | {type: `keep`; at: number; time: number; seqs: Array<number>};

export type JournalPart =
  | {type: `text`; text: string; synthetic?: true}
  | {type: `reasoning`; text: string}
  | {type: `file`; mime: string; url: string; filename: string}
  | {type: `tool`; callID: string; tool: string; title: string; input: JsonObject}
  | {type: `compaction`; auto: boolean};

export function lineOf(line: Line): string {
  return `${stringify(line)}\n`;
}

/** Null for anything that is no line of ours. */
export function parseLine(text: string): Line | null {
  try {
    const value = JSON.parse(text) as {type?: Json} | null;
    return typeof value === `object` && value !== null && [`session`, `message`, `part`, `result`, `keep`].includes(value.type as string) ? value as Line : null;
  } catch {
    return null;
  }
}
