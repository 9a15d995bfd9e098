import {createHash} from 'node:crypto';

const LENGTH  = 64;
const ALLOWED = /^[A-Za-z0-9_-]{1,64}$/;
const MAPPED  = /_x[0-9a-f]{16}$/;

/**
 * A call id or tool name that the Responses API takes: letters, digits, `_` and `-`, at most 64 of them. What fits stays;
 * the rest gets a hash of the original, so that two names never become one. A fitting name that looks as if it had been
 * mapped is mapped as well, for the same reason.
 */
export function apiName(name: string): string {
  if (ALLOWED.test(name) && !MAPPED.test(name))
    return name;

  const suffix = `_x${createHash(`sha256`).update(name).digest(`hex`).slice(0, 16)}`;
  return `${name.replace(/[^A-Za-z0-9_-]/g, `_`).slice(0, LENGTH - suffix.length)}${suffix}`;
}
