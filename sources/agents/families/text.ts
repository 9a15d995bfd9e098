const LONE = /\\ud[89a-f]/;

/**
 * JSON on one line that Codex can read back. It skips, silently, a line with half a surrogate pair in it (serde_json
 * refuses the escape), so those halves become U+FFFD.
 */
export function stringify(value: unknown): string {
  const text = JSON.stringify(value) ?? `null`;
  if (!text.includes(`\\ud`) || !LONE.test(text))
    return text;

  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === `string`)
      return wellFormed(item);
    if (item === null || typeof item !== `object` || Array.isArray(item))
      return item;
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [wellFormed(key), value]));
  });
}

/** The text with every half of a surrogate pair replaced. */
export function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, match => match.length === 2 ? match : `\ufffd`);
}

/**
 * The text cut in its middle to at most `limit` bytes of UTF-8, between characters, with `note(left out bytes)` there.
 * Text that fits comes back as it is.
 */
export function cutMiddle(text: string, limit: number, note: (bytes: number) => string): string {
  // A UTF-16 unit is at most three bytes, so most texts need no count.
  if (text.length * 3 <= limit)
    return text;

  const bytes = Buffer.from(text, `utf8`);
  if (bytes.length <= limit)
    return text;

  const room = Math.max(0, limit - Buffer.byteLength(note(bytes.length)));
  let head = Math.ceil(room / 2);
  let tail = bytes.length - (room - head);
  while (head > 0 && isContinuation(bytes[head]!))
    head -= 1;
  while (tail < bytes.length && isContinuation(bytes[tail]!))
    tail += 1;

  return `${bytes.toString(`utf8`, 0, head)}${note(tail - head)}${bytes.toString(`utf8`, tail)}`;
}

function isContinuation(byte: number) {
  return (byte & 0xc0) === 0x80;
}

/** The beginning of a text that is only shown, never sent to a model; at most `limit` UTF-16 units and a short note. */
export function clip(text: string, limit: number): string {
  if (text.length <= limit)
    return text;

  const half = text.charCodeAt(limit - 1);
  const end = half >= 0xd800 && half <= 0xdbff ? limit - 1 : limit;
  return `${text.slice(0, end)}… [${text.length - end} more characters]`;
}

/**
 * A value that is only shown, made small: long texts clipped, long lists and deep nesting cut. Codex reads lines with a
 * parser that gives up at a depth of 128, so depth must be bounded in any case.
 */
export function clipValue(value: unknown, limit: number, depth = 6): unknown {
  if (typeof value === `string`)
    return clip(value, limit);
  if (value === null || typeof value !== `object`)
    return value ?? null;
  if (depth === 0)
    return `…`;
  if (Array.isArray(value))
    return value.slice(0, 20).map(item => clipValue(item, limit, depth - 1));
  return Object.fromEntries(Object.entries(value).slice(0, 40).map(([key, item]) => [clip(key, 200), clipValue(item, limit, depth - 1)]));
}

/** A title for one line of a list: no control characters or terminal escapes, at most 200 characters. */
export function titleOf(title: string): string {
  const plain = title.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``).replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, ` `).trim();
  return wellFormed(plain.slice(0, 200));
}
