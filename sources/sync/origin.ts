import type {AgentAdapter, LocatedSession, Machine} from '../agents/types.ts';
import type {Json, Lineage}                from '../interchange/index.ts';
import {openRegular, tailHash}             from '../system/files.ts';
import {follow}                            from '../system/follow.ts';

/** How much of a file we wrote: its first `size` bytes, and the hash of their end. */
export type OwnPart = {path: string; size: number; tail: string};

/** Where a session that an agent continued comes from, and the part of it that is ours, where that is known. */
export type Origin = Lineage & {file?: OwnPart};

/** A longer text in a file is no id. */
const LONGEST_ID = 128;

/**
 * Settles which bytes of a continued session's file are ours (`source`). Left out where that cannot be told, or the
 * agent has changed them: then the session has its parent's records again, as the agent gave them back.
 */
export async function originOf({file, ...lineage}: Origin, adapter: AgentAdapter, located: LocatedSession, machine: Machine): Promise<Lineage> {
  if (file === undefined || file.size === 0 || !await isUnchanged(file))
    return lineage;
  if (file.path !== located.path)
    await adapter.source!.refresh?.(machine, located);
  const source = file.path === located.path ? file.size : await adapter.source!.repeated?.(machine, located) ?? await repeatedPart(file, adapter, located);
  return source > 0 ? {...lineage, source} : lineage;
}

async function isUnchanged({path, size, tail}: OwnPart) {
  const handle = await openRegular(path);
  if (handle === null)
    return false;
  try {
    return (await handle.stat()).size >= size && await tailHash(handle, size) === tail;
  } finally {
    await handle.close();
  }
}

/**
 * For an agent whose session is read from another file than the one that we wrote (a journal): the lines at its begin whose
 * records have only ids that stand in ours.
 */
async function repeatedPart(file: OwnPart, adapter: AgentAdapter, located: LocatedSession): Promise<number> {
  const ids = await idsIn(file);
  const reader = adapter.source!.openReader({name: `main`, stream: `main`}, undefined, {unbounded: true});
  let end = 0;
  for await (const lines of follow(located.path, 0)) {
    for (const line of lines) {
      const known = reader.push(line).flatMap(record => record.id ?? []);
      if (known.some(id => !ids.has(id)))
        return end;
      if (known.length > 0)
        end = line.offset + line.length;
    }
  }
  return end;
}

async function idsIn({path, size}: OwnPart): Promise<Set<string>> {
  const ids = new Set<string>();
  const collect = (value: Json | undefined) => {
    if (typeof value === `string`) {
      if (value.length <= LONGEST_ID)
        ids.add(value);
    } else if (typeof value === `object` && value !== null) {
      for (const inner of Object.values(value))
        collect(inner);
    }
  };
  for await (const lines of follow(path, 0, size))
    for (const line of lines)
      collect(line.value);
  return ids;
}
