import {stat}                    from 'node:fs/promises';
import path                      from 'node:path';

import {readIfThere, writeAtomic} from '../../../system/files.ts';
import {journalPath}             from '../../../system/journal.ts';
import {findProgram}             from '../../../system/programs.ts';
import type {Machine}            from '../../types.ts';

import {databasePath, isSessionId} from './places.ts';
import {query}                   from './program.ts';
import type {Variant}            from './variant.ts';

/** A session as the database lists it. Times in milliseconds. */
export type Row = {
  id: string;
  parent: string | null;
  directory: string;
  /** The folder below the project's own, and the project. */
  path: string;
  project: string;
  title: string;
  version: string;
  created: number;
  updated: number;
  /** Time of the newest message. */
  changed: number;
  /** We imported it. */
  imported: boolean;
  /** Messages, and how many of them have ids of ours. */
  messages: number;
  ours: number;
  /** Something was undone, and nothing said since. */
  reverted: boolean;
};

export type Overview = {database: string; signature: string; rows: {[id: string]: Row}};

const COLUMNS = [
  `s.id`, `s.parent_id as parent`, `s.directory`, `s.path`, `s.project_id as project`, `s.title`, `s.version`, `s.time_created as created`, `s.time_updated as updated`,
  `s.revert is not null as reverted`, `coalesce(s.metadata, '') like '%"sessionSync"%' as imported`,
  `(select count(*) from message m where m.session_id = s.id) as messages`,
  `(select count(*) from message m where m.session_id = s.id and m.id like 'msg\\_0000%' escape '\\') as ours`,
  `coalesce((select max(m.time_updated) from message m where m.session_id = s.id), 0) as changed`,
].join(`, `);

/**
 * All sessions, by one start of the program (2 s), and only when something has been written since the last time. Null
 * where there is no database, or no program to ask.
 */
export async function overview(machine: Machine, variant: Variant): Promise<Overview | null> {
  const database = databasePath(machine, variant);
  const signature = await signatureOf(database);
  const binary = await findProgram(machine, variant.program);
  if (signature === null || binary === undefined)
    return null;

  const known = await lastOverview(machine, variant);
  if (known?.database === database && known.signature === signature)
    return known;

  const rows = await query(machine, variant, binary, `select ${COLUMNS} from session s`);
  const next: Overview = {database, signature, rows: Object.fromEntries(rows.flatMap(row => isSessionId(row.id) ? [[row.id, rowOf(row)]] : []))};
  await writeAtomic(overviewPath(machine, variant), JSON.stringify(next));
  return next;
}

/** As it was when it was last asked for. */
export async function lastOverview(machine: Machine, variant: Variant): Promise<Overview | null> {
  return parse(await readIfThere(overviewPath(machine, variant)));
}

function overviewPath(machine: Machine, variant: Variant) {
  return path.join(path.dirname(journalPath(machine, variant.id, `in`, `x`)), `overview.json`);
}

/**
 * What changes when anything is written to the database. Each start of the program, also one that only reads, moves what
 * is in the log over into the main file: as long as there is a log, that file's time says nothing.
 */
export async function signatureOf(database: string): Promise<string | null> {
  for (const file of [`${database}-wal`, database]) {
    const info = await stat(file).catch(() => null);
    if (info !== null && (info.size > 0 || file === database))
      return `${path.basename(file)}:${info.size}:${info.mtimeMs}`;
  }
  return null;
}

function rowOf(row: {[column: string]: unknown}): Row {
  const text = (name: string) => typeof row[name] === `string` ? row[name] : ``;
  const number = (name: string) => typeof row[name] === `number` && Number.isFinite(row[name]) ? row[name] : 0;
  return {
    id: text(`id`), parent: typeof row.parent === `string` ? row.parent : null, directory: text(`directory`), path: text(`path`), project: text(`project`), title: text(`title`), version: text(`version`),
    created: number(`created`), updated: number(`updated`), changed: number(`changed`), messages: number(`messages`), ours: number(`ours`),
    imported: number(`imported`) === 1, reverted: number(`reverted`) === 1,
  };
}

function parse(text: string | null): Overview | null {
  try {
    const value = JSON.parse(text ?? `null`) as Overview | null;
    const isCurrent = (row: Row) => typeof row.path === `string` && typeof row.project === `string`;
    return typeof value?.signature === `string` && typeof value.rows === `object` && Object.values(value.rows).every(isCurrent) ? value : null;
  } catch {
    return null;
  }
}
