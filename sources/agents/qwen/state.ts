import type {FidelityReport, Json} from '../../interchange/index.ts';
import type {Entry}                from '../families/ring.ts';

/** A call that waits for its result. `hidden`: it lies before a compaction that did not keep it. */
export type OpenCall = {call: string; id: string; name: string; seq: number; hidden?: true};

/** The model's last answer: one message, whatever pieces it came in. `over`: results, or a person's words, came after it. */
export type Answer = {uuid: string; parent: string | null; calls: Array<string>; text: boolean; over: boolean};

/** All that a writer remembers between two records. */
export type State = {
  version: 1;
  /** Lines written so far. */
  lines: number;
  /** `uuid` of the line that the next one follows. */
  tail: string | null;
  time?: string;
  /** Working folder of the source agent. */
  cwd?: string;
  answer: Answer | null;
  /** A prompt was written. */
  prompted: boolean;
  open: Array<OpenCall>;
  /** Calls that were given up; their results are too late. */
  closed: Array<string>;
  ring: Array<Entry>;
  title?: {text: string; custom: boolean};
  /** Characters written since the title stood in the file last. */
  sinceTitle: number;
  /** A compaction whose kept records were not all known; a source that sends them after it is still right. */
  settling?: {seq: number; missing: Array<number>};
  fidelity: FidelityReport;
};

export function loadState(state: Json | undefined): State {
  if (state === undefined)
    return {
      version: 1, lines: 0, tail: null, answer: null, prompted: false, open: [], closed: [], ring: [], sinceTitle: 0,
      fidelity: {kept: 0, reduced: 0, dropped: 0, items: []},
    };
  if (state === null || typeof state !== `object` || Array.isArray(state) || state.version !== 1)
    throw new Error(`Assertion failed: this is no state of the Qwen Code writer`);
  return structuredClone(state) as unknown as State;
}
