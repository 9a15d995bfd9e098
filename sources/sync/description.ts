import path                                          from 'node:path';

import type {AgentAdapter, LocatedSession, ReaderFacts} from '../agents/types.ts';
import {foldRepairs}                                 from '../interchange/index.ts';
import type {NeutralRecord, Repair, SessionHeader}   from '../interchange/index.ts';
import type {Roots}                                  from '../interchange/paths.ts';
import type {GitState, StoredHeader}                 from '../store/types.ts';

import {isWithin}                                    from './folders.ts';
import type {Project}                                from './project.ts';
import type {Place}                                  from './rehomed.ts';
import type {Checkpoint}                             from './state.ts';

/** Characters of a first prompt that are kept for lists. */
const LONGEST_OPENING = 300;
/** Moves of one session whose names are kept. */
const MOST_MOVES = 50;

export type DescriptionOptions = {
  project: Project;
  adapter: AgentAdapter;
  located: LocatedSession;
  place: Place;
  checkpoint: Checkpoint;
  machineName: string;
  /** What the reader of the main stream knows by now: a mirror begins in the middle of the first batch of lines. */
  facts: () => ReaderFacts | null;
  /** Text without its secrets. */
  clean: (text: string) => Promise<string | undefined>;
};

/** What is said of a session beside its records: headers, title, names of its folders. Kept in its checkpoint. */
export class Description {
  /** What git has of the session. */
  stored: StoredHeader | null = null;

  constructor(private readonly options: DescriptionOptions) {}

  private get checkpoint() {
    return this.options.checkpoint;
  }

  /** Takes what the reader of the main stream knows by now. `counts`: of the session's own records. */
  learn(facts: ReaderFacts, counts: ReaderFacts[`counts`], problems: Array<Repair>) {
    Object.assign(this.checkpoint, {
      counts, cwd: facts.cwd ?? this.options.located.cwd,
      title: facts.title, created: facts.created, updated: facts.updated, branch: facts.branch,
    });
    this.checkpoint.repairs = foldRepairs([...facts.repairs, ...problems]);
  }

  /** A mirror that is made again must begin as it did: with what the first records said. */
  learnFirst(record: NeutralRecord) {
    const first = this.checkpoint.first ??= {};
    first.cwd ??= record.cwd;
    first.branch ??= record.head?.branch;
    first.prompt ??= openingOf(record);
  }

  /** Fixed for a session once its first record is stored: all its records must read alike. */
  roots(): Roots {
    return this.checkpoint.roots ??= this.stored?.roots ?? this.findRoots();
  }

  /** What the folders are called since they were moved: the same tokens stand for them. */
  moved(): Array<Roots> {
    const {moves} = this.options.place;
    const roots = this.roots();
    const known = this.checkpoint.moved ??= this.stored?.moved ?? [];
    const root = moves.find(({from}) => isWithin(roots.root!, from))?.to ?? roots.root!;
    const now = {...this.findRoots(), root};
    const fresh = Object.entries(now).filter(([token, folder]) => token !== `tmp` && roots[token] !== folder && !known.some(set => set[token] === folder));
    if (fresh.length > 0 && known.length < MOST_MOVES)
      known.push(Object.fromEntries(fresh));
    return known;
  }

  /** What goes into git, with the working tree as it is at this commit. */
  async header(git: GitState | null): Promise<SessionHeader> {
    const {checkpoint, options} = this;
    const facts = options.facts();
    const moved = checkpoint.moved ?? this.stored?.moved ?? [];
    return {
      format: `session-sync/1`,
      session: checkpoint.session,
      agent: {id: checkpoint.agent, nativeId: checkpoint.nativeId, ...facts?.version !== undefined ? {version: facts.version} : {}},
      ...optional({title: await this.publicTitle(), created: checkpoint.created, updated: checkpoint.updated, model: facts?.model}),
      roots: this.roots(),
      ...optional({moved: moved.length > 0 ? moved : undefined}),
      platform: options.project.machine.platform,
      ...optional({branch: git?.branch, commit: git?.commit, dirty: git?.dirty, origin: git?.origin, rootCommit: git?.rootCommit}),
      machine: options.machineName,
      counts: checkpoint.counts,
      ...optional({
        ignored: facts?.ignored,
        repairs: checkpoint.repairs.length > 0 ? checkpoint.repairs : undefined,
        redactions: Object.keys(checkpoint.redactions).length > 0 ? checkpoint.redactions : undefined,
        lineage: checkpoint.lineage,
      }),
    };
  }

  /** What goes into a mirror's first lines. Only what the transcript says, so that a mirror made again is the same. */
  mirrorHeader(): {header: SessionHeader; cwd: string; before?: string; name?: string} {
    const {checkpoint} = this;
    const facts = this.options.facts();
    const {located, project, place} = this.options;
    const first = checkpoint.first ?? {};
    const begun = first.cwd ?? located.cwd ?? project.root;
    const {home = begun} = place;
    return {
      cwd: home, ...home === begun ? {} : {before: begun}, ...optional({name: this.name()}),
      header: {
        format: `session-sync/1`,
        session: checkpoint.session,
        agent: {id: checkpoint.agent, nativeId: checkpoint.nativeId},
        ...optional({created: checkpoint.created ?? facts?.created, branch: first.branch}),
        roots: {},
        counts: {},
      },
    };
  }

  /** A name that is said by no record: the person's own for this session, or for the one that it goes on from. */
  private name(): string | undefined {
    const {named, title, inherited} = this.checkpoint;
    return named ?? (title === undefined ? inherited?.named : undefined);
  }

  /** What a list shows: the session's own title, or what it began with. Goes into git, and so without its secrets. */
  private async publicTitle() {
    const shown = titleIn(this.checkpoint);
    return shown === undefined ? undefined : await this.options.clean(shown);
  }

  private findRoots(): Roots {
    const {project, adapter, located, place} = this.options;
    const cwd = this.checkpoint.first?.cwd ?? located.cwd ?? project.root;
    const inside = cwd === project.root || cwd.startsWith(`${project.root}${path.sep}`);
    return {
      root: inside ? project.root : place.moves.find(({from}) => isWithin(cwd, from))?.from ?? cwd,
      home: project.machine.home,
      tmp: project.machine.tmp,
      ...adapter.source!.roots({path: located.path, nativeId: located.nativeId, cwd}, project.machine),
    };
  }
}

/** What a session is called: by a person, by its agent, as the one that it goes on from, or after what it began with. */
export function titleIn({named, title, inherited, first}: Checkpoint): string | undefined {
  return named ?? title ?? inherited?.named ?? inherited?.title ?? first?.prompt;
}

/** What a session without a title is called after, if this is the record. */
export function openingOf(record: NeutralRecord): string | undefined {
  if (record.kind !== `prompt`)
    return undefined;
  const text = record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(` `).trim();
  return text === `` ? undefined : opening(text);
}

/**
 * The first words of a prompt, for a list. Never a part of a word: half of a secret is not known for one any more, and
 * this goes into git.
 */
export function opening(text: string): string {
  if (text.length <= LONGEST_OPENING)
    return text;
  return text.slice(0, LONGEST_OPENING + 1).replace(/\S*$/, ``).trim();
}

/** Without what is not known. */
export function optional<T extends object>(values: T): {[K in keyof T]: NonNullable<T[K]>} {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {[K in keyof T]: NonNullable<T[K]>};
}
