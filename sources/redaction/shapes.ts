/**
 * Runs of the characters that tokens are made of, and what can be told of one by its shape alone.
 *
 * A run of at least 20 such characters is rare in prose and code, so that it is the one thing worth looking for in
 * clean text: nearly all secrets are, or hold, one.
 */
export const MIN_RUN = 20;

// 1 digit, 2 lower case, 3 upper case, 4 `_` and `-`, 5 `+` and `/`; 0 ends a run.
const CLASS = new Uint8Array(65536);
for (let code = 0x30; code <= 0x39; code++)
  CLASS[code] = 1;
for (let code = 0x61; code <= 0x7a; code++)
  CLASS[code] = 2;
for (let code = 0x41; code <= 0x5a; code++)
  CLASS[code] = 3;
for (const char of `_-`)
  CLASS[char.charCodeAt(0)] = 4;
for (const char of `+/`)
  CLASS[char.charCodeAt(0)] = 5;

/**
 * Calls `visit` with start and end of each run, until it answers true. Returns whether it did.
 *
 * Looks at every twentieth character only, and walks back from there: a run cannot lie between two that end one.
 */
export function someRun(text: string, visit: (start: number, end: number) => boolean): boolean {
  const length = text.length;
  let from = 0;
  while (from + MIN_RUN <= length) {
    let at = from + MIN_RUN - 1;
    while (at >= from && CLASS[text.charCodeAt(at)] !== 0)
      at--;
    if (at >= from) {
      from = at + 1;
      continue;
    }
    let end = from + MIN_RUN;
    while (end < length && CLASS[text.charCodeAt(end)] !== 0)
      end++;
    const start = afterEscape(text, from);
    if (end - start >= MIN_RUN && visit(start, end))
      return true;
    from = end + 1;
  }
  return false;
}

/** In raw JSON the `n` of a line feed, or a `u2192`, sticks to the word that follows. */
export function afterEscape(text: string, start: number): number {
  if (start === 0 || text.charCodeAt(start - 1) !== 0x5c)
    return start;
  switch (text.charCodeAt(start)) {
    case 0x75: return /^[0-9a-fA-F]{4}/.test(text.slice(start + 1, start + 5)) ? start + 5 : start;
    case 0x6e: case 0x74: case 0x72: case 0x62: case 0x66: return start + 1;
    default: return start;
  }
}

const HASH_NAME = /(?:sha-?\d{1,3}|md5|h1|blake[23][bs]?|narHash|integrity|checksum)[-:=@"' ]{1,4}$/i;
const HASH_START = /^(?:sha(?:1|224|256|384|512)-|blake[23]b?-)/;
const DATA_URI = /base64,$/;
// Ids that agents and model APIs give out: they name things, and open nothing.
const ID = /^(?:toolu|srvtoolu|toolu_bdrk|toolu_vrtx|msg|req|call|rs|fc|ctc|resp|item|chatcmpl|cmpl|run|thread|step|ws|ig|mcp|batch|file|agent|task|bash|turn|evt|gen|exec|conv|prompt|container|asst|vs|part|ses|prt)_[A-Za-z0-9_-]+$/;
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

export function isUuid(text: string): boolean {
  return text.length === 36 && UUID.test(text);
}

export function isHex(text: string): boolean {
  return /^(?:[0-9a-f]+|[0-9A-F]+)$/.test(text);
}

export function isId(text: string): boolean {
  return isUuid(text) || ID.test(text);
}

/** Bits a character, from how often each occurs. */
export function entropy(text: string): number {
  const seen = new Map<number, number>();
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  let bits = 0;
  for (const count of seen.values())
    bits -= count / text.length * Math.log2(count / text.length);
  return bits;
}

/** Share of neighbouring letters and digits that change between digit, lower and upper case: 0.62 in random text, ~0.3 in camelCase. */
export function mixing(text: string): number {
  let pairs = 0;
  let changes = 0;
  for (let n = 1; n < text.length; n++) {
    const a = CLASS[text.charCodeAt(n - 1)]!;
    const b = CLASS[text.charCodeAt(n)]!;
    if (a === 0 || a > 3 || b === 0 || b > 3)
      continue;
    pairs++;
    if (a !== b)
      changes++;
  }
  return pairs === 0 ? 0 : changes / pairs;
}

/** Longer ones are data (images, source maps, signatures), not something that a person could have for a password. */
const MAX_RANDOM = 256;

/**
 * Does the run at `start`–`end` look like it was drawn at random? Deliberately blind to hex and to anything without
 * all of digits, lower and upper case: hashes, UUIDs, slugs, constants and paths are far more common than keys there.
 */
export function isRandom(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length < MIN_RUN || length > MAX_RANDOM)
    return false;
  let digits = 0;
  let lowers = 0;
  let uppers = 0;
  let marks = 0;
  let slashes = 0;
  for (let n = start; n < end; n++) {
    switch (CLASS[text.charCodeAt(n)]) {
      case 1: digits++; break;
      case 2: lowers++; break;
      case 3: uppers++; break;
      case 4: marks++; break;
      case 5: slashes++; break;
    }
  }
  if (digits < 2 || lowers < 3 || uppers < 3)
    return false;
  const run = text.slice(start, end);
  if (slashes > 0) {
    // A path is judged by its parts, unless the whole looks like base64.
    if (slashes <= length / 10 && length >= 32 && isRandomText(run, 0.5, 4.2))
      return !namedHash(text, start, run) && !/\/\w{0,24}[a-z]{6,}\w{0,24}\//.test(`/${run}/`);
    return run.split(/[+/]/).some(part => part.length >= 24 && hasAll(part) && isRandomText(part, 0.48, 3.9) && !isId(part))
      && !namedHash(text, start, run);
  }
  const shortBar = length < 32 ? 0.48 : 0.4;
  if (marks > length / 6 || !isRandomText(run, shortBar, length < 32 ? 3.9 : 4.1))
    return false;
  return digits >= (length < 32 ? 3 : 2) && !isId(run) && !namedHash(text, start, run);
}

function hasAll(text: string): boolean {
  return /[0-9].*[0-9]/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text);
}

function isRandomText(text: string, mixed: number, bits: number): boolean {
  return mixing(text) >= mixed && entropy(text) >= bits;
}

function namedHash(text: string, start: number, run: string): boolean {
  if (HASH_START.test(run))
    return true;
  const before = text.slice(Math.max(0, start - 24), start);
  return HASH_NAME.test(before) || DATA_URI.test(before);
}
