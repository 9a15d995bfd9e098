import type {Json, Part, ResultRecord} from '../../interchange/index.ts';
import {clip, cutMiddle, stringify}    from '../families/text.ts';

/** Characters of one output that Kimi Code 2.1.0 itself shows its model; of a longer one it writes the rest to a file. */
export const OUTPUT_LIMIT = 50_000;

const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

export type Piece = {type: `text`; text: string} | {type: `image_url`; imageUrl: {url: string}};
export type Content = {pieces: Array<Piece>; reduced: Array<string>};

/** Message content as Kimi Code has it. `reduced`: why it is not wholly what it was. */
export function contentOf(parts: Array<Part>): Content {
  const pieces: Array<Piece> = [];
  const reduced = new Set<string>();
  for (const part of parts) {
    if (part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType)) {
      pieces.push({type: `image_url`, imageUrl: {url: `data:${part.mediaType};base64,${part.data}`}});
      continue;
    }
    if (part.type === `image`)
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that models do not take, named only`);
    else if (part.type === `other`)
      reduced.add(`content of another kind, written as text`);
    const text = textOf(part);
    if (text !== ``)
      pieces.push({type: `text`, text});
  }
  return {pieces, reduced: [...reduced]};
}

export function isBlank(pieces: Array<Piece>) {
  return pieces.every(piece => piece.type === `text` && piece.text.trim() === ``);
}

/** A result as Kimi Code keeps it: a text, or parts where there are pictures. */
export function outputOf(record: ResultRecord): {output: Json; reduced: Array<string>} {
  const {pieces, reduced} = contentOf(record.content);
  const images = pieces.filter(piece => piece.type === `image_url`);
  const whole = pieces.flatMap(piece => piece.type === `text` ? [piece.text] : []).join(`\n`);
  const text = whole.length <= OUTPUT_LIMIT ? whole : cutMiddle(whole, OUTPUT_LIMIT, left => cutNote(left, record.full));
  if (text !== whole)
    reduced.push(`output above ${OUTPUT_LIMIT} characters, cut in its middle`);
  if (images.length === 0)
    return {output: text, reduced};
  return {output: (text === whole ? pieces : [{type: `text`, text}, ...images]) as Array<Json>, reduced};
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

function cutNote(bytes: number, full: ResultRecord[`full`]) {
  const where = full === undefined ? `` : `; the whole output lies in ${clip(full.path, 1_000)}`;
  return `\n[… session-sync cut out ${bytes} bytes here, because Kimi Code shows at most ${OUTPUT_LIMIT} characters of one output${where} …]\n`;
}
