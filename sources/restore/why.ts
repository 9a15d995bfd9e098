import type {SessionStore}              from '../store/index.ts';
import {commitLog}                      from '../store/log.ts';
import type {BlamedLine, LoggedCommit}  from '../store/log.ts';
import type {Project}                   from '../sync/project.ts';

import {SessionsBehind}                 from './behind.ts';
import type {Behind}                    from './behind.ts';
import type {StoredSession}             from './choose.ts';
import {findWriters}                    from './wrote.ts';
import type {Prompt, WantedLine, Writer} from './wrote.ts';

/** Sessions of this clone that are searched for what is not committed yet. */
const MOST_LIVE = 20;
/** Sessions of one commit that are searched. */
const MOST_TIES = 10;

/** A line, where it comes from, and what wrote it. `commit` null: it is not committed yet. */
export type Explained = {
  line: number;
  text: string;
  origin: {path: string; line: number};
  commit: LoggedCommit | null;
  /** All sessions behind the commit. */
  behind: Array<Behind>;
  /** The session that wrote the line; where no call shows that, the one that is tied most surely to the commit. */
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
  const index = new SessionsBehind(project, store, sessions);
  const ties = await index.of(commits);
  const explained: Array<Explained> = lines.map(({line, text, path, number, commit}) => ({
    line, text: text.replace(/\r$/, ``), origin: {path, line: number}, commit: commits.find(one => one.commit === commit) ?? null, behind: ties.get(commit ?? ``) ?? [],
  }));
  for (const commit of [null, ...commits]) {
    const wanted = explained.filter(one => one.commit === commit);
    if (wanted.length > 0)
      await explain(project, store, sessions, {wanted, commit, behind: commit === null ? live(store, sessions, file) : wanted[0]!.behind, file});
  }
  return explained;
}

async function explain(
  project: Project, store: SessionStore, sessions: Array<StoredSession>,
  {wanted, commit, behind, file}: {wanted: Array<Explained>; commit: LoggedCommit | null; behind: Array<Behind>; file: string},
) {
  for (const tie of behind.slice(0, commit === null ? MOST_LIVE : MOST_TIES)) {
    const open = wanted.filter(({writer}) => writer === undefined);
    if (open.length === 0)
      return;
    if (tie.stored === undefined)
      continue;
    const lines: Array<WantedLine> = open.map(({text, origin}) => ({text, paths: [...new Set([origin.path, file])]}));
    const made = Date.parse(tie.produced?.time ?? ``);
    const before = commit === null ? Infinity : Math.min(commit.committed * 1000, Number.isNaN(made) ? Infinity : made);
    const {writers, turn} = await findWriters(project, store, tie.stored, lines, before);
    for (const [index, one] of open.entries()) {
      const writer = writers[index];
      if (writer) {
        Object.assign(one, {tie, writer, owner: ownerOf(sessions, tie, writer)});
        if (writer.prompt !== undefined)
          one.prompt = writer.prompt;
        else
          delete one.prompt;
      } else if (commit !== null && one.tie === undefined) {
        Object.assign(one, {tie, ...turn !== null ? {prompt: turn} : {}});
      }
    }
  }
  for (const one of wanted)
    if (commit !== null && one.tie === undefined && behind.length > 0)
      one.tie = behind[0]!;
}

/** Sessions of this clone that may have written what is not committed yet, the newest first. */
function live(store: SessionStore, sessions: Array<StoredSession>, file: string): Array<Behind> {
  return sessions.filter(({newest}) => newest.remote === undefined && newest.writer === store.writer && newest.header.edited?.files.includes(file) !== false)
    .sort((a, b) => Number(b.newest.header.edited !== undefined) - Number(a.newest.header.edited !== undefined))
    .map(({session, newest}) => ({session, stored: newest, how: `edits`}));
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
