import {createHash}   from 'node:crypto';

import type {Written} from '../interchange/written.ts';

/** Characters of a mark: 36 bits, so that of thousands of commits hardly two lines are taken for one another. */
export const MARK_LENGTH = 6;
/** A line with fewer letters and digits stands in many files: `} else {`, `return null;`. */
const TELLING = 8;

/**
 * Lines that are added to files or taken out of them, as short hashes of path, direction and text (white space apart).
 * They find a change again in a commit that holds it together with others, and do not tell what it says.
 */
export type LineMarks = {
  /** Lines that say something. */
  telling: Set<string>;
  /** Brackets, single words and the like. */
  common: Set<string>;
};

export function noMarks(): LineMarks {
  return {telling: new Set(), common: new Set()};
}

/** Adds what one change does to a file. `path` is relative to the top of the working tree, with `/`. */
export function markLines(marks: LineMarks, path: string, {added, removed}: Pick<Written, `added` | `removed`>, most = Infinity) {
  for (const [sign, lines] of [[`+`, added], [`-`, removed]] as const) {
    for (const line of lines) {
      if (marks.telling.size + marks.common.size >= most)
        return;
      const text = line.replaceAll(/\s+/g, ` `).trim();
      if (text !== ``)
        (isTelling(text) ? marks.telling : marks.common).add(markOf(sign, path, text));
    }
  }
}

/** A change that has no lines: a binary file, a link, a mode. */
export function markContent(marks: LineMarks, path: string, content: string) {
  marks.telling.add(markOf(`=`, path, content));
}

/** What stands for a change: its telling lines, or where it has none, all. */
export function marksOf({telling, common}: LineMarks): Array<string> {
  return [...telling.size > 0 ? telling : common];
}

export function hasMark({telling, common}: LineMarks, mark: string) {
  return telling.has(mark) || common.has(mark);
}

export function joinMarks(marks: Array<string>) {
  return marks.join(``);
}

export function splitMarks(joined: string): Array<string> {
  return Array.from({length: Math.floor(joined.length / MARK_LENGTH)}, (_, index) => joined.slice(index * MARK_LENGTH, (index + 1) * MARK_LENGTH));
}

function isTelling(text: string) {
  return (text.match(/[\p{L}\p{N}]/gu)?.length ?? 0) >= TELLING;
}

function markOf(sign: string, path: string, text: string) {
  return createHash(`sha256`).update(`${sign}${path.normalize()}\0${text}`).digest(`base64url`).slice(0, MARK_LENGTH);
}
