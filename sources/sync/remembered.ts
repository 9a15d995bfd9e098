import {readdir}                      from 'node:fs/promises';
import path                           from 'node:path';

import {isSafeId, stableJson}         from '../interchange/index.ts';
import {readIfThere, writeAtomic}     from '../system/files.ts';

import type {Project}                 from './project.ts';

/**
 * One file that a session was restored into: for which agent and folder, out of which commit, and how to go on there.
 * `size` and `tail`: how much of it is ours, and the hash of its end. `seq`: the next record of the session that it has not.
 * `writer`: the clone whose state of the session it was.
 */
export type Remembered = {
  agent: string; id: string; path: string; cwd: string; commit: string; command: string; records: number;
  size?: number; tail?: string; seq?: number; writer?: string;
};

/** Notes what was restored from which state, so that a person finds the command again. `replaced`: paths whose notes go. */
export async function remember(project: Project, session: string, fresh: Array<Remembered>, replaced: Array<string> = []) {
  const before = await recall(project, session);
  await writeAtomic(fileOf(project, session), stableJson({
    session,
    agents: [...before.filter(one => !replaced.includes(one.path) && !fresh.some(other => other.path === one.path)), ...fresh],
  }));
}

/** What was restored of a session in this clone, in the order of the first time; nothing where the note is lost or torn. */
export async function recall(project: Project, session: string): Promise<Array<Remembered>> {
  const text = await readIfThere(fileOf(project, session));
  try {
    const {agents} = JSON.parse(text ?? `{}`) as {agents?: unknown};
    return Array.isArray(agents) ? agents.filter(isRemembered) : [];
  } catch {
    return [];
  }
}

function isRemembered(value: unknown): value is Remembered {
  const one = value as {[key: string]: unknown} | null;
  return typeof one === `object` && one !== null && typeof one.records === `number`
    && [`agent`, `id`, `path`, `cwd`, `commit`, `command`].every(key => typeof one[key] === `string`);
}

/** Everything that was restored in this clone, by session. */
export async function recallAll(project: Project): Promise<Array<{session: string; agents: Array<Remembered>}>> {
  const names = await readdir(folderOf(project)).catch(() => []);
  const sessions = names.flatMap(name => name.endsWith(`.json`) && isSafeId(name.slice(0, -5)) ? [name.slice(0, -5)] : []).sort();
  return await Promise.all(sessions.map(async session => ({session, agents: await recall(project, session)})));
}

/** `session` is a checked id: it is a file name here. */
function fileOf(project: Project, session: string) {
  return path.join(folderOf(project), `${session}.json`);
}

function folderOf(project: Project) {
  return path.join(project.paths.folder, `restored`);
}
