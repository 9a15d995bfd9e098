import type {Json, JsonObject}   from '../../../interchange/index.ts';
import {isTooDeep}               from '../../../interchange/depth.ts';
import {isObject, numberAt, objectAt, stringAt} from '../../values.ts';
import type {Machine}            from '../../types.ts';

import {isMessageId, isSessionId} from './places.ts';
import {query, quoted}           from './program.ts';
import type {Variant}            from './variant.ts';

export type StoredMessage = {id: string; info: JsonObject; parts: Array<JsonObject>};

/** A session as the database has it, messages and parts in the order in which the agent takes them. */
export type StoredSession = {info: JsonObject; parent: string | null; messages: Array<StoredMessage>};

/** A user message whose parts may still be on their way into the database. */
const SETTLED_MS = 10_000;

/** Shown to a person only, or said again elsewhere; large. */
const SHOWN = [`output`, `preview`, `display`, `todos`, `files`];

/**
 * Sessions by one start of the program. Not by `export`, which gives one session a start; what it gives is what stands in
 * these tables (1.18.33).
 */
export async function readSessions(machine: Machine, variant: Variant, binary: string, ids: Array<string>): Promise<Map<string, StoredSession>> {
  const list = ids.filter(isSessionId).map(quoted).join(`, `);
  const rows = await query(machine, variant, binary, [
    `select 's' as kind, id, id as session, '' as message, time_created as time, json_object('version', version, 'directory', directory, 'title', title, 'parent', parent_id, 'revert', json(revert)) as data from session where id in (${list})`,
    `union all select 'm', id, session_id, id, time_created, data from message where session_id in (${list})`,
    `union all select 'p', id, session_id, message_id, 0, data from part where session_id in (${list})`,
  ].join(` `));

  const sessions = new Map<string, StoredSession & {byId: Map<string, StoredMessage & {time: number}>; revert: Json}>();
  for (const {kind, id, time, data} of rows) {
    const value = parse(data);
    if (kind === `s` && typeof id === `string` && value !== undefined) {
      const {parent, revert, ...info} = value;
      sessions.set(id, {info: {id, ...info, created: typeof time === `number` ? time : 0}, parent: typeof parent === `string` ? parent : null, revert: revert ?? null, messages: [], byId: new Map()});
    }
  }
  for (const {kind, id, session, time, data} of rows) {
    const value = parse(data);
    if (kind === `m` && isMessageId(id) && value !== undefined)
      sessions.get(session as string)?.byId.set(id, {id, info: {id, ...trimmedInfo(value)}, parts: [], time: typeof time === `number` ? time : 0});
  }
  for (const {kind, id, session, message, data} of rows) {
    const value = parse(data);
    if (kind === `p` && typeof id === `string` && value !== undefined)
      sessions.get(session as string)?.byId.get(message as string)?.parts.push({id, ...value});
  }

  return new Map([...sessions].map(([id, {info, parent, byId, revert}]) => {
    const messages = [...byId.values()].sort((a, b) => a.time - b.time || order(a.id, b.id));
    for (const message of messages)
      message.parts.sort((a, b) => order(String(a.id), String(b.id)));
    return [id, {info, parent, messages: withoutReverted(messages.map(({time: _, ...message}) => message), revert)}];
  }));
}

/** What was undone is still there until the next prompt, but no longer part of the session. */
function withoutReverted(messages: Array<StoredMessage>, revert: Json): Array<StoredMessage> {
  const id = isObject(revert) ? stringAt(revert, `messageID`) : undefined;
  const at = id === undefined ? -1 : messages.findIndex(message => message.id === id);
  if (at === -1)
    return messages;
  const part = stringAt(revert as JsonObject, `partID`);
  const cut = messages[at]!;
  const parts = part === undefined ? [] : cut.parts.filter(({id}) => order(String(id), part) < 0);
  return [...messages.slice(0, at), ...parts.length > 0 ? [{...cut, parts}] : []];
}

/** Those that nothing will be added to any more, up to the first that is still being written. Without what is large and only shown. */
export function complete(messages: Array<StoredMessage>, now: number): Array<StoredMessage> {
  const lastPrompt = messages.findLastIndex(({info}) => info.role === `user`);
  const end = messages.findIndex(({info}, index) => {
    const time = objectAt(info, `time`);
    if (info.role === `user`)
      return index === messages.length - 1 && now - (numberAt(time, `created`) ?? 0) < SETTLED_MS;
    // One whose program was killed stays as it is; a prompt after it says so.
    return numberAt(time, `completed`) === undefined && index > lastPrompt;
  });
  return (end === -1 ? messages : messages.slice(0, end)).map(message => ({...message, parts: message.parts.flatMap(trimmedPart)}));
}

function trimmedInfo(info: JsonObject): JsonObject {
  // The changes of a turn, said by its edits already, come and go on the prompt.
  if (isObject(info.summary)) {
    const {summary: _, ...rest} = info;
    return rest;
  }
  return info;
}

function trimmedPart(part: JsonObject): Array<JsonObject> {
  if (part.type === `step-finish` || part.type === `snapshot` || part.type === `patch`)
    return [];
  if (part.type === `step-start`)
    return [{id: part.id ?? null, type: part.type}];
  const state = objectAt(part, `state`);
  const metadata = objectAt(state, `metadata`);
  if (state === undefined || metadata === undefined)
    return [part];
  return [{...part, state: {...state, metadata: Object.fromEntries(Object.entries(metadata).filter(([name]) => !SHOWN.includes(name)))}}];
}

function parse(data: unknown): JsonObject | undefined {
  if (typeof data !== `string` || isTooDeep(data))
    return undefined;
  try {
    const value = JSON.parse(data) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function order(a: string, b: string) {
  return a < b ? -1 : a > b ? 1 : 0;
}
