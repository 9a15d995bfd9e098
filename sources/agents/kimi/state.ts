import type {FidelityReport, Json} from '../../interchange/index.ts';

/** A call that waits for its result. `hidden`: a compaction has left it to its summary. */
export type OpenCall = {call: string; uuid: string; hidden?: true};

/** One answer of the model. `results`: one of its calls was answered already. `waits`: something stands behind its results. */
export type Step = {uuid: string; number: number; message?: string; m: number; results: boolean; waits: boolean};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  time?: string;
  /** Working folder of the source agent. */
  cwd?: string;
  /** -1: none yet. */
  turn: number;
  turnOpen: boolean;
  /** Steps of the turn. */
  steps: number;
  step: Step | null;
  open: Array<OpenCall>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  /** Messages in Kimi Code's memory so far. */
  length: number;
  /** Where in them the latest records stand. */
  places: Array<[seq: number, m: number]>;
  title?: {text: string; custom: boolean};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, turn: -1, turnOpen: false, steps: 0, step: null, open: [], closed: [], length: 0, places: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Kimi Code writer`);
  return structuredClone(state) as unknown as State;
}
