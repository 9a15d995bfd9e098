import * as t                          from 'typanion';

import {isSafeId}                      from '../interchange/ids.ts';

import {MAX_HEADER_BYTES, parseStream} from './layout.ts';
import {StoreError}                    from './types.ts';
import type {StoredHeader}             from './types.ts';

const MAX_DEPTH    = 64;
const MAX_TEXT     = 64 * 1024;
const MAX_ENTRIES  = 10_000;
const MAX_MOVES    = 100;
const MAX_LIST     = 2000;
const MAX_MARKS    = 12_000;

const text   = t.cascade(t.isString(), t.hasMaxLength(MAX_TEXT));
const short  = t.cascade(t.isString(), t.hasMaxLength(4096));
const count  = t.cascade(t.isNumber(), [t.isInteger(), t.isAtLeast(0), t.isAtMost(Number.MAX_SAFE_INTEGER)]);
const time   = t.cascade(t.isString(), t.hasMaxLength(64));
const commit = t.cascade(t.isString(), t.matchesRegExp(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/));
const id     = t.makeValidator<unknown, string>({test: isSafeId as (value: unknown) => value is string});
const notArray = t.makeValidator<unknown, never>({test: (value): value is never => !Array.isArray(value)});
const opt    = t.isOptional;
const few    = (values: t.AnyStrictValidator) => t.cascade(t.isRecord(values, {keys: short}), notArray);

const list   = (values: t.AnyStrictValidator) => t.cascade(t.isArray(values), t.hasMaxLength(MAX_LIST));
const paths  = t.isPartial({files: list(short), more: opt(count)});
const marks  = t.cascade(t.isString(), [t.hasMaxLength(MAX_MARKS), t.matchesRegExp(/^(?:[0-9A-Za-z_-]{6})*$/)]);

/** Fields that nobody knows yet pass: a later version may have written them. */
const isStoredHeader = t.isPartial({
  format:     t.isLiteral(`session-sync/1`),
  session:    id,
  agent:      t.isPartial({id: t.cascade(t.isString(), t.matchesRegExp(/^[a-z][a-z0-9-]{0,31}$/)), version: opt(short), nativeId: short}),
  title:      opt(text),
  created:    opt(time),
  updated:    opt(time),
  model:      opt(short),
  roots:      few(short),
  moved:      opt(t.cascade(t.isArray(few(short)), t.hasMaxLength(MAX_MOVES))),
  platform:   opt(short),
  branch:     opt(short),
  commit:     opt(commit),
  dirty:      opt(t.isBoolean()),
  changes:    opt(paths),
  edited:     opt(paths),
  produced:   opt(list(t.isPartial({commit, patch: opt(commit), time: opt(time), by: t.isEnum([`call`, `edits`, `time`]), lines: opt(marks)}))),
  origin:     opt(short),
  rootCommit: opt(commit),
  author:     opt(t.isPartial({name: short, email: short})),
  machine:    opt(short),
  counts:     few(count),
  ignored:    opt(few(count)),
  repairs:    opt(t.isArray(t.isPartial({code: short, message: text, at: opt(count), count: opt(count)}))),
  redactions: opt(few(count)),
  lineage:    opt(t.isPartial({parent: id, seq: count, writer: opt(id), source: opt(count)})),
  worktree:   opt(t.isPartial({records: count})),
  writer:     id,
  sequence:   t.cascade(count, t.isAtLeast(1)),
  streams:    few(t.isPartial({bytes: count, records: opt(count), source: opt(count)})),
});

/**
 * The header in `header.json`, which anybody may have written: size, depth, number of entries, shape and names are
 * checked. Control characters in texts stay; whoever shows them takes them out.
 *
 * Throws BAD_DATA or TOO_LARGE.
 */
export function verifyHeader(bytes: Buffer | string): StoredHeader {
  return checkHeader(parseBounded(bytes, `header.json`));
}

/** The same for what was parsed within these bounds. Throws BAD_DATA. */
export function checkHeader(json: unknown): StoredHeader {
  const errors: Array<string> = [];
  if (!isStoredHeader(json, {errors}))
    throw new StoreError(`BAD_DATA`, `header.json: ${errors[0] ?? `wrong shape`}`);

  const header = json as unknown as StoredHeader;
  for (const name of Object.keys(header.streams))
    if (!parseStream(name))
      throw new StoreError(`BAD_DATA`, `header.json names a stream that cannot be one: ${JSON.stringify(name.slice(0, 200))}`);

  return header;
}

/** JSON of at most 1 MB, 64 levels and 10,000 entries an object or array, without keys that mean something to JavaScript. */
export function parseBounded(bytes: Buffer | string, what: string): unknown {
  if (bytes.length > MAX_HEADER_BYTES)
    throw new StoreError(`TOO_LARGE`, `${what} has more than ${MAX_HEADER_BYTES} bytes`);

  const source = bytes.toString();
  checkDepth(source, what);

  let json: unknown;
  try {
    json = JSON.parse(source, (key, value: unknown) => {
      if (key === `__proto__`)
        throw new StoreError(`BAD_DATA`, `${what} has a key ${key}`);
      if (typeof value === `object` && value !== null && Object.keys(value).length > MAX_ENTRIES)
        throw new StoreError(`TOO_LARGE`, `${what} has more than ${MAX_ENTRIES} entries in one place`);

      return value;
    });
  } catch (error) {
    if (error instanceof StoreError)
      throw error;

    throw new StoreError(`BAD_DATA`, `${what} is not JSON`);
  }

  return json;
}

/** Before parsing, since a parser may not survive what it is given. */
function checkDepth(source: string, what: string) {
  let depth = 0;
  let inside = false;
  for (let at = 0; at < source.length; at++) {
    const char = source.charCodeAt(at);
    if (inside) {
      if (char === 0x5c)
        at++;
      else if (char === 0x22)
        inside = false;
    } else if (char === 0x22) {
      inside = true;
    } else if (char === 0x5b || char === 0x7b) {
      if (++depth > MAX_DEPTH)
        throw new StoreError(`BAD_DATA`, `${what} is nested more than ${MAX_DEPTH} deep`);
    } else if (char === 0x5d || char === 0x7d) {
      depth--;
    }
  }
}
