import type {NeutralRecord}             from '../interchange/index.ts';
import type {SessionStore}              from '../store/index.ts';

import type {StoredSession}             from './choose.ts';
import {firstRecord, recordCount, storedLines} from './history.ts';
import type {Stored}                    from './history.ts';

/** One of the ways that a session went, when two machines went on with it, each for itself. */
export type Fork = {
  /** Begin of the id of the clone that stored it, as long as it takes to tell it from the others; the same everywhere. */
  name: string;
  state: Stored;
  /** First record in which it differs from the others. */
  since: number;
  /** All clones that have it, or a beginning of it. */
  writers: Array<string>;
};

const SHORTEST_NAME = 8;

/**
 * The ways that a session went, the newest first; a single one where every clone has the same, or a part of it. Reads the
 * records of a session that several clones have stored, and nothing of the others.
 */
export async function forksOf(store: SessionStore, {newest, others}: Pick<StoredSession, `newest` | `others`>): Promise<Array<Fork>> {
  const states = new Map<string, Stored>();
  for (const state of [newest, ...others])
    if (!states.has(state.writer) || states.get(state.writer)!.header.sequence < state.header.sequence)
      states.set(state.writer, state);

  const ways: Array<Omit<Fork, `name`>> = [];
  // The longest first: then whatever is a beginning of another finds that one there.
  const sorted = [...states.values()].sort((a, b) => recordCount(b.header) - recordCount(a.header) || (a.writer < b.writer ? -1 : 1));
  for (const state of sorted) {
    const shared = await Promise.all(ways.map(async way => await commonRecords(store, way.state, state)));
    const whole = shared.findIndex(count => count >= recordCount(state.header));
    if (whole !== -1) {
      ways[whole]!.writers.push(state.writer);
      continue;
    }
    // All share the least that any two do.
    for (const [index, way] of ways.entries())
      way.since = Math.min(way.since, shared[index]!);
    ways.push({state, since: Math.min(recordCount(state.header), ...shared), writers: [state.writer]});
  }
  const age = ({state}: {state: Stored}) => state.header.updated ?? ``;
  return ways
    .sort((a, b) => age(a) === age(b) ? a.state.writer < b.state.writer ? -1 : 1 : age(a) < age(b) ? 1 : -1)
    .map(way => ({name: nameOf(way.state.writer, ways.map(({state}) => state.writer)), ...way}));
}

function nameOf(writer: string, all: Array<string>) {
  let length = SHORTEST_NAME;
  while (all.some(other => other !== writer && other.startsWith(writer.slice(0, length))))
    length += 1;
  return writer.slice(0, length);
}

/** How many records two states begin with alike. */
async function commonRecords(store: SessionStore, a: Stored, b: Stored): Promise<number> {
  const from = firstRecord(a.header);
  if (from !== firstRecord(b.header) || a.header.lineage?.parent !== b.header.lineage?.parent)
    return Math.min(from, firstRecord(b.header));
  const [left, right] = [storedLines(store, a), storedLines(store, b)];
  let count = from;
  try {
    for (;;) {
      const [one, other] = [await left.next(), await right.next()];
      if (one.done === true || other.done === true || !isSame(one.value, other.value))
        return count;
      count += 1;
    }
  } finally {
    await left.return(undefined);
    await right.return(undefined);
  }
}

/**
 * The same record may read a little differently on two machines, where a folder of the one is none that the other knows by
 * a name: an agent's own id, with kind and time, tells then.
 */
function isSame(a: string | null, b: string | null): boolean {
  if (a === b)
    return true;
  const [one, other] = [parsed(a), parsed(b)];
  return one?.id !== undefined && one.id === other?.id && one.kind === other.kind && one.time === other.time;
}

function parsed(line: string | null): Partial<NeutralRecord> | null {
  try {
    const value = JSON.parse(line ?? `null`) as Partial<NeutralRecord> | null;
    return typeof value === `object` ? value : null;
  } catch {
    return null;
  }
}
