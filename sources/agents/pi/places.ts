import path              from 'node:path';

import {deriveId}        from '../../interchange/index.ts';
import type {Machine}    from '../types.ts';

export const AGENT = `pi`;

/** When a session without a known beginning began: its file's name must never depend on anything that can still change. */
const UNDATED = `2025-01-01T00:00:00.000Z`;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Where Pi keeps everything: sessions, settings, extensions. */
export function agentFolder({env, home}: Pick<Machine, `env` | `home`>): string {
  const configured = env.PI_CODING_AGENT_DIR;
  return configured ? path.resolve(home, expandHome(configured, home)) : path.join(home, `.pi`, `agent`);
}

/** Where Pi keeps the sessions of all projects, a folder each, when no other place is set. */
export function sessionsFolder(machine: Pick<Machine, `env` | `home`>): string {
  return path.join(agentFolder(machine), `sessions`);
}

/** The one folder for the sessions of all projects that PI_CODING_AGENT_SESSION_DIR names; it may be relative to the project. */
export function configuredFolder({env, home}: Pick<Machine, `env` | `home`>, fromSettings: string | undefined): string | undefined {
  const configured = env.PI_CODING_AGENT_SESSION_DIR || fromSettings;
  return configured ? expandHome(configured, home) : undefined;
}

/** Name of a project's folder among the sessions (1.5.2): lossy, `/home/a-b` and `/home/a/b` share one. */
export function slugOf(folder: string): string {
  return `--${folder.replace(/^[/\\]/, ``).replace(/[/\\:]/g, `-`)}--`;
}

/** What the slugs of all folders below this one begin with. */
export function slugPrefix(folder: string): string {
  return `${slugOf(folder).slice(0, -2)}-`;
}

/** Folder for the sessions of a project. `configured`: see `configuredFolder`. */
export function projectFolder(machine: Pick<Machine, `env` | `home`>, cwd: string, configured: string | undefined): string {
  return configured === undefined ? path.join(sessionsFolder(machine), slugOf(cwd)) : path.resolve(cwd, configured);
}

/** As Pi names its own: the time that the session began, and its id. */
export function fileName(id: string, created: string | undefined): string {
  return `${createdOf(created).replace(/[:.]/g, `-`)}_${id}.jsonl`;
}

/** When the session began, as ISO 8601 in UTC; a fixed date where that is not known. */
export function createdOf(created: string | undefined): string {
  if (created === undefined || !DATE.test(created))
    return UNDATED;

  const time = new Date(created);
  return Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1970 || time.getUTCFullYear() > 9999 ? UNDATED : time.toISOString();
}

export function mirrorId(session: string, generation: number): string {
  return deriveId(`mirror`, session, AGENT, generation);
}

/** An id that Pi takes (1.5.2), and that may stand in a path of ours. */
export function isSessionId(id: unknown): id is string {
  return typeof id === `string` && id.length <= 128 && /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(id) && !id.includes(`..`);
}

export function isWithin(folder: string, parent: string): boolean {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}

function expandHome(folder: string, home: string): string {
  return folder === `~` ? home : folder.startsWith(`~/`) ? path.join(home, folder.slice(2)) : folder;
}
