import type {CallRecord, NeutralRecord, PromptRecord} from '../interchange/index.ts';
import {writtenBy}                     from '../interchange/written.ts';
import {relativePath}                  from '../store/evidence.ts';
import type {SessionStore}             from '../store/index.ts';
import type {Project}                  from '../sync/project.ts';

import {localRoots, streamsOf}         from './behind.ts';
import {readHistory}                   from './history.ts';
import type {Stored}                   from './history.ts';

/** A line that is looked for, under all names that its file has had. */
export type WantedLine = {text: string; paths: Array<string>};

/** A place in a session. `record`: its number, as `show --text` has it. */
export type Place = {stream: string; record: number; time?: string};
export type Prompt = Place & {text: string};

/**
 * The call that wrote a line. `exact`: with its white space; `loose`: the call only has the line somewhere in its arguments,
 * as a command has that writes a file. `prompt`: what it was asked for, in the main stream also for a sub-agent's.
 */
export type Writer = Place & {call: string; name: string; match: `exact` | `trimmed` | `loose`; prompt?: Prompt};

/** Shorter lines stand in too many commands. */
const SHORTEST_LOOSE = 6;
const LONGEST_PROMPT = 4000;
/** What passes between a call and the commit of its work, when clocks differ. */
const SKEW_MS = 60_000;
/** Hits of one line that are remembered. */
const MOST_HITS = 50;

type Hit = {place: Place; call: string; name: string; match: Writer[`match`]; gone?: true};

/**
 * The calls of a session that wrote lines, as far as there are such, by the place of the line in `wanted`: the last that
 * added it up to `before` (milliseconds). Calls that failed or were denied did not. Sub-agents are searched as well.
 */
export async function findWriters(
  project: Project, store: SessionStore, stored: Stored, wanted: Array<WantedLine>, before = Infinity,
): Promise<{writers: Array<Writer | null>; turn: Prompt | null}> {
  const hits: Array<Array<Hit>> = wanted.map(() => []);
  const failed = new Set<string>();
  const calls = new Map<string, {record: CallRecord; stream: string}>();
  const turns = new Map<string, Turns>();
  const subs = new Map<string, number>();
  for (const stream of streamsOf(stored)) {
    const turn = new Turns(stream);
    turns.set(stream, turn);
    let cwd: string | undefined;
    for await (const record of readHistory(store, stored, {stream, roots: localRoots(project, stored), platform: project.machine.platform, repairs: []})) {
      cwd = record.cwd ?? cwd;
      if (record.time !== undefined && Date.parse(record.time) > before + SKEW_MS)
        continue;
      turn.see(record);
      if (record.kind === `call`)
        calls.set(record.call, {record, stream});
      if (record.kind === `result` && (record.error === true || record.denied === true))
        failed.add(record.call);
      if (record.kind === `result` && record.stream !== undefined)
        subs.set(record.stream, record.seq);
      search(record, stream, cwd, {project, wanted, hits, calls});
    }
  }

  const main = turns.get(`main`);
  return {
    turn: main?.last ?? null,
    writers: hits.map(all => {
      const standing = all.filter(({call}) => !failed.has(call));
      const best = standing.findLast(({match, gone}) => match === `exact` && gone !== true) ?? standing.findLast(({match, gone}) => match === `trimmed` && gone !== true) ?? standing.findLast(({match}) => match === `loose`);
      if (best === undefined)
        return null;
      const {place, call, name, match} = best;
      const prompt = place.stream === `main` ? main?.of(place.record) : main?.of(subs.get(place.stream) ?? -1) ?? turns.get(place.stream)?.of(place.record);
      return {...place, call, name, match, ...prompt ? {prompt} : {}};
    }),
  };
}

type Search = {project: Project; wanted: Array<WantedLine>; hits: Array<Array<Hit>>; calls: Map<string, {record: CallRecord; stream: string}>};

function search(record: NeutralRecord, stream: string, cwd: string | undefined, {project, wanted, hits, calls}: Search) {
  if (record.kind !== `call` && record.kind !== `result`)
    return;
  const origin = calls.get(record.call)?.record;
  const at = origin ?? record;
  const place: Place = {stream, record: at.seq, ...at.time !== undefined ? {time: at.time} : {}};
  const note = (index: number, match: Writer[`match`], gone?: true) => {
    const all = hits[index]!;
    all.push({place, call: record.call, name: origin?.name ?? ``, match, ...gone ? {gone} : {}});
    if (all.length > MOST_HITS)
      all.shift();
  };

  for (const {path, added, removed, whole} of writtenBy(record)) {
    const file = relativePath(path, cwd ?? project.root, [project.root])?.normalize();
    for (const [index, {text, paths}] of file === undefined ? [] : wanted.entries()) {
      if (!paths.some(known => known.normalize() === file))
        continue;
      const match = added.includes(text) ? `exact` : added.some(line => line.trim() === text.trim()) ? `trimmed` : null;
      const last = hits[index]!.findLast(hit => hit.match !== `loose`);
      // A whole file that is written again has the line from before.
      if (match !== null && !(whole === true && last !== undefined && last.gone !== true && last.call !== record.call))
        note(index, match);
      else if (match === null && removed.some(line => line.trim() === text.trim()) && last !== undefined)
        note(index, last.match, true);
    }
  }
  if (record.kind === `call` && record.tool !== `read` && record.tool !== `search`) {
    const input = record.tool === `shell` ? record.args.command : JSON.stringify(record.input);
    for (const [index, {text}] of wanted.entries()) {
      const line = record.tool === `shell` ? text.trim() : JSON.stringify(text.trim()).slice(1, -1);
      if (text.trim().length >= SHORTEST_LOOSE && input.includes(line))
        note(index, `loose`);
    }
  }
}

/** Which prompt each record of a stream answers. */
class Turns {
  private readonly prompts = new Map<number, Prompt>();
  private readonly turnOf: Array<number> = [];
  private newest = -1;

  constructor(private readonly stream: string) {}

  get last(): Prompt | null {
    return this.prompts.get(this.newest) ?? null;
  }

  see(record: NeutralRecord) {
    const {seq, parent = record.seq - 1} = record;
    if (record.kind === `prompt` && record.midTurn !== true) {
      this.prompts.set(seq, {stream: this.stream, record: seq, ...record.time !== undefined ? {time: record.time} : {}, text: textOf(record)});
      this.newest = seq;
    }
    this.turnOf[seq] = this.prompts.has(seq) ? seq : this.turnOf[parent] ?? -1;
  }

  of(record: number): Prompt | undefined {
    return this.prompts.get(this.turnOf[record] ?? -1);
  }
}

function textOf({content}: PromptRecord) {
  return content.map(part => part.type === `text` ? part.text : part.type === `image` ? `[image]` : `[${part.name}]`).join(`\n`).slice(0, LONGEST_PROMPT);
}
