import {createHash} from 'node:crypto';

/** Enough of a hash to tell the messages of one session apart. */
export function digestOf(...texts: Array<string>): string {
  const hash = createHash(`sha256`);
  for (const text of texts)
    hash.update(`${text.length}:`).update(text);
  return hash.digest(`base64url`).slice(0, 16);
}

/** Ids that come from a transcript are kept in bounded state. */
export function isSafeName(name: string) {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(name);
}
