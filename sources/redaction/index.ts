import type {Json}                                         from '../interchange/types.ts';
import {PLACEHOLDER, copies, detect, isNamedSecret, merge} from './detect.ts';
import type {Detector, Finding}                            from './detect.ts';
import {compileAllow, compileExtra}                        from './options.ts';
import {MAX_PREFILTER, createPrefilter}                    from './prefilter.ts';
import {keyLine, opensKey}                                 from './privateKey.ts';
import {loadSecretlint}                                    from './secretlint.ts';
import type {External}                                     from './secretlint.ts';
import {ID_KEYS, decode, eachString, isOpaque, rawPositions, safeCut} from './structure.ts';
import type {Leaf}                                         from './structure.ts';

export {RedactionOptionError} from './options.ts';
export {ID_KEYS, OPAQUE_KEYS} from './structure.ts';

/** How often each rule has replaced something. */
export type RedactionCounts = {[rule: string]: number};
/** `counts` is null, and `text` the very string that was given, when nothing was found. */
export type Redacted = {text: string; counts: RedactionCounts | null};

export interface Redactor {
  /** One JSON line without its newline, and its parsed value (undefined when it is not JSON). Same input, same output. */
  line(text: string, value: Json | undefined): Redacted | Promise<Redacted>;
  /** Free text. Binary data (it holds a NUL) is given back as it is. */
  text(text: string): Redacted | Promise<Redacted>;
}

export type RedactionOptions = {
  /** Off: everything is given back as it is. On unless told otherwise. */
  enabled?: boolean;
  /** Secrets that may stay: the exact text, or `/pattern/flags` that matches all of it. */
  allow?: Array<string>;
  /** Rules of one's own. `pattern` is a regular expression; its group `secret`, or else the whole match, is replaced. */
  extra?: Array<{id: string; pattern: string}>;
  /** Also replace what merely looks random. On unless told otherwise. */
  entropy?: boolean;
};

/** Text is looked at in pieces of this many characters, which overlap by more than the longest secret. */
const WINDOW = 256 * 1024;
const OVERLAP = 32 * 1024;
/** A string that is JSON itself is taken apart up to this size, and this deep. */
const MAX_NESTED = 8 * 1024 * 1024;
const MAX_DEPTH = 4;
/** Copies are looked for while number × length stays below this. */
const MAX_COPY_WORK = 4e8;
/** A replacement can bring to light what hid behind the secret. Two rounds do; more would be a fault of a rule. */
const MAX_ROUNDS = 4;

/**
 * Takes secrets out of text. Clean text costs one quick look; only for what is suspicious the rules are loaded.
 *
 * @throws RedactionOptionError (`BAD_PATTERN`, `UNSAFE_PATTERN`, `BAD_RULE_ID`)
 */
export function createRedactor(options: RedactionOptions = {}): Redactor {
  const unchanged = (text: string): Redacted => ({text, counts: null});
  if (options.enabled === false)
    return {line: unchanged, text: unchanged};

  const entropy = options.entropy ?? true;
  const suspects = createPrefilter({entropy});
  const extra = (options.extra ?? []).map(compileExtra);
  const allows = compileAllow(options.allow ?? []);
  let external: External | null = null;

  const isClean = (text: string) => extra.length === 0 && !anyWindow(text, suspects);
  const run = (text: string, isJson: boolean): Redacted | Promise<Redacted> => {
    if (isClean(text))
      return unchanged(text);
    if (external !== null)
      return redact(text, isJson, {suspects, external, entropy, extra, allows});
    return loadSecretlint().then(loaded => {
      external = loaded;
      return redact(text, isJson, {suspects, external, entropy, extra, allows});
    });
  };

  return {
    line: (text, value) => run(text, value !== undefined),
    text: text => text.includes(`\0`) ? unchanged(text) : run(text, isJsonDocument(text)),
  };
}

function isJsonDocument(text: string): boolean {
  if (text.length > MAX_NESTED || !/^\s*[{[]/.test(text))
    return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function redact(text: string, isJson: boolean, detector: Detector): Redacted {
  const counts: RedactionCounts = {};
  let current = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const findings = isJson ? inJson(current, detector, 0) : inText(current, detector);
    if (findings.length === 0)
      break;
    const pieces: Array<string> = [];
    let done = 0;
    for (const {start, end, rule} of findings) {
      pieces.push(current.slice(done, start), `[REDACTED:${rule}]`);
      done = end;
      counts[rule] = (counts[rule] ?? 0) + 1;
    }
    pieces.push(current.slice(done));
    current = pieces.join(``);
  }
  return Object.keys(counts).length === 0 ? {text, counts: null} : {text: current, counts};
}

/** Findings in text that is no JSON. */
function inText(text: string, detector: Detector): Array<Finding> {
  const findings: Array<Finding> = [];
  for (const [start, end] of windows(text, 0, text.length, false)) {
    const piece = text.slice(start, end);
    if (detector.extra.length > 0 || detector.suspects(piece))
      findings.push(...detect(piece, detector, `all`).map(finding => ({...finding, start: finding.start + start, end: finding.end + start})));
  }
  const secrets = collectCopies(findings.map(({start, end, rule}) => ({secret: text.slice(start, end), rule})), text.length);
  return merge([...findings, ...occurrences(text, secrets)]);
}

/** Findings in JSON, as positions in its text: never a quote, never half an escape. */
function inJson(text: string, detector: Detector, depth: number): Array<Finding> {
  const findings: Array<Finding> = [];
  const secrets: Array<{secret: string; rule: string}> = [];
  const leaves: Array<Leaf> = [];
  let inKey = false;
  eachString(text, leaf => {
    if (inKey && !leaf.isKey) {
      const line = leaf.end - leaf.start <= 256 ? keyLine(text.slice(leaf.start, leaf.end)) : null;
      if (line !== null) {
        findings.push({start: leaf.start + line[0], end: leaf.start + line[1], rule: `private-key`});
        return;
      }
      inKey = false;
    }
    if (leaf.end - leaf.start < 6 || isOpaque(leaf.key, text, leaf.start, leaf.end))
      return;
    const isId = leaf.isKey || ID_KEYS.has(leaf.key);
    if (!isId)
      leaves.push(leaf);
    for (const [start, end] of windows(text, leaf.start, leaf.end, true)) {
      const raw = text.slice(start, end);
      const named = !isId && start === leaf.start && end === leaf.end && (nameMatters(leaf.key) || leaf.sibling !== null);
      if (!named && detector.extra.length === 0 && !detector.suspects(raw))
        continue;
      const decoded = decode(raw);
      if (decoded === null)
        continue;
      const inner = named && (isNamedSecret(leaf.key, decoded, detector) || leaf.sibling !== null && isNamedSecret(leaf.sibling, decoded, detector))
        ? [{start: 0, end: decoded.length, rule: `assigned`}]
        : inDecoded(decoded, detector, isId, depth);
      inKey = !leaf.isKey && opensKey(decoded.slice(-128));
      const position = rawPositions(raw);
      for (const finding of inner) {
        findings.push({start: start + position(finding.start), end: start + position(finding.end), rule: finding.rule});
        secrets.push({secret: decoded.slice(finding.start, finding.end), rule: finding.rule});
      }
    }
  });
  if (findings.length === 0)
    return findings;
  const wanted = collectCopies(secrets, text.length);
  if (wanted.length > 0) {
    for (const leaf of leaves) {
      for (const [start, end] of windows(text, leaf.start, leaf.end, true)) {
        const raw = text.slice(start, end);
        const decoded = decode(raw);
        if (decoded === null)
          continue;
        const position = rawPositions(raw);
        for (const finding of merge(occurrences(decoded, wanted)))
          findings.push({start: start + position(finding.start), end: start + position(finding.end), rule: finding.rule});
      }
    }
  }
  return merge(findings);
}

function inDecoded(text: string, detector: Detector, isId: boolean, depth: number): Array<Finding> {
  // Arguments of a tool call, an HTTP body: JSON inside of a string. Names of fields count there as well.
  if (!isId && depth < MAX_DEPTH && isJsonDocument(text))
    return inJson(text, detector, depth + 1);
  return detect(text, detector, isId ? `token` : `all`);
}

/** Cheap: could the name say that its value is secret? */
function nameMatters(key: string): boolean {
  return /secret|token|pass|pwd|key|credential|auth/i.test(key);
}

function collectCopies(found: Array<{secret: string; rule: string}>, length: number): Array<{text: string; rule: string}> {
  const rules = new Map<string, string>();
  for (const {secret, rule} of found)
    for (const text of copies(secret, rule))
      if (!rules.has(text) && !PLACEHOLDER.test(text))
        rules.set(text, rule);
  const all = [...rules].map(([text, rule]) => ({text, rule}));
  return all.slice(0, Math.max(8, Math.floor(MAX_COPY_WORK / Math.max(1, length))));
}

function occurrences(text: string, secrets: Array<{text: string; rule: string}>): Array<Finding> {
  const found: Array<Finding> = [];
  for (const {text: secret, rule} of secrets)
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length))
      found.push({start: at, end: at + secret.length, rule});
  return found;
}

/** Pieces of `text` between `start` and `end`. `escaped`: never cut inside of an escape. */
function* windows(text: string, start: number, end: number, escaped: boolean): Generator<[number, number]> {
  let from = start;
  while (true) {
    const nominal = from + WINDOW;
    const to = nominal >= end ? end : escaped ? safeCut(text, from, nominal, end) : nominal;
    yield [from, to];
    if (to >= end)
      return;
    from = escaped ? safeCut(text, from, to - OVERLAP, end) : to - OVERLAP;
  }
}

function anyWindow(text: string, suspects: (piece: string) => boolean): boolean {
  if (text.length <= MAX_PREFILTER)
    return suspects(text);
  for (let from = 0; ; from += WINDOW - OVERLAP) {
    if (suspects(text.slice(from, from + WINDOW)))
      return true;
    if (from + WINDOW >= text.length)
      return false;
  }
}
