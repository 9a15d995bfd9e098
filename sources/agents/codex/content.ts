import type {Json, Part, ResultRecord} from '../../interchange/index.ts';

import {clip, cutMiddle, stringify}    from '../families/text.ts';

/**
 * Bytes of text in one tool output that Codex 0.169.0 sends to the model uncut (48,000 pass, 48,001 do not; images do not
 * count), provided that the line carries `OUTPUT_METADATA`.
 */
export const OUTPUT_LIMIT = 48_000;

/**
 * What Codex itself writes beside each tool output. Without it a model that Codex does not know by name (local ones,
 * other providers) gets only 12,000 bytes of an output, measured with 0.169.0.
 */
export const OUTPUT_METADATA = {fallback_token_limit_override: OUTPUT_LIMIT / 4};

/** Outputs up to this size pass for every model without `OUTPUT_METADATA`. */
export const UNAIDED_LIMIT = 10_000;

/** Image types that Codex hands on; others become "image content omitted" there. */
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

export type Piece = {type: `input_text`; text: string} | {type: `input_image`; image_url: string};

/** Message content, or a tool's output, as the Responses API has it. `reduced`: why it is not wholly what it was. */
export type Content = {pieces: Array<Piece>; reduced: Array<string>; bytes: number};

export function contentOf(parts: Array<Part>): Content {
  const pieces: Array<Piece> = [];
  const reduced = new Set<string>();
  let bytes = 0;

  for (const part of parts) {
    if (part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType)) {
      pieces.push({type: `input_image`, image_url: `data:${part.mediaType};base64,${part.data}`});
      continue;
    }

    const text = textOf(part);
    if (part.type === `image`)
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that Codex does not take, named only`);
    else if (part.type === `other`)
      reduced.add(`content of another kind, written as text`);
    if (text === ``)
      continue;

    bytes += Buffer.byteLength(text);
    pieces.push({type: `input_text`, text});
  }
  return {pieces, reduced: [...reduced], bytes};
}

function textOf(part: Part): string {
  switch (part.type) {
    case `text`:
      return part.text;
    case `image`:
      return `[image: ${part.mediaType}${part.bytes === undefined ? `` : `, ${part.bytes} bytes`}; not carried over]`;
    case `other`:
      return `[${part.name}] ${stringify(part.value)}`;
  }
}

export type Output = {
  /** `output` of the call's response item. */
  output: Json;
  /** The text alone, for the event that shows it. */
  text: string;
  bytes: number;
  reduced: Array<string>;
};

/** A result as a tool's output, below the size at which Codex cuts by itself and does not say what it left out. */
export function outputOf(record: ResultRecord, {shell}: {shell: boolean}): Output {
  const content = contentOf(record.content);
  const reduced = [...content.reduced];
  const prefix = shell ? shellPrefix(record) : ``;
  const images = content.pieces.filter(piece => piece.type === `input_image`);
  const texts = content.pieces.flatMap(piece => piece.type === `input_text` ? [piece.text] : []);

  const whole = texts.join(`\n`);
  const limit = OUTPUT_LIMIT - Buffer.byteLength(prefix);
  const text = cutMiddle(whole, limit, left => cutNote(left, record.full));
  if (text !== whole)
    reduced.push(`output above ${OUTPUT_LIMIT} bytes, cut in its middle`);

  if (images.length === 0)
    return {output: `${prefix}${text}`, text, bytes: Buffer.byteLength(text), reduced};

  // Order matters where texts name the images beside them; once cut, the text goes first.
  const pieces: Array<Piece> = text === whole ? content.pieces : [{type: `input_text`, text}, ...images];
  return {output: prefix === `` ? pieces : [{type: `input_text`, text: prefix}, ...pieces], text, bytes: Buffer.byteLength(text), reduced};
}

function cutNote(bytes: number, full: ResultRecord[`full`]) {
  const where = full === undefined ? `` : `; the whole output lies in ${clip(full.path, 1_000)}`;
  return `\n[… session-sync left out ${bytes} bytes here, because Codex takes at most ${OUTPUT_LIMIT} of one output${where} …]\n`;
}

/** The head of `exec_command`'s own outputs. Not for a command that has not run, or not to its end. */
function shellPrefix({exitCode, error, interrupted, denied, healed}: ResultRecord) {
  const code = exitCode ?? (error ? undefined : 0);
  if (code === undefined || interrupted || denied || healed)
    return ``;
  return `Process exited with code ${code}\nOutput:\n`;
}
