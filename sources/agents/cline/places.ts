import path            from 'node:path';

import {deriveId}      from '../../interchange/index.ts';
import type {Machine}  from '../types.ts';

export const AGENT = `cline`;
/** Version whose real program read what is written here, and wrote what is read. */
export const PROVEN = `3.0.65`;

/** Its own ids are `<milliseconds>_<5 characters>`; it takes others (3.0.65). */
const NATIVE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Folder of its data: `sessions/<id>/<id>.json` and `<id>.messages.json`. */
export function storeOf(machine: Pick<Machine, `env` | `home`>) {
  const {CLINE_DATA_DIR, CLINE_DIR} = machine.env;
  return CLINE_DATA_DIR ? path.resolve(CLINE_DATA_DIR) : path.join(CLINE_DIR ? path.resolve(CLINE_DIR) : path.join(machine.home, `.cline`), `data`);
}

export function isNativeId(id: unknown): id is string {
  return typeof id === `string` && NATIVE_ID.test(id);
}

export function mirrorId(session: string, generation: number) {
  return deriveId(`mirror`, session, AGENT, generation);
}

export function sessionsOf(machine: Pick<Machine, `env` | `home`>) {
  const {CLINE_SESSION_DATA_DIR} = machine.env;
  return CLINE_SESSION_DATA_DIR ? path.resolve(CLINE_SESSION_DATA_DIR) : path.join(storeOf(machine), `sessions`);
}

/** The two documents of a session. */
export function documentsOf(sessions: string, id: string): {session: string; messages: string} {
  if (!isNativeId(id))
    throw new Error(`Assertion failed: ${JSON.stringify(id)} is no id of a Cline session`);
  const folder = path.join(sessions, id);
  return {session: path.join(folder, `${id}.json`), messages: path.join(folder, `${id}.messages.json`)};
}
