import {rmdir}                                  from 'node:fs/promises';
import path                                     from 'node:path';

import type {Json, JsonObject}                  from '../../interchange/index.ts';
import {openRegular, readAt, readIfThere, removeIfThere, writeAtomic} from '../../system/files.ts';
import {isObject, numberAt, objectAt, stringAt} from '../values.ts';
import {stringify, titleOf}                                from '../families/text.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {folderOf}                               from './places.ts';

/** As much of the log as is read to find the first prompt. */
const HEAD = 256 << 10;

/**
 * Writes `state.json` beside the log: without it Kimi Code 2.1.0 neither lists nor finds a session. Once it is there it
 * is Kimi Code's as well, and only the time and a title of ours are brought up to date.
 */
export async function register(_machine: Machine, session: Pick<Registered, `id` | `path` | `cwd` | `title` | `updated`>): Promise<Registration> {
  const folder = folderOf(session.path);
  const file = path.join(folder, `state.json`);
  try {
    const text = await readIfThere(file);
    const known = text === null ? null : parse(text);
    if (text !== null && known === null)
      return {listed: false, note: `${file} cannot be understood; it is left alone`};

    const head = await readHead(session.path);
    const title = titleOf(session.title ?? head.prompt ?? ``).slice(0, 120) || `Session ${session.id}`;
    const next = known === null ? created(session, folder, title, head.created) : updated(known, session, title);
    const wanted = stringify(next);
    if (wanted !== text)
      await writeAtomic(file, wanted);
    return {listed: true};
  } catch (error) {
    return {listed: false, note: `Kimi Code's list does not show the session: ${(error as Error).message}`};
  }
}

/** What lies in the session's folder beside what we wrote is Kimi Code's, and stays. */
export async function withdraw(_machine: Machine, {path: wire}: Pick<Registered, `path`>): Promise<undefined> {
  const folder = folderOf(wire);
  await removeIfThere(path.join(folder, `state.json`));
  await removeIfThere(wire);
  for (const empty of [path.dirname(wire), path.dirname(path.dirname(wire)), folder])
    await rmdir(empty).catch(() => undefined);
}

/** As 2.1.0 writes it; `custom` is room for others, and Kimi Code keeps what stands there. */
function created(session: Pick<Registered, `id` | `cwd` | `updated`>, folder: string, title: string, time: number): JsonObject {
  return {
    id: session.id,
    version: 2,
    cwd: session.cwd,
    createdAt: time,
    updatedAt: updateOf(session) ?? time,
    archived: false,
    title,
    titleKind: `custom`,
    isCustomTitle: true,
    agents: {main: {homedir: path.join(folder, `agents`, `main`), type: `main`}},
    custom: {sessionSync: {title}},
  };
}

function updated(known: JsonObject, session: Pick<Registered, `updated`>, title: string): JsonObject {
  const time = updateOf(session);
  const later: JsonObject = time !== undefined && time > (numberAt(known, `updatedAt`) ?? 0) ? {updatedAt: time} : {};
  const custom = objectAt(known, `custom`);
  const ours = stringAt(objectAt(custom, `sessionSync`), `title`);
  // A title that a person has given it there stays.
  const named: JsonObject = ours !== undefined && ours === known.title && ours !== title ? {title, custom: {...custom, sessionSync: {title}}} : {};
  return {...known, ...later, ...named};
}

function updateOf({updated}: Pick<Registered, `updated`>): number | undefined {
  const time = updated === undefined ? NaN : Date.parse(updated);
  return Number.isNaN(time) ? undefined : time;
}

async function readHead(file: string): Promise<{created: number; prompt?: string}> {
  const handle = await openRegular(file);
  if (handle === null)
    throw new Error(`${file} is not there`);
  try {
    const text = (await readAt(handle, 0, HEAD)).toString(`utf8`);
    const lines = text.split(`\n`);
    const first = parse(lines[0]!);
    const prompt = lines.find(line => line.startsWith(`{"type":"turn.prompt"`));
    return {created: numberAt(first ?? undefined, `created_at`) ?? 0, ...prompt === undefined ? {} : {prompt: promptIn(prompt)}};
  } finally {
    await handle.close();
  }
}

/** The first prompt may be longer than what was read. */
function promptIn(line: string): string {
  const input = parse(line)?.input;
  if (Array.isArray(input))
    return input.flatMap(part => isObject(part) && typeof part.text === `string` ? [part.text] : []).join(` `);
  const cut = /"text":"((?:[^"\\]|\\.){1,400})/.exec(line)?.[1] ?? ``;
  try {
    return JSON.parse(`"${cut}"`) as string;
  } catch {
    return ``;
  }
}

function parse(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
