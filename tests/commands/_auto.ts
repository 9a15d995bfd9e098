import {existsSync, readFileSync, readdirSync} from 'node:fs';
import * as fs                                from 'node:fs/promises';
import path                                   from 'node:path';
import {setTimeout as sleep}                  from 'node:timers/promises';

import type {Person}                          from './_runCli.ts';

/** What is at work for this world's people beside us, by its process number: what git's hooks started, and what that started. */
export function working(world: string): Array<number> {
  return readdirSync(`/proc`).filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/environ`, `utf8`).includes(`HOME=${world}/`);
    } catch {
      return false;
    }
  });
}

/** Waits until nothing of it is at work any more. */
export async function settled(world: string, timeoutMs = 60_000) {
  // Twice: a process has no name for a moment while it becomes another program.
  for (let end = performance.now() + timeoutMs, looks = 0; performance.now() < end; await sleep(30)) {
    looks = working(world).length === 0 ? looks + 1 : 0;
    if (looks === 3)
      return;
  }
  throw new Error(`still at work: ${working(world).join(` `)}`);
}

export function stateFile(person: Person, name: string) {
  return path.join(person.repo, `.git`, `session-sync`, name);
}

export async function outcome(person: Person, kind: `push` | `pull`): Promise<{[key: string]: unknown} | null> {
  const file = stateFile(person, `auto-${kind}.json`);
  return existsSync(file) ? JSON.parse(await fs.readFile(file, `utf8`)) : null;
}

/** Session refs that a bare repository has. */
export async function sent(person: Person, remote: string): Promise<Array<string>> {
  return (await person.git(`--git-dir=${remote}`, `for-each-ref`, `--format=%(refname)`, `refs/session-sync/`)).split(`\n`).filter(ref => ref !== ``);
}

let count = 0;
/** A commit, so that there is something to push. */
export async function work(person: Person, text = `work`) {
  await fs.writeFile(path.join(person.repo, `work-${count += 1}.txt`), `${text}\n`);
  await person.git(`add`, `-A`);
  await person.git(`commit`, `-q`, `-m`, text);
}

/** Writes an executable script, with its folder. */
export async function script(file: string, text: string) {
  await fs.mkdir(path.dirname(file), {recursive: true});
  await fs.writeFile(file, text, {mode: 0o755});
}
