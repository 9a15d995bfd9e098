import {sessionIdFor}                   from '../../interchange/index.ts';
import type {Json}                      from '../../interchange/index.ts';
import {isGone}                         from '../../system/files.ts';
import {firstLineOf}                    from '../families/rehome.ts';
import {isObject, objectAt, stringAt}   from '../values.ts';
import type {RehomeAdapter, RehomeStep, Stray} from '../types.ts';

import {resumeIn}                       from './register.ts';
import {headOf, rolloutsIn}             from './segments.ts';
import {AGENT}                          from './sessions.ts';

/**
 * Codex lists a session for the folder that its state database names, which is that of the first line unless the session
 * was opened elsewhere (0.169.0). The line is told of the new folder, and stays as long as it was: the database, and files
 * that go on from this one, count its bytes.
 */
export const rehome: RehomeAdapter = {
  async plan(machine, {path: file, nativeId}, to) {
    const steps: Array<RehomeStep> = [];
    for (const rollout of await rolloutsIn(machine)) {
      const head = rollout.thread === nativeId ? await metaLine(rollout.path) : null;
      const after = head === null ? null : withFolder(head, to);
      if (head !== null && after === null)
        throw new Error(`the new name is too long for the first line of ${rollout.path}`);
      if (after !== null && after !== head)
        steps.push({do: `edit`, path: rollout.path, before: head!, after});
    }
    return {path: file, steps};
  },

  settle: async (machine, {nativeId}, to) => await resumeIn(machine, nativeId, to),

  async strays(machine) {
    const strays: Array<Stray> = [];
    for (const {path: file, thread} of await rolloutsIn(machine)) {
      const head = await headOf(file);
      if (head?.cwd === undefined || head.sub || !await isGone(head.cwd))
        continue;
      const git = objectAt(metaOf(await metaLine(file) ?? ``), `git`);
      const [origin, commit] = [stringAt(git, `repository_url`), stringAt(git, `commit_hash`)];
      strays.push({
        agent: AGENT, nativeId: thread, session: sessionIdFor(AGENT, thread), path: file, cwd: head.cwd, size: head.size, mtimeMs: head.mtimeMs,
        git: {...origin === undefined ? {} : {origin}, ...commit === undefined ? {} : {commit}},
      });
    }
    return strays;
  },
};

/** The same line for another folder, with as many bytes; null where it has no room for the name. The same text where it names the folder already. */
export function withFolder(line: string, to: string): string | null {
  const meta = metaOf(line);
  const from = stringAt(meta, `cwd`);
  if (from === undefined || from === to)
    return line;

  const named = line.replace(`"cwd":${JSON.stringify(from)}`, () => `"cwd":${JSON.stringify(to)}`);
  const roots = JSON.stringify([from]);
  const whole = named.replace(`"runtime_workspace_roots":${roots}`, () => `"runtime_workspace_roots":${JSON.stringify([to])}`);
  // Without the roots they are the folder; what the line says of git is for people.
  const bare = named.replace(`,"runtime_workspace_roots":${roots}`, ``);
  const git = objectAt(meta, `git`);
  const shortest = git === undefined ? bare : bare.replace(`,"git":${JSON.stringify(git)}`, ``);
  for (const text of [whole, bare, shortest]) {
    const room = Buffer.byteLength(line) - Buffer.byteLength(text);
    if (room >= 0 && stringAt(metaOf(text), `cwd`) === to)
      return text.replace(/\}$/, () => `${` `.repeat(room)}}`);
  }
  return null;
}

function metaOf(line: string) {
  try {
    const value = JSON.parse(line) as Json;
    return isObject(value) && value.type === `session_meta` ? objectAt(value, `payload`) : undefined;
  } catch {
    return undefined;
  }
}

async function metaLine(file: string): Promise<string | null> {
  const line = await firstLineOf(file);
  return line === null || metaOf(line) === undefined ? null : line;
}
