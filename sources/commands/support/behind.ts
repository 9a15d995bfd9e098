import type {Behind}      from '../../restore/behind.ts';
import {age}              from '../../terminal/age.ts';
import {safe}             from '../../terminal/safe.ts';

/** One line for a person: which session, whose, and what ties it to the commit. */
export function describeTie({session, stored, how, maybe}: Behind, now: number): string {
  const tie = `${how}${maybe === true ? `?` : ``}`;
  if (stored === undefined)
    return `${safe(session).slice(0, 8)}  ${tie}: not known here; \`session-sync pull\` may bring it`;
  const {header} = stored;
  return `${session.slice(0, 8)}  ${header.agent.id}  ${safe(header.author?.name ?? ``, {width: 24})}  ${header.updated === undefined ? `` : age(header.updated, now)}  ${tie}  ${safe(header.title ?? ``, {width: 60})}`;
}

/** The same for a script. */
export function tieData({session, stored, how, maybe, produced}: Behind) {
  const {title, agent, author, machine, branch, updated} = stored?.header ?? {};
  return {
    session, how, maybe: maybe ?? false, known: stored !== undefined, agent: agent?.id, title, author, machine, branch, updated,
    ...produced !== undefined ? {produced: {commit: produced.commit, by: produced.by, time: produced.time}} : {},
  };
}
