import {createScanner} from 'jsonc-parser';
import type {Node}     from 'jsonc-parser';

/**
 * Puts `value` at the end of an object (under `key`) or array, and touches nothing else. jsonc-parser's own `modify`
 * lays out anew what stands around the place (3.3.1).
 */
export function insertLast(text: string, container: Node, value: unknown, key?: string): string {
  const eol = text.includes(`\r\n`) ? `\r\n` : `\n`;
  const unit = /^[ \t]+(?=")/m.exec(text)?.[0] ?? `  `;
  const outer = indentAt(text, container.offset);
  const close = container.offset + container.length - 1;
  const children = container.children ?? [];

  const first = children[0];
  const inner = first !== undefined && isFirstInLine(text, first.offset) ? indentAt(text, first.offset) : `${outer}${unit}`;
  const json = JSON.stringify(value, null, unit).replaceAll(`\n`, `${eol}${inner}`);
  const item = `${eol}${inner}${key === undefined ? `` : `${JSON.stringify(key)}: `}${json}`;

  const last = children.at(-1);
  if (last === undefined) {
    // What stands in an empty one are comments at most.
    const start = trimmedEnd(text, close);
    return `${text.slice(0, start)}${item}${eol}${outer}${text.slice(close)}`;
  }

  const end = last.offset + last.length;
  const comma = commaAfter(text, end, close);
  const from = comma === -1 ? end : comma + 1;
  // A comment behind the last one stays with it.
  const newline = newlineAfter(text, from, close);
  const at = newline === -1 ? trimmedEnd(text, close) : trimmedEnd(text, newline);
  const before = comma === -1 ? `${text.slice(0, end)},${text.slice(end, at)}` : text.slice(0, at);
  const tail = newline === -1 ? `${eol}${outer}${text.slice(close)}` : text.slice(at);
  return `${before}${item}${comma === -1 ? `` : `,`}${tail}`;
}

/** Takes one child out of an object or array, with the comma that is left over and the line that is left empty. */
export function removeChild(text: string, container: Node, index: number): string {
  const children = container.children!;
  const child = children[index]!;
  const close = container.offset + container.length - 1;
  const end = child.offset + child.length;
  const comma = commaAfter(text, end, close);

  let start = child.offset;
  if (isFirstInLine(text, start))
    start = Math.max(trimmedEnd(text, start, /[ \t]/), 0);
  let after = comma !== -1 && text.slice(end, comma).trim() === `` ? comma + 1 : end;
  // Alone in its lines: the line goes as well.
  if (start !== child.offset || index === 0) {
    const rest = /^[ \t]*(\r?\n)/.exec(text.slice(after));
    if (rest && (start === 0 || text[start - 1] === `\n`))
      after += rest[0].length;
  }

  let before = text.slice(0, start);
  if (comma === -1 && index > 0) {
    const previous = children[index - 1]!;
    const left = commaAfter(text, previous.offset + previous.length, close);
    before = `${before.slice(0, left)}${before.slice(left + 1)}`;
  }
  return `${before}${text.slice(after)}`;
}

/** Offset of the comma that follows, whatever comments stand before it; -1: there is none. */
function commaAfter(text: string, from: number, close: number) {
  const scanner = createScanner(text, true);
  scanner.setPosition(from);
  scanner.scan();
  const at = scanner.getTokenOffset();
  return text[at] === `,` && at < close ? at : -1;
}

/** Offset of the end of the line, when only space and comments stand before it; -1: something else comes first. */
function newlineAfter(text: string, from: number, close: number) {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  for (;;) {
    scanner.scan();
    const at = scanner.getTokenOffset();
    if (at >= close)
      return -1;
    if (text[at] === `\n` || text[at] === `\r`)
      return at;
    if (text[at] !== `/` && text[at] !== ` ` && text[at] !== `\t`)
      return -1;
  }
}

function trimmedEnd(text: string, end: number, space = /\s/) {
  let at = end;
  while (at > 0 && space.test(text[at - 1]!))
    at--;
  return at;
}

function isFirstInLine(text: string, offset: number) {
  return /(^|\n)[ \t]*$/.test(text.slice(Math.max(0, offset - 1000), offset));
}

/** What the line of this place begins with. */
function indentAt(text: string, offset: number) {
  const start = text.lastIndexOf(`\n`, offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, offset))![0];
}
