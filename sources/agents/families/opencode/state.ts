import type {FidelityReport, Json} from '../../../interchange/index.ts';

/** A call that waits for its result. */
export type OpenCall = {
  call: string;
  /** Id of its part. */
  part: string;
  shell: boolean;
  /** The call lies before a compaction: the model no longer sees it. */
  hidden?: true;
};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Time of the last record that had one. */
  time?: string;
  /** Time of the last message: the agent orders by time first, so it never goes back. */
  ms: number;
  /** Messages and parts so far. */
  count: number;
  /** The message that further parts may go into. `key`: the source's own name of it. `called`: it has a call. */
  message: {id: string; role: `user` | `assistant`; key?: string; called?: true; answered?: true} | null;
  /** The last user message. */
  user?: string;
  open: Array<OpenCall>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  title?: {text: string; custom: boolean};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, ms: 0, count: 0, message: null, open: [], closed: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of this writer`);
  return structuredClone(state) as unknown as State;
}
