import type {Json, SessionHeader}  from '../../interchange/index.ts';
import type {WriterTarget}         from '../types.ts';

import {createdOf}                 from '../values.ts';
import {stringify}     from '../families/text.ts';

/** Version of Codex that read what is written here. */
export const PROVEN = `0.169.0`;

/** What the first line of our own files says of who wrote them. */
export const ORIGINATOR = `session-sync`;

export type Payload = {[key: string]: Json};

/** One line; `payload` as JSON text, since the items of the model are needed as text once more. */
export function line(time: string, type: string, payload: string, metadata?: Payload): string {
  return `{"timestamp":${stringify(time)},"type":"${type}","payload":${payload}${metadata ? `,"metadata":${stringify(metadata)}` : ``}}\n`;
}

/** A message as the model sees it. */
export function message(role: `user` | `assistant`, content: Array<Json>): Payload {
  return {type: `message`, role, content};
}

/**
 * The first line. No `base_instructions` (they would replace Codex's whole system prompt) and no `history_mode` (legacy:
 * the transcript that a person sees is read from this file, and lines may be appended).
 */
export function sessionMeta({header, id, cwd, settings}: WriterTarget): string {
  const created = createdOf(header.created);
  const git = gitOf(header);
  return line(created, `session_meta`, stringify({
    id,
    session_id: id,
    timestamp: created,
    cwd,
    originator: ORIGINATOR,
    cli_version: PROVEN,
    source: `cli`,
    thread_source: `user`,
    model_provider: providerOf(settings),
    ...git ? {git} : {},
  }));
}

function providerOf(settings: Json): string {
  if (settings !== null && typeof settings === `object` && !Array.isArray(settings) && typeof settings.provider === `string`)
    return settings.provider;
  throw new Error(`Assertion failed: the Codex writer needs the settings that prepare found`);
}

function gitOf({commit, branch, origin}: SessionHeader): Payload | null {
  const git: Payload = {
    ...commit !== undefined ? {commit_hash: commit} : {},
    ...branch !== undefined ? {branch} : {},
    ...origin !== undefined ? {repository_url: withoutCredentials(origin)} : {},
  };
  return Object.keys(git).length > 0 ? git : null;
}

function withoutCredentials(url: string) {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, `$1`);
}

/**
 * Codex takes the title from the first prompt that is shown, and only what follows this heading where the text has it,
 * anywhere; nothing after it, and the session is not listed (0.169.0). A no-break space looks the same and is not taken
 * for the heading; the model gets the text as it was.
 */
export function shownPrompt(text: string): string {
  return text.replaceAll(`## My request for Codex:`, `##\u00a0My request for Codex:`);
}

/** What Codex 0.169.0 tells the model after an interrupted turn (legacy and paginated files alike). */
export function abortedText(text: string | undefined): string {
  const own = `The user interrupted the previous turn on purpose. Any running unified exec processes may still be running in the background. If any tools/commands were aborted, they may have partially executed.`;
  return `<turn_aborted>\n${own}\n${text ? `${text}\n` : ``}</turn_aborted>`;
}

/** Codex 0.169.0 begins its summaries so, and knows them again by it when it compacts the next time. */
export function summaryText(summary: string): string {
  return `${SUMMARY}${summary}`;
}

/** The summary without that beginning; undefined for a text without it. */
export function summaryIn(text: string): string | undefined {
  return text.startsWith(SUMMARY) ? text.slice(SUMMARY.length) : undefined;
}

const SUMMARY = `Another language model started to solve this problem and produced a summary of its thinking process. You also have access to the state of the tools that were used by that language model. Use this to build on the work that has already been done and avoid duplicating work. Here is the summary produced by the other language model, use the information in this summary to assist with your own analysis:\n`;
