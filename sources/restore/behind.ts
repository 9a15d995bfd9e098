import path                          from 'node:path';

import {isSafeId}                    from '../interchange/index.ts';
import type {Produced}               from '../interchange/index.ts';
import {Evidence}                    from '../store/evidence.ts';
import {here}                        from '../store/facts.ts';
import {runGit}                      from '../store/git.ts';
import type {SessionStore}           from '../store/index.ts';
import type {LoggedCommit}           from '../store/log.ts';
import {MARK_LENGTH, marksOf, splitMarks} from '../store/marks.ts';
import {changesOf}                   from '../store/produced.ts';
import type {Change}                 from '../store/produced.ts';
import type {Project}                from '../sync/project.ts';

import type {StoredSession}          from './choose.ts';
import {readHistory}                 from './history.ts';
import type {Stored}                 from './history.ts';

/**
 * What ties a commit to a session, the strongest first: its message names it; the session noted it; it changes the same as
 * one that the session noted (rebased, amended, picked); it holds one together with others; it is a part of one; it has
 * lines that the session wrote; it commits files that were changed, and not committed, when the session stopped.
 */
export const HOW = [`trailer`, `commit`, `patch`, `squash`, `split`, `edits`, `left`] as const;
export type How = typeof HOW[number];

export type Behind = {
  session: string;
  /** Absent: the session is not known here. */
  stored?: Stored;
  how: How;
  /** A guess: the session was at work then, or had the same files in hand. */
  maybe?: true;
  /** The commit that the session noted, where it is another one, or the same. */
  produced?: Produced;
  /** All those that tie it: a squash may hold several. */
  noted: Array<Produced>;
};

type Entry = {stored: Stored; produced: Produced};

/** A squash has half the lines of a commit that it holds, or more: others may have changed the rest of them. Of what was split, each has so many of its own. */
const SHARE = 0.5;
/** One line alone two people may have written. */
const FEWEST = 2;
/** Clocks of two machines. */
const SKEW_S = 600;
/** Clocks of one session and of who commits its lines. */
const CLOCKS_S = 60;
/** Sessions whose records are read to see whether a commit has their lines; for all commits, and for one. */
const MOST_READ = 20;
const MOST_READ_EACH = 3;
const MOST_ANCESTORS = 500;

/** Finds the sessions behind commits. All of it is in the sessions' headers but for the last resort. */
export class SessionsBehind {
  private readonly byId = new Map<string, Stored>();
  private readonly byCommit = new Map<string, Array<Entry>>();
  private readonly byPatch = new Map<string, Array<Entry>>();
  private readonly byFile = new Map<string, Array<Stored>>();
  private readonly byName = new Map<string, Array<Stored>>();
  private readonly byBase = new Map<string, Array<Stored>>();
  private readonly entries: Array<Entry> = [];
  private readonly evidence = new Map<Stored, Promise<Evidence>>();
  /** Sessions that were read once more for files that may have been moved. */
  private moves = 0;
  private readonly ancestors = new Map<string, Promise<boolean>>();

  constructor(private readonly project: Project, private readonly store: SessionStore, sessions: Array<StoredSession>) {
    for (const {session, newest, others} of sessions) {
      this.byId.set(session, newest);
      for (const file of newest.header.edited?.files ?? []) {
        add(this.byFile, file, newest);
        add(this.byName, path.posix.basename(file), newest);
      }
      if (newest.header.commit !== undefined && newest.header.changes !== undefined)
        add(this.byBase, newest.header.commit, newest);
      for (const stored of [newest, ...others]) {
        for (const produced of stored.header.produced ?? []) {
          const entry = {stored, produced};
          this.entries.push(entry);
          add(this.byCommit, produced.commit, entry);
          if (produced.patch !== undefined)
            add(this.byPatch, produced.patch, entry);
        }
      }
    }
  }

  /**
   * The sessions behind each of the commits, the surest first. `unread`: commits that could not be compared, since a partial
   * clone has not got their files; `fetch` gets them.
   */
  async of(commits: Array<LoggedCommit>, {fetch = false}: {fetch?: boolean} = {}): Promise<{ties: Map<string, Array<Behind>>; unread: Array<string>}> {
    const {repository, machine} = this.project;
    const isTied = this.entries.length > 0 || this.byFile.size > 0 || this.byBase.size > 0;
    const wanted = isTied ? commits.filter(({parents}) => parents.length < 2).map(({commit}) => commit) : [];
    const {changes, unread} = await changesOf(repository, machine.env, wanted, {fetch});
    const held = await this.held(commits, changes);
    const ties = new Map<string, Array<Behind>>();
    for (const commit of commits) {
      const change = changes.get(commit.commit);
      const same = change?.patch === undefined ? [] : this.byPatch.get(change.patch) ?? [];
      const behind = strongest([
        ...this.named(commit),
        ...(this.byCommit.get(commit.commit) ?? []).map(entry => tie(`commit`, entry)),
        ...(await this.followed(same, commit)).map(entry => tie(`patch`, entry)),
        ...(held.get(commit.commit) ?? []).map(({how, entry}) => tie(how, entry)),
      ]);
      if (change !== undefined && behind.every(({maybe}) => maybe === true))
        behind.unshift(...await this.written(commit, change));
      if (change !== undefined && behind.length === 0)
        behind.push(...this.left(commit, change));
      ties.set(commit.commit, strongest(behind));
    }
    return {ties, unread};
  }

  private named({trailers}: LoggedCommit): Array<Behind> {
    return trailers.map(value => value.toLowerCase()).filter(isSafeId).map(session => {
      const stored = this.byId.get(session);
      return {session, how: `trailer`, noted: [], ...stored !== undefined ? {stored} : {}};
    });
  }

  /** Commits of sessions that another commit holds, or is a part of. */
  private async held(commits: Array<LoggedCommit>, changes: Map<string, Change>): Promise<Map<string, Array<{how: How; entry: Entry}>>> {
    const byMark = new Map<string, Array<number>>();
    const telling = commits.map(({commit}) => new Set(changes.has(commit) ? marksOf(changes.get(commit)!.marks) : []));
    for (const [index, {commit}] of commits.entries()) {
      const marks = changes.get(commit)?.marks;
      for (const mark of marks === undefined ? [] : [...marks.telling, ...marks.common])
        add(byMark, mark, index);
    }
    const found = new Map<string, Array<{how: How; entry: Entry}>>();
    for (const entry of this.entries) {
      const {lines = ``, commit, patch} = entry.produced;
      const counts = new Map<number, {all: number; telling: number}>();
      for (const mark of new Set(splitMarks(lines))) {
        for (const index of byMark.get(mark) ?? []) {
          const {all, telling: own} = counts.get(index) ?? {all: 0, telling: 0};
          counts.set(index, {all: all + 1, telling: own + Number(telling[index]!.has(mark))});
        }
      }
      for (const [index, count] of counts) {
        const other = commits[index]!;
        const how = count.all >= SHARE * lines.length / MARK_LENGTH ? `squash` : count.telling >= Math.max(FEWEST, SHARE * telling[index]!.size) ? `split` : null;
        if (how !== null && other.commit !== commit && changes.get(other.commit)?.patch !== patch && await this.follows(other, entry) && !await this.isBefore(commit, other.commit))
          add(found, other.commit, {how, entry});
      }
    }
    return found;
  }

  private async followed(entries: Array<Entry>, commit: LoggedCommit): Promise<Array<Entry>> {
    const found: Array<Entry> = [];
    for (const entry of entries)
      if (await this.follows(commit, entry))
        found.push(entry);
    return found;
  }

  /** Can a commit have come of what a session made? Not if it was there before: the session may have repeated it. */
  private async follows(other: LoggedCommit, {stored, produced}: Entry): Promise<boolean> {
    const made = Date.parse(produced.time ?? ``) / 1000;
    if (Number.isNaN(made) || made < other.committed)
      return true;
    const author = stored.header.author?.email;
    if (made > other.committed + SKEW_S || made > other.committed && author !== undefined && author !== other.author.email)
      return false;
    return !await this.isBefore(other.commit, produced.commit);
  }

  private async isBefore(commit: string, other: string): Promise<boolean> {
    const {repository, machine} = this.project;
    const key = `${commit} ${other}`;
    if (!this.ancestors.has(key) && this.ancestors.size >= MOST_ANCESTORS)
      return true;
    const known = this.ancestors.get(key) ?? runGit([`merge-base`, `--is-ancestor`, commit, other], here(repository, {...machine.env, GIT_NO_LAZY_FETCH: `1`})).then(({code}) => code === 0);
    this.ancestors.set(key, known);
    return await known;
  }

  /** Who wrote lines of a commit that a person made afterwards: sessions that edited its files before. */
  private async written({committed}: LoggedCommit, change: Change): Promise<Array<Behind>> {
    const near = (sessions: Array<Stored>) => {
      const age = ({header}: Stored) => Math.abs(Date.parse(header.updated ?? ``) / 1000 - committed);
      return [...new Set(sessions)].filter(({header}) => Date.parse(header.created ?? ``) / 1000 <= committed + SKEW_S)
        .sort((a, b) => age(a) - age(b)).slice(0, MOST_READ_EACH);
    };
    const found: Array<Behind> = [];
    for (const stored of near(change.files.flatMap(file => this.byFile.get(file) ?? []))) {
      if (!this.evidence.has(stored) && this.evidence.size >= MOST_READ)
        break;
      const evidence = this.evidence.get(stored) ?? this.read(stored);
      this.evidence.set(stored, evidence);
      if ((await evidence).hasLines(change.marks, committed + CLOCKS_S))
        found.push({session: stored.session, stored, how: `edits`, noted: []});
    }
    return found.length > 0 ? found : await this.moved(near, committed, change);
  }

  /** A squash that also moved a file has its lines under a name that no session knows: the same in another folder is a guess. */
  private async moved(near: (sessions: Array<Stored>) => Array<Stored>, committed: number, {files, marks}: Change): Promise<Array<Behind>> {
    const names = new Map(files.map(file => [path.posix.basename(file), file]));
    const found: Array<Behind> = [];
    for (const stored of near([...names.keys()].flatMap(name => this.byName.get(name) ?? []))) {
      const renamed = new Map((stored.header.edited?.files ?? []).flatMap(file => {
        const now = names.get(path.posix.basename(file));
        return now === undefined || now === file ? [] : [[file, now]];
      }));
      if (renamed.size === 0 || this.moves >= MOST_READ)
        continue;
      this.moves += 1;
      if ((await this.read(stored, renamed)).hasLines(marks, committed + CLOCKS_S, FEWEST))
        found.push({session: stored.session, stored, how: `edits`, maybe: true, noted: []});
    }
    return found;
  }

  /**
   * Sessions that stopped at the parent of the commit, with its files changed in their working tree: what commands wrote is
   * in no call that tells its lines, and who commits it by hand does so when nobody watches any more.
   */
  private left({parents, author, committed}: LoggedCommit, {files}: Change): Array<Behind> {
    return (this.byBase.get(parents[0] ?? ``) ?? []).filter(({header}) => {
      const changed = new Set(header.changes!.files);
      return header.author?.email === author.email && Date.parse(header.updated ?? ``) / 1000 <= committed + CLOCKS_S && files.filter(file => changed.has(file)).length >= SHARE * files.length;
    }).map(stored => ({session: stored.session, stored, how: `left`, maybe: true, noted: []}));
  }

  private async read(stored: Stored, renamed: Map<string, string> = new Map()): Promise<Evidence> {
    const {root, machine} = this.project;
    const evidence = new Evidence(() => [root], undefined, renamed);
    for (const stream of streamsOf(stored))
      for await (const record of readHistory(this.store, stored, {stream, roots: localRoots(this.project, stored), platform: machine.platform, repairs: []}))
        evidence.see(stream, record, stream === `main` && record.seq < (stored.header.lineage?.source === undefined ? 0 : stored.header.lineage.seq));
    return evidence;
  }
}

/** Streams of records: the session's own, and those of its sub-agents. */
export function streamsOf({header}: Stored): Array<string> {
  return Object.keys(header.streams).filter(name => name.startsWith(`rec/`)).map(name => name.slice(`rec/`.length)).sort((a, b) => a === `main` ? -1 : b === `main` ? 1 : a < b ? -1 : 1);
}

/** Names of folders in a session, as they are here. */
export function localRoots({root, machine}: Project, {header}: Stored) {
  return {...header.roots, root, home: machine.home, tmp: machine.tmp};
}

function tie(how: How, {stored, produced}: Entry): Behind {
  return {session: stored.session, stored, how, produced, noted: [produced], ...produced.by === `time` ? {maybe: true} : {}};
}

/** Each session once, by the surest that ties it; guesses only where there is nothing surer. */
function strongest(all: Array<Behind>): Array<Behind> {
  const sorted = all.sort((a, b) => Number(a.maybe ?? false) - Number(b.maybe ?? false) || HOW.indexOf(a.how) - HOW.indexOf(b.how));
  const each = sorted.filter(({session}, index) => sorted.findIndex(other => other.session === session) === index)
    .map(one => ({...one, noted: [...new Set(sorted.filter(other => other.session === one.session && other.maybe === one.maybe).flatMap(({noted}) => noted))]}));
  const sure = each.filter(({maybe}) => maybe !== true);
  return sure.length > 0 ? sure : each;
}

function add<K, V>(map: Map<K, Array<V>>, key: K, value: V) {
  const known = map.get(key);
  if (known === undefined)
    map.set(key, [value]);
  else
    known.push(value);
}
