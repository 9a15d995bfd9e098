import {recordCount}       from '../../restore/history.ts';

import type {KnownSession} from './overview.ts';

/** One session in the drawing: `prefix` is what stands before it, `├─ ` and the like. */
export type Branch<T> = {session: T; prefix: string};

/**
 * Sessions under those that they go on from, in the order given. A session whose parent is not among them stands alone; of
 * sessions that name one another as parents, which only a hostile store has, each still comes once.
 */
export function asTree<T extends {session: string; lineage?: {parent: string}}>(sessions: Array<T>): Array<Branch<T>> {
  const known = new Set(sessions.map(({session}) => session));
  const children = new Map<string, Array<T>>();
  const roots: Array<T> = [];
  for (const session of sessions) {
    const parent = session.lineage?.parent;
    if (parent === undefined || !known.has(parent) || parent === session.session)
      roots.push(session);
    else
      children.set(parent, [...children.get(parent) ?? [], session]);
  }

  const drawn = new Set<string>();
  const lines: Array<Branch<T>> = [];
  // A list of what is still to be drawn, since a chain of legs may be deeper than a stack.
  const waiting: Array<{session: T; first: string; rest: string}> = [];
  const draw = () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const {session, first, rest} = next;
      if (drawn.has(session.session))
        continue;
      drawn.add(session.session);
      lines.push({session, prefix: first});
      const below = children.get(session.session) ?? [];
      for (const [index, child] of [...below.entries()].reverse()) {
        const last = index === below.length - 1;
        waiting.push({session: child, first: `${rest}${last ? `└─ ` : `├─ `}`, rest: `${rest}${last ? `   ` : `│  `}`});
      }
    }
  };
  // Those in a circle have no root: they come after the others.
  for (const session of [...roots, ...sessions]) {
    waiting.push({session, first: ``, rest: ``});
    draw();
  }
  return lines;
}

/** A leg of a session: what one agent on one machine did of it. `label` names it, and is taken wherever a session is asked for. */
export type Leg = Pick<KnownSession, `session` | `agent` | `title` | `branch` | `commit` | `updated` | `records` | `where` | `remote` | `lineage`> & {
  label: string;
  author?: string;
  machine?: string;
};

/** All legs of the sessions. One that went on in several ways is a leg for each, under the session itself. */
export function legsOf(sessions: Array<KnownSession>): Array<Leg> {
  const forkOf = new Map<string, string>();
  for (const {session, forks} of sessions)
    for (const fork of forks ?? [])
      for (const writer of fork.writers)
        forkOf.set(`${session} ${writer}`, `${session}~${fork.name}`);

  return sessions.flatMap(known => {
    const {session, forks, stored, lineage} = known;
    const parent = lineage === undefined ? undefined : forkOf.get(`${lineage.parent} ${lineage.writer}`) ?? lineage.parent;
    const whole: Leg = {...known, label: session.slice(0, 8), ...lineage !== undefined ? {lineage: {...lineage, parent: parent!}} : {}, ...by(stored?.newest.header)};
    if (forks === undefined)
      return [whole];
    return [
      {...whole, records: Math.min(...forks.map(({since}) => since))},
      ...forks.map(({name, since, state}): Leg => ({
        ...known, ...by(state.header), session: `${session}~${name}`, label: `~${name}`, lineage: {parent: session, seq: since},
        records: recordCount(state.header), where: state.remote === undefined ? `local` : `remote`,
        ...pick(state.header),
      })),
    ];
  });
}

/** `47`; of a leg `39 + 8`: how many it has from where it comes, and how many of its own. */
export function describeRecords({records, lineage}: Pick<Leg, `records` | `lineage`>): string {
  return lineage === undefined || lineage.seq > records ? String(records) : `${lineage.seq} + ${records - lineage.seq}`;
}

/** A session that goes on from one that is not `known` here is no begin, though it stands where one would. */
export function fromElsewhere({session, lineage}: Pick<Leg, `session` | `lineage`>, known: Set<string>): string {
  const parent = lineage?.parent.split(`~`)[0];
  return parent === undefined || known.has(parent) || session.startsWith(`${parent}~`) ? `` : `(goes on from ${parent.slice(0, 8)}, not known here) `;
}

function by(header: {author?: {name: string}; machine?: string} | undefined) {
  return {...header?.author !== undefined ? {author: header.author.name} : {}, ...header?.machine !== undefined ? {machine: header.machine} : {}};
}

function pick({branch, commit, updated}: {branch?: string; commit?: string; updated?: string}) {
  return {...branch !== undefined ? {branch} : {}, ...commit !== undefined ? {commit} : {}, ...updated !== undefined ? {updated} : {}};
}
