import type {Behind}      from '../../restore/behind.ts';
import {age}              from '../../terminal/age.ts';
import {safe}             from '../../terminal/safe.ts';

/** One line for a person: which session, whose, and what ties it to the commit. `ids`: as short as they can be. */
export function describeTie({session, stored, how, maybe}: Behind, now: number, ids: Map<string, string>): string {
  const tie = `${how}${maybe === true ? `?` : ``}`;
  if (stored === undefined)
    return `${safe(ids.get(session) ?? session)}  ${tie}: not known here; \`session-sync pull\` may bring it`;
  const {header} = stored;
  return `${ids.get(session) ?? session}  ${header.agent.id}  ${safe(header.author?.name ?? ``, {width: 24})}  ${header.updated === undefined ? `` : age(header.updated, now)}  ${tie}  ${safe(header.title ?? ``, {width: 60})}`;
}

/** The same for a script. */
export function tieData({session, stored, how, maybe, produced}: Behind) {
  const {title, agent, author, machine, branch, updated} = stored?.header ?? {};
  return {
    session, how, maybe: maybe ?? false, known: stored !== undefined, agent: agent?.id, title, author, machine, branch, updated,
    ...produced !== undefined ? {produced: {commit: produced.commit, by: produced.by, time: produced.time}} : {},
  };
}
