import {isSafeId}                 from '../interchange/index.ts';
import type {SessionStore}        from '../store/index.ts';
import type {StoredHeader, StoredRef} from '../store/types.ts';

export type Stored = StoredRef & {header: StoredHeader};

/** One session as it is known here, whoever stored it. */
export type StoredSession = {
  session: string;
  /** The newest state. */
  newest: Stored;
  /** The same writer's state as other namespaces have it: here, or as last fetched from a remote. */
  copies: Array<Stored>;
  /** States by other writers, newest first. */
  others: Array<Stored>;
};

export type Problem = {ref: string; code: string; message: string};

/** All sessions in the local namespace and in what was fetched, newest first. */
export async function storedSessions(store: SessionStore): Promise<{sessions: Array<StoredSession>; problems: Array<Problem>}> {
  const {refs, problems} = await store.list();
  const grouped = new Map<string, Array<Stored>>();
  for (const ref of refs)
    grouped.set(ref.session, [...grouped.get(ref.session) ?? [], ref]);

  const sessions = [...grouped].map(([session, states]) => {
    const [newest, ...rest] = states.sort(byAge);
    return {
      session, newest: newest!,
      copies: rest.filter(other => other.writer === newest!.writer),
      others: rest.filter(other => other.writer !== newest!.writer),
    };
  });
  return {sessions: sessions.sort((a, b) => byAge(a.newest, b.newest)), problems};
}

/** Newest first; of the same time, the one with more, and then by name so that the order is the same everywhere. */
function byAge(a: Stored, b: Stored) {
  return compare(b.header.updated ?? ``, a.header.updated ?? ``)
    || b.header.sequence - a.header.sequence
    || compare(a.writer, b.writer)
    || compare(a.remote ?? ``, b.remote ?? ``);
}

function compare(a: string, b: string) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * What `given` means among some ids: the one that it is, or begins. Resolves the candidates, so that the caller can name
 * them when there are several, or none.
 */
export function byPrefix<T extends {session: string}>(sessions: Array<T>, given: string): Array<T> {
  const wanted = given.toLowerCase();
  const exact = sessions.filter(({session}) => session === wanted);
  return exact.length > 0 ? exact : sessions.filter(({session}) => session.startsWith(wanted));
}

/** Could this be (the beginning of) a session id at all? */
export function looksLikeId(given: string) {
  return /^[0-9a-z][0-9a-z-]*$/i.test(given) && (given.length < 8 || isSafeId(given.toLowerCase()) || given.endsWith(`-`));
}
