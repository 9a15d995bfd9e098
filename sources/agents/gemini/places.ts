import {lstat, mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path                                         from 'node:path';

import {isCode, readIfThere}                        from '../../system/files.ts';
import type {Machine}                               from '../types.ts';

/** Names the folder of a project that Gemini keeps for it, from inside (0.61.0). */
const MARKER = `.project_root`;

/** Where a session without a known beginning is filed: its name must never depend on anything that can still change. */
const UNDATED = `2025-01-01T00:00:00.000Z`;

/** Root of Gemini's store. */
export function storeOf(machine: Pick<Machine, `env` | `home`>) {
  return path.join(path.resolve(machine.env.GEMINI_CLI_HOME || machine.home), `.gemini`);
}

/** Folders in which each project has one of its own, in the order in which Gemini looks. */
function basesOf(store: string) {
  return [path.join(store, `tmp`), path.join(store, `history`)];
}

export function chatsOf(store: string, slug: string) {
  return path.join(store, `tmp`, slug, `chats`);
}

/** When the session began, ISO 8601; a fixed time where that is not known. */
export function createdOf(created: string | undefined): string {
  const time = created === undefined ? NaN : Date.parse(created);
  const iso = Number.isNaN(time) ? UNDATED : new Date(time).toISOString();
  return /^\d{4}-/.test(iso) ? iso : UNDATED;
}

/**
 * Not the name that Gemini itself would give (it ends with the first eight characters of the id): each resume leaves an
 * empty second file of that name, and the next start deletes what ends like an empty one (0.61.0). The first eight stand
 * in it all the same: by them it knows the session that is open, and spares it.
 */
export function fileName(id: string, created: string | undefined): string {
  const minute = createdOf(created).slice(0, 16).replace(`:`, `-`);
  return `session-${minute}-${id.slice(0, 8)}-${id.slice(-8)}.jsonl`;
}

/** As Gemini names the folder of a project that it has not seen yet. */
export function slugify(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, `-`).replace(/-+/g, `-`).replace(/^-|-$/g, ``) || `project`;
}

/** A project's path as Gemini compares it. */
export function normalize(folder: string, platform: NodeJS.Platform): string {
  const resolved = path.resolve(folder);
  return platform === `win32` ? resolved.toLowerCase() : resolved;
}

/**
 * The folder name under which Gemini will look for the sessions of `cwd`, by its own rules: the registry where the markers
 * agree, else a marker that names the project, else the first name that nobody has. Changes nothing.
 */
export async function slugFor(machine: Machine, cwd: string): Promise<string> {
  const store = storeOf(machine);
  const project = normalize(cwd, machine.platform);
  const registry = await readRegistry(store);
  const known = registry[project];
  if (known !== undefined && await isFree(machine, store, known, project))
    return known;

  const marked = await findMarked(machine, store, project);
  if (marked !== undefined)
    return marked;

  const base = slugify(path.basename(project) || `project`);
  const taken = new Set(Object.entries(registry).filter(([folder]) => folder !== project).map(([, slug]) => slug));
  for (let copy = 0; ; copy++) {
    const slug = copy === 0 ? base : `${base}-${copy}`;
    if (!taken.has(slug) && await isFree(machine, store, slug, project))
      return slug;
  }
}

/** Puts the markers that Gemini would put, never over another's. False: the name belongs to another project. */
export async function claim(machine: Machine, slug: string, cwd: string): Promise<boolean> {
  const store = storeOf(machine);
  const project = normalize(cwd, machine.platform);
  if (!await isFree(machine, store, slug, project))
    return false;

  for (const base of basesOf(store)) {
    await mkdir(path.join(base, slug), {recursive: true, mode: 0o700});
    try {
      await writeFile(path.join(base, slug, MARKER), project, {flag: `wx`, mode: 0o600});
    } catch (error) {
      if (!isCode(error, `EEXIST`))
        throw error;
    }
  }
  return await isFree(machine, store, slug, project);
}

/** The project that a folder of the store belongs to; undefined where no marker and no entry of the registry says so. */
export async function projectOf(store: string, slug: string): Promise<string | undefined> {
  for (const base of basesOf(store)) {
    const owner = await readMarker(base, slug);
    if (owner)
      return owner;
  }
  return Object.entries(await readRegistry(store)).find(([, other]) => other === slug)?.[0];
}

async function isFree(machine: Machine, store: string, slug: string, project: string) {
  for (const base of basesOf(store)) {
    const owner = await readMarker(base, slug);
    if (owner === null || (owner !== undefined && normalize(owner, machine.platform) !== project))
      return false;
  }
  return true;
}

async function findMarked(machine: Machine, store: string, project: string): Promise<string | undefined> {
  for (const base of basesOf(store)) {
    // In the order of the disk, as Gemini takes them.
    for (const slug of await readdir(base).catch(() => [] as Array<string>)) {
      const owner = await readMarker(base, slug);
      if (owner && normalize(owner, machine.platform) === project)
        return slug;
    }
  }
  return undefined;
}

/** Undefined: there is none. Null: there is one, and it cannot be read. */
async function readMarker(base: string, slug: string): Promise<string | null | undefined> {
  try {
    return (await readFile(path.join(base, slug, MARKER), `utf8`)).trim();
  } catch (error) {
    return isCode(error, `ENOENT`, `ENOTDIR`) ? undefined : null;
  }
}

/** Names by project. Gemini takes a registry with anything odd in it for an empty one. */
export async function readRegistry(store: string): Promise<{[project: string]: string}> {
  let value: unknown;
  try {
    value = JSON.parse(await readIfThere(path.join(store, `projects.json`)) ?? `{}`);
  } catch {
    return {};
  }

  const projects = (value as {projects?: unknown} | null)?.projects;
  if (projects === null || typeof projects !== `object` || Array.isArray(projects))
    return {};
  const sound = Object.values(projects).every(slug => typeof slug === `string` && /^[a-z0-9-]+$/.test(slug));
  return sound ? projects as {[project: string]: string} : {};
}

/** Folders of projects in the store, sorted. Links are left out: they lead to what is not Gemini's. */
export async function slugsIn(store: string): Promise<Array<string>> {
  const names = await readdir(path.join(store, `tmp`)).catch(() => [] as Array<string>);
  const slugs: Array<string> = [];
  for (const name of names.sort())
    if (await lstat(path.join(store, `tmp`, name)).then(info => info.isDirectory(), () => false))
      slugs.push(name);
  return slugs;
}
