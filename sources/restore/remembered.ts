import path                           from 'node:path';

import {stableJson}                   from '../interchange/index.ts';
import {writeAtomic}                  from '../system/files.ts';
import type {Project}                 from '../sync/project.ts';

import type {Stored}                  from './choose.ts';
import type {Restored}                from './restore.ts';

/** Notes what was restored from which state, so that a person finds the command again. */
export async function remember(project: Project, stored: Stored, restored: Array<Restored>) {
  await writeAtomic(path.join(project.paths.folder, `restored`, `${stored.session}.json`), stableJson({
    session: stored.session,
    commit: stored.commit,
    cwd: project.root,
    agents: restored.map(({agent, id, path: file, command, records}) => ({agent, id, path: file, command, records})),
  }));
}
