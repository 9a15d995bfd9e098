import type {SessionStore}              from '../store/index.ts';
import {commitLog}                      from '../store/log.ts';
import type {BlamedLine, LoggedCommit}  from '../store/log.ts';
import {markLines, marksOf, noMarks, splitMarks} from '../store/marks.ts';
import type {Project}                   from '../sync/project.ts';

import {SessionsBehind}                 from './behind.ts';
import type {Behind}                    from './behind.ts';
import type {StoredSession}             from './choose.ts';
import {findWriters, isSurer}           from './wrote.ts';
import type {Found, Prompt, WantedLine, Writer} from './wrote.ts';

/** Sessions that are searched for what no commit tells. */
const MOST_OPEN = 20;
/** Sessions of one commit that are searched. */
const MOST_TIES = 10;

/** A line, where it comes from, and what wrote it. `commit` null: it is not committed yet. */
export type Explained = {
  line: number;
  text: string;
  origin: {path: string; line: number};
  commit: LoggedCommit | null;
  /** It is of that commit or of one before it, which a shallow clone has not got. */
  cut?: true;
  /** All sessions behind the commit. */
  behind: Array<Behind>;
  /**
   * The session that wrote the line; where no call shows that, the one that is tied most surely to the commit, as a guess
   * (`maybe`) when only other lines of the commit are known to be its.
   */
  tie?: Behind;
  writer?: Writer;
  prompt?: Prompt;
  /** The session whose own record the call is, where `tie` goes on from it. */
  owner?: string;
};

/** Finds what wrote lines of a file: the session behind each, and the call and the prompt in it. */
export async function explainLines(project: Project, store: SessionStore, sessions: Array<StoredSession>, lines: Array<BlamedLine>, file: string): Promise<Array<Explained>> {
  const names = [...new Set(lines.flatMap(({commit}) => commit ?? []))];
  const commits = names.length === 0 ? [] : await commitLog(project.repository, project.machine.env, {revisions: names, max: names.length, walk: false});
  const {ties} = await new SessionsBehind(project, store, sessions).of(commits, {fetch: true});
  const explained: Array<Explained> = lines.map(({line, text, path, number, commit, cut}) => ({
    line, text: text.replace(/\r$/, ``), origin: {path, line: number}, commit: commits.find(one => one.commit === commit) ?? null, behind: ties.get(commit ?? ``) ?? [], ...cut ? {cut} : {},
  }));
  for (const commit of [null, ...commits]) {
    const wanted = explained.filter(one => one.commit === commit);
    if (wanted.length === 0)
      continue;
    if (commit === null || wanted[0]!.cut === true)
      await byCallsAlone(project, store, wanted, {file, behind: editors(sessions, file, commit === null ? store.writer : null), before: commit === null ? Infinity : commit.committed * 1000});
    else
      await ofCommit(project, store, {wanted, commit, file});
  }
  for (const one of explained)
    if (one.tie !== undefined && one.writer !== undefined)
      Object.assign(one, {owner: ownerOf(sessions, one.tie, one.writer)});
  return explained;
}

/** Lines of which git tells nothing. */
async function byCallsAlone(project: Project, store: SessionStore, wanted: Array<Explained>, {file, behind, before}: {file: string; behind: Array<Behind>; before: number}) {
  for (const tie of behind) {
    // Sessions come newest first: none of the rest can have written a line after that.
    if (wanted.every(({writer}) => writer?.match === `exact` && Date.parse(tie.stored!.header.updated ?? ``) < Date.parse(writer.time ?? ``)))
      return;
    const {writers} = await findWriters(project, store, tie.stored!, linesOf(wanted, file), before);
    for (const [index, one] of wanted.entries())
      take(one, tie, writers[index]);
  }
  for (const one of wanted)
    if (one.writer?.match === `loose` || one.writer?.match === `elsewhere`)
      one.tie = {...one.tie!, maybe: true};
}

async function ofCommit(project: Project, store: SessionStore, {wanted, commit, file}: {wanted: Array<Explained>; commit: LoggedCommit; file: string}) {
  const {behind} = wanted[0]!;
  const [first] = behind;
  let turnAt: Found[`turnAt`] = () => null;
  for (const tie of behind.slice(0, MOST_TIES)) {
    if (tie.stored === undefined)
      continue;
    const noted = tie.noted.map(({time}) => Date.parse(time ?? ``)).filter(time => !Number.isNaN(time));
    const found = await findWriters(project, store, tie.stored, linesOf(wanted, file), Math.min(commit.committed * 1000, noted.length > 0 ? Math.max(...noted) : Infinity));
    for (const [index, one] of wanted.entries())
      take(one, tie, found.writers[index]);
    if (tie === first)
      ({turnAt} = found);
  }
  for (const one of first === undefined ? [] : wanted.filter(({writer}) => writer === undefined)) {
    const made = madeAt(one, commit);
    one.tie = made === null && first!.stored !== undefined ? {...first!, maybe: true} : first!;
    const prompt = made === null ? null : turnAt(made);
    if (prompt !== null)
      one.prompt = prompt;
  }
}

function take(one: Explained, tie: Behind, writer: Writer | null | undefined) {
  if (!writer || !isSurer(writer, one.writer))
    return;
  Object.assign(one, {tie, writer});
  delete one.prompt;
  if (writer.prompt !== undefined)
    one.prompt = writer.prompt;
}

/**
 * When the session made the commit that a line is of, though no call of it shows the line (a program wrote it). Null where
 * that is not known: somebody else may have put the line into what holds other lines of the session, or made the commit while
 * the session was at work, which is all that a trailer says.
 */
function madeAt({behind, origin, text}: Explained, commit: LoggedCommit): number | null {
  const [tie] = behind;
  if (tie === undefined || behind.filter(({maybe}) => maybe !== true).length > 1)
    return null;
  const marks = noMarks();
  markLines(marks, origin.path, {added: [text], removed: []});
  const [mark] = marksOf(marks);
  const isSame = (noted: string) => tie.how === `commit` || tie.how === `patch` || noted === commit.commit;
  const holding = tie.noted.find(one => (one.by === `call` || one.by === `time` && tie.maybe === true)
    && (isSame(one.commit) || mark !== undefined && splitMarks(one.lines ?? ``).includes(mark)));
  return holding === undefined ? null : Date.parse(holding.time ?? ``) || commit.committed * 1000;
}

function linesOf(wanted: Array<Explained>, file: string): Array<WantedLine> {
  return wanted.map(({text, origin}) => ({text, paths: [...new Set([origin.path, file])]}));
}

/** Sessions that may have written to a file, the newest first: those of one clone (also where only commands did), or all. */
function editors(sessions: Array<StoredSession>, file: string, writer: string | null): Array<Behind> {
  const edited = ({newest: {header}}: StoredSession) => header.edited?.files.includes(file);
  const all = sessions.filter(one => writer === null ? edited(one) === true : one.newest.remote === undefined && one.newest.writer === writer && edited(one) !== false);
  const searched = new Set([...new Set([...all.filter(one => edited(one) === true), ...all])].slice(0, MOST_OPEN));
  return all.filter(one => searched.has(one)).map(({session, newest}) => ({session, stored: newest, how: `edits`, noted: []}));
}

/** Records before the first own one are of the session that it goes on from. */
function ownerOf(sessions: Array<StoredSession>, tie: Behind, {stream, record}: Writer): string {
  let {session} = tie;
  let header = tie.stored?.header;
  for (let legs = 0; stream === `main` && header?.lineage?.source !== undefined && record < header.lineage.seq && legs < 1000; legs++) {
    session = header.lineage.parent;
    header = sessions.find(one => one.session === session)?.newest.header;
  }
  return session;
}
