import path            from 'node:path';

import type {Machine}  from '../types.ts';

import {runtimeOf}     from './settings.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Names of session files that 0.24.4 looks at. */
const FILE = /^([0-9a-fA-F-]{32,36})\.jsonl$/;

/**
 * Name of a working folder below `projects/`: every UTF-16 unit outside `[A-Za-z0-9]` becomes a dash, and on Windows
 * letters become small first (0.24.4). Other folders may get the same name: each session says its own.
 */
export function slugOf(folder: string, platform: NodeJS.Platform) {
  return (platform === `win32` ? folder.toLowerCase() : folder).replace(/[^A-Za-z0-9]/g, `-`);
}

export function projectFolder(machine: Machine, cwd: string) {
  return path.join(runtimeOf(machine, cwd), `projects`, slugOf(cwd, machine.platform));
}

export function chatPath(machine: Machine, cwd: string, id: string) {
  return path.join(projectFolder(machine, cwd), `chats`, `${id}.jsonl`);
}

/** The session that a file of this name holds. */
export function idOfFile(name: string): string | undefined {
  return FILE.exec(name)?.[1];
}

export function isUuid(id: unknown): id is string {
  return typeof id === `string` && UUID.test(id);
}

/** A name that may stand in a path of ours. */
export function isSafeName(name: string) {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(name);
}

/** Folder of a session's sub-agents, by the path of its file. */
export function sideFolder({path: file, nativeId}: {path: string; nativeId: string}) {
  return path.join(path.dirname(path.dirname(file)), `subagents`, nativeId.replace(/[^a-zA-Z0-9_-]/g, `_`));
}
