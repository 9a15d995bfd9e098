import {stat}                        from 'node:fs/promises';
import path                          from 'node:path';

import {readIfThere, removeIfThere, sizeOf, writeAtomic} from '../system/files.ts';

import {repositoryAt}                from './folders.ts';
import type {Project, StatePaths}    from './project.ts';

/** A session at work: when its transcript changed last (seconds since 1970), whether a turn was running then, and its working tree. */
type Present = {at: number; running: boolean; session: string; root: string};

/** The file is written again when this much has passed: a transcript grows several times a second. */
const STEP_S = 5;
const KEPT_S = 86_400;

/** Read by `git-hook.sh`, which has no Node: a line each, the folder last since it may have blanks. */
function livePath(paths: StatePaths) {
  return path.join(paths.folder, `live`);
}

/** The file is there while somebody wants it. */
export async function keepPresent(paths: StatePaths, wanted: boolean) {
  if (!wanted)
    await removeIfThere(livePath(paths));
  else if (await sizeOf(livePath(paths)) < 0)
    await writeAtomic(livePath(paths), ``);
}

/** Notes that a session is at work, where that is wanted. For whoever has the project's lock. */
export async function notePresent(project: Project, {session, transcript, cwd, running}: {session: string; transcript: string; cwd: string | undefined; running: boolean}) {
  const file = livePath(project.paths);
  const text = await readIfThere(file);
  const info = text === null ? null : await stat(transcript).catch(() => null);
  if (text === null || info === null)
    return;
  const known = parse(text);
  const at = Math.floor(info.mtimeMs / 1000);
  const before = known.find(one => one.session === session);
  if (before !== undefined && before.running === running && Math.abs(at - before.at) < STEP_S)
    return;
  const root = (await repositoryAt(project, cwd)).workTree ?? project.root;
  const newest = Math.max(at, ...known.map(one => one.at));
  const kept = [...known.filter(one => one !== before), {at, running, session, root}].filter(one => one.at > newest - KEPT_S && !one.root.includes(`\n`));
  await writeAtomic(file, kept.sort((a, b) => a.at - b.at).map(one => `${one.at} ${one.running ? `running` : `idle`} ${one.session} ${one.root}\n`).join(``));
}

function parse(text: string): Array<Present> {
  return text.split(`\n`).flatMap(line => {
    const match = /^(\d{1,12}) (running|idle) ([0-9a-z-]+) (.+)$/.exec(line);
    return match === null ? [] : [{at: Number(match[1]), running: match[2] === `running`, session: match[3]!, root: match[4]!}];
  });
}
