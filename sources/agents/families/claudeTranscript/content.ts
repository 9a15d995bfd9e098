import type {Json, JsonObject, Part} from '../../../interchange/index.ts';

import {stringify}                   from './text.ts';

/** What the API takes of one image, as base64; a longer one makes it refuse the whole request, on every resume. */
const LARGEST_IMAGE = 5 * 1024 * 1024;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Blocks of the Messages API that have no neutral form; only its own agent may have them back. */
const OWN_BLOCKS = new Set([`tool_reference`, `document`, `search_result`]);

/** Message content as blocks of the Messages API, none of them empty. `reduced`: why it is not wholly what it was. */
export type Content = {blocks: Array<JsonObject>; text: string; images: number; reduced: Array<string>};

/** `own`: the session is of the agent whose blocks these are. */
export function contentOf(parts: Array<Part>, {own = false}: {own?: boolean} = {}): Content {
  const blocks: Array<JsonObject> = [];
  const texts: Array<string> = [];
  const reduced = new Set<string>();
  let images = 0;

  for (const part of parts) {
    if (part.type === `image`) {
      const mediaType = part.data === undefined ? undefined : imageType(part.data);
      if (mediaType !== undefined) {
        blocks.push({type: `image`, source: {type: `base64`, media_type: mediaType, data: part.data!}});
        images += 1;
        continue;
      }
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image that the model's API does not take, named only`);
    } else if (part.type === `other`) {
      if (own && isOwnBlock(part.value)) {
        blocks.push(part.value);
        continue;
      }
      reduced.add(`content of another kind, written as text`);
    }

    const text = textOf(part);
    if (text.trim() === ``)
      continue;
    blocks.push({type: `text`, text});
    texts.push(text);
  }
  return {blocks, text: texts.join(`\n`), images, reduced: [...reduced]};
}

/** As Claude Code writes it: a string where there is nothing but one text. */
export function compact({blocks}: Pick<Content, `blocks`>): Json {
  const [only] = blocks;
  return blocks.length === 1 && only!.type === `text` ? only!.text! : blocks;
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

function isOwnBlock(value: Json): value is JsonObject {
  return typeof value === `object` && value !== null && !Array.isArray(value) && typeof value.type === `string` && OWN_BLOCKS.has(value.type);
}

/** The type that the bytes say: the API refuses an image under another one, and what is no image at all. */
function imageType(data: string): string | undefined {
  if (data.length > LARGEST_IMAGE || data.length % 4 !== 0 || !BASE64.test(data))
    return undefined;

  const head = Buffer.from(data.slice(0, 16), `base64`).toString(`latin1`);
  if (head.startsWith(`\x89PNG\r\n\x1a\n`))
    return `image/png`;
  if (head.startsWith(`\xff\xd8\xff`))
    return `image/jpeg`;
  if (/^GIF8[79]a/.test(head))
    return `image/gif`;
  return /^RIFF[\s\S]{4}WEBP/.test(head) ? `image/webp` : undefined;
}
