import {createHash}         from 'node:crypto';

import type {Json, Part, ResultRecord} from '../../interchange/index.ts';
import {clip, cutMiddle, stringify, wellFormed} from '../families/text.ts';
import type {WriterTarget}  from '../types.ts';

import {createdOf}          from './places.ts';

/** A part of a message as the Gemini API has it. */
export type Piece = {[key: string]: Json};

/**
 * Bytes of one output that are written. Gemini 0.61.0 sends more, but takes older outputs out of the history on resume as
 * soon as there are some 80,000 tokens of them, and sums up the whole of it above half of the model's window.
 */
export const OUTPUT_LIMIT = 100_000;

/** Nothing to see or to say; a text that does not begin with what Gemini leaves out of the history. */
export const INVISIBLE = `\u200b`;

/** User text that begins so, or has nothing in it, does not reach the model (0.61.0, `isIgnoredUserContent`). */
const IGNORED = /^(?:\/|\?|<session_context>|<hook_context>)/;

/** Image types that the Gemini API takes. */
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/webp`, `image/heic`, `image/heif`]);

/** Marks the summary that stands for an earlier part of the conversation. */
const SNAPSHOT = `state_snapshot`;

/**
 * The first line. With `memoryScratchpad` here Gemini never asks a model for a title and never appends one. No `lastUpdated`:
 * Gemini then takes the present for it, and does not delete the session for its age (30 days by default) at its next start.
 */
export function metadataLine({id, cwd, header}: Pick<WriterTarget, `id` | `cwd` | `header`>): string {
  return `${stringify({
    sessionId: id,
    projectHash: createHash(`sha256`).update(cwd).digest(`hex`),
    startTime: createdOf(header.created),
    kind: `main`,
    memoryScratchpad: {version: 1},
  })}\n`;
}

/** Parts of a prompt that reach the model whatever it begins with; none where there is nothing in it. */
export function promptPieces(content: Array<Part>): {pieces: Array<Piece>; reduced: Array<string>} {
  const {pieces, reduced} = piecesOf(content);
  const text = pieces.map(piece => piece.text ?? ``).join(``).trim();
  const images = pieces.some(piece => piece.inlineData !== undefined);
  if (text === `` && !images)
    return {pieces: [], reduced};
  return {pieces: IGNORED.test(text) ? [{text: INVISIBLE}, ...pieces] : pieces, reduced};
}

function piecesOf(content: Array<Part>): {pieces: Array<Piece>; reduced: Array<string>} {
  const pieces: Array<Piece> = [];
  const reduced = new Set<string>();
  for (const part of content) {
    if (part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType)) {
      pieces.push({inlineData: {mimeType: part.mediaType, data: part.data}});
      continue;
    }

    if (part.type === `image`)
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that Gemini does not take, named only`);
    else if (part.type === `other`)
      reduced.add(`content of another kind, written as text`);
    const text = textOf(part);
    if (text !== ``)
      pieces.push({text});
  }
  return {pieces, reduced: [...reduced]};
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
  /** Text of the response, at most `OUTPUT_LIMIT` bytes. */
  text: string;
  images: Array<Piece>;
  reduced: Array<string>;
};

/** What a call gave back. Images stand beside it, as Gemini has them for models that take none inside. */
export function outputOf(record: Pick<ResultRecord, `content` | `exitCode` | `full`>): Output {
  const {pieces, reduced} = piecesOf(record.content);
  const images = pieces.filter(piece => piece.inlineData !== undefined);
  const whole = pieces.flatMap(piece => typeof piece.text === `string` ? [piece.text] : []).join(`\n`);
  const text = cutMiddle(whole, OUTPUT_LIMIT, bytes => cutNote(bytes, record.full));
  if (text !== whole)
    reduced.push(`output above ${OUTPUT_LIMIT} bytes, cut in its middle`);

  const {exitCode} = record;
  const told = exitCode === undefined || exitCode === 0 || /exit(?:ed with)? code:? \d/i.test(whole);
  const body = text === `` && images.length > 0 ? `Binary content provided (${images.length} item(s)).` : text;
  return {text: told ? body : `${body}${body === `` || body.endsWith(`\n`) ? `` : `\n`}Exit Code: ${exitCode}`, images, reduced};
}

function cutNote(bytes: number, full: ResultRecord[`full`]) {
  const where = full === undefined ? `` : `; the whole output lies in ${clip(full.path, 1_000)}`;
  return `\n[… ${bytes} bytes cut here by session-sync${where} …]\n`;
}

/** In the form of Gemini's own summaries, by which it knows them again when it compresses the next time. */
export function summaryText(summary: string): string {
  return summary.includes(`<${SNAPSHOT}>`) ? summary : `<${SNAPSHOT}>\n${summary}\n</${SNAPSHOT}>`;
}

/** The summary in a text of the kind that Gemini writes when it compresses; undefined when it is none. */
export function isSnapshot(text: string): boolean {
  return text.trimStart().startsWith(`<${SNAPSHOT}>`);
}

/** A title for one line of a list: no control characters or terminal escapes, at most 200 characters. */
export function titleOf(title: string): string {
  const plain = title.replace(/\u001b\[[0-?]*[ -/]*[@-~]/g, ``).replace(/[\0-\x20\x7f-\x9f\u2028\u2029]+/g, ` `).trim();
  return wellFormed(plain.slice(0, 200));
}
