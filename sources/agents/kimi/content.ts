import type {Json, JsonObject, Part}    from '../../interchange/index.ts';
import {isObject, objectAt, stringAt}   from '../values.ts';

const DATA = /^data:([a-z]+\/[\w.+-]+);base64,/;
/** Pictures of more than 4 KB lie in files of their own; a line names only their type and hash (2.1.0). */
const BLOB = /^blobref:([a-z]+\/[\w.+-]+);/;

/** Message content as Kimi Code 2.1.0 writes it: a string, or parts of type `text` and `image_url`. */
export function partsOf(content: Json | undefined): Array<Part> {
  if (typeof content === `string`)
    return content === `` ? [] : [{type: `text`, text: content}];
  if (!Array.isArray(content))
    return [];
  return content.flatMap(part => typeof part === `string` ? [{type: `text` as const, text: part}] : isObject(part) ? [partOf(part)] : []);
}

function partOf(part: JsonObject): Part {
  if (part.type === `text` && typeof part.text === `string`)
    return {type: `text`, text: part.text};

  const url = part.type === `image_url` ? stringAt(objectAt(part, `imageUrl`), `url`) : undefined;
  const data = url === undefined ? null : DATA.exec(url);
  if (data !== null)
    return {type: `image`, mediaType: data[1]!, data: url!.slice(data[0].length)};
  const blob = url === undefined ? null : BLOB.exec(url);
  if (blob !== null)
    return {type: `image`, mediaType: blob[1]!};
  return {type: `other`, name: typeof part.type === `string` ? part.type : `unknown`, value: part};
}

export function textOf(parts: Array<Part>): string {
  return parts.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
}

export type UserText = {kind: `prompt`; midTurn: boolean} | {kind: `note`; what: string; visible: boolean};

/** What a message of role `user` is, by where Kimi Code says it comes from. */
export function classify(message: JsonObject): UserText {
  const origin = objectAt(message, `origin`);
  const kind = stringAt(origin, `kind`) ?? `user`;
  switch (kind) {
    case `user`:
      return {kind: `prompt`, midTurn: origin?.inTurn === true};
    // Reminders of the date, the mode, an interruption: made afresh where they are needed.
    case `injection`:
      return {kind: `note`, what: (stringAt(origin, `variant`) ?? kind).slice(0, 64), visible: false};
    // What a sub-agent was asked to do.
    case `system_trigger`:
      if (origin?.name === `subagent`)
        return {kind: `prompt`, midTurn: false};
      return {kind: `note`, what: kind, visible: true};
    default:
      return {kind: `note`, what: kind.slice(0, 64), visible: true};
  }
}

/** Prompts that a compaction keeps, and those that `/undo` counts (2.1.0). */
export function promptKind(message: JsonObject): {prompt: boolean; anchor: boolean} {
  const origin = objectAt(message, `origin`);
  const kind = stringAt(origin, `kind`);
  const typed = origin === undefined || kind === `user` || ((kind === `skill_activation` || kind === `plugin_command`) && origin.trigger === `user-slash`);
  return {prompt: typed, anchor: typed && origin?.inTurn !== true};
}

/** Exit code of a command, out of the last line that the tool adds where it is not 0. */
export function exitCodeOf(name: string, text: string, error: boolean): number | undefined {
  if (name !== `Bash`)
    return undefined;
  if (!error)
    return 0;
  const code = /(?:^|\n)Command failed with exit code: (\d{1,5})\.?\s*$/.exec(text.slice(-200))?.[1];
  return code === undefined ? undefined : Number(code);
}

/** Where the whole output lies when the model was shown only a part of it. */
export function fullOf(text: string): {path: string; bytes?: number} | undefined {
  if (!text.startsWith(`Tool output exceeded `))
    return undefined;
  const head = text.slice(0, 8192);
  const path = /\noutput_path: (\/[^\n]+|[A-Za-z]:\\[^\n]+)\n/.exec(head)?.[1];
  const bytes = /\noutput_size_bytes: (\d{1,15})\n/.exec(head)?.[1];
  return path === undefined ? undefined : {path, ...bytes === undefined ? {} : {bytes: Number(bytes)}};
}
