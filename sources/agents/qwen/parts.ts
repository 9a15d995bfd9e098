import type {Json, JsonObject, Part, ResultRecord} from '../../interchange/index.ts';
import {clip, cutMiddle, stringify}                from '../families/text.ts';

/**
 * Bytes of text in one tool output. 0.24.4 resends whatever a session holds, and its own outputs end at 25,000
 * characters; one that fills the model's context would make it compact the session before the first answer.
 */
export const OUTPUT_LIMIT = 100_000;

/** How much of an output is shown to the person beside what the model gets. */
const SHOWN = 4_000;

/** Image types that 0.24.4 hands on to models that see. */
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

/** Parts of a message as Qwen Code has them. `reduced`: why they are not wholly what they were. */
export type Content = {parts: Array<JsonObject>; reduced: Array<string>};

export function contentOf(content: Array<Part>): Content {
  const parts: Array<JsonObject> = [];
  const reduced = new Set<string>();
  for (const part of content) {
    if (isImage(part)) {
      parts.push(inlineImage(part));
      continue;
    }
    parts.push({text: textOf(part, reduced)});
  }
  return {parts, reduced: [...reduced]};
}

type Image = {mediaType: string; data: string};

function isImage(part: Part): part is Part & {type: `image`; data: string} {
  return part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType);
}

function inlineImage({mediaType, data}: Image): JsonObject {
  return {inlineData: {mimeType: mediaType, data}};
}

function textOf(part: Part, reduced: Set<string>): string {
  switch (part.type) {
    case `text`:
      return part.text;
    case `image`:
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that Qwen Code does not take, named only`);
      return `[image: ${part.mediaType}${part.bytes === undefined ? `` : `, ${part.bytes} bytes`}; not carried over]`;
    case `other`:
      reduced.add(`content of another kind, written as text`);
      return `[${part.name}] ${stringify(part.value)}`;
  }
}

/** The `functionResponse` of a result, and what stands beside it. */
export function responseOf(record: ResultRecord, {id, name}: {id: string; name: string}): {part: JsonObject; outcome: JsonObject; reduced: Array<string>} {
  const reasons = new Set<string>();
  const images = record.content.filter(isImage);
  const whole = record.content.filter(part => !isImage(part)).map(part => textOf(part, reasons)).join(`\n`);
  const text = cutMiddle(whole, OUTPUT_LIMIT, left => cutNote(left, record.full));
  if (text !== whole)
    reasons.add(`output above ${OUTPUT_LIMIT} bytes, cut in its middle`);

  const stopped = record.interrupted === true || record.denied === true;
  const status = stopped ? `cancelled` : record.error ? `error` : `success`;
  // An empty error would reach the model as JSON.
  const response: Json = status !== `success` && text !== `` ? {error: text} : {output: text};
  return {
    part: {functionResponse: {id, name, response, ...images.length > 0 ? {parts: images.map(inlineImage)} : {}}},
    outcome: {callId: id, status, resultDisplay: displayOf(record, text), ...status === `error` ? {error: {}} : {}, executionStatus: status},
    reduced: [...reasons],
  };
}

/** What a person sees of it: of an edit the change, of everything else the begin of its output. */
function displayOf(record: ResultRecord, text: string): string {
  const diffs = record.error ? [] : (record.patch ?? []).flatMap(({path, diff, content}) => diff !== undefined ? [`${path}\n${diff}`] : content !== undefined ? [`${path}\n${content}`] : []);
  return clip(diffs.length > 0 ? diffs.join(`\n`) : text, SHOWN);
}

function cutNote(bytes: number, full: ResultRecord[`full`]) {
  const where = full === undefined ? `` : `; the whole output lies in ${clip(full.path, 1_000)}`;
  return `\n[… session-sync cut ${bytes} bytes out here, because one output may have ${OUTPUT_LIMIT} at most${where} …]\n`;
}
