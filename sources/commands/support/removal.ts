import type {Writable}                      from 'node:stream';

import type {LeftAlone, Removal, RemovalPlan} from '../../store/index.ts';
import {age}                                from '../../terminal/age.ts';
import {confirm}                            from '../../terminal/picker.ts';
import {safe}                               from '../../terminal/safe.ts';
import {size}                               from '../../terminal/size.ts';
import {table}                              from '../../terminal/table.ts';
import {CommandError}                       from '../Base.ts';
import type {Context}                       from '../Base.ts';

import {shortIds}                           from './shortIds.ts';

/** Refs that were left alone for one reason and are named one by one. */
const NAMED = 5;

/** What would go, as a person reads it; ids are as long as they must be beside what is left alone. */
export function removalTable({chosen, left}: RemovalPlan, now: number): string {
  const ids = shortIds([...chosen, ...left].map(({session}) => session));
  return table(chosen.map(({session, own, header}) => [
    ids.get(session)!, header.updated ? age(header.updated, now) : ``, safe(header.agent.id, {width: 20}), own ? `this clone` : safe(header.author?.name ?? header.machine ?? ``, {width: 24}),
    size(bytesOf(header)), safe(header.title ?? ``, {width: 60}),
  ]), {columns: [`session`, `age`, `agent`, `of`, `size`, `title`]});
}

/** The same for `--json`. */
export function removalData(chosen: Array<Removal>) {
  return chosen.map(({ref, session, writer, commit, own, header}) => ({ref, session, writer, commit, own, title: header.title, agent: header.agent.id, updated: header.updated, bytes: bytesOf(header)}));
}

/** One line a reason, or a few where few refs have it. */
export function leftAlone(left: Array<LeftAlone>, {chosen}: RemovalPlan): Array<string> {
  const reasons = new Map<string, Array<LeftAlone>>();
  for (const one of left)
    reasons.set(one.reason, [...reasons.get(one.reason) ?? [], one]);
  const ids = shortIds([...chosen, ...left].map(({session}) => session));
  return [...reasons].flatMap(([reason, refs]) => refs.length > NAMED
    ? [`${refs.length} sessions are left alone: ${safe(reason)}`]
    : refs.map(({session}) => `${ids.get(session)!} is left alone: ${safe(reason)}`));
}

/** Throws NOT_CONFIRMED where nobody can be asked; false where a person says no. */
export async function confirmed(context: Context, question: string, {yes, json}: {yes: boolean; json: boolean}): Promise<boolean> {
  if (yes)
    return true;
  const {stdin, stdout} = context as unknown as {stdin: {isTTY?: boolean}; stdout: Writable & {isTTY?: boolean}};
  if (json || stdin.isTTY !== true || stdout.isTTY !== true)
    throw new CommandError(`NOT_CONFIRMED`, `${question} Nothing was changed: say yes with --yes, or look with --dry-run.`);
  return await confirm(context, question);
}

function bytesOf({streams}: Removal[`header`]) {
  return Object.values(streams).reduce((sum, {bytes}) => sum + bytes, 0);
}
