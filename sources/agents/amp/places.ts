import path           from 'node:path';
import {fileURLToPath} from 'node:url';

import {deriveId}     from '../../interchange/index.ts';
import type {Machine} from '../types.ts';

export const AGENT = `amp`;

/** Where Amp keeps what it keeps here; since April 2026 no threads (0.0.1790142911). */
export function dataFolder(machine: Pick<Machine, `env` | `home`>) {
  const configured = machine.env.XDG_DATA_HOME;
  return path.join(configured && path.isAbsolute(configured) ? configured : path.join(machine.home, `.local`, `share`), `amp`);
}

/** Threads of versions up to 0.0.1774569934 (2026-03-26), which kept them as files. */
export function threadsFolder(machine: Pick<Machine, `env` | `home`>) {
  return path.join(dataFolder(machine), `threads`);
}

/** Ids of threads as Amp makes them; anything else is no name for a file. */
export function isThreadId(id: unknown): id is string {
  return typeof id === `string` && /^T-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);
}

export function mirrorId(session: string, generation: number) {
  return deriveId(`mirror`, session, AGENT, generation);
}

/** The folder that a thread says it was in: `file:` URIs of its workspace; undefined where there is none. */
export function folderOf(uri: unknown): string | undefined {
  try {
    return typeof uri === `string` && uri.startsWith(`file://`) ? fileURLToPath(uri) : undefined;
  } catch {
    return undefined;
  }
}
