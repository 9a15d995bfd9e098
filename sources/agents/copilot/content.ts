import type {JsonObject, Part, ResultRecord} from '../../interchange/index.ts';
import {stringify}                           from '../families/text.ts';

/** Image types that Copilot hands on (1.0.102). */
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

/** `reduced`: why it is not wholly what it was. */
export type Content = {text: string; attachments: Array<JsonObject>; reduced: Array<string>};

/** A message's text and its images. `label` is what the model is told an image is. */
export function contentOf(parts: Array<Part>, label: string): Content {
  const texts: Array<string> = [];
  const attachments: Array<JsonObject> = [];
  const reduced = new Set<string>();

  for (const part of parts) {
    if (part.type === `text`) {
      texts.push(part.text);
    } else if (part.type === `other`) {
      texts.push(`[${part.name}] ${stringify(part.value)}`);
      reduced.add(`content of another kind, written as text`);
    } else if (part.data !== undefined && IMAGES.has(part.mediaType)) {
      attachments.push({type: `blob`, mimeType: part.mediaType, displayName: label, data: part.data});
    } else {
      texts.push(`[image: ${part.mediaType}${part.bytes === undefined ? `` : `, ${part.bytes} bytes`}; not carried over]`);
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that Copilot does not take, named only`);
    }
  }
  return {text: texts.join(`\n`), attachments, reduced: [...reduced]};
}

/** `data` of the event that completes a call. With `success: false` the model gets the message of the error alone. */
export function resultOf(record: ResultRecord, text: string, {toolCallId, shell}: {toolCallId: string; shell: boolean}): JsonObject {
  const {error, exitCode, interrupted, denied, healed} = record;
  const ended = shell && !interrupted && !denied && !healed;
  if (ended && exitCode !== undefined)
    return {toolCallId, success: true, shellExecution: {exitCode}, result: {content: `${text}${text === `` || text.endsWith(`\n`) ? `` : `\n`}<command completed with exit code ${exitCode}>`}};
  if (error || interrupted || denied)
    return {toolCallId, success: false, error: {message: text, code: denied ? `denied` : interrupted ? `interrupted` : `failure`}};
  return {toolCallId, success: true, result: {content: text}};
}
