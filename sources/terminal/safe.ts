// Version 4: later ones make an Intl.Segmenter when they are loaded, which takes as long as a start of Node.
import stringWidth from 'string-width';

export type SafeOptions = {
  /** Keep line breaks and tabs; otherwise they become a space. */
  multiline?: boolean;
  /** Longest display width in columns; what is longer ends in `…`. */
  width?: number;
};

/** Longer text is cut before anything else is done with it. */
const LONGEST = 100_000;

// Escape sequences go as a whole (CSI; OSC, DCS, SOS, PM and APC up to their end), so that no half of one is left as text.
const ESCAPES = /(?:\u001B\[|\u009B)[0-?]*[ -/]*[@-~]|(?:\u001B[\]PX^_]|[\u009D\u0090\u0098\u009E\u009F])[^\u0007\u001B\u009C]*(?:\u0007|\u001B\\|\u009C)?|\u001B[ -/]*[0-~]?/g;
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
// Overrides of writing direction can make a line read as something else; the other invisible ones hide text.
const INVISIBLE = /[\u061C\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB]/g;
const LONE_SURROGATES = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** Text that came from a session or a remote, made fit for a terminal: nothing in it can move the cursor or hide. */
export function safe(text: string, {multiline = false, width}: SafeOptions = {}): string {
  let clean = String(text).slice(0, LONGEST)
    .replaceAll(ESCAPES, ``)
    .replaceAll(`\r\n`, `\n`)
    .replaceAll(CONTROLS, ``)
    .replaceAll(INVISIBLE, ``)
    .replaceAll(LONE_SURROGATES, `\uFFFD`);
  if (!multiline)
    clean = clean.replaceAll(/[\n\t\u2028\u2029]+/g, ` `).trim();
  return width === undefined ? clean : shorten(clean, width);
}

function shorten(text: string, width: number) {
  if (/^[ -~]*$/.test(text))
    return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
  if (text.length <= width && stringWidth(text) <= width)
    return text;
  let cut = ``;
  let used = 0;
  for (const segment of segments(text.slice(0, width * 16))) {
    const columns = stringWidth(segment);
    if (used + columns > width - 1)
      return `${cut}…`;
    cut += segment;
    used += columns;
  }
  return cut;
}

// What may be only a part of what a person sees as one character: marks, joiners, variation selectors, surrogates.
const COMPOSED = /[\p{M}\u200D\uFE0F\u1100-\u11FF]|[^\u0000-\uFFFF]/u;

/** Characters as a person sees them. Making a segmenter takes 20 ms, which most titles have no need of. */
function * segments(text: string): Generator<string> {
  if (!COMPOSED.test(text)) {
    yield * text;
    return;
  }
  for (const {segment} of new Intl.Segmenter().segment(text))
    yield segment;
}
