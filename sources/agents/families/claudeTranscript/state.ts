import type {FidelityReport, Json} from '../../../interchange/index.ts';

import type {Remembered}           from './shown.ts';

/** A call that waits for its result. `uses`: the `tool_use` blocks that stand for it, with the lines that they are in. */
export type OpenCall = {call: string; kind: string; uses: Array<{id: string; line: string; shown: Remembered}>};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Time of the last record that had one. */
  time?: string;
  /** Working folder and branch of the source. */
  cwd?: string;
  branch?: string;
  /** uuid of the last line of the chain; null before the first. */
  last: string | null;
  /** The answer that is being written: its id here and in the source; `answered`: a result or something said stands after it. */
  group: {id: string; source?: string; answered: boolean} | null;
  /** The agent is at work on a prompt. */
  turn: boolean;
  open: Array<OpenCall>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  /** Lines of the last records: `[seq, first part, part after the last]`. */
  ring: Array<[seq: number, from: number, to: number]>;
  title?: {text: string; custom: boolean};
  /** What the list shows as long as the session has no title of its own. */
  label?: string;
  /** A compaction whose kept records were not all known; a source that sends them after it is still right. */
  settling?: {seq: number; missing: Array<number>};
  fidelity: FidelityReport;
};

export function initialState(branch: string | undefined): State {
  return {
    version: 1,
    ...branch === undefined ? {} : {branch},
    last: null,
    group: null,
    turn: false,
    open: [],
    closed: [],
    ring: [],
    fidelity: {kept: 0, reduced: 0, dropped: 0, items: []},
  };
}

export function loadState(state: Json): State {
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the writer of Claude Code transcripts`);
  return structuredClone(state) as unknown as State;
}
