import {agents}                            from '../agents/index.ts';
import type {AgentAdapter, LocatedSession, Machine} from '../agents/types.ts';
import {isSafeId}                          from '../interchange/index.ts';

import {inspectMirror}                     from './inspect.ts';
import type {Origin, OwnPart}              from './origin.ts';
import {storedByUs}                        from './project.ts';
import type {Project}                      from './project.ts';
import {recallAll}                         from './remembered.ts';

/** How many mirrors of a session, one after the other, are known again when no note of them is left. */
const KNOWN_GENERATIONS = 4;

/** A session in an agent's store that we have written: of which session of ours, and how much of the file is ours. */
export type Own = {
  session: string;
  /** Next record of that session that the file has not. Absent where nobody noted it. */
  seq?: number;
  /** Clone whose state of that session it was. Absent: this one. */
  writer?: string;
  /** Absent: its note is lost. */
  file?: OwnPart;
  /** The agent has gone on with it. */
  givenUp?: boolean;
};

/**
 * What of the sessions in the agents' stores we have written ourselves: mirrors and restored sessions. They are no source
 * until the agent goes on with them; otherwise each mirror would be mirrored again.
 */
export class OwnSessions {
  private constructor(private readonly machine: Machine, private readonly known: Map<string, Own>) {}

  static async of(project: Project): Promise<OwnSessions> {
    const known = new Map<string, Own>();
    // Notes may be lost; what is in git was ours all the same.
    const sessions = new Set<string>(await storedByUs(project));
    for (const {session, mirrors} of await project.checkpoints.list()) {
      sessions.add(session);
      for (const {agent, id, path, size, tail, seq, previous} of mirrors) {
        known.set(keyOf(agent, id), {session, seq, file: {path, size, tail}});
        for (const {id: earlier, seq, path, size, tail} of previous)
          known.set(keyOf(agent, earlier), {session, givenUp: true, ...seq !== undefined ? {seq} : {}, ...path !== undefined && size !== undefined && tail !== undefined ? {file: {path, size, tail}} : {}});
      }
    }
    for (const {session, agents: restored} of await recallAll(project)) {
      sessions.add(session);
      for (const {agent, id, path, size, tail, seq, writer} of restored)
        if (!known.has(keyOf(agent, id)))
          known.set(keyOf(agent, id), {session, ...writer !== undefined ? {writer} : {}, ...seq !== undefined ? {seq} : {}, ...size !== undefined && tail !== undefined ? {file: {path, size, tail}} : {}});
    }
    const own = new OwnSessions(project.machine, known);
    own.expect(sessions);
    return own;
  }

  /** Mirrors of these sessions are ours, also where nobody noted them: in a clone that was made again. */
  expect(sessions: Iterable<string>) {
    for (const session of sessions)
      for (const {id, target} of agents)
        for (let generation = 0; target !== undefined && generation < KNOWN_GENERATIONS; generation++) {
          const key = keyOf(id, target.mirrorId(session, generation));
          if (!this.known.has(key))
            this.known.set(key, {session});
        }
  }

  /** Is it noted what of the session is ours? */
  isNoted(adapter: AgentAdapter, located: LocatedSession) {
    const own = this.known.get(keyOf(adapter.id, located.nativeId));
    return own?.file !== undefined || own?.givenUp === true;
  }

  /**
   * What a session of an agent is to us: `foreign`, the agent's own from its begin; `untouched`, ours alone; `continued`,
   * ours and gone on with, with where it left the session it came from.
   */
  async judge(adapter: AgentAdapter, located: LocatedSession): Promise<{state: `foreign` | `untouched`} | {state: `continued`; lineage?: Origin}> {
    const own = this.known.get(keyOf(adapter.id, located.nativeId));
    // A session that came back to the agent that it is of, under its own id, is not a copy of something else.
    const told = located.mirror ?? await adapter.source?.ownership?.(this.machine, located);
    if (own === undefined ? told === undefined : own.session === located.session)
      return {state: `foreign`};
    const state = told ?? (own === undefined || adapter.target === undefined ? `untouched` : await hasGoneOn(adapter, own, located));
    if (state === `untouched`)
      return {state};
    const lineage: Origin | undefined = own?.seq !== undefined && isSafeId(own.session) ? {
      parent: own.session, seq: own.seq, ...own.writer !== undefined ? {writer: own.writer} : {}, ...own.file !== undefined ? {file: own.file} : {},
    } : undefined;
    return {state, ...lineage !== undefined ? {lineage} : {}};
  }
}

async function hasGoneOn(adapter: AgentAdapter, own: Own, located: LocatedSession): Promise<`untouched` | `continued`> {
  if (own.givenUp === true)
    return `continued`;
  // Without a note: the next sync of the session that it mirrors finds it, and then there is one.
  if (own.file === undefined)
    return `untouched`;
  let state = await inspectMirror(adapter.target!, own.file);
  // The store has moved, with the home.
  if (state === `gone`)
    state = await inspectMirror(adapter.target!, {...own.file, path: located.path});
  return state === `continued` || state === `changed` ? `continued` : `untouched`;
}

function keyOf(agent: string, id: string) {
  return `${agent}/${id.toLowerCase()}`;
}
