import path                from 'node:path';

import {deriveId}          from '../../interchange/index.ts';
import type {Machine}      from '../types.ts';

export const AGENT = `copilot`;

/** Where a session without a known beginning begins: what was written once must never change. */
const UNDATED = `2025-01-01T00:00:00.000Z`;

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Root of Copilot's store. */
export function storeOf(machine: Pick<Machine, `env` | `home`>) {
  const configured = machine.env.COPILOT_HOME;
  return configured ? path.resolve(configured) : path.join(machine.home, `.copilot`);
}

export function sessionsOf(machine: Pick<Machine, `env` | `home`>) {
  return path.join(storeOf(machine), `session-state`);
}

/** The session's folder; `id` is checked, since it may come from outside. */
export function folderOf(machine: Pick<Machine, `env` | `home`>, id: string) {
  if (!isNativeId(id))
    throw new Error(`Assertion failed: ${JSON.stringify(id)} is no id of a session`);
  return path.join(sessionsOf(machine), id);
}

export function eventsOf(machine: Pick<Machine, `env` | `home`>, id: string) {
  return path.join(folderOf(machine, id), `events.jsonl`);
}

/** Copilot takes any folder's name for an id; only what is safe in a path is taken here. */
export function isNativeId(id: unknown): id is string {
  return typeof id === `string` && /^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$/.test(id);
}

/** A UUID, so that its first characters are enough to name it. */
export function mirrorId(session: string, generation: number) {
  return deriveId(`mirror`, session, AGENT, generation);
}

/** When the session began, as ISO 8601 in UTC; a fixed date where that is not known. */
export function createdOf(created: string | undefined): string {
  if (created === undefined || !DATE.test(created))
    return UNDATED;

  const time = new Date(created);
  return Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1970 || time.getUTCFullYear() > 9999 ? UNDATED : time.toISOString();
}
