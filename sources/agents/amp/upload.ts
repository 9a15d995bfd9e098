import {cp, mkdir, mkdtemp, readFile, rm} from 'node:fs/promises';
import path                              from 'node:path';

import {deriveId}                        from '../../interchange/index.ts';
import {hashOf, writeAtomic}             from '../../system/files.ts';
import {findProgram}                     from '../../system/programs.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {handOff}                         from './handOff.ts';
import {AGENT, isThreadId}               from './places.ts';
import {runAmp}                          from './program.ts';

/** Amp waits itself when it is told that it asks too often, about one thread a second. */
const IMPORT_MS = 300_000;

type Answer = {type?: unknown; threadID?: unknown; threadURL?: unknown; code?: unknown; error?: unknown; message?: unknown};

/**
 * Uploads the session as a thread of Amp, with Amp's own importer for Claude Code's transcripts and the person's own
 * login; the thread is private. Where that is not possible the session becomes a document to begin a thread with.
 *
 * Amp takes each id once, whatever has become of the session since: the copy's name is a new one for each state of it.
 */
export async function register(machine: Machine, session: Registered): Promise<Registration> {
  const transcript = await readFile(session.path, `utf8`).catch(() => null);
  if (transcript === null)
    return {listed: false, note: `${session.path} is not there`};
  const binary = await findProgram(machine, `amp`);
  if (binary === undefined)
    return await fallBack(session, transcript, `amp is not on PATH here`);

  const copy = deriveId(`copy`, AGENT, session.id, hashOf(transcript));
  // Amp wants it below a folder of projects, and looks at its name only.
  const folder = await mkdtemp(path.join(machine.tmp, `session-sync-amp-`));
  try {
    await mkdir(path.join(folder, `projects`, `session`), {recursive: true, mode: 0o700});
    await cp(session.path, path.join(folder, `projects`, `session`, `${copy}.jsonl`));
    const {code, stdout, stderr} = await runAmp(machine, binary, [`threads`, `import`, `claude`, copy, `--claude-dir`, folder, `--visibility`, `private`, `--json`], {cwd: session.cwd, timeoutMs: IMPORT_MS});
    const answers = stdout.split(`\n`).flatMap(parse);
    const taken = answers.find(({type, threadID}) => (type === `imported` || type === `skipped`) && isThreadId(threadID));
    if (taken !== undefined)
      return {listed: true, note: NOT_REPLAYED, command: `amp -x ${quoted(`Continue the work of ${urlOf(taken)}. Read that thread first.`)}`};
    return await fallBack(session, transcript, reasonOf(answers) ?? (stderr.trim().split(`\n`).at(-1)! || `amp ended with ${code ?? `a time-out`}`));
  } catch (error) {
    return await fallBack(session, transcript, (error as Error).message);
  } finally {
    await rm(folder, {recursive: true, force: true});
  }
}

const NOT_REPLAYED = `a thread that is imported can be read, not gone on with: a new one that mentions it reads what it needs of its history`;

/** The document lies beside the journal, and is only the person's to read. */
async function fallBack(session: Registered, transcript: string, reason: string): Promise<Registration> {
  const document = session.path.replace(/\.jsonl$/, `.md`);
  try {
    await writeAtomic(document, handOff(transcript));
  } catch (error) {
    return {listed: false, note: `Amp did not take the session (${reason}), and ${document} could not be written: ${(error as Error).message}`};
  }
  return {
    listed: false,
    note: `Amp did not take the session: ${reason}. Nothing was uploaded; what can be handed over stands in a document`,
    command: `amp -x ${quoted(`Go on with the work that stands on standard input.`)} < ${quoted(document)}`,
  };
}

function reasonOf(answers: Array<Answer>): string | undefined {
  for (const {type, code, error, message} of answers) {
    if (code === `not-logged-in`)
      return `not logged in (\`amp login\`)`;
    if (code === `feature-disabled`)
      return `imports are switched off for this account`;
    if (type === `failed` || type === `error`)
      return [code, typeof error === `object` ? JSON.stringify(error) : error, message].filter(one => typeof one === `string`).join(`: `).slice(0, 300) || `refused`;
  }
  return undefined;
}

function urlOf({threadURL, threadID}: Answer): string {
  return typeof threadURL === `string` && /^https?:\/\/[^\s'"\\]{1,300}$/.test(threadURL) ? threadURL : String(threadID);
}

/** For a POSIX shell. */
function quoted(text: string) {
  return `'${text.replaceAll(`'`, `'\\''`)}'`;
}

function parse(line: string): Array<Answer> {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === `object` && value !== null ? [value as Answer] : [];
  } catch {
    return [];
  }
}
