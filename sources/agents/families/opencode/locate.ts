import {readdir}                 from 'node:fs/promises';
import path                      from 'node:path';

import {sessionIdFor}            from '../../../interchange/index.ts';
import {isCode, readIfThere, sizeOf, writeAtomic} from '../../../system/files.ts';
import {journalPath}             from '../../../system/journal.ts';
import {findProgram}             from '../../../system/programs.ts';
import {objectAt, stringAt}      from '../../values.ts';
import type {LocatedSession, Machine, SessionFile} from '../../types.ts';

import {updateJournal}           from './journal.ts';
import {lastOverview, overview, signatureOf} from './overview.ts';
import type {Row}                from './overview.ts';
import {dataFolder, databasePath, isSessionId} from './places.ts';
import {complete, readSessions}  from './rows.ts';
import type {StoredMessage}      from './rows.ts';
import type {Variant}            from './variant.ts';

/** As many messages are read from the database at once. */
const BATCH = 2_000;
const MAIN = `session.jsonl`;

/** What the journal of a session was last compared with. */
type Checked = {database: string; signature: string; row?: string};

/** See `SourceAdapter.locate`. One start of the program for the list, and one for all sessions that have changed. */
export async function locate(machine: Machine, variant: Variant, folders: Array<string>): Promise<Array<LocatedSession>> {
  const all = await overview(machine, variant);
  if (all === null)
    return [];

  const rows = Object.values(all.rows).filter(({parent, directory}) => parent === null && folders.some(folder => isWithin(directory, folder)));
  const own = rows.filter(row => mirrorOf(row) !== `untouched` && row.messages > 0);
  const changed: Array<Row> = [];
  for (const row of own)
    if ((await checked(machine, variant, row.id))?.row !== rowMark(all.database, row))
      changed.push(row);
  for (const batch of batches(changed))
    await bringUp(machine, variant, batch.map(({id}) => id), all.signature, new Map(batch.map(row => [row.id, rowMark(all.database, row)])));

  const sessions: Array<LocatedSession> = [];
  for (const row of rows) {
    const file = journalPath(machine, variant.id, `in`, row.id);
    const size = await sizeOf(file);
    const mirror = mirrorOf(row);
    if (size <= 0 && mirror !== `untouched`)
      continue;
    sessions.push({
      agent: variant.id, nativeId: row.id, session: sessionIdFor(variant.id, row.id), path: file, cwd: row.directory,
      size: Math.max(size, 0), mtimeMs: Math.max(row.updated, row.changed), ...mirror === undefined ? {} : {mirror},
    });
  }
  return sessions.sort((a, b) => a.path < b.path ? -1 : 1);
}

function mirrorOf(row: Row): LocatedSession[`mirror`] {
  if (!row.imported && row.ours === 0)
    return undefined;
  return row.messages > row.ours || row.reverted ? `continued` : `untouched`;
}

/** See `SourceAdapter.ownership`. */
export async function ownership(machine: Machine, variant: Variant, {nativeId}: {nativeId: string}): Promise<LocatedSession[`mirror`]> {
  const row = (await overview(machine, variant))?.rows[nativeId];
  return row === undefined ? undefined : mirrorOf(row);
}

/** See `SourceAdapter.refresh`. Does nothing as long as nothing was written to the database. */
export async function refresh(machine: Machine, variant: Variant, {nativeId}: {nativeId: string}) {
  const database = databasePath(machine, variant);
  const signature = await signatureOf(database);
  if (signature === null || !isSessionId(nativeId))
    return;
  const known = await checked(machine, variant, nativeId);
  if (known?.database === database && known.signature === signature)
    return;

  // Many sessions are refreshed after one look at the list, which says that most of them have not changed.
  const list = await lastOverview(machine, variant);
  const row = list?.database === database && list.signature === signature ? list.rows[nativeId] : undefined;
  const mark = row === undefined ? undefined : rowMark(database, row);
  if (mark === undefined || known?.row !== mark)
    await bringUp(machine, variant, [nativeId], signature, new Map(mark === undefined ? [] : [[nativeId, mark]]));
}

async function bringUp(machine: Machine, variant: Variant, ids: Array<string>, signature: string, marks: Map<string, string>) {
  const binary = await findProgram(machine, variant.program);
  if (binary === undefined)
    throw new Error(`${variant.program} is not on PATH: only it can read its database`);

  const now = Date.now();
  const database = databasePath(machine, variant);
  const sessions = await readSessions(machine, variant, binary, ids);
  const children: Array<{id: string; file: string}> = [];
  for (const id of ids) {
    const stored = sessions.get(id);
    const file = journalPath(machine, variant.id, `in`, id);
    // A sub-agent's session is part of the one that asked for it.
    if (stored !== undefined && stored.parent === null) {
      const messages = complete(stored.messages, now);
      await updateJournal(machine, file, stored, messages);
      children.push(...await newChildren(messages, file));
      const whole = messages.length === stored.messages.length;
      const mark = whole ? marks.get(id) : undefined;
      await writeAtomic(checkedPath(file), JSON.stringify({database, signature: whole ? signature : ``, ...mark === undefined ? {} : {row: mark}}));
    }
  }
  if (children.length === 0)
    return;

  const found = await readSessions(machine, variant, binary, children.map(({id}) => id));
  for (const {id, file} of children)
    if (found.has(id))
      await updateJournal(machine, file, found.get(id)!, complete(found.get(id)!.messages, now));
}

/** Sub-agents that answers name, and whose work is not there yet; their journals lie in a folder beside the session's. */
async function newChildren(messages: Array<StoredMessage>, file: string): Promise<Array<{id: string; file: string}>> {
  const children = new Map<string, string>();
  for (const {parts} of messages) {
    for (const part of parts) {
      const state = part.tool === `task` ? objectAt(part, `state`) : undefined;
      const id = stringAt(objectAt(state, `metadata`), `sessionId`);
      if (isSessionId(id))
        children.set(id, path.join(sideFolder(file), `${id}.jsonl`));
    }
  }
  const missing: Array<{id: string; file: string}> = [];
  for (const [id, child] of children)
    if (await sizeOf(child) < 0)
      missing.push({id, file: child});
  return missing;
}

/** See `SourceAdapter.files`. */
export async function files(session: {path: string; nativeId: string}): Promise<Array<SessionFile>> {
  if (await sizeOf(session.path) < 0)
    return [];
  const side = sideFolder(session.path);
  const names = await readdir(side).catch(error => {
    if (isCode(error, `ENOENT`, `ENOTDIR`))
      return [];
    throw error;
  });
  const subs = names.flatMap(name => {
    const id = /^(.+)\.jsonl$/.exec(name)?.[1];
    return isSessionId(id) ? [{name: `subagents/${name}`, path: path.join(side, name), content: `records` as const, stream: `sub-${id}`}] : [];
  });
  return [{name: MAIN, path: session.path, content: `records`, stream: `main`}, ...subs.sort((a, b) => a.name < b.name ? -1 : 1)];
}

/** See `SourceAdapter.roots`. Outputs that are too long lie below the agent's own folder. */
export function roots(machine: Machine, variant: Variant): {[token: string]: string} {
  return {agent: dataFolder(machine, variant)};
}

function sideFolder(file: string) {
  return file.replace(/\.jsonl$/, ``);
}

function checkedPath(file: string) {
  return file.replace(/\.jsonl$/, `.checked.json`);
}

async function checked(machine: Machine, variant: Variant, id: string): Promise<Checked | null> {
  const file = journalPath(machine, variant.id, `in`, id);
  try {
    return await sizeOf(file) < 0 ? null : JSON.parse(await readIfThere(checkedPath(file)) ?? `null`) as Checked | null;
  } catch {
    return null;
  }
}

/** What changes in the list when a session does. */
function rowMark(database: string, {messages, changed, updated, title, reverted}: Row) {
  return JSON.stringify([database, messages, changed, updated, title, reverted]);
}

function * batches(rows: Array<Row>): Generator<Array<Row>> {
  let batch: Array<Row> = [];
  let messages = 0;
  for (const row of rows) {
    if (batch.length > 0 && (messages + row.messages > BATCH || batch.length >= 200)) {
      yield batch;
      batch = [];
      messages = 0;
    }
    batch.push(row);
    messages += row.messages;
  }
  if (batch.length > 0)
    yield batch;
}

function isWithin(folder: string, parent: string) {
  return folder === parent || folder.startsWith(parent.endsWith(path.sep) ? parent : `${parent}${path.sep}`);
}
