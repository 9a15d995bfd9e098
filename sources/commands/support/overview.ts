import {agentById}                     from '../../agents/index.ts';
import {summarise}                     from '../../interchange/index.ts';
import type {Lineage}                  from '../../interchange/index.ts';
import {byPrefix, looksLikeId, storedSessions} from '../../restore/choose.ts';
import type {Problem, StoredSession}   from '../../restore/choose.ts';
import {forksOf}                       from '../../restore/forks.ts';
import type {Fork}                     from '../../restore/forks.ts';
import {recordCount}                   from '../../restore/history.ts';
import {pushedTo}                      from '../../store/index.ts';
import type {SessionStore}             from '../../store/index.ts';
import {titleIn}                       from '../../sync/description.ts';
import {inspectMirror}                 from '../../sync/inspect.ts';
import type {Project}                  from '../../sync/project.ts';
import type {Checkpoint, MirrorState}  from '../../sync/state.ts';
import {safe}                          from '../../terminal/safe.ts';
import {CommandError}                  from '../Base.ts';

/** What is known of a session here: from the transcript on this machine, from git, or both. */
export type KnownSession = {
  session: string;
  checkpoint?: Checkpoint;
  stored?: StoredSession;
  title?: string;
  agent: string;
  branch?: string;
  commit?: string;
  dirty?: boolean;
  updated?: string;
  records: number;
  lineage?: Lineage;
  /** The ways that it went on different machines, the newest first; absent where there is only one. */
  forks?: Array<Fork>;
  /** The one of them that is meant. */
  fork?: Fork;
  /** `pushed`: a remote that was fetched from has this state. `local`: none is known to. `remote`: only a remote has it. */
  where: `local` | `pushed` | `remote` | `unstored`;
  remote?: string;
};

export async function knownSessions(project: Project, store: SessionStore): Promise<{sessions: Array<KnownSession>; problems: Array<Problem>}> {
  const {sessions: stored, problems} = await storedSessions(store);
  const pushed = await pushedTo(store, stored.flatMap(({newest, copies, others}) => [newest, ...copies, ...others]));
  const byId = new Map<string, KnownSession>();
  for (const one of stored) {
    const known = fromStore(one, pushed);
    // Most were stored by one clone only; of the others the records tell.
    const forks = one.others.length === 0 ? [] : await forksOf(store, one).catch((error: Error) => {
      problems.push({ref: one.newest.ref, code: `BAD_DATA`, message: error.message});
      return [];
    });
    byId.set(one.session, forks.length > 1 ? {...known, forks} : known);
  }
  for (const checkpoint of await project.checkpoints.list()) {
    const known = byId.get(checkpoint.session);
    if (known !== undefined)
      Object.assign(known, {checkpoint, title: titleIn(checkpoint) ?? known.title, updated: checkpoint.updated ?? known.updated, ...checkpoint.lineage !== undefined ? {lineage: checkpoint.lineage} : {}});
    else if (checkpoint.cleanedAt === undefined)
      byId.set(checkpoint.session, fromCheckpoint(checkpoint));
  }
  return {sessions: [...byId.values()].sort((a, b) => (a.updated ?? ``) < (b.updated ?? ``) ? 1 : -1), problems};
}

/** Where a session was left by one that goes on from it; records count from 0, as `show --text` has them. */
export function leftAt({seq}: Lineage): string {
  return seq === 0 ? `from its begin` : `after its record ${seq - 1}`;
}

function fromStore(stored: StoredSession, pushed: Map<string, string>): KnownSession {
  const {newest, others} = stored;
  const {header} = newest;
  const copies = [newest, ...stored.copies, ...others];
  // What others have stored, and this clone's ref holds as well, is no work of this clone.
  const own = copies.find(copy => copy.remote === undefined && copy.via === undefined);
  const remote = own === undefined ? newest.remote : pushed.get(own.ref);
  return {
    session: stored.session, stored, agent: header.agent.id, records: recordCount(header),
    ...header.title !== undefined ? {title: header.title} : {},
    ...header.branch !== undefined ? {branch: header.branch} : {},
    ...header.commit !== undefined ? {commit: header.commit} : {},
    ...header.dirty !== undefined ? {dirty: header.dirty} : {},
    ...header.updated !== undefined ? {updated: header.updated} : {},
    ...header.lineage !== undefined ? {lineage: header.lineage} : {},
    where: own === undefined ? `remote` : remote === undefined ? `local` : `pushed`,
    ...remote !== undefined ? {remote} : {},
  };
}

function fromCheckpoint(checkpoint: Checkpoint): KnownSession {
  return {
    session: checkpoint.session, checkpoint, agent: checkpoint.agent, where: `unstored`,
    records: checkpoint.files.find(file => file.stream === `main`)?.seq ?? 0,
    ...optional(`title`, titleIn(checkpoint)),
    ...checkpoint.branch !== undefined ? {branch: checkpoint.branch} : {},
    ...checkpoint.updated !== undefined ? {updated: checkpoint.updated} : {},
    ...checkpoint.lineage !== undefined ? {lineage: checkpoint.lineage} : {},
  };
}

function optional<K extends string>(key: K, value: string | undefined): {[key in K]?: string} {
  return value === undefined ? {} : {[key]: value} as {[key in K]?: string};
}

/**
 * The one session that `given` is the beginning of, or with `~` and the begin of a fork's name (or of its author's or its
 * machine's), that fork of it; otherwise an error that names the candidates.
 */
export function chooseSession(sessions: Array<KnownSession>, given: string): KnownSession {
  const at = given.indexOf(`~`);
  return at === -1 ? chooseById(sessions, given) : chooseFork(chooseById(sessions, given.slice(0, at)), given.slice(at + 1));
}

/** The session as that fork of it has it. */
export function chooseFork(session: KnownSession, given: string): KnownSession {
  const wanted = given.toLowerCase();
  const {forks, stored} = session;
  const matches = (forks ?? []).filter(({name, writers}) => wanted !== `` && (name.startsWith(wanted) || writers.includes(wanted)));
  const named = matches.length > 0 ? matches : (forks ?? []).filter(({state: {header}}) => [header.author?.name, header.author?.email, header.machine].some(one => wanted !== `` && one?.toLowerCase().startsWith(wanted) === true));
  if (named.length !== 1)
    throw new CommandError(`UNKNOWN_FORK`, forks === undefined ? `Session ${session.session.slice(0, 8)} has no forks: every clone has the same of it.` : `${safe(given, {width: 80})} names ${named.length === 0 ? `none` : `several`} of the forks of ${session.session.slice(0, 8)}:\n${describeForks(session).join(`\n`)}`);
  const [fork] = named as [Fork];
  const {header} = fork.state;
  return {
    ...session, fork, records: recordCount(header), stored: {...stored!, newest: fork.state, others: []},
    ...optional(`title`, header.title), ...optional(`branch`, header.branch), ...optional(`commit`, header.commit), ...optional(`updated`, header.updated),
    ...header.lineage !== undefined ? {lineage: header.lineage} : {},
  };
}

/** Which of the forks is meant is never guessed; `how` says how to name one. */
export function forked(session: KnownSession, how: string) {
  return new CommandError(`FORKED`, `Session ${session.session.slice(0, 8)} went on in ${session.forks!.length} ways. Say which with ${how}:\n${describeForks(session).join(`\n`)}`);
}

/** A line a fork: name, who, where, how much of its own. */
export function describeForks({session, forks}: Pick<KnownSession, `session` | `forks`>): Array<string> {
  return (forks ?? []).map(({name, since, state: {header}}) => {
    const who = [header.author?.name && `by ${safe(header.author.name, {width: 40})}`, header.machine && `on ${safe(header.machine, {width: 40})}`].filter(Boolean).join(` `);
    return `  ${session.slice(0, 8)}~${name}  ${who}: ${recordCount(header) - since} records of its own after the common ${since}${header.updated ? `, ${safe(header.updated, {width: 24})}` : ``}`;
  });
}

function chooseById(sessions: Array<KnownSession>, given: string): KnownSession {
  if (!looksLikeId(given))
    throw new CommandError(`BAD_SESSION_ID`, `${safe(given)} is no session id, nor the beginning of one.`);
  const candidates = byPrefix(sessions, given);
  if (candidates.length === 1)
    return candidates[0]!;
  if (candidates.length === 0)
    throw new CommandError(`UNKNOWN_SESSION`, `No session that is known here has an id that begins with ${safe(given)}. \`session-sync list\` shows them; \`session-sync pull\` fetches those of others.`);
  throw new CommandError(`AMBIGUOUS_SESSION`, `${safe(given)} begins several ids:\n${candidates.map(({session, title}) => `  ${session}  ${safe(title ?? ``, {width: 60})}`).join(`\n`)}`);
}

/** `codex → codex resume <id> (47 records)` and what was reduced, or why it stopped. */
export async function describeMirror(mirror: MirrorState): Promise<string> {
  const adapter = agentById(mirror.agent);
  const earlier = mirror.previous.map(({id, reason}) => `; ${adapter?.target?.resumeCommand(id) ?? id} was left alone: ${reason}`).join(``);
  if (adapter?.target === undefined)
    return `${mirror.agent} → not known to this version of session-sync`;
  if (mirror.size === 0)
    return `${mirror.agent} → ${mirror.stopped ?? mirror.note ?? `nothing written yet`}${earlier}`;

  const lost = summarise(mirror.report);
  const state = mirror.stopped ?? said(await inspectMirror(adapter.target, mirror).catch(() => `same` as const), adapter.name) ?? mirror.note;
  return `${mirror.agent} → ${adapter.target.resumeCommand(mirror.id)} (${mirror.records} records)${lost ? `; ${safe(lost)}` : ``}${state ? `; ${safe(state)}` : ``}${earlier}`;
}

function said(judgement: Awaited<ReturnType<typeof inspectMirror>>, name: string) {
  switch (judgement) {
    case `continued`: return `continued in ${name}: no longer appended to, the next change starts a new mirror`;
    case `changed`:   return `${name} rewrote it: no longer appended to, the next change starts a new mirror`;
    case `gone`:      return `its file is gone (deleted or archived)`;
    default:          return undefined;
  }
}
