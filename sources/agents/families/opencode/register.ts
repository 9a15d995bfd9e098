import {open, readFile, rm}      from 'node:fs/promises';

import {hashOf, readIfThere, removeIfThere, temporaryName, writeAtomic} from '../../../system/files.ts';
import {findProgram, isFolder}   from '../../../system/programs.ts';
import {titleOf}                 from '../text.ts';
import type {Machine, Registered, Registration} from '../../types.ts';

import {isOurs}                  from './ids.ts';
import {importFile, openCalls, readJournal} from './import.ts';
import type {Journal}            from './import.ts';
import {overview}                from './overview.ts';
import type {Row}                from './overview.ts';
import {databasePath}            from './places.ts';
import {lastLine, query, quoted, run} from './program.ts';
import {modelFor}                from './settings.ts';
import type {Variant}            from './variant.ts';

/** What of a journal is in which database. Lies beside it. */
type Imported = {
  database: string;
  /** Bytes of the journal, and their hash. */
  size: number;
  hash: string;
  messages: number;
  /** Calls that had no result yet; they stand as failed. */
  open: Array<string>;
};

/** A title for the list where the session has none. */
const LONGEST_TITLE = 80;

/**
 * Brings a journal into the agent's database through its own `import`. That adds what is not there and changes nothing
 * that is, so a session whose beginning is another one now is deleted first; never one that the agent has gone on with.
 */
export async function register(machine: Machine, variant: Variant, session: Registered): Promise<Registration> {
  const binary = await findProgram(machine, variant.program);
  if (binary === undefined)
    return {listed: false, note: `${variant.program} is not on PATH here: only it can take the session into its database`};
  if (!await isFolder(session.cwd))
    return {listed: false, note: `${session.cwd} is not there: ${variant.name} files a session under the folder that it is imported in`};

  try {
    return await new Import(machine, variant, binary, session).run();
  } catch (error) {
    return {listed: false, note: `${variant.name} did not take the session: ${(error as Error).message}`};
  }
}

/** See `TargetAdapter.withdraw`. */
export async function withdraw(machine: Machine, variant: Variant, session: Pick<Registered, `id` | `path`>): Promise<string | undefined> {
  try {
    return await takeOut(machine, variant, session);
  } catch (error) {
    return (error as Error).message;
  }
}

async function takeOut(machine: Machine, variant: Variant, {id, path: journal}: Pick<Registered, `id` | `path`>): Promise<string | undefined> {
  const binary = await findProgram(machine, variant.program);
  if (binary === undefined)
    return `${variant.program} is not on PATH: only it can take the session out of its database`;
  const row = (await overview(machine, variant))?.rows[id];
  if (row !== undefined && (row.messages > row.ours || row.reverted))
    return `it was continued there`;
  const imported = await noteOf(journal);
  if (row !== undefined && imported?.database === databasePath(machine, variant) && row.ours < imported.messages)
    return `it was changed there`;
  if (row !== undefined) {
    const {code, errors} = await run(machine, variant, binary, [`session`, `delete`, id]);
    if (code !== 0)
      return `session delete exited with ${code}: ${lastLine(errors)}`;
  }
  await removeIfThere(stateFileOf(journal));
  await removeIfThere(journal);
}

function stateFileOf(journal: string) {
  return journal.replace(/(\.jsonl)?$/, `.state.json`);
}

async function noteOf(journal: string): Promise<Imported | null> {
  try {
    const value = JSON.parse(await readIfThere(stateFileOf(journal)) ?? `null`) as Imported | null;
    return typeof value?.size === `number` && typeof value.hash === `string` && Array.isArray(value.open) ? value : null;
  } catch {
    return null;
  }
}

class Import {
  private readonly stateFile: string;

  constructor(private readonly machine: Machine, private readonly variant: Variant, private readonly binary: string, private readonly session: Registered) {
    this.stateFile = stateFileOf(session.path);
  }

  async run(): Promise<Registration> {
    const {machine, variant, session} = this;
    const bytes = await readFile(session.path);
    const journal = readJournal(bytes);
    if (journal === null || journal.session.id !== session.id)
      throw new Error(`${session.path} is no journal of this session`);

    const row = (await overview(machine, variant))?.rows[session.id];
    const database = databasePath(machine, variant);
    const noted = await noteOf(session.path);
    const imported = noted?.database === database ? noted : null;
    if (row === undefined && imported !== null)
      return await this.forget();

    const isPrefix = imported !== null && imported.size <= journal.size && hashOf(bytes.subarray(0, imported.size)) === imported.hash;
    const isSame = isPrefix && imported.size === journal.size;
    if (row !== undefined && await this.isTakenOver(row, imported, journal))
      return {listed: true, takenOver: isSame || imported === null && row.ours >= journal.messages.length ? `continued` : `diverged`};

    const model = await modelFor(session.cwd, session.settings, variant);
    const registration: Registration = {
      listed: true,
      ...model === undefined ? {command: `${resume(variant, session.id)} -m <provider/model>`, note: `no model is configured in ${variant.name}: name one with -m`} : {},
    };
    if (row !== undefined && isSame)
      return registration;

    // Rows that are there are never changed by an import.
    const grows = row !== undefined && isPrefix && !imported.open.some(id => journal.results.has(id));
    if (row !== undefined && !grows)
      await this.delete();
    const title = titleOf(session.title ?? shorten(journal.prompt) ?? `Session of ${journal.session.agent}`);
    const updated = session.updated === undefined ? NaN : Date.parse(session.updated);
    const options = {
      variant, cwd: session.cwd, title, model, now: Date.now(), from: grows ? imported.size : 0,
      updated: Number.isNaN(updated) ? undefined : updated,
    };
    await this.import(importFile(journal, options), !grows);
    if (grows)
      await this.rename(row, title, Math.min(options.updated ?? row.updated, options.now));
    await this.note({database, size: journal.size, hash: hashOf(bytes.subarray(0, journal.size)), messages: journal.messages.length, open: openCalls(journal)});
    return registration;
  }

  /** Has it messages that are not ours, or not all of ours any more? */
  private async isTakenOver(row: Row, imported: Imported | null, journal: Journal): Promise<boolean> {
    if (row.messages > row.ours || row.reverted)
      return true;
    if (imported !== null)
      return row.ours < imported.messages;

    // Our note of it is lost. Only messages of this journal may be in it.
    const known = new Set(journal.messages.map(({message}) => message.id));
    const rows = await query(this.machine, this.variant, this.binary, `select id from message where session_id = ${quoted(this.session.id)}`);
    return rows.some(({id}) => typeof id !== `string` || !isOurs(id) || !known.has(id));
  }

  /** Deleted by the person: as with a file that is gone, it does not come back by itself. */
  private async forget(): Promise<Registration> {
    await removeIfThere(this.stateFile);
    await removeIfThere(this.session.path);
    return {listed: false, note: `it was deleted in ${this.variant.name}; \`restore\` brings it back`};
  }

  private async import(pieces: Generator<string>, isNew: boolean) {
    const {machine, variant, binary, session} = this;
    const file = temporaryName(session.path);
    try {
      const handle = await open(file, `wx`, 0o600);
      try {
        for (const piece of pieces)
          await handle.write(piece);
      } finally {
        await handle.close();
      }
      const {code, errors, out} = await run(machine, variant, binary, [`import`, file], {cwd: session.cwd, long: true});
      if (code === 0 && out.includes(session.id))
        return;
      // Not one transaction: what was taken before the refusal would be resumed with half of its history.
      if (isNew)
        await this.delete();
      throw new Error(`import exited with ${code}: ${lastLine(errors)}`);
    } finally {
      await rm(file, {force: true});
    }
  }

  private async delete() {
    await run(this.machine, this.variant, this.binary, [`session`, `delete`, this.session.id], {cwd: this.session.cwd});
  }

  /** `import` leaves the title and the time of a session that is there as they were. */
  private async rename(row: Row, title: string, updated: number) {
    if (row.title === title && row.updated === updated)
      return;
    const changes = `title = ${quoted(title)}, time_updated = ${Math.trunc(updated)}`;
    await query(this.machine, this.variant, this.binary, `update session set ${changes} where id = ${quoted(this.session.id)}`);
  }

  private async note(imported: Imported) {
    await writeAtomic(this.stateFile, JSON.stringify(imported));
  }
}

export function resume({program}: Variant, id: string) {
  return `${program} -s ${id}`;
}

function shorten(prompt: string | undefined): string | undefined {
  const line = prompt?.trim().split(`\n`)[0]!.trim();
  if (!line)
    return undefined;
  return line.length <= LONGEST_TITLE ? line : `${line.slice(0, LONGEST_TITLE).replace(/\S*$/, ``).trim() || line.slice(0, LONGEST_TITLE)}…`;
}
