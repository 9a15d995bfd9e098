import {safe}          from '../../terminal/safe.ts';
import {CommandError}  from '../Base.ts';

const UNITS: {[unit: string]: number} = {h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000, m: 30 * 86_400_000, y: 365 * 86_400_000};

/** Milliseconds of `30d`, `8w`, `6m`, `1y`, `12h`. Throws BAD_BOUND. */
export function parseBound(given: string, option = `--older-than`): number {
  const [, number, unit] = /^(\d{1,6})([hdwmy])$/.exec(given) ?? [];
  if (number === undefined || unit === undefined || Number(number) === 0)
    throw new CommandError(`BAD_BOUND`, `${option} takes a number above 0 and a unit, such as 30d; ${safe(given)} is neither.`);
  return Number(number) * UNITS[unit]!;
}

/** The time that `2026-10-01`, an ISO time, or `30d` before now means, in milliseconds since 1970. Throws BAD_BOUND. */
export function parseSince(given: string, now: number): number {
  if (!/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(given))
    return now - parseBound(given, `--since`);
  const time = Date.parse(given);
  if (Number.isNaN(time))
    throw new CommandError(`BAD_BOUND`, `--since takes a date such as 2026-10-01, or an age such as 30d; ${safe(given)} is no day.`);
  return time;
}
