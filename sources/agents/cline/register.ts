import {readFile, stat}                          from 'node:fs/promises';

import type {Json, JsonObject}                  from '../../interchange/index.ts';
import {writeAtomic}                            from '../../system/files.ts';
import {isObject, objectAt, stringAt}           from '../values.ts';
import {stringify, titleOf}                                from '../families/text.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {readDocument}                           from './journal.ts';
import {hashesOf, noteWritten, readWritten}     from './ours.ts';
import {documentsOf, sessionsOf}                from './places.ts';
import {render}                                 from './render.ts';
import type {Rendered}                          from './render.ts';
import {modelIn}                                from './settings.ts';

/**
 * Makes Cline's two documents from our journal. They are Cline's as soon as it has added a message: then nothing is
 * written any more. Its databases need not know the session (3.0.65 lists and resumes what lies in the folder).
 */
export async function register(machine: Machine, session: Pick<Registered, `id` | `path` | `title` | `updated` | `settings`>): Promise<Registration> {
  const files = documentsOf(sessionsOf(machine), session.id);
  try {
    const rendered = render(await readFile(session.path, `utf8`));
    // As it will stand in the file.
    const ours = hashesOf(JSON.parse(stringify(rendered.messages)) as Array<Json>);
    const written = await readWritten(machine, session.id);
    const document = await readDocument(files.messages);
    if (document === null && written !== null)
      return {listed: false, note: `it was deleted in Cline`};

    if (document !== null) {
      const theirs = hashesOf(Array.isArray(document.messages) ? document.messages : []);
      const mine = written?.hashes ?? ours;
      const untouched = theirs.length <= mine.length && theirs.every((hash, at) => hash === mine[at]);
      if (!untouched)
        return {listed: true, takenOver: ours.every((hash, at) => theirs[at] === hash) ? `continued` : `diverged`};
      if (theirs.length === ours.length && theirs.every((hash, at) => hash === ours[at]) && await isThere(files.session) && sameTitle(await readDocument(files.session), titleFor(session, rendered)))
        return {listed: true};
    }

    const updated = session.updated ?? rendered.created;
    await writeAtomic(files.messages, stringify({version: 1, updated_at: updated, agent: `lead`, sessionId: session.id, messages: rendered.messages}));
    await noteWritten(machine, session.id, ours);
    await writeAtomic(files.session, stringify(sessionDocument(await readDocument(files.session).catch(() => null), session, rendered, files.messages)));
    return {listed: true};
  } catch (error) {
    return {listed: false, note: `Cline's list does not show the session: ${(error as Error).message}`};
  }
}

function sessionDocument(known: JsonObject | null, session: Pick<Registered, `id` | `title` | `updated` | `settings`>, rendered: Rendered, messages: string): JsonObject {
  const title = titleFor(session, rendered);
  return {
    version: 1, session_id: session.id, source: `cli`, pid: 1, started_at: rendered.created, exit_code: 0, status: `completed`, interactive: false,
    ...modelIn(session.settings), cwd: rendered.cwd, workspace_root: rendered.cwd, enable_tools: true, enable_spawn: true, enable_teams: true,
    ...known ?? {},
    ended_at: session.updated ?? rendered.created,
    prompt: rendered.prompt.slice(0, 2_000),
    metadata: {...objectAt(known ?? undefined, `metadata`), title},
    messages_path: messages,
  };
}

function titleFor({id, title}: Pick<Registered, `id` | `title`>, rendered: Rendered) {
  return titleOf(title ?? rendered.prompt).slice(0, 120) || `Session ${id}`;
}

function sameTitle(document: JsonObject | null, title: string) {
  return isObject(document ?? undefined) && stringAt(objectAt(document!, `metadata`), `title`) === title;
}

async function isThere(file: string) {
  return await stat(file).then(info => info.isFile(), () => false);
}
