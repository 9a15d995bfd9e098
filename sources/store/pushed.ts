import {isDeepStrictEqual}  from 'node:util';

import type {Stored}        from './read.ts';
import {notReachable}       from './refs.ts';
import type {SessionStore}  from './store.ts';
import {StoreError}         from './types.ts';

/**
 * For refs of the local namespace, by name: the remote that is known to have the state in full. It has the same commit,
 * or one that the local one only united with what others have stored.
 */
export async function pushedTo(store: SessionStore, states: Array<Stored>): Promise<Map<string, string>> {
  const remotes = new Map<string, Array<Stored>>();
  for (const state of states)
    if (state.remote !== undefined && state.via === undefined)
      remotes.set(keyOf(state), [...remotes.get(keyOf(state)) ?? [], state]);

  const found = new Map<string, string>();
  const asked: Array<{local: Stored; copy: Stored}> = [];
  for (const local of states.filter(({remote, via}) => remote === undefined && via === undefined)) {
    const copies = remotes.get(keyOf(local)) ?? [];
    const same   = copies.find(({commit}) => commit === local.commit);
    if (same !== undefined)
      found.set(local.ref, same.remote!);
    else
      asked.push(...copies.filter(({header}) => isDeepStrictEqual(header, local.header)).map(copy => ({local, copy})));
  }

  // That two headers are equal is what somebody says; that one commit is before the other is so.
  const missing = asked.length === 0 ? new Set() : await notReachable(store.repo, store.env, asked.map(({local, copy}) => ({commit: copy.commit, from: [local.commit]}))).catch(error => {
    if (error instanceof StoreError && error.code === `NO_GIT`)
      return new Set(asked.map(({copy}) => copy.commit));
    throw error;
  });
  for (const {local, copy} of asked)
    if (!found.has(local.ref) && !missing.has(copy.commit))
      found.set(local.ref, copy.remote!);

  return found;
}

function keyOf({session, writer}: Stored) {
  return `${session} ${writer}`;
}
