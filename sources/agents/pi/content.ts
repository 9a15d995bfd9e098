import type {Json, Part} from '../../interchange/index.ts';

import {stringify}       from '../families/text.ts';

/** Image types that the models behind Pi take. */
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

export type Block = {type: `text`; text: string} | {type: `image`; data: string; mimeType: string};

/** Blocks of a message. `reduced`: why they are not wholly what the parts were. */
export function blocksOf(parts: Array<Part>): {blocks: Array<Block>; reduced: Array<string>} {
  const blocks: Array<Block> = [];
  const reduced = new Set<string>();
  for (const part of parts) {
    if (part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType)) {
      blocks.push({type: `image`, data: part.data, mimeType: part.mediaType});
      continue;
    }

    if (part.type === `image`)
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that models do not take, named only`);
    else if (part.type === `other`)
      reduced.add(`content of another kind, written as text`);
    const text = textOf(part);
    if (text !== ``)
      blocks.push({type: `text`, text});
  }
  return {blocks, reduced: [...reduced]};
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

export function isBlank(blocks: Array<Block>): boolean {
  return blocks.every(block => block.type === `text` && block.text.trim() === ``);
}

export function isObject(value: Json | undefined): value is {[key: string]: Json} {
  return value !== null && typeof value === `object` && !Array.isArray(value);
}
