import type {Json, JsonObject} from '../../interchange/index.ts';
import {isObject, stringAt}    from '../values.ts';

import type {History}          from './history.ts';
import {summaryIn}             from './lines.ts';
import {saidIn}                from './said.ts';
import {itemKey}               from './script.ts';

type Reader = {history: History; isOurs(payload: JsonObject): boolean; meta: {ours: boolean}};

/**
 * What a `compacted` line says: a summary, and the records that the model goes on to see. Null where there is no summary
 * that anybody but the provider can read.
 */
export function compactionOf(payload: JsonObject, {history, meta}: Reader): {summary: string; keep: Array<number>} | null {
  const replacement = Array.isArray(payload.replacement_history) ? payload.replacement_history.filter(isObject) : undefined;
  const summaries = (replacement ?? []).flatMap(item => summaryOf(item) ?? []);
  const message = stringAt(payload, `message`);
  const summary = message !== undefined && message !== `` ? summaryIn(message) ?? message : summaries.at(-1);
  if (summary === undefined || summary.trim() === ``)
    return null;

  const keep = new Set<number>();
  for (const item of replacement ?? [])
    if (summaryOf(item) === undefined && isHistory(item, meta.ours))
      for (const seq of history.recordsOf(itemKey(item)))
        keep.add(seq);
  // Without a list Codex keeps what the person has said (0.169.0).
  if (replacement === undefined)
    for (const seq of history.prompts())
      keep.add(seq);
  return {summary, keep: [...keep].sort((a, b) => a - b)};
}

function summaryOf(item: JsonObject): string | undefined {
  const content: Array<Json> = item.type === `message` && item.role === `user` && Array.isArray(item.content) ? item.content : [];
  const [first] = content;
  return content.length === 1 && isObject(first) ? summaryIn(stringAt(first, `text`) ?? ``) : undefined;
}

/** Something that was said or done, and not what Codex makes afresh. */
function isHistory(item: JsonObject, ours: boolean) {
  if (item.type !== `message` || item.role === `assistant`)
    return true;
  return item.role === `user` && saidIn(item, ours && item.id === undefined).some(({kind}) => kind !== `context`);
}
