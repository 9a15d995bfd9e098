import type {Part}        from '../../../interchange/index.ts';
import {stringify}        from '../text.ts';

import type {JournalPart} from './lines.ts';

/** A result: its text, and its images where it may have some (`images`), each with an id of its own. */
export function outputOf(content: Array<Part>, images: boolean, reduced: Set<string>, nextId: () => string) {
  const texts: Array<string> = [];
  const files: Array<{id: string; mime: string; url: string}> = [];
  for (const part of content) {
    if (part.type === `image` && part.data !== undefined && images) {
      files.push({id: nextId(), mime: part.mediaType, url: urlOf(part.mediaType, part.data)});
    } else {
      const text = asText(part, reduced);
      if (text !== ``)
        texts.push(text);
    }
  }
  return {text: texts.join(`\n`), files};
}

/** `reduced` takes reasons why it is not wholly what it was. */
export function promptPart(part: Part, reduced: Set<string>): Array<JournalPart> {
  if (part.type === `image` && part.data !== undefined)
    return [{type: `file`, mime: part.mediaType, url: urlOf(part.mediaType, part.data), filename: `image`}];
  const text = asText(part, reduced);
  return text.trim() === `` ? [] : [{type: `text`, text}];
}

function asText(part: Part, reduced: Set<string>): string {
  switch (part.type) {
    case `text`:
      return part.text;
    case `image`:
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a failed call, named only`);
      return `[image: ${part.mediaType}${part.bytes === undefined ? `` : `, ${part.bytes} bytes`}; not carried over]`;
    case `other`:
      reduced.add(`content of another kind, written as text`);
      return `[${part.name}] ${stringify(part.value)}`;
  }
}

function urlOf(mime: string, data: string) {
  return `data:${mime};base64,${data}`;
}

/** Of an ISO time. */
export function milliseconds(time: string | undefined): number | undefined {
  const ms = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(ms) || ms < 0 ? undefined : ms;
}
