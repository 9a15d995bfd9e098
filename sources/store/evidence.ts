import path                                    from 'node:path';

import type {CallRecord, Json, NeutralRecord, ResultRecord} from '../interchange/index.ts';
import {writtenBy}                             from '../interchange/written.ts';
import {joinMarks, marksOf, markLines, noMarks, splitMarks} from './marks.ts';
import type {LineMarks}                        from './marks.ts';

/** A call that makes commits. Times in seconds; `commits` are the (short) names that it printed. */
type CommitCall = {call: string; from: number; to?: number; commits: Array<string>};

/** `tellingAt`, `commonAt`: the time of so many marks, one after the other; absent in what earlier versions saved. */
type Saved = {
  calls: Array<CommitCall>; telling: string; tellingAt?: Array<[number, number]>; common: string; commonAt?: Array<[number, number]>;
  files: Array<string>; active: Array<[number, number]>; cwd?: string;
};
/** When each mark was made first. */
type TimedMarks = Map<string, number>;

const MOST_CALLS   = 100;
const MOST_MARKS   = 5000;
const MOST_FILES   = 200;
const MOST_PERIODS = 100;
/** Lines of one call that are remembered. */
const MOST_LINES   = 500;
/** A pause that is no end of the work: somebody reads, and commits. */
const PAUSE_S      = 600;
/** A clock's second, and what passes between a call's record and its process. */
const SLACK_S      = 2;
/** What git itself takes for a commit, with its hooks. */
const NEAR_S       = 30;

const WORD    = String.raw`(?:"[^"\n]*"|'[^'\n]*'|[^\s"'])+`;
const COMMITS = new RegExp(String.raw`^git(?:\s+-[cC]\s+${WORD}|\s+-(?![cC]\s)${WORD})*\s+(?:commit|merge|rebase|cherry-pick|revert|am|pull)\b`);
/** Characters from `git` to what it shall do. */
const LONGEST_GIT = 500;
/** `[main 1a2b3c4] subject`, `[main (root-commit) 1a2b3c4]`, `[detached HEAD 1a2b3c4]`. */
const PRINTED = /^\[[^\]\n]{1,300}? ([0-9a-f]{7,64})\] /gm;

/**
 * What in a session speaks for its having made a commit: calls of git, lines that it wrote, the times it was at work. It
 * is bounded, grows with the records, and is saved with the states of the readers.
 */
export class Evidence {
  private readonly calls = new Map<string, CommitCall>();
  private telling: TimedMarks = new Map();
  private common: TimedMarks = new Map();
  /** What calls without a result have brought in: some do not do what they were asked for. */
  private readonly open = new Map<string, {telling: Array<string>; common: Array<string>; files: Array<string>; whole: boolean}>();
  private readonly paths = new Set<string>();
  private readonly active: Array<[number, number]> = [];
  private readonly cwd = new Map<string, string>();

  /** `folders`: absolute paths of the project's working trees; `renamed`: other names of files. */
  constructor(private readonly folders: () => Array<string>, saved?: Json, private readonly renamed: Map<string, string> = new Map()) {
    const known = saved as Saved | undefined;
    if (known === undefined || known === null)
      return;
    for (const call of known.calls)
      this.calls.set(call.call, call);
    this.telling = timed(known.telling, known.tellingAt);
    this.common = timed(known.common, known.commonAt);
    this.paths = new Set(known.files);
    this.active = known.active;
    if (known.cwd !== undefined)
      this.cwd.set(`main`, known.cwd);
  }

  save(): Json {
    const cwd = this.cwd.get(`main`);
    return {
      calls: [...this.calls.values()], telling: joinMarks([...this.telling.keys()]), tellingAt: lengths(this.telling), common: joinMarks([...this.common.keys()]), commonAt: lengths(this.common),
      files: [...this.paths], active: this.active, ...cwd !== undefined ? {cwd} : {},
    } satisfies Saved as unknown as Json;
  }

  /** Takes a record in. The same one a second time changes nothing. `foreign`: it is of the session that this one goes on from. */
  see(stream: string, record: NeutralRecord, foreign = false) {
    if (record.cwd !== undefined)
      this.cwd.set(stream, record.cwd);
    if (foreign)
      return;
    const time = record.time === undefined ? NaN : Math.floor(Date.parse(record.time) / 1000);
    if (!Number.isNaN(time) && record.kind !== `note`)
      this.atWork(time);

    if (record.kind === `call` && !Number.isNaN(time) && makesCommits(record))
      this.calls.set(record.call, this.calls.get(record.call) ?? {call: record.call, from: time, commits: []});
    const open = record.kind === `result` ? this.calls.get(record.call) : undefined;
    if (record.kind === `result` && open !== undefined) {
      if (!Number.isNaN(time))
        open.to = Math.max(open.from, time);
      const text = record.content.map(part => part.type === `text` ? part.text : ``).join(`\n`);
      open.commits = [...text.matchAll(PRINTED)].slice(0, 50).map(([, commit]) => commit!);
    }
    if (record.kind === `result`)
      this.settle(record);
    if (record.kind === `call` || record.kind === `result`)
      this.write(stream, record, Number.isNaN(time) ? this.active.at(-1)?.[1] ?? 0 : time);

    for (const [set, most] of [[this.calls, MOST_CALLS], [this.open, MOST_CALLS], [this.telling, MOST_MARKS], [this.common, MOST_MARKS], [this.paths, MOST_FILES]] as const)
      forget(set, most);
  }

  /** Files that the session wrote to, the last first; relative to their working tree. */
  files(): Array<string> {
    return [...this.paths].reverse();
  }

  /** Names of commits that calls of the session printed. */
  printed(): Array<string> {
    return [...this.calls.values()].flatMap(({commits}) => commits);
  }

  /**
   * A call of the session made it: it says so, or ran git in that second and names no other. Of a call that took long, only
   * its beginning and its end: it ran git there, and something else between, when others may have made commits.
   */
  hasCall(commit: string, time: number) {
    return [...this.calls.values()].some(({from, to = from + NEAR_S, commits}) => commits.length > 0
      ? commits.some(name => commit.startsWith(name))
      : time >= from - SLACK_S && time <= to + SLACK_S && (time <= from + NEAR_S || time >= to - NEAR_S));
  }

  /** The commit has lines that the session wrote, before a time in seconds: who wrote them after may have them from there. `fewest`: so many. */
  hasLines(marks: LineMarks, until = Infinity, fewest = 1) {
    return marksOf(marks).filter(mark => (this.telling.get(mark) ?? this.common.get(mark) ?? Infinity) <= until).length >= fewest;
  }

  wasAtWork(time: number) {
    return this.active.some(([from, to]) => time >= from - SLACK_S && time <= to + PAUSE_S);
  }

  private atWork(time: number) {
    const last = this.active.at(-1);
    const near = this.active.find(([from, to]) => time >= from - PAUSE_S && time <= to + PAUSE_S);
    if (near !== undefined) {
      near[0] = Math.min(near[0], time);
      near[1] = Math.max(near[1], time);
    } else if (last === undefined || time > last[1]) {
      this.active.push([time, time]);
      this.active.splice(0, this.active.length - MOST_PERIODS);
    }
  }

  private write(stream: string, record: CallRecord | ResultRecord, time: number) {
    const fresh = {telling: [] as Array<string>, common: [] as Array<string>, files: [] as Array<string>, whole: false};
    for (const {path: given, added, removed, whole} of writtenBy(record)) {
      const known = relativePath(given, this.cwd.get(stream) ?? this.cwd.get(`main`), this.folders());
      if (known === null)
        continue;
      const file = this.renamed.get(known) ?? known;
      if (!this.paths.delete(file))
        fresh.files.push(file);
      this.paths.add(file);
      fresh.whole ||= whole === true;
      const marks = noMarks();
      markLines(marks, file, {added, removed}, MOST_LINES);
      for (const kind of [`telling`, `common`] as const) {
        for (const mark of marks[kind]) {
          const first = this[kind].get(mark);
          if (first === undefined)
            fresh[kind].push(mark);
          this[kind].set(mark, Math.min(time, first ?? time));
        }
      }
    }
    if (record.kind === `call` && fresh.telling.length + fresh.common.length + fresh.files.length > 0)
      this.open.set(record.call, fresh);
  }

  /** A call that failed wrote nothing; and what the tool says that it changed is surer than a whole file. */
  private settle(record: ResultRecord) {
    const fresh = this.open.get(record.call);
    this.open.delete(record.call);
    const failed = record.error === true || record.denied === true;
    if (fresh === undefined || !failed && !(fresh.whole && record.patch?.some(({diff}) => diff !== undefined) === true))
      return;
    for (const kind of [`telling`, `common`] as const)
      for (const mark of fresh[kind])
        this[kind].delete(mark);
    for (const file of failed ? fresh.files : [])
      this.paths.delete(file);
  }
}

function timed(marks: string, runs: Saved[`tellingAt`] = []): TimedMarks {
  const times = runs.flatMap(([time, count]) => Array.from({length: count}, () => time));
  return new Map(splitMarks(marks).map((mark, index) => [mark, times[index] ?? 0]));
}

/** Equal times that follow one another, with their number. */
function lengths(marks: TimedMarks): Array<[number, number]> {
  const runs: Array<[number, number]> = [];
  for (const time of marks.values()) {
    const last = runs.at(-1);
    if (last?.[0] === time)
      last[1] += 1;
    else
      runs.push([time, 1]);
  }
  return runs;
}

function makesCommits(record: NeutralRecord) {
  if (record.kind !== `call`)
    return false;
  return record.tool === `shell` ? commitsByGit(record.args.command) : record.tool === `mcp` && /commit/i.test(record.args.tool);
}

function commitsByGit(command: string) {
  for (const {index} of command.matchAll(/\bgit\s/g))
    if (COMMITS.test(command.slice(index, index + LONGEST_GIT)))
      return true;
  return false;
}

/** The path below the working tree that it is in, with `/`; null for one outside of all. */
export function relativePath(file: string, cwd: string | undefined, folders: Array<string>): string | null {
  const absolute = path.isAbsolute(file) ? path.normalize(file) : path.resolve(cwd ?? folders[0] ?? `/`, file);
  const inside = folders.filter(folder => absolute.startsWith(`${folder}${path.sep}`)).sort((a, b) => b.length - a.length)[0];
  return inside === undefined ? null : path.relative(inside, absolute).split(path.sep).join(`/`);
}

/** Drops the oldest. */
function forget(entries: Map<string, unknown> | Set<string>, most: number) {
  for (const key of entries.keys()) {
    if (entries.size <= most)
      return;
    entries.delete(key);
  }
}
