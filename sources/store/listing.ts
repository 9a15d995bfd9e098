import {fetchRefs, remoteRefs}           from './connection.ts';
import type {TransportOptions}          from './connection.ts';
import {readIndex, refOf}               from './discovery.ts';
import type {IndexEntry}                from './discovery.ts';
import {defaultRemote}                  from './facts.ts';
import type {MachineEnv}                from './git.ts';
import {TRACKING_REFS, parseIndexRef, parseSessionRef, trackingRef} from './layout.ts';
import {CatFile}                        from './objects.ts';
import type {StoreProblem}              from './store.ts';
import type {Repository, StoredHeader}  from './types.ts';

/**
 * What a remote has, newest first, without fetching a transcript: only the small indexes are transferred. One entry a
 * session, its newest. Sessions that plain git pushed without an index are in `problems`.
 */
export async function remoteSessions(repo: Repository, env: MachineEnv, name: string, options: Omit<TransportOptions, `remote`> = {}): Promise<{sessions: Array<StoredHeader>; problems: Array<StoreProblem>}> {
  const remote = await defaultRemote(repo, env, name);
  const theirs = await remoteRefs(repo, env, remote, options);
  const reader = new CatFile(repo, env);
  try {
    const prefix   = `${TRACKING_REFS}${remote}/index/`;
    const known    = new Map((await reader.refs([prefix])).map(({ref, oid}) => [ref, oid]));
    const indexes  = [...theirs].filter(([ref]) => parseIndexRef(ref));
    if (indexes.some(([ref, oid]) => known.get(trackingRef(remote, ref)) !== oid))
      await fetchRefs(repo, env, remote, `+refs/session-sync/index/*:${prefix}*`, options);

    const listed = new Map<string, IndexEntry>();
    const problems: Array<StoreProblem> = [];
    for (const [ref, commit] of indexes) {
      const read = await readIndex(reader, ref, commit, parseIndexRef(ref)!.writer).catch((error: Error & {code?: string}) => ({
        entries: [], problems: [{ref, code: error.code ?? `BAD_DATA`, message: error.message}],
      }));
      problems.push(...read.problems);
      for (const entry of read.entries)
        listed.set(refOf(entry), entry);
    }

    const sessions = new Map<string, StoredHeader>();
    for (const ref of theirs.keys()) {
      if (parseIndexRef(ref))
        continue;

      const header = listed.get(ref)?.header;
      const known  = header && sessions.get(header.session);
      if (!parseSessionRef(ref))
        problems.push({ref, code: `UNSAFE_NAME`, message: `not the name of a session`});
      else if (header === undefined)
        problems.push({ref, code: `MISSING_OBJECT`, message: `it was pushed without an entry in the index: session-sync pull brings it`});
      else if (known === undefined || isNewer(header, known))
        sessions.set(header.session, header);
    }

    return {sessions: [...sessions.values()].sort((a, b) => isNewer(a, b) ? -1 : 1), problems};
  } finally {
    await reader.close();
  }
}

function isNewer(a: StoredHeader, b: StoredHeader) {
  const [left, right] = [a.updated ?? ``, b.updated ?? ``];
  return left === right ? a.session === b.session ? a.sequence > b.sequence : a.session < b.session : left > right;
}
