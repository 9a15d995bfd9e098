import {assignments, isSecretValue, secretKind} from './assignments.ts';
import type {Prefilter}                         from './prefilter.ts';
import {keyLines, privateKeys}                  from './privateKey.ts';
import {RULES, startsWord}                      from './rules.ts';
import type {External}                          from './secretlint.ts';
import {isRandom, someRun}                      from './shapes.ts';

export type Finding = {start: number; end: number; rule: string};

export type Detector = {
  suspects: Prefilter;
  external: External;
  entropy: boolean;
  extra: Array<{id: string; pattern: RegExp}>;
  allows: (secret: string) => boolean;
};

/** How much is looked for. `token`: only what has a shape of its own, as in ids and names of fields. */
export type Scope = `all` | `token`;

export const PLACEHOLDER = /\[REDACTED:[a-z0-9-]{1,64}\]/;
const PLACEHOLDER_START = `[REDACTED:`;

/** Secrets in decoded text, in rising order, none overlapping another. */
export function detect(text: string, detector: Detector, scope: Scope): Array<Finding> {
  const kept: Array<Finding> = [];
  // For each character the number of the finding that covers it, from 1.
  let cover: Uint32Array | null = null;
  const add = (start: number, end: number, rule: string) => {
    if (end <= start)
      return;
    const secret = text.slice(start, end);
    if (secret.includes(PLACEHOLDER_START) || touchesPlaceholder(text, start, end) || detector.allows(secret))
      return;
    cover ??= new Uint32Array(text.length);
    let at = start;
    while (at < end && cover[at] === 0)
      at++;
    // What an earlier rule found keeps its name; a part that stands out of it goes with it.
    const number = at < end ? cover[at]! : kept.push({start, end, rule});
    const finding = kept[number - 1]!;
    finding.start = Math.min(finding.start, start);
    finding.end = Math.max(finding.end, end);
    cover.fill(number, start, end);
  };

  for (const [start, end] of privateKeys(text))
    add(start, end, `private-key`);
  for (const rule of RULES) {
    if (!rule.marks.some(mark => text.includes(mark)))
      continue;
    rule.pattern.lastIndex = 0;
    for (let match = rule.pattern.exec(text); match !== null; match = rule.pattern.exec(text)) {
      if (rule.isWord && !startsWord(text, match.index)) {
        rule.pattern.lastIndex = match.index + 1;
        continue;
      }
      const secret = match.groups?.secret ?? match[0];
      const start = match.index + match[0].lastIndexOf(secret);
      if (rule.accept === undefined || rule.accept(secret))
        add(start, start + secret.length, rule.id);
    }
  }
  for (const {start, end, rule} of detector.external(text))
    add(start, end, rule);
  for (const {id, pattern} of detector.extra) {
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      if (match[0].length === 0)
        pattern.lastIndex++;
      const secret = match.groups?.secret ?? match[0];
      const start = match.index + match[0].lastIndexOf(secret);
      add(start, start + secret.length, id);
    }
  }
  if (scope === `all`) {
    for (const {start, end} of assignments(text))
      add(start, end, `assigned`);
    if (detector.entropy) {
      const publicParts = armoured(text);
      someRun(text, (start, end) => {
        if (isRandom(text, start, end) && !publicParts.some(([from, to]) => start >= from && end <= to))
          add(start, withPadding(text, end), `entropy`);
        return false;
      });
    }
  }
  return merge(kept);
}

/** Is the value of a field with this name a secret, as a whole? */
export function isNamedSecret(name: string, value: string, detector: Detector): boolean {
  const kind = secretKind(name);
  return kind !== null && isSecretValue(value, kind, `quoted`) && !value.includes(PLACEHOLDER_START) && !detector.allows(value);
}

/** What a finding gives to look for in the rest of the line. */
export function copies(secret: string, rule: string): Array<string> {
  const texts = rule === `private-key` ? keyLines(secret).filter(line => line.length >= 24) : secret.length >= 8 && secret.length <= 4096 ? [secret] : [];
  return texts.flatMap(text => {
    const escaped = JSON.stringify(text).slice(1, -1);
    const encoded = /[\ud800-\udfff]/.test(text) ? `` : encodeURIComponent(text);
    return [text, escaped, encoded].filter((form, n, forms) => form.length >= 8 && forms.indexOf(form) === n);
  });
}

/** Does it lie inside of a placeholder: `[REDACTED:` before it, and no `]` between? */
function touchesPlaceholder(text: string, start: number, end: number): boolean {
  const near = text.slice(Math.max(0, start - 80), end);
  const before = near.lastIndexOf(PLACEHOLDER_START);
  return before !== -1 && !near.slice(before, -1).includes(`]`);
}

/** Certificates, public keys and signatures: base64 in armour that everyone may read. */
function armoured(text: string): Array<[number, number]> {
  const parts: Array<[number, number]> = [];
  const head = /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}(?:CERTIFICATE|PUBLIC KEY|SIGNATURE|CRL|REQUEST|MESSAGE|PARAMETERS)(?: BLOCK)?-----/g;
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const end = text.indexOf(`-----`, head.lastIndex);
    parts.push([match.index, end === -1 ? text.length : end]);
  }
  return parts;
}

function withPadding(text: string, end: number): number {
  let to = end;
  while (to - end < 2 && text[to] === `=`)
    to++;
  return to;
}

export function merge(findings: Array<Finding>): Array<Finding> {
  const sorted = [...findings].sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Array<Finding> = [];
  for (const finding of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && finding.start < last.end)
      last.end = Math.max(last.end, finding.end);
    else
      merged.push({...finding});
  }
  return merged;
}
