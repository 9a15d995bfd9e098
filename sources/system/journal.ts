import path           from 'node:path';

import type {Machine} from '../agents/types.ts';

/**
 * Where files of ours lie that stand for a session of an agent which keeps none that only grows: `<agent>/<direction>/<id>.jsonl`
 * below the person's state folder. `in`: copied from the agent's store; `out`: on its way into it.
 */
export function journalPath(machine: Pick<Machine, `env` | `home`>, agent: string, direction: `in` | `out`, id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id))
    throw new Error(`Assertion failed: ${JSON.stringify(id)} cannot be a file's name`);
  return path.join(stateFolder(machine), agent, direction, `${id}.jsonl`);
}

/** The one folder of ours that lies outside of repositories: one for all of a person's projects. */
export function stateFolder({env, home}: Pick<Machine, `env` | `home`>) {
  const configured = env.XDG_STATE_HOME;
  return path.join(configured && path.isAbsolute(configured) ? configured : path.join(home, `.local`, `state`), `session-sync`);
}

/** Is it such a file? Then it is a copy, or a draft, of what the agent has. */
export function isJournal(machine: Pick<Machine, `env` | `home`>, file: string) {
  return file.startsWith(`${stateFolder(machine)}${path.sep}`);
}
