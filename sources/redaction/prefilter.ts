import {mayAssign}             from './assignments.ts';
import {RULES}                 from './rules.ts';
import {afterEscape, isRandom} from './shapes.ts';

/**
 * Could there be a secret in this text? Never says no wrongly (the samples of each rule are tried on it in the tests),
 * and says no to nearly all that is clean. Works on raw JSON as well as on decoded text.
 *
 * Stops only at long runs of token characters, and at `:`, `=`, `%` and dashes, where a letter or two tell most often that nothing is here. One big pattern of all heads takes ten times as
 * long, a pattern for each of them four times.
 */
export type Prefilter = (text: string) => boolean;

const MIN_RUN = 20;
const RUN = 0;
const OTHER = 1;
const CLASS = new Uint8Array(256).fill(OTHER);
for (const char of `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/`)
  CLASS[char.charCodeAt(0)] = RUN;

/** Longest text that a prefilter takes at once. */
export const MAX_PREFILTER = 1024 * 1024;

const NETRC = /login(?:\\{1,8}[nt]|\s){1,8}[^\s\\]{1,200}(?:\\{1,8}[nt]|\s){1,8}password/;

export function createPrefilter(options: {entropy: boolean}): Prefilter {
  const {entropy} = options;
  // A byte for each UTF-16 unit, its lower half: four times as fast to walk through as a string, at the same positions.
  // Other letters may pass for ASCII ones that way; everything that is stopped at is looked at again in the text.
  let buffer = Buffer.alloc(0);
  let words = new Int32Array(0);
  return text => {
    if (text.includes(`machine `) && NETRC.test(text))
      return true;
    if (buffer.length < text.length) {
      // Grown by powers of two, so that four bytes can be looked at in one.
      const memory = new ArrayBuffer(2 ** Math.ceil(Math.log2(Math.max(64 * 1024, text.length))));
      buffer = Buffer.from(memory);
      words = new Int32Array(memory);
    }
    const bytes = buffer;
    const length = bytes.write(text, 0, `latin1`);
    for (let end = nextRunEnd(bytes, 0, length); end !== -1; end = nextRunEnd(bytes, end + 1, length))
      if (isSuspectRun(text, bytes, lastStart, end, entropy))
        return true;
    const four = words;
    for (let word = nextSign(four, 0, length); word !== -1; word = nextSign(four, word + 1, length)) {
      for (let at = word * 4; at < word * 4 + 4 && at < length; at++) {
        const code = bytes[at];
        if (code === 0x3a || code === 0x3d ? atJoin(text, bytes, at)
          : code === 0x2d ? bytes[at - 1] === 0x20 && atOption(text, at - 1) || isKeyHead(text, bytes, at)
            : code === 0x25 && atPercent(text, bytes, at))
          return true;
      }
    }
    return false;
  };
}

// The two loops that see every character stand alone: inlined into more they run at half the speed (Node 20).

/** Where the run begins whose end was given last. */
let lastStart = 0;

/** End of the first run at or after `from`; -1. Looks at every twentieth character, and back from there: no run can lie between two that end one. */
function nextRunEnd(bytes: Buffer, from: number, length: number): number {
  const classes = CLASS;
  let start = from;
  while (start + MIN_RUN <= length) {
    let at = start + MIN_RUN - 1;
    while (at >= start && classes[bytes[at]!] === RUN)
      at--;
    if (at >= start) {
      start = at + 1;
      continue;
    }
    let end = start + MIN_RUN;
    while (end < length && classes[bytes[end]!] === RUN)
      end++;
    lastStart = start;
    return end;
  }
  return -1;
}

/**
 * Index of the next group of four bytes with a `:`, `=`, `%` or `-` in it (or one of `89;<>?`, which differ from the
 * first two in the bits that are masked out). A byte is zero where it borrows from the bit above.
 */
function nextSign(words: Int32Array, from: number, length: number): number {
  const end = (length + 3) >> 2;
  for (let at = from; at < end; at++) {
    const four = words[at]!;
    const joins = (four | 0x07070707) ^ 0x3f3f3f3f;
    const dashes = (four | 0x08080808) ^ 0x2d2d2d2d;
    if (((((joins - 0x01010101) & ~joins) | ((dashes - 0x01010101) & ~dashes)) & 0x80808080) !== 0)
      return at;
  }
  return -1;
}

const heads = (context: boolean) => RULES.filter(rule => rule.at !== `join` && rule.at !== `blank` && (rule.at === `context`) === context)
  .map(rule => rule.head ?? rule.marks.map(mark => mark.replace(/[.*+?^${}()|[\]\\]/g, `\\$&`)).join(`|`)).join(`|`);
/** A token starts inside of the run: at its start, or after one of `_-+/`. */
const IN_RUN = new RegExp(`(?<![A-Za-z0-9])(?:${heads(false)})`);
/** What tells stands before the run, after it, or amid it. */
const AROUND_RUN = new RegExp(heads(true));

function isSuspectRun(text: string, bytes: Buffer, from: number, end: number, entropy: boolean): boolean {
  const start = from > 0 && bytes[from - 1] === 0x5c ? afterEscape(text, from) : from;
  // A UUID.
  if (end - start === 36 && bytes[start + 8] === 0x2d && bytes[start + 13] === 0x2d && bytes[start + 18] === 0x2d && bytes[start + 23] === 0x2d)
    return false;
  // No capital and no digit: a path, a slug, a line of dashes.
  let at = start;
  while (at < end && (bytes[at]! > 0x5a || bytes[at]! < 0x30))
    at++;
  if (at === end)
    return false;
  const run = text.slice(start, end);
  if (IN_RUN.test(run) || entropy && isRandom(text, start, end))
    return true;
  const before = start > 0 ? bytes[start - 1] : 0;
  // `%3Dghp_…`
  if (before === 0x25 && IN_RUN.test(run.slice(2)))
    return true;
  // `SG.…`, `:AA…`, `~…`, `sig=…`, `//token@`, `%2B…`, `Bearer …`; discord's `….`; Azure's keys have their mark amid them.
  const after = bytes[end];
  if (before === 0x2e || before === 0x3a || before === 0x7e || before === 0x3d || before === 0x25 || before === 0x20 || after === 0x2e || after === 0x40 || after === 0x7e || end - start >= 36)
    return AROUND_RUN.test(text.slice(Math.max(0, start - 32), Math.min(end, start + 512) + 1));
  return false;
}

/**
 * Could a name that means secrets end with the character at `at`? By its last two letters: `kEY`, `tokEN`, `secrET`,
 * `passwoRD`, `passWD`, `phraSE`, `passcoDE`, `paSS`, `credentiAL(S)`, `auTH`, `authorizatiON`; digits and capitals may
 * be a suffix.
 */
function mayEndName(bytes: Buffer, at: number): boolean {
  const before = bytes[at - 1]! | 0x20;
  const code = bytes[at]!;
  if (code < 0x61)
    return code >= 0x41 && code <= 0x5a || code >= 0x30 && code <= 0x39;
  switch (code) {
    case 0x79: case 0x76: return before === 0x65;
    case 0x6e: return before === 0x65 ? (bytes[at - 2]! | 0x20) === 0x6b : before === 0x6f && (bytes[at - 4]! | 0x20) === 0x61;
    case 0x74: return before === 0x65 || before === 0x73;
    case 0x64: return before === 0x72 || before === 0x77 || before === 0x6f;
    case 0x65: return before === 0x73 || before === 0x64 || before === 0x75;
    case 0x73: return before === 0x73 || before === 0x6c;
    case 0x6c: return before === 0x61;
    case 0x68: return before === 0x74;
    case 0x67: return before === 0x6e;
    default: return false;
  }
}

const URL_HEAD = /:\/\/[^\s/:@"'\\<>]{0,128}:[^\s/@"'\\]{3,256}@/y;
const AUTHORIZATION = /[:=](?:\s|\\t){0,4}\\{0,8}["'`]?\w{1,16}(?:\s|%20|\+){1,4}\S{8}/y;
const USER_OPTION = /\s(?:-u|--user)[\s=]{0,2}\\{0,8}["']?[^\s:"'\\$]{1,100}$/;

function atJoin(text: string, bytes: Buffer, at: number): boolean {
  if (bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f) {
    URL_HEAD.lastIndex = at;
    if (URL_HEAD.test(text))
      return true;
  }
  return isAssignment(text, bytes, at);
}

function isAssignment(text: string, bytes: Buffer, at: number): boolean {
  let end = at - 1;
  for (let n = 0; n < 48 && end > 0; n++) {
    const code = bytes[end];
    if (code === 0x74 && bytes[end - 1] === 0x5c)
      end -= 2;
    else if (code === 0x20 || code === 0x22 || code === 0x27 || code === 0x60 || code === 0x5c || code === 0x5d || code === 0x09 || code === 0x0a)
      end--;
    else
      break;
  }
  // `curl -u alice:…`
  if (bytes[at] === 0x3a && end === at - 1 && bytes[at + 1] !== 0x20 && bytes[at + 1] !== 0x2f && USER_OPTION.test(text.slice(Math.max(0, at - 112), at)))
    return true;
  if (!mayEndName(bytes, end))
    return false;
  const name = text.slice(Math.max(0, end - 40), end + 1);
  if (/uthorization$|UTHORIZATION$/.test(name)) {
    AUTHORIZATION.lastIndex = at;
    return AUTHORIZATION.test(text);
  }
  return mayAssign(name, text, at);
}

const OPTION = /\s--?[a-z-]{0,24}(?:pass(?:word|wd)?|token|secret|key)[\s=]{1,3}\\{0,8}["']?[^\s-]/y;
const SHORT_PASSWORD = /\s-p\s{0,2}\\{0,8}["']?[^\s"'\\$-]{4}/y;

/** A blank and a dash: `--password …`, `mysql -p…`. */
function atOption(text: string, at: number): boolean {
  OPTION.lastIndex = at;
  if (OPTION.test(text))
    return true;
  SHORT_PASSWORD.lastIndex = at;
  return SHORT_PASSWORD.test(text) && /mysql|mariadb|sshpass/.test(text.slice(Math.max(0, at - 240), at));
}

/** The last dash of `-----BEGIN … PRIVATE KEY`, or that of `Private-Lines` (PuTTY). */
function isKeyHead(text: string, bytes: Buffer, at: number): boolean {
  return bytes[at + 1] === 0x42 && bytes[at - 1] === 0x2d && /^BEGIN [A-Z0-9 ]{0,64}PRIVATE KEY/.test(text.slice(at + 1, at + 96))
    || bytes[at + 1] === 0x4c && bytes[at - 1] === 0x65 && text.startsWith(`Private-Lines`, at - 7);
}

/** `%3D` and `%3A` stand for `=` and `:`. */
function atPercent(text: string, bytes: Buffer, at: number): boolean {
  return bytes[at + 1] === 0x33 && ((bytes[at + 2]! | 0x20) === 0x64 || (bytes[at + 2]! | 0x20) === 0x61) && isAssignment(text, bytes, at);
}
