import path              from 'node:path';

import {deriveId}        from '../../interchange/index.ts';
import type {Machine}    from '../types.ts';
import {createdOf}       from '../values.ts';

/** Root of Codex's store. */
export function storeOf(machine: Pick<Machine, `env` | `home`>) {
  const configured = machine.env.CODEX_HOME;
  return configured ? path.resolve(configured) : path.join(machine.home, `.codex`);
}

/** Codex refuses ids that are no UUID; `exec resume` even starts an empty thread for them. */
export function mirrorId(session: string, generation: number) {
  return deriveId(`mirror`, session, `codex`, generation);
}

/**
 * `sessions/YYYY/MM/DD/rollout-YYYY-MM-DDThh-mm-ss-<id>.jsonl` below the store, the only place and name that Codex lists.
 * It remembers the path by id, so a session must keep it for ever.
 */
export function rolloutPath(store: string, id: string, created: string | undefined): string {
  const [date, time] = createdOf(created).split(`T`) as [string, string];
  const [year, month, day] = date.split(`-`) as [string, string, string];
  const clock = time.slice(0, 8).replaceAll(`:`, `-`);

  return path.join(store, `sessions`, year, month, day, `rollout-${date}T${clock}-${id}.jsonl`);
}

/** The file whose `flock` says that a process has the session open. */
export function lockPath(store: string, id: string) {
  return path.join(store, `thread-writer-locks`, `${id}.lock`);
}
