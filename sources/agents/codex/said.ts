import type {Json, JsonObject, Part} from '../../interchange/index.ts';
import {isObject, objectAt}          from '../values.ts';

import {partsOf}                     from './outputs.ts';
import {abortedText}                 from './lines.ts';

/** What a piece of a user or developer message is. */
export type Said =
  | {kind: `prompt`; content: Array<Part>}
  | {kind: `interrupt`; text?: string}
  | {kind: `note`; what: string; text: string}
  /** Made afresh by Codex in every run. */
  | {kind: `context`; what: string};

/** Texts that Codex puts into user messages, for files without the names of content that 0.169.0 writes beside them. */
const CONTEXT = /^\s*(?:<(?:environment_context|user_instructions|permissions instructions|skills_instructions|collaboration_mode|multi_agent_\w+|tools|INSTRUCTIONS)>|# AGENTS\.md instructions)/;
const ABORTED = /^\s*<turn_aborted>\n?([\s\S]*?)\n?<\/turn_aborted>\s*$/;
const SHELL   = /^\s*<user_shell_command>/;
/** Notes of other agents that a writer carried over (see `note`), by what their reader knows them by. */
const CARRIED: Array<[RegExp, string]> = [
  [/^<(?:command-|local-command-)/, `local-command`],
  [/^<bash-(?:input|stdout|stderr)>/, `shell-mode`],
  [/^<task-notification>/, `task-notification`],
];
const OWN_SENTENCE = abortedText(undefined).split(`\n`)[1]!;

/**
 * What a message says. `ours`: the line was written by our writer, which writes nothing of Codex's own context: then a
 * text is a prompt whatever it looks like.
 */
export function saidIn(payload: JsonObject, ours: boolean): Array<Said> {
  const content: Array<Json> = Array.isArray(payload.content) ? payload.content : [];
  const named = objectAt(payload, `internal_chat_message_metadata_passthrough`)?.content_item_kinds;
  const kinds: Array<Json> = Array.isArray(named) && named.length === content.length ? named : [];
  const user = payload.role === `user`;
  // Pictures belong to the text beside them, and tags around them are seen only together.
  const said: Array<Said> = [];
  let person: Array<Json> = [];
  const close = () => {
    const parts = partsOf(person);
    person = [];
    if (parts.length > 0)
      said.push({kind: `prompt`, content: parts});
  };

  for (const [index, item] of content.entries()) {
    const kind = kinds[index];
    const other = otherThanPrompt(item, typeof kind === `string` ? kind : undefined, user, ours);
    if (other === null) {
      person.push(item);
      continue;
    }
    close();
    // One message holds a dozen pieces of context; the line is noted once.
    if (other.kind !== `context` || said.at(-1)?.kind !== `context`)
      said.push(other);
  }
  close();
  return said;
}

function otherThanPrompt(item: Json, kind: string | undefined, user: boolean, ours: boolean): Said | null {
  const text = isObject(item) && typeof item.text === `string` ? item.text : ``;
  if (kind === `hooks.additional_context` || kind === `shell.user_command`)
    return text === `` ? {kind: `context`, what: kind} : {kind: `note`, what: kind === `shell.user_command` ? `shell-mode` : `hook`, text};
  if (!user)
    return {kind: `context`, what: kind?.slice(0, 100) ?? `developer`};
  if (kind?.startsWith(`user.`))
    return null;

  const aborted = kind === `generic.turn_aborted` || kind === undefined || kind === `unknown` ? ABORTED.exec(text) : null;
  if (aborted) {
    const more = aborted[1]!.split(`\n`).filter(line => !line.startsWith(OWN_SENTENCE) && !/^The user interrupted the previous turn/.test(line)).join(`\n`).trim();
    return more === `` ? {kind: `interrupt`} : {kind: `interrupt`, text: more};
  }
  if (kind !== undefined && kind !== `unknown`)
    return {kind: `context`, what: kind.slice(0, 100)};
  if (ours) {
    const carried = CARRIED.find(([pattern]) => pattern.test(text));
    return carried === undefined ? null : {kind: `note`, what: carried[1], text};
  }
  if (SHELL.test(text))
    return {kind: `note`, what: `shell-mode`, text};
  const context = CONTEXT.exec(text)?.[0];
  return context === undefined ? null : {kind: `context`, what: context.replaceAll(/[<>\s#]+/g, ` `).trim()};
}
