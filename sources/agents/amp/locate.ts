import {readFile, readdir, realpath, stat}  from 'node:fs/promises';
import path                                 from 'node:path';

import {sessionIdFor}                       from '../../interchange/index.ts';
import type {Json}                          from '../../interchange/index.ts';
import {findProgram}                        from '../../system/programs.ts';
import {journalPath}                        from '../../system/journal.ts';
import type {LocatedSession, Machine, SessionFile} from '../types.ts';
import {isObject, stringAt}                 from '../values.ts';

import {AGENT, isThreadId, threadsFolder}   from './places.ts';
import {runAmp}                             from './program.ts';
import {ThreadError, cwdOf, parseThread, refresh, writeJournal} from './thread.ts';
import type {Thread}                        from './thread.ts';

const EXPORT_MS = 120_000;
/** Lines of this much hold a journal's first one. */
const HEAD = 64 << 10;

/** Old local threads of these folders, and threads that were imported before. */
export async function locate(machine: Machine, folders: Array<string>): Promise<Array<LocatedSession>> {
  for (const name of (await readdir(threadsFolder(machine)).catch(() => [])).sort()) {
    const nativeId = name.replace(/\.json$/, ``);
    // One thread that cannot be read hides none of the others.
    if (isThreadId(nativeId) && name.endsWith(`.json`))
      await refresh(machine, {path: journalPath(machine, AGENT, `in`, nativeId), nativeId}).catch(() => undefined);
  }

  const journals = path.dirname(journalPath(machine, AGENT, `in`, `any`));
  const found: Array<LocatedSession> = [];
  for (const name of (await readdir(journals).catch(() => [])).sort()) {
    const nativeId = name.replace(/\.jsonl$/, ``);
    if (!isThreadId(nativeId))
      continue;
    const located = await look(path.join(journals, name), nativeId);
    if (located?.cwd !== undefined && await isWithin(located.cwd, folders))
      found.push(located);
  }
  return found;
}

/** A thread that Amp keeps on its server, brought here with the person's own login. Throws `ThreadError` where it is not to be had. */
export async function fetchThread(machine: Machine, nativeId: string, cwd: string): Promise<LocatedSession> {
  if (!isThreadId(nativeId))
    throw new ThreadError(`${nativeId} is no id of a thread: T- and a UUID`);
  const binary = await findProgram(machine, `amp`);
  if (binary === undefined)
    throw new ThreadError(`amp is not on PATH here`);
  const {code, stdout, stderr} = await runAmp(machine, binary, [`threads`, `export`, nativeId], {cwd, timeoutMs: EXPORT_MS});
  if (code !== 0)
    throw new ThreadError(`amp threads export ${nativeId}: ${stderr.trim().split(`\n`).at(-1)! || `ended with ${code ?? `a time-out`}`}`);

  const thread = parseThread(stdout);
  if (thread.id !== nativeId)
    throw new ThreadError(`Amp answered with another thread, ${thread.id}`);
  const file = await writeJournal(machine, inFolder(thread, cwd));
  return (await look(file, nativeId))!;
}

/** Who asks for a thread in a project wants it there, whatever folder it was begun in on some machine. */
function inFolder(thread: Thread, cwd: string): Thread {
  const uri = new URL(`file:///`);
  uri.pathname = cwd;
  return cwdOf(thread) === cwd ? thread : {...thread, env: {initial: {trees: [{uri: uri.href}]}}};
}

async function look(file: string, nativeId: string): Promise<LocatedSession | null> {
  const info = await stat(file).catch(() => null);
  if (info === null)
    return null;
  const [first] = (await readFile(file, `utf8`)).slice(0, HEAD).split(`\n`, 1);
  const head = parse(first!) as Json;
  const cwd = isObject(head) ? stringAt(head, `cwd`) : undefined;
  return {agent: AGENT, nativeId, session: sessionIdFor(AGENT, nativeId), path: file, ...cwd === undefined ? {} : {cwd}, size: info.size, mtimeMs: info.mtimeMs};
}

async function isWithin(cwd: string, folders: Array<string>) {
  const real = await realpath(cwd).catch(() => cwd);
  return folders.some(folder => real === folder || real.startsWith(`${folder}${path.sep}`));
}

export async function files({path: file}: {path: string}): Promise<Array<SessionFile>> {
  return [{name: path.basename(file), path: file, content: `records`, stream: `main`}];
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
