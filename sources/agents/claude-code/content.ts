import type {Json, JsonObject, Part} from '../../interchange/index.ts';

import {isObject, objectAt, stringAt} from '../values.ts';

/** Message content (a string, or blocks) as parts. */
export function partsOf(content: Json | undefined): Array<Part> {
  if (typeof content === `string`)
    return content === `` ? [] : [{type: `text`, text: content}];
  if (!Array.isArray(content))
    return [];

  const parts: Array<Part> = [];
  for (const block of content) {
    if (typeof block === `string`)
      parts.push({type: `text`, text: block});
    else if (isObject(block))
      parts.push(partOf(block));
  }
  return parts;
}

function partOf(block: JsonObject): Part {
  if (block.type === `text` && typeof block.text === `string`)
    return {type: `text`, text: block.text};

  if (block.type === `image`) {
    const source = objectAt(block, `source`);
    const data = stringAt(source, `data`);
    const mediaType = stringAt(source, `media_type`);
    if (data !== undefined && mediaType !== undefined)
      return {type: `image`, mediaType, data};
  }
  return {type: `other`, name: typeof block.type === `string` ? block.type : `unknown`, value: block};
}

/** The text of some parts, one after another. */
export function textOf(parts: Array<Part>) {
  if (parts.length === 1 && parts[0]!.type === `text`)
    return parts[0]!.text;
  return parts.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
}

/** What the model is shown for an attachment (`rendered`), without the reminder tags around it. */
export function renderedText(value: JsonObject): string {
  if (!Array.isArray(value.rendered))
    return ``;

  return value.rendered.flatMap(item => {
    const text = isObject(item) ? textOf(partsOf(item.content)) : ``;
    const inner = text.replace(/^<system-reminder>\n?/, ``).replace(/\n?<\/system-reminder>\s*$/, ``);
    // Bookkeeping about this harness's own tools stands before the notification (2.1.330).
    return inner === `` || inner.startsWith(`<tools-used-before-summary>`) ? [] : [inner];
  }).join(`\n`);
}

export type UserText =
  | {kind: `prompt`}
  | {kind: `interrupt`; during: `reply` | `tool`}
  | {kind: `note`; what: string; visible: boolean};

/**
 * What a `user` line without tool results is. Which of the others reach the model was seen with 2.1.330: on resume it
 * is sent slash commands, their output and caveats, the `!` mode and hook feedback as user text. Text in reminder tags
 * is the harness's own, made anew on each start.
 */
export function classify(value: JsonObject, text: string): UserText {
  if (text.startsWith(`[Request interrupted by user`))
    return {kind: `interrupt`, during: text.startsWith(`[Request interrupted by user for tool use`) ? `tool` : `reply`};
  if (text.startsWith(`<bash-input>`) || text.startsWith(`<bash-stdout>`) || text.startsWith(`<bash-stderr>`))
    return {kind: `note`, what: `shell-mode`, visible: true};
  if (text.startsWith(`<command-`) || text.startsWith(`<local-command-`))
    return {kind: `note`, what: `local-command`, visible: true};
  if (value.isVisibleInTranscriptOnly === true && value.isCompactSummary !== true)
    return {kind: `note`, what: `transcript-only`, visible: false};
  if (value.isCompactSummary === true)
    return {kind: `note`, what: `compact-summary`, visible: true};

  if (value.isMeta === true) {
    if (text.startsWith(`<system-reminder>`))
      return {kind: `note`, what: `reminder`, visible: false};
    return {kind: `note`, what: text.includes(` hook feedback:`) ? `hook-feedback` : `meta`, visible: true};
  }

  const origin = stringAt(objectAt(value, `origin`), `kind`);
  if (origin !== undefined && origin !== `human`)
    return {kind: `note`, what: origin, visible: true};
  if (text.startsWith(`<task-notification>`) && origin === undefined)
    return {kind: `note`, what: `task-notification`, visible: true};
  if (text.startsWith(`<system-reminder>`) && value.promptSource === undefined && origin === undefined)
    return {kind: `note`, what: `reminder`, visible: false};
  return {kind: `prompt`};
}
