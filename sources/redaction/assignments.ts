import {entropy, isHex, isId, isUuid, mixing} from './shapes.ts';

/**
 * Values that a name calls secret: `API_KEY=…`, `"password": "…"`, `--token …`.
 *
 * The hard part is what is *not* one. Transcripts are full of code, where `token` is mostly a variable of a parser and
 * `password` a label, so a value has to look like something that opens a door.
 */

// Spelt out instead of /i: four times as fast, and `tokens`, `tokenize`, `keyboard` are left alone at once.
const WORD = [
  `[sS]ecret|SECRET|[tT]oken|TOKEN|[pP]ass(?:w(?:or)?d|phrase|code)|PASS(?:W(?:OR)?D|PHRASE|CODE)|[pP]wd|PWD`,
  `(?<![A-Za-z])pass|Pass|(?<![A-Za-z])PASS|[kK]ey|KEY|[cC]redentials?|CREDENTIALS?|(?<![A-Za-z])_auth`,
].join(`|`);
const SUFFIX = `(?:[_-]?(?:[A-Z0-9][A-Z0-9_-]{0,23}|[vV]alue|[bB]ase64|prod|dev|test|staging))?`;
const JOIN = String.raw`\\{0,8}["'\x60]?(?:\]|\\{0,8}["']\])?(?:\s|\\t){0,4}(?:=>|:=|={1,3}|:|%3D|%3A)(?:\s|\\t){0,4}`;
const ASSIGNMENT = new RegExp(`(${WORD})(${SUFFIX})(${JOIN})`, `g`);
const OPTION = /--?([a-z][a-z-]{0,24})(?:\s{1,3}|=)/g;
const OPTION_NAME = /(?:^|-)(?:password|passwd|pass|token|secret|api-?key|access-?key|secret-?key|private-?key|auth-?key)$/;

// `key` alone is a key of a map. It takes one of these before it to open something.
const KEY_BEFORE = /(?:api|access|secret|private|priv|auth|signing|sign|encryption|encrypt|master|account|shared|service|deploy|admin|subscription|storage|client|app|consumer|license|hmac|cipher|crypto|webhook|ssh|aws|jwt|rsa|publishable|host|server|management|write|read|ingest|project)[_-]?$/i;
const TOKEN_BEFORE = /(?:page|next|cursor|cancel|cancellation|sync|continuation|start|end|eos|bos|pad|stop|unk|mask|sep|special|max|min|num|total|input|output|prompt|completion|cached|per|public|syntax|current|previous|prev|last|first)[_-]?$/i;

const PLACEHOLDER = /^(?:<.*|.*>|\$.*|%.*%|\{.*|\[.*|.*\$\{.*|.*\{\{.*|[x*.•·_-]+|(.)\1+|0?123456.*|(?:my|your|the|some|an?|insert|enter|put|replace|add|fake|dummy|mock|sample|example|changeme|change[-_]?(?:me|it)|redacted|placeholder|todo|tbd|none|null|nil|undefined|true|false|string|number|boolean|required|optional|hidden|masked|empty|unset|default|value|test|foo|bar|baz)(?![a-z]{5}).{0,4}|.*(?:example|placeholder|changeme|change[-_]me|redacted|your[-_]|[-_]here|dummy|xxxx|\*\*\*|\.\.\.|…).*|(?:sk|pk|api|key|token|secret|test)[-_](?:dummy|test|fake|mock)[-_\w]{0,12}|process\.env.*|os\.(?:environ|getenv).*|env[.[(].*|secrets?\..*|vault:.*|ref:.*|file:.*|https?:.*|arn:.*)$/i;

export type Assigned = {start: number; end: number};
type Kind = `password` | `key` | `token`;

function kindOf(word: string, before: string): Kind | null {
  const lower = word.toLowerCase();
  if (lower === `key`)
    return KEY_BEFORE.test(before) ? `key` : null;
  if (lower === `token`)
    return TOKEN_BEFORE.test(before) ? null : `token`;
  return lower.startsWith(`pass`) || lower === `pwd` ? `password` : `token`;
}

const NAME = new RegExp(`(${WORD})${SUFFIX}$`);

/** Would the name of a field say that its value is secret? `API_KEY`, `clientSecret`, `password`; not `tokens`, `key`, `sessionKey`. */
export function secretKind(name: string): Kind | null {
  if (name.length > 128)
    return null;
  const match = NAME.exec(name);
  return match === null ? null : kindOf(match[1]!, name.slice(0, match.index));
}

const VALUE = /(?:[=:]|%3[DA])[=>]{0,2}(?:\s|\\t){0,4}(\\{0,32})(?:(["'`])([^\s"'`\\]{0,4096})|([^\s"'`\\,;(){}[\]<>&|]{6,4096}))/iy;

/**
 * For the prefilter: might `name` and what follows the `:` or `=` at `at` be found below? `text` may be raw JSON, where
 * quotes have backslashes and a value may go on behind one.
 */
export function mayAssign(name: string, text: string, at: number): boolean {
  const kind = /_auth$|[aA]uth$/.test(name) ? `password` : secretKind(name);
  if (kind === null)
    return false;
  VALUE.lastIndex = at;
  const match = VALUE.exec(text);
  if (match === null)
    return false;
  const quoted = match[3];
  if (quoted !== undefined) {
    const next = text[VALUE.lastIndex];
    const closes = text.startsWith(match[1]! + match[2]!, VALUE.lastIndex);
    // An escape, or another kind of quote: it goes on, and only its decoded form tells how.
    return closes ? isSecretValue(quoted, kind, `quoted`) : next !== undefined && /["'`\\]/.test(next);
  }
  const bare = match[4]!.replace(/[.:!?*]+$/, ``);
  return isSecretValue(bare, kind, `plain`) || isSecretValue(bare, kind, `bare`);
}

/**
 * `bare`: without quotes, in code that could be an expression as well. `plain`: without quotes where only a value can
 * stand (an environment line, a URL, an option).
 */
export function isSecretValue(value: string, kind: Kind, form: `quoted` | `bare` | `plain`): boolean {
  const {length} = value;
  if (length < 6 || length > 4096 || PLACEHOLDER.test(value) || isUuid(value) && kind === `password` || isId(value) && !isUuid(value))
    return false;
  if (/\s|[\u0080-\uffff]/.test(value))
    return false;
  const digits = /[0-9]/.test(value);
  const letters = /[A-Za-z]/.test(value);
  const symbols = /[^A-Za-z0-9_.-]/.test(value);
  // A dotted name, a call, a path, a type: code.
  if (/^[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)+[!;]?$/.test(value) && !(kind !== `password` && isDense(value)))
    return false;
  if (/[(){}[\]]|=>|::|\|\||&&|^[./~]|^[A-Za-z]:[\\/]|^@|^#|\/\/|^[+<>=!?|&]/.test(value) && form !== `quoted`)
    return false;
  if (/^(?:\.{0,2}\/|~\/|[A-Za-z]:\\|[\w.-]+\/[\w./-]+$)/.test(value) && !isDense(value))
    return false;
  if (kind === `password`) {
    if (form === `bare`)
      return length >= 8 && digits && letters && !/^[A-Za-z_$][A-Za-z_$]*\d{0,2}$/.test(value) && !/^\d/.test(value);
    // A word is a label, a field name or an example. In an environment line it is what was chosen.
    const word = /^[A-Za-z]+(?:[-_. :/][A-Za-z]+)*[:?!.*]?$/.test(value);
    if (word)
      return form === `plain` && length >= 8 && /[a-z]/.test(value) && !/[_:.]/.test(value) && !/^(?:password|passwd|secret)/i.test(value);
    return letters && (digits || symbols) || length >= 8 && digits && symbols || form === `plain` && digits && length >= 8;
  }
  // Random letters, by chance with hardly a digit.
  if (length >= 16 && mixing(value) >= (digits ? 0.33 : 0.42) && entropy(value) >= 3.5)
    return true;
  if (length < 8 || !digits || !letters)
    return false;
  // `sha256`, `token2`, `utf-8`, `v1.2.3`, `access_token_2`, `2024-01-01T…`, `12px`.
  if (/^[A-Za-z]+(?:[-_.:/ ]?[A-Za-z]+)*[-_.:]?\d{0,4}$/.test(value) && !isDense(value) || /^v?\d+(?:[.:T/-]\d+)*[A-Za-z]{0,6}$/.test(value))
    return false;
  if (isHex(value))
    return length >= 16;
  if (form === `quoted`)
    return isDense(value) || length >= 10 && entropy(value) >= 3 && (value.match(/[0-9]/g)?.length ?? 0) >= 2 && mixing(value) >= 0.2;
  return isDense(value);
}

/** Digits strewn through letters, hardly a character twice. */
function isDense(value: string): boolean {
  return value.length >= 12 && (value.match(/[0-9]/g)?.length ?? 0) >= 2 && entropy(value) >= 3.2 && mixing(value) >= 0.28;
}

/** Values in `text` whose names say that they are secret. */
export function assignments(text: string): Array<Assigned> {
  const found: Array<Assigned> = [];
  ASSIGNMENT.lastIndex = 0;
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    const kind = kindOf(match[1]!, text.slice(Math.max(0, match.index - 16), match.index));
    if (kind === null)
      continue;
    const from = match.index + match[0].length;
    // `KEY=value` without blanks, also as `-e KEY=value`; `key: value` is YAML when a line ends after the value.
    const tight = /^\\*["']?(?:=|%3D)$/.test(match[3]!);
    const value = valueAt(text, from, tight);
    if (value === null)
      continue;
    if (!isSecretValue(text.slice(value.start, value.end), kind, value.form)) {
      // `key=key=key=…` must not be read again from each of them.
      if (value.form !== `quoted` && value.end - value.start > 64)
        ASSIGNMENT.lastIndex = value.end;
      continue;
    }
    found.push({start: value.start, end: value.end});
    ASSIGNMENT.lastIndex = value.end;
  }
  OPTION.lastIndex = 0;
  for (let match = OPTION.exec(text); match !== null; match = OPTION.exec(text)) {
    if (!OPTION_NAME.test(match[1]!))
      continue;
    const value = valueAt(text, match.index + match[0].length, true);
    if (value === null)
      continue;
    const kind = match[1]!.includes(`pass`) ? `password` : `token`;
    // `--password Enter`: in prose and help texts the next word is no value.
    if (isSecretValue(text.slice(value.start, value.end), kind, value.form === `quoted` ? `quoted` : `bare`))
      found.push({start: value.start, end: value.end});
  }
  return found;
}

function valueAt(text: string, from: number, tight: boolean): {start: number; end: number; form: `quoted` | `bare` | `plain`} | null {
  let at = from;
  while (text[at] === `\\` && at - from < 16)
    at++;
  const quote = text[at];
  if (quote === `"` || quote === `'` || quote === `\``) {
    const closing = text.slice(from, at + 1);
    const start = at + 1;
    const reach = text.slice(start, start + 4096);
    for (let length = reach.indexOf(closing); length !== -1; length = reach.indexOf(closing, length + 1)) {
      const end = start + length;
      // Inside of a string without escaping of its own, `\"` does not end it.
      if (closing.length === 1 && isEscaped(text, end, start))
        continue;
      return {start, end, form: `quoted`};
    }
    return null;
  }
  const value = /[^\s"'`,;&|<>(){}[\]\\]{6,4096}/y;
  value.lastIndex = from;
  const match = value.exec(text);
  if (match === null)
    return null;
  let end = from + match[0].length;
  while (end > from && /[.:!?*]/.test(text[end - 1]!))
    end--;
  const next = text[from + match[0].length];
  if (next === `(` || next === `[` || next === `{`)
    return null;
  const upper = /[A-Z0-9]$/.test(text.slice(Math.max(0, from - 3), from).replace(/[\s=:"'\\]+$/, ``));
  const line = next === undefined || next === `\n` || next === `\r` || next === `\\`;
  return {start: from, end, form: tight && (upper || line || next === `&`) || line && !/[=(]/.test(text.slice(Math.max(0, from - 2), from)) ? `plain` : `bare`};
}

function isEscaped(text: string, at: number, start: number): boolean {
  let count = 0;
  for (let n = at - 1; n >= start && text[n] === `\\`; n--)
    count++;
  return count % 2 === 1;
}
