import type {Produced}          from '../../interchange/index.ts';
import {commitLog}              from '../../store/log.ts';
import {knownCommits}           from '../../store/produced.ts';
import type {StoredHeader}      from '../../store/types.ts';
import type {Project}           from '../../sync/project.ts';
import {safe}                   from '../../terminal/safe.ts';

import type {KnownSession}      from './overview.ts';
import {asTree, describeRecords, fromElsewhere, legsOf} from './tree.ts';
import type {Leg}               from './tree.ts';

/** Commits of one leg that are drawn; the newest. */
const MOST_DRAWN = 50;

/** The legs that a session is one of, those before it and those after it, each with the commits that it made. */
export async function legsWithCommits(project: Project, sessions: Array<KnownSession>, session: string) {
  const all = connected(legsOf(sessions), session);
  const known = new Set(sessions.map(one => one.session));
  const produced = (leg: Leg) => headerOf(sessions, leg.session)?.produced ?? [];
  const subjects = await subjectsOf(project, all.flatMap(produced));
  const lines = asTree(all).flatMap(({prefix, session: leg}) => {
    const {label, agent, author, machine, branch, commit, title} = leg;
    const below = `${prefix.replaceAll(/[├└─]/g, char => char === `├` ? `│` : ` `)}   `;
    const made = produced(leg);
    return [
      `${prefix}${label}  ${[agent, author, machine, `${branch ?? ``}${commit === undefined ? `` : ` @ ${commit.slice(0, 10)}`}`, `${describeRecords(leg)} records`, `${fromElsewhere(leg, known)}${title ?? ``}`].map(text => safe(text ?? ``, {width: 60})).filter(text => text !== ``).join(`  `)}`,
      ...made.length > MOST_DRAWN ? [`${below}${made.length - MOST_DRAWN} earlier commits`] : [],
      ...made.slice(-MOST_DRAWN).map(one => `${below}${one.commit.slice(0, 10)}  ${safe(subjects.get(one.commit) ?? `(not here any more, or not fetched)`, {width: 70})}${one.by === `time` ? `  ?` : ``}`),
    ];
  });
  return {
    lines,
    legs: all.map(leg => ({
      session: leg.session, agent: leg.agent, title: leg.title, author: leg.author, machine: leg.machine, branch: leg.branch, commit: leg.commit, updated: leg.updated, records: leg.records, lineage: leg.lineage,
      produced: produced(leg).map(({lines: _, ...one}) => ({...one, subject: subjects.get(one.commit)})),
    })),
  };
}

/** Ids of the sessions whose records one needs to be whole, the nearest first. */
export function earlierLegs(sessions: Array<KnownSession>, {session, lineage}: Pick<KnownSession, `session` | `lineage`>): Array<string> {
  const found = new Set<string>();
  const known = new Map(sessions.map(one => [one.session, one]));
  for (let next = lineage; next?.source !== undefined && next.parent !== session && !found.has(next.parent); next = known.get(next.parent)?.lineage)
    found.add(next.parent);
  return [...found];
}

function headerOf(sessions: Array<KnownSession>, id: string): StoredHeader | undefined {
  const [session, fork] = id.split(`~`);
  const known = sessions.find(one => one.session === session);
  return fork === undefined ? known?.stored?.newest.header : known?.forks?.find(({name}) => name === fork)?.state.header;
}

function connected(legs: Array<Leg>, session: string): Array<Leg> {
  const near = new Map<string, Set<string>>();
  const tie = (a: string, b: string) => near.set(a, (near.get(a) ?? new Set()).add(b));
  for (const {session: id, lineage} of legs) {
    if (lineage !== undefined) {
      tie(id, lineage.parent);
      tie(lineage.parent, id);
    }
  }
  const found = new Set<string>([session]);
  for (const id of found)
    for (const other of near.get(id) ?? [])
      found.add(other);
  return legs.filter(({session: id}) => found.has(id));
}

/** Subjects of those commits that are here. */
async function subjectsOf({repository, machine}: Project, produced: Array<Produced>): Promise<Map<string, string>> {
  const here = await knownCommits(repository, machine.env, [...new Set(produced.map(({commit}) => commit))]);
  const commits = here.length === 0 ? [] : await commitLog(repository, machine.env, {revisions: here.map(({commit}) => commit), max: here.length, walk: false});
  return new Map(commits.map(({commit, subject}) => [commit, subject]));
}
