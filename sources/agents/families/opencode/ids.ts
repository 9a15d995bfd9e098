import {createHash} from 'node:crypto';

const BASE62 = `0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz`;

/**
 * What our own message and part ids begin with. The agent puts the low 48 bits of `milliseconds * 4096 + counter` there,
 * which start over every 795 days (last on 2026-08-14): an id made of the time of an older message would sort after those
 * of today, and Kilo 7.7 then sends none of the history. A count from 0 sorts before all that the agent makes, for ever.
 */
const OURS = /^(?:msg|prt)_0000/;

/** Id of the message or part with this number in its session. Unique in the whole database, as its primary keys are. */
export function idOf(kind: `msg` | `prt`, session: string, count: number): string {
  return `${kind}_${count.toString(16).padStart(12, `0`)}${base62(14, kind, session, count)}`;
}

export function isOurs(id: string) {
  return OURS.test(id);
}

export function sessionId(...parts: Array<string | number>): string {
  const hash = createHash(`sha256`).update(JSON.stringify([`session`, ...parts])).digest(`hex`);
  return `ses_${hash.slice(0, 12)}${base62(14, ...parts)}`;
}

function base62(length: number, ...parts: Array<string | number>): string {
  const hash = createHash(`sha256`).update(JSON.stringify(parts)).digest();
  return Array.from(hash.subarray(0, length), byte => BASE62[byte % 62]).join(``);
}
