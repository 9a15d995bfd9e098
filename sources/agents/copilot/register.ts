import path                        from 'node:path';

import {openRegular, readAt, readIfThere, writeAtomic} from '../../system/files.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {titleOf}                   from './lines.ts';
import {createdOf, folderOf}       from './places.ts';
import {isOurs, renamed, workspaceText} from './workspace.ts';

/** As much of a session as is read for its first prompt. */
const HEAD = 256 << 10;

/**
 * Copilot lists every folder below `session-state`. What it shows stands in `workspace.yaml`: without one, a session is
 * called by whatever is asked next, and Copilot takes the folder that it was started in for its own (1.0.102).
 */
export async function register(machine: Machine, {id, path: file, cwd, title, updated}: Pick<Registered, `id` | `path` | `cwd` | `title` | `updated`>): Promise<Registration> {
  try {
    const yaml = path.join(folderOf(machine, id), `workspace.yaml`);
    const before = await readIfThere(yaml);
    const {created, prompt} = await headOf(file);
    const name = titleOf(title ?? prompt ?? ``);
    const named = name === `` ? undefined : name;

    const text = before === null || isOurs(before)
      ? workspaceText({id, cwd, name: named, created, updated: updated === undefined ? created : createdOf(updated)})
      : named === undefined ? null : renamed(before, named);
    if (text !== null && text !== before)
      await writeAtomic(yaml, text, {mode: 0o600});
    return {listed: true};
  } catch (error) {
    return {listed: false, note: `Copilot's list does not have the session's name: ${(error as Error).message}`};
  }
}

/** Begin and first prompt of a session that we wrote. */
async function headOf(file: string): Promise<{created: string; prompt?: string}> {
  const handle = await openRegular(file);
  if (handle === null)
    throw new Error(`${file} is gone`);
  let text: string;
  try {
    text = (await readAt(handle, 0, HEAD)).toString(`utf8`);
  } finally {
    await handle.close();
  }

  let created: string | undefined;
  for (const line of text.split(`\n`).slice(0, -1)) {
    const {type, data} = JSON.parse(line) as {type?: string; data?: {startTime?: string; content?: string}};
    if (type === `session.start`)
      created = data?.startTime;
    else if (type === `user.message` && data?.content?.trim())
      return {created: createdOf(created), prompt: data.content};
  }
  return {created: createdOf(created)};
}
