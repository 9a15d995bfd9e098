import {safe}          from '../../terminal/safe.ts';
import {CommandError}  from '../Base.ts';

import {parseSince}    from './bound.ts';

export type Filters = {author?: string; branch?: string; agent?: string; since?: string; title?: string; limit?: string};
export type Filterable = {agent?: string; branch?: string; title?: string; updated?: string; author?: {name: string; email: string}};

/** Those of `all`, which come newest first, that pass every filter. Throws BAD_BOUND, BAD_LIMIT. */
export function filtered<T>(all: Array<T>, filters: Filters, now: number, facts: (one: T) => Filterable): Array<T> {
  const since = filters.since === undefined ? null : parseSince(filters.since, now);
  const limit = filters.limit === undefined ? Infinity : Number(filters.limit);
  if (limit !== Infinity && !/^[1-9]\d{0,8}$/.test(filters.limit!))
    throw new CommandError(`BAD_LIMIT`, `--limit takes a number above 0; ${safe(filters.limit!)} is none.`);

  return all.filter(one => {
    const {agent, branch, title, updated, author} = facts(one);
    return (filters.agent === undefined || agent === filters.agent)
      && (filters.branch === undefined || branch === filters.branch)
      && (since === null || Date.parse(updated ?? ``) >= since)
      && holds(title, filters.title)
      && (filters.author === undefined || (author !== undefined && (holds(author.name, filters.author) || holds(author.email, filters.author))));
  }).slice(0, limit);
}

function holds(text = ``, wanted = ``) {
  return text.toLowerCase().includes(wanted.toLowerCase());
}
