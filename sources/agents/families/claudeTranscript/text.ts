import {createHash} from 'node:crypto';

const LONE    = /\\ud[89a-f]/;
const NAME    = /^[A-Za-z0-9_-]{1,64}$/;
const MAPPED  = /_x[0-9a-f]{16}$/;
const LONGEST = 64;

/** JSON on one line; halves of surrogate pairs, which the model's API refuses, become U+FFFD. */
export function stringify(value: unknown): string {
  const text = JSON.stringify(value) ?? `null`;
  if (!text.includes(`\\ud`) || !LONE.test(text))
    return text;

  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === `string`)
      return wellFormed(item);
    if (item === null || typeof item !== `object` || Array.isArray(item))
      return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [wellFormed(key), inner]));
  });
}

export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, match => match.length === 2 ? match : `\ufffd`);
}

/** The beginning of a text that is only shown: at most `limit` UTF-16 units, no pair cut in two, and how much is missing. */
export function clip(text: string, limit: number): string {
  if (text.length <= limit)
    return text;

  const last = text.charCodeAt(limit - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit;
  return `${text.slice(0, end)}… [${text.length - end} more characters]`;
}

/** A title for one line of a list: no control characters or terminal escapes, cut between words. */
export function titleOf(text: string, limit = 200): string {
  const plain = wellFormed(text.slice(0, 4 * limit)).replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``).replace(/[\s\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ` `).trim();
  if (plain.length <= limit)
    return plain;

  const cut = plain.slice(0, limit - 1);
  const space = cut.lastIndexOf(` `);
  return `${wellFormed(space > limit / 2 ? cut.slice(0, space) : cut).replace(/\ufffd$/, ``)}…`;
}

/**
 * A call id or tool name that the Messages API takes: letters, digits, `_` and `-`. What fits stays; the rest gets a hash
 * of the original, so that two names never become one. A fitting name that looks as if it had been mapped is mapped too.
 */
export function apiName(name: string): string {
  if (NAME.test(name) && !MAPPED.test(name))
    return name;

  const suffix = `_x${createHash(`sha256`).update(name).digest(`hex`).slice(0, 16)}`;
  return `${name.replace(/[^A-Za-z0-9_-]/g, `_`).slice(0, LONGEST - suffix.length)}${suffix}`;
}
