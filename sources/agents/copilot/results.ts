import type {FilePatch, Json, JsonObject, Part, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt}                         from '../values.ts';

/** Bytes of an image that stands in an event of its own; null where it has not come. */
export type Assets = (id: string) => {data: string; mediaType: string} | null;

/** What a completed call gave back, as the model saw it. With `success: false` that is the message of the error. */
export function resultFields(data: JsonObject, assets: Assets): Omit<Unplaced<ResultRecord>, `kind` | `call`> {
  const result = objectAt(data, `result`);
  const error = objectAt(data, `error`);
  const failed = data.success !== true;
  const text = (failed ? stringAt(error, `message`) : undefined) ?? stringAt(result, `content`) ?? ``;
  const code = stringAt(error, `code`) ?? ``;
  const exitCode = numberAt(objectAt(data, `shellExecution`), `exitCode`);
  const patch = failed ? undefined : patchOf(data.fileEdits, stringAt(result, `detailedContent`));
  const full = /^Output too large to read at once .*? Saved to: (\S.*)$/m.exec(text.slice(0, 5_000))?.[1];
  const images = failed ? [] : imagesOf(result?.binaryResultsForLlm, assets);
  return {
    content: [...text === `` && images.length > 0 ? [] : [{type: `text` as const, text}], ...images],
    ...failed ? {error: true} : {},
    ...exitCode !== undefined && Number.isSafeInteger(exitCode) ? {exitCode} : {},
    ...failed && /denied|rejected/.test(code) ? {denied: true} : {},
    ...failed && code === `interrupted` ? {interrupted: true} : {},
    ...full === undefined ? {} : {full: {path: full}},
    ...patch === undefined ? {} : {patch: [patch]},
  };
}

function imagesOf(list: Json | undefined, assets: Assets): Array<Part> {
  if (!Array.isArray(list))
    return [];
  return list.flatMap(item => isObject(item) && item.type === `image` ? [imageOf(item, assets)] : []);
}

/** An image with its bytes, or where they are: beside it, or in an event of their own (1.0.102). */
export function imageOf(item: JsonObject, assets: Assets): Part {
  const mediaType = stringAt(item, `mimeType`) ?? `application/octet-stream`;
  const data = stringAt(item, `data`);
  if (data !== undefined)
    return {type: `image`, mediaType, data};

  const id = stringAt(item, `assetId`);
  const asset = id === undefined ? null : assets(id);
  const bytes = numberAt(item, `byteLength`);
  return asset ? {type: `image`, ...asset} : {type: `image`, mediaType, ...bytes !== undefined && Number.isSafeInteger(bytes) ? {bytes} : {}};
}

/** The change of the one file that a call committed, out of the diff that is shown to the person. */
function patchOf(edits: Json | undefined, shown: string | undefined): FilePatch | undefined {
  const edit = Array.isArray(edits) && edits.length === 1 && isObject(edits[0]) ? edits[0] : undefined;
  const path = stringAt(edit, `path`);
  if (path === undefined || shown === undefined)
    return undefined;

  const at = shown.search(/^@@ /m);
  const diff = at === -1 ? undefined : shown.slice(at);
  if (edit!.kind === `delete`)
    return {path, change: `delete`};
  if (edit!.kind === `create`)
    return {path, change: `add`, ...diff === undefined ? {} : {content: added(diff)}};
  return {path, change: `update`, ...diff === undefined ? {} : {diff: diff.replace(/\n \n$/, `\n`)}};
}

function added(diff: string) {
  return diff.split(`\n`).flatMap(line => line.startsWith(`+`) ? [`${line.slice(1)}\n`] : []).join(``);
}
