import type {NeutralRecord} from './types.ts';

/** Order of the keys that every record may have; the others follow as its reader set them. */
const FIRST = [`seq`, `kind`, `id`, `parent`, `time`, `head`, `cwd`] as const;

/**
 * A record as one line of JSON (no newline) in canonical form: common keys first and in fixed order, absent ones left
 * out. Values that come from the source keep the source's key order, which is part of what the model saw.
 */
export function recordLine(record: NeutralRecord): string {
  const ordered: {[key: string]: unknown} = {};
  for (const key of FIRST)
    if (record[key] !== undefined)
      ordered[key] = record[key];

  // Assigning a key again keeps its place, so that no test for the common keys is needed.
  return JSON.stringify(Object.assign(ordered, record));
}

/** JSON with sorted keys and two spaces, for small files that people read and git compares. */
export function stableJson(value: unknown): string {
  return `${JSON.stringify(value, (_key, item) => {
    if (item === null || typeof item !== `object` || Array.isArray(item))
      return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
  }, 2)}\n`;
}
