import type {Json, JsonObject} from '../../../sources/interchange/index.ts';

/** Lines of a transcript, with no more than Claude Code needs to go on from them. */
export function prompt(uuid: string, parentUuid: string | null, content: Json = uuid, more: JsonObject = {}): JsonObject {
  return {type: `user`, uuid, parentUuid, promptSource: `typed`, origin: {kind: `human`}, message: {role: `user`, content}, ...more};
}

export function meta(uuid: string, parentUuid: string | null, content: string, more: JsonObject = {}): JsonObject {
  return {type: `user`, uuid, parentUuid, isMeta: true, message: {role: `user`, content}, ...more};
}

export function reply(uuid: string, parentUuid: string | null, content: string = uuid, more: JsonObject = {}): JsonObject {
  return {type: `assistant`, uuid, parentUuid, message: {id: `msg_${uuid}`, role: `assistant`, model: `m`, content: [{type: `text`, text: content}], stop_reason: `end_turn`, ...more}};
}

export function call(uuid: string, parentUuid: string | null, id: string, {message = `msg_${uuid}`, name = `Bash`, input = {command: id}}: {message?: string; name?: string; input?: Json} = {}): JsonObject {
  return {type: `assistant`, uuid, parentUuid, message: {id: message, role: `assistant`, model: `m`, content: [{type: `tool_use`, id, name, input}], stop_reason: `tool_use`}};
}

export function result(uuid: string, parentUuid: string | null, id: string, {content = `out of ${id}`, error = false, detail, ...more}: {content?: Json; error?: boolean; detail?: Json; [key: string]: Json | undefined} = {}): JsonObject {
  const block: JsonObject = {type: `tool_result`, tool_use_id: id, content, ...error ? {is_error: true} : {}};
  return {type: `user`, uuid, parentUuid, message: {role: `user`, content: [block]}, ...detail === undefined ? {} : {toolUseResult: detail}, ...more as JsonObject};
}

export function attachment(uuid: string, parentUuid: string | null, value: JsonObject = {type: `date`}, more: JsonObject = {}): JsonObject {
  return {type: `attachment`, uuid, parentUuid, attachment: value, ...more};
}

export function system(uuid: string, parentUuid: string | null, subtype = `turn_duration`, more: JsonObject = {}): JsonObject {
  return {type: `system`, uuid, parentUuid, subtype, ...more};
}

export function lastPrompt(leafUuid: string, explicit?: boolean): JsonObject {
  return {type: `last-prompt`, leafUuid, ...explicit === undefined ? {} : {explicit}};
}

export const NO_LEAF = `00000000-0000-0000-0000-000000000000`;

export function boundary(uuid: string, logicalParentUuid: string, metadata: JsonObject = {}): JsonObject {
  return {type: `system`, subtype: `compact_boundary`, uuid, parentUuid: null, logicalParentUuid, compactMetadata: {trigger: `auto`, preTokens: 100, ...metadata}};
}

export function summary(uuid: string, parentUuid: string, content = `the summary`): JsonObject {
  return {type: `user`, uuid, parentUuid, isCompactSummary: true, isVisibleInTranscriptOnly: true, message: {role: `user`, content}};
}
