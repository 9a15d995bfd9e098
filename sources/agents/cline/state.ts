import type {FidelityReport, Json} from '../../interchange/index.ts';

export type OpenCall = {call: string; round: number; name: string};

/** All that a writer remembers between two records. `round`: a prompt, an answer of the model, the results of its calls. */
export type State = {
  version: 1;
  time?: string;
  cwd?: string;
  round: number;
  /** What the round has already. */
  has: {say: boolean; results: boolean; after: boolean; message?: string};
  open: Array<OpenCall>;
  closed: Array<string>;
  title?: {text: string; custom: boolean};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {version: 1, round: 0, has: {say: false, results: false, after: false}, open: [], closed: [], fidelity: {kept: 0, reduced: 0, dropped: 0, items: []}};
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Cline writer`);
  return structuredClone(state) as unknown as State;
}
