import type {CallRecord, NeutralRecord, PromptRecord} from '../interchange/index.ts';
import {writtenBy}                     from '../interchange/written.ts';
import type {Written}                  from '../interchange/written.ts';
import {relativePath}                  from '../store/evidence.ts';
import type {SessionStore}             from '../store/index.ts';
import {currentFolders}                from '../sync/folders.ts';
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
 * How a call has a line, the surest first. `exact`: it wrote it, with its white space; `trimmed`: but for white space;
 * `part`: it put a part of it in; `elsewhere`: it wrote it into another file; `loose`: it only has the line somewhere in its
 * arguments, as a command has that writes a file.
 */
export const MATCHES = [`exact`, `trimmed`, `part`, `elsewhere`, `loose`] as const;
export type Match = typeof MATCHES[number];

/**
 * The call that wrote a line. `prompt`: what it was asked for, in the main stream also for a sub-agent's. `path`: where it
 * wrote it, if elsewhere. `whole`: it wrote the whole file, in which the line may have been before.
 */
export type Writer = Place & {call: string; name: string; match: Match; path?: string; whole?: true; prompt?: Prompt};

/** What a session knows of lines: who wrote each of `wanted`, and the last prompt before a time in milliseconds. */
export type Found = {writers: Array<Writer | null>; turnAt: (time: number) => Prompt | null};

/** Shorter texts stand in too many lines, and in too many commands. */
const SHORTEST_LOOSE = 6;
const LONGEST_PROMPT = 4000;
/** What passes between a call and the commit of its work, when clocks differ. */
const SKEW_MS = 60_000;
/** Hits of one line that are remembered. */
const MOST_HITS = 50;
/** Commands that only show what is there, as long as nothing of it goes into a file. */
const ONLY_LOOKS = /^(?![^]*(?:\btee\b|\bxargs\b|\s-exec))\s*(?:cd\s+\S+\s*(?:&&|;)\s*)?(?:grep|egrep|fgrep|rg|ag|ack|cat|head|tail|less|more|find|ls|wc|sed\s+-n|git\s+(?:grep|log|show|diff|blame|status))\b[^>;&]*$/;

type Hit = {place: Place; at: number; call: string; name: string; match: Match; path?: string; whole?: true; gone?: true};

/**
 * The calls of a session that wrote lines, as far as there are such, by the place of the line in `wanted`: the last that
 * added it up to `before` (milliseconds). Calls that failed or were denied did not. Sub-agents are searched as well.
 */
export async function findWriters(project: Project, store: SessionStore, stored: Stored, wanted: Array<WantedLine>, before = Infinity): Promise<Found> {
  const hits: Array<Array<Hit>> = wanted.map(() => []);
  const failed = new Set<string>();
  const calls = new Map<string, CallRecord>();
  const turns = new Map<string, Turns>();
  const subs = new Map<string, number>();
  const folders = [...new Set([project.root, ...(await currentFolders(project)).map(({folder}) => folder)])];
  for (const stream of streamsOf(stored)) {
    const turn = new Turns(stream);
    turns.set(stream, turn);
    let cwd: string | undefined;
    let at = -Infinity;
    for await (const record of readHistory(store, stored, {stream, roots: localRoots(project, stored), platform: project.machine.platform, repairs: []})) {
      cwd = record.cwd ?? cwd;
      const time = Date.parse(record.time ?? ``);
      if (time > before + SKEW_MS)
        continue;
      at = Number.isNaN(time) ? at : time;
      turn.see(record);
      if (record.kind === `call`)
        calls.set(record.call, record);
      if (record.kind === `result` && (record.error === true || record.denied === true))
        failed.add(record.call);
      if (record.kind === `result` && record.stream !== undefined)
        subs.set(record.stream, record.seq);
      search(record, {folders, wanted, hits, calls, stream, cwd, at});
    }
  }

  const main = turns.get(`main`);
  return {
    turnAt: time => main?.before(time) ?? null,
    writers: hits.map(all => {
      // Each stream was read to its end before the next.
      const best = lastWriter(all.filter(({call}) => !failed.has(call)).sort((a, b) => a.at === b.at ? 0 : a.at - b.at));
      if (best === null)
        return null;
      const {place, call, name, match, path, whole} = best;
      const prompt = place.stream === `main` ? main?.of(place.record) : main?.of(subs.get(place.stream) ?? -1) ?? turns.get(place.stream)?.of(place.record);
      return {...place, call, name, match, ...match === `elsewhere` ? {path: path!} : {}, ...whole === true ? {whole} : {}, ...prompt ? {prompt} : {}};
    }),
  };
}

/** Is one call surer to have written a line than another, be it of another session? Among equals the last did, but a whole file has it from before. */
export function isSurer(one: Writer, other: Writer | undefined): boolean {
  if (other === undefined || one.match !== other.match)
    return other === undefined || MATCHES.indexOf(one.match) < MATCHES.indexOf(other.match);
  return Date.parse(one.time ?? ``) > Date.parse(other.time ?? ``) ? one.whole !== true : Date.parse(one.time ?? ``) < Date.parse(other.time ?? ``) && other.whole === true;
}

/** Of those that have the line in the surest way the last; but a whole file that is written again has it from before. */
function lastWriter(hits: Array<Hit>): Hit | null {
  for (const wanted of MATCHES) {
    let last: Hit | null = null;
    let gone = false;
    for (const hit of hits) {
      if (hit.gone === true) {
        gone = true;
      } else if (hit.match === wanted && (last === null || gone || hit.whole !== true || hit.call === last.call)) {
        last = hit;
        gone = false;
      }
    }
    if (last !== null)
      return last;
  }
  return null;
}

type Search = {folders: Array<string>; wanted: Array<WantedLine>; hits: Array<Array<Hit>>; calls: Map<string, CallRecord>; stream: string; cwd: string | undefined; at: number};

function search(record: NeutralRecord, {folders, wanted, hits, calls, stream, cwd, at: now}: Search) {
  if (record.kind !== `call` && record.kind !== `result`)
    return;
  const origin = calls.get(record.call);
  const at = origin ?? record;
  const place: Place = {stream, record: at.seq, ...at.time !== undefined ? {time: at.time} : {}};
  const note = (index: number, match: Match, more: Pick<Hit, `path` | `whole` | `gone`> = {}) => {
    const all = hits[index]!;
    all.push({place, at: now, call: record.call, name: origin?.name ?? ``, match, ...more});
    if (all.length > MOST_HITS)
      all.shift();
  };

  const changes = writtenBy(record);
  for (const written of changes) {
    const file = relativePath(written.path, cwd, folders)?.normalize();
    for (const [index, {text, paths}] of wanted.entries()) {
      const match = matchOf(text, written);
      if (!paths.some(known => known.normalize() === file)) {
        if ((match === `exact` || match === `trimmed`) && text.trim().length >= SHORTEST_LOOSE)
          note(index, `elsewhere`, {path: file ?? written.path});
        continue;
      }
      if (match !== null)
        note(index, match, written.whole === true ? {whole: true} : {});
      else if (written.removed.some(line => line.trim() === text.trim()))
        note(index, `exact`, {gone: true});
      // What the tool says that it changed is surer than what it was asked for.
      if (match === null && record.kind === `result` && written.whole !== true)
        hits[index] = hits[index]!.filter(hit => hit.call !== record.call || hit.whole !== true);
    }
  }
  if (record.kind === `call` && changes.length === 0 && mayWrite(record)) {
    const input = record.tool === `shell` ? record.args.command : JSON.stringify(record.input);
    for (const [index, {text}] of wanted.entries()) {
      const line = record.tool === `shell` ? text.trim() : JSON.stringify(text.trim()).slice(1, -1);
      if (text.trim().length >= SHORTEST_LOOSE && input.includes(line))
        note(index, `loose`);
    }
  }
}

/** Of a call that does not say what it writes. */
function mayWrite(record: CallRecord) {
  return record.tool === `shell` ? !ONLY_LOOKS.test(record.args.command) : record.tool === `mcp` || record.tool === `other`;
}

function matchOf(text: string, {added, parts = []}: Written): `exact` | `trimmed` | `part` | null {
  if (added.includes(text))
    return `exact`;
  const line = text.trim();
  if (added.some(one => one.trim() === line))
    return `trimmed`;
  const isPart = parts.some(part => part.text.trim().length >= SHORTEST_LOOSE && (part.is === `within` ? text.includes(part.text) : part.is === `end` ? text.endsWith(part.text) : text.startsWith(part.text)));
  return isPart ? `part` : null;
}

/** Which prompt each record of a stream answers. */
class Turns {
  private readonly prompts = new Map<number, Prompt>();
  private readonly turnOf: Array<number> = [];

  constructor(private readonly stream: string) {}

  see(record: NeutralRecord) {
    const {seq, parent = record.seq - 1} = record;
    if (record.kind === `prompt` && record.midTurn !== true)
      this.prompts.set(seq, {stream: this.stream, record: seq, ...record.time !== undefined ? {time: record.time} : {}, text: textOf(record)});
    this.turnOf[seq] = this.prompts.has(seq) ? seq : this.turnOf[parent] ?? -1;
  }

  of(record: number): Prompt | undefined {
    return this.prompts.get(this.turnOf[record] ?? -1);
  }

  /** The last one up to a time in milliseconds. */
  before(time: number): Prompt | undefined {
    return [...this.prompts.values()].findLast(prompt => !(Date.parse(prompt.time ?? ``) > time + SKEW_MS));
  }
}

function textOf({content}: PromptRecord) {
  return content.map(part => part.type === `text` ? part.text : part.type === `image` ? `[image]` : `[${part.name}]`).join(`\n`).slice(0, LONGEST_PROMPT);
}
