import {createHash}    from 'node:crypto';
import path            from 'node:path';

import {deriveId}      from '../../interchange/index.ts';
import type {Machine}  from '../types.ts';

export const AGENT = `kimi`;
/** Version whose real program read what is written here, and wrote what is read. */
export const PROVEN = `2.1.0`;

const NATIVE_ID = /^session_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function storeOf(machine: Pick<Machine, `env` | `home`>) {
  const configured = machine.env.KIMI_CODE_HOME;
  return configured ? path.resolve(configured) : path.join(machine.home, `.kimi-code`);
}

/** `wd_<name>_<12 hex digits of SHA-256>`: the folder below `sessions/` for a working folder (2.1.0). */
export function folderKey(cwd: string) {
  const normal = cwd.replaceAll(`\\`, `/`).replace(/\/+$/, ``);
  const name = normal.split(`/`).pop() ?? normal;
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, `-`).replaceAll(/^-+|-+$/g, ``).slice(0, 40).replaceAll(/^-+|-+$/g, ``);
  const shown = slug === `` || slug === `.` || slug === `..` ? `workspace` : slug;
  return `wd_${shown}_${createHash(`sha256`).update(normal).digest(`hex`).slice(0, 12)}`;
}

export function isNativeId(id: unknown): id is string {
  return typeof id === `string` && NATIVE_ID.test(id);
}

export function mirrorId(session: string, generation: number) {
  return `session_${deriveId(`mirror`, session, AGENT, generation)}`;
}

export function sessionFolder(store: string, cwd: string, id: string) {
  if (!isNativeId(id))
    throw new Error(`Assertion failed: ${JSON.stringify(id)} is no id of a Kimi Code session`);
  return path.join(store, `sessions`, folderKey(cwd), id);
}

export function wirePath(store: string, cwd: string, id: string) {
  return path.join(sessionFolder(store, cwd, id), `agents`, `main`, `wire.jsonl`);
}

/** Folder of a session, by the path of its main log. */
export function folderOf(wire: string) {
  return path.dirname(path.dirname(path.dirname(wire)));
}
