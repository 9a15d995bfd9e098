import type {CallRecord, FidelityReport, Json, NeutralRecord, ReplyRecord} from '../../interchange/index.ts';

import type {Span}   from './spans.ts';

/** A call that waits for its result: what the line of the result needs to know of it. */
export type OpenCall = {call: string; name: string; line: number};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Lines written, without the header: the number of the next one, and its id. */
  lines: number;
  /** Time of the last line. */
  time?: string;
  /** Time of the last record that had one. */
  updated?: string;
  /** Working folder of the source agent. */
  cwd?: string;
  title?: {text: string; custom: boolean};
  /** An answer that may still go on: Pi wants its texts and calls in one message. */
  answer: Array<ReplyRecord | CallRecord>;
  /** Where its first `count` records stand already, as the last line, and the line that this one follows. */
  begun?: {parent: number; count: number};
  open: Array<OpenCall>;
  /** What came while calls were open, and has to stand after their results. */
  queue: Array<NeutralRecord>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  spans: Array<Span>;
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, lines: 0, answer: [], open: [], queue: [], closed: [], spans: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Pi writer`);
  return structuredClone(state) as unknown as State;
}
