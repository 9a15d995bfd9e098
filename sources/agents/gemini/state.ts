import type {FidelityReport, Json} from '../../interchange/index.ts';
import type {Entry}                from '../families/ring.ts';

import type {Piece}                from './lines.ts';

/** A message of the model in the file, as far as it may have to be written once more with what came later. */
export type ModelLine = {
  id: string;
  timestamp: string;
  model?: string;
  content: Array<Piece>;
  /** Calls as the terminal shows them. */
  toolCalls: Array<{[key: string]: Json}>;
};

/** A call that waits for its result. */
export type OpenCall = {
  call: string;
  /** As it was written. */
  name: string;
  seq: number;
  /** The call lies before a compaction that did not keep it: the model no longer sees it. */
  hidden?: true;
};

/** Calls that the model made at once, whose results must all come before it says more. */
export type Group = {
  message?: string;
  /** Some of the results are written already. */
  answered: boolean;
  /** The group's messages that have calls and are small enough to be written again; `last` says if the last one is among them. */
  lines: Array<ModelLine>;
  last: boolean;
};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Time of the last record that had one. */
  time?: string;
  /** The session has a name in Gemini's list. */
  named: boolean;
  title?: {text: string; custom: boolean};
  group: Group | null;
  open: Array<OpenCall>;
  /** Calls that were given up, with their names; their results are late. */
  closed: Array<[call: string, name: string]>;
  ring: Array<Entry>;
  /** A compaction whose kept records were not all known; a source that sends them after it is still right. */
  settling?: {seq: number; missing: Array<number>};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, named: false, group: null, open: [], closed: [], ring: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Gemini writer`);
  return structuredClone(state) as unknown as State;
}
