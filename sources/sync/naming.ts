import {titleOf}                        from '../agents/families/text.ts';
import type {AgentAdapter, Machine}     from '../agents/types.ts';

import type {Checkpoint}                from './state.ts';

/**
 * The name that a person has given the session since it was last asked for, where the agent keeps it beside the
 * transcript. It may be given at any time, with nothing new in the transcript. One that is not to be had now stays.
 */
export async function newName(machine: Machine, adapter: AgentAdapter, session: {path: string; nativeId: string}, known: Checkpoint): Promise<string | undefined> {
  const {lineage, first, inherited, named} = known;
  const given = titleOf(await adapter.source!.name?.(machine, session) ?? ``);
  // What we called the session when we wrote it for the agent is no news.
  const ours = lineage === undefined ? [] : [first?.prompt, inherited?.title, inherited?.named].flatMap(text => text === undefined ? [] : titleOf(text));
  return given === `` || given === named || ours.includes(given) ? undefined : given;
}
