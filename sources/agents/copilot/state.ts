import type {FidelityReport, Json} from '../../interchange/index.ts';
import type {Entry}                from '../families/ring.ts';

/** A call that waits for its result. `hidden`: it lies before a compaction, and the model no longer sees it. */
export type OpenCall = {call: string; name: string; shell: boolean; seq: number; hidden?: true};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Events written. */
  events: number;
  /** Time of the last record that had one. */
  time?: string;
  /** Working folder of the source agent. */
  cwd?: string;
  /** Calls of one answer that are not written yet, as `toolRequests`: parallel ones belong into one message. */
  pending: {group: string | null; requests: Array<string>; size: number} | null;
  /** Thinking that goes with the next message of the model. */
  thinking: string | null;
  open: Array<OpenCall>;
  ring: Array<Entry>;
  title?: {text: string; custom: boolean};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, events: 0, pending: null, thinking: null, open: [], ring: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Copilot writer`);
  return structuredClone(state) as unknown as State;
}
