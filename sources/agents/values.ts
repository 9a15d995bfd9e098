import {createHash}            from 'node:crypto';

import type {Json, JsonObject} from '../interchange/index.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Where a session without a known beginning is filed: the path must never depend on anything that can still change. */
const UNDATED = `2025-01-01T00:00:00.000Z`;

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === `object` && value !== null && !Array.isArray(value);
}

export function objectAt(value: Json | undefined, key: string): JsonObject | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : undefined;
}

export function stringAt(value: JsonObject | undefined, key: string): string | undefined {
  const inner = value?.[key];
  return typeof inner === `string` ? inner : undefined;
}

export function numberAt(value: JsonObject | undefined, key: string): number | undefined {
  const inner = value?.[key];
  return typeof inner === `number` && Number.isFinite(inner) ? inner : undefined;
}

/** Names that come from a transcript are kept in bounded state: a very long one is replaced by its hash. */
export function shortKey(name: string, longest = 64) {
  return name.length <= longest ? name : createHash(`sha256`).update(name).digest(`hex`).slice(0, 40);
}

/** ISO time with milliseconds, or nothing where the source has something else. */
export function isoTime(value: Json | undefined): string | undefined {
  if (typeof value !== `string`)
    return undefined;
  if (TIME.test(value))
    return value;

  const time = Date.parse(value);
  if (Number.isNaN(time))
    return undefined;
  const iso = new Date(time).toISOString();
  return TIME.test(iso) ? iso : undefined;
}

/** When the session began, as ISO 8601 in UTC; a fixed date where that is not known. */
export function createdOf(created: string | undefined): string {
  if (created === undefined || !DATE.test(created))
    return UNDATED;

  const time = new Date(created);
  return Number.isNaN(time.getTime()) || time.getUTCFullYear() < 1970 || time.getUTCFullYear() > 9999 ? UNDATED : time.toISOString();
}
