import path                           from 'node:path';

import {stableJson}                   from '../interchange/index.ts';
import {readIfThere, writeAtomic}     from '../system/files.ts';
import type {Project}                 from '../sync/project.ts';

import type {Stored}                  from './choose.ts';
import type {Restored}                from './restore.ts';

/** One file that a session was restored into: for which agent and folder, out of which commit, and how to go on there. */
export type Remembered = {agent: string; id: string; path: string; cwd: string; commit: string; command: string; records: number};

/** Notes what was restored from which state, so that a person finds the command again. */
export async function remember(project: Project, stored: Stored, restored: Array<Restored>) {
  const fresh = restored.map(({agent, id, path: file, command, records}): Remembered => ({agent, id, path: file, cwd: project.root, commit: stored.commit, command, records}));
  const before = await recall(project, stored.session);
  await writeAtomic(fileOf(project, stored.session), stableJson({
    session: stored.session,
    agents: [...before.filter(one => !fresh.some(other => other.path === one.path)), ...fresh],
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

/** `session` is a checked id: it is a file name here. */
function fileOf(project: Project, session: string) {
  return path.join(project.paths.folder, `restored`, `${session}.json`);
}
