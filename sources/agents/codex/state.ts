import type {FidelityReport, Json} from '../../interchange/index.ts';

import type {Entry}                from '../families/ring.ts';
import type {Display}              from './tools.ts';

/** A call that waits for its result: what the lines of the result need to know of it. */
export type OpenCall = {
  call: string;
  seq: number;
  custom: boolean;
  shell: boolean;
  display: Display;
  /** The call lies before a compaction that did not keep it: the model no longer sees it. */
  hidden?: true;
};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Time of the last record that had one. */
  time?: string;
  /** Working folder of the source agent. */
  cwd?: string;
  /** A prompt that is shown has been written: the session can be listed. */
  seen: boolean;
  /** Lines written as long as none has. */
  lines: number;
  turn: {id: string; last: string | null} | null;
  lastTurn: string | null;
  open: Array<OpenCall>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  ring: Array<Entry>;
  title?: {text: string; custom: boolean};
  /** A compaction whose kept records were not all known; a source that sends them after it is still right. */
  settling?: {seq: number; missing: Array<number>};
  fidelity: FidelityReport;
};

export function initialState(): State {
  return {
    version: 1,
    seen: false,
    lines: 0,
    turn: null,
    lastTurn: null,
    open: [],
    closed: [],
    ring: [],
    fidelity: {kept: 0, reduced: 0, dropped: 0, items: []},
  };
}

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return initialState();
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Codex writer`);
  return structuredClone(state) as unknown as State;
}
