import type {Json, JsonObject, SessionHeader} from '../../../interchange/index.ts';
import type {WriterTarget}                    from '../../types.ts';

import {stringify}                            from './text.ts';

/** Time of a session that names none. */
const UNDATED = `2025-01-01T00:00:00.000Z`;

export function line(value: JsonObject): string {
  return `${stringify(value)}\n`;
}

/**
 * What tells a transcript of ours from one that the agent began itself, whatever becomes of our own notes. 2.1.330
 * skips lines of a type that it does not know, in its list and on resume, and leaves them where they are.
 */
export function markerLine({header, id}: WriterTarget): string {
  return line({type: `session-sync`, version: 1, sessionId: id, source: {agent: header.agent.id, session: header.session}});
}

/** Fields of every line of the chain. `entrypoint`: a session of `sdk-cli` is not listed (2.1.330). */
export function chainFields({target, version, time, branch}: {target: WriterTarget; version: string; time: string; branch: string | undefined}): JsonObject {
  return {
    timestamp: time, userType: `external`, entrypoint: `cli`, cwd: target.cwd, sessionId: target.id, version,
    ...branch === undefined ? {} : {gitBranch: branch},
  };
}

/** An answer's line: one block. No tokens were used that this agent would have to pay for. */
export function assistantMessage(id: string, block: JsonObject, stop: string | null): JsonObject {
  return {
    // Resuming takes the model that a transcript names; for this one it takes the person's own, without a word (2.1.330).
    id, type: `message`, role: `assistant`, model: `<synthetic>`, content: [block], stop_reason: stop, stop_sequence: null,
    usage: {input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0},
  };
}

export function userMessage(content: Json): JsonObject {
  return {role: `user`, content};
}

export function timeOf(time: string | undefined, {created}: SessionHeader): string {
  return time ?? (created !== undefined && !Number.isNaN(Date.parse(created)) ? new Date(created).toISOString() : UNDATED);
}

/** How Claude Code 2.1.330 begins its summaries; another agent's summary says nothing of what it is. */
export function summaryText(summary: string): string {
  const begin = `This session is being continued from a previous conversation that ran out of context.`;
  if (summary.trim() === ``)
    return `${begin} Its summary was not recorded.`;
  return summary.startsWith(`This session is being continued from`) ? summary : `${begin} The summary below covers the earlier portion of the conversation.\n\nSummary:\n${summary}`;
}

/** Claude Code's own words; a source's own text is taken where it is of the same form. */
export function interruptText(during: `reply` | `tool`, text: string | undefined): string {
  if (text?.startsWith(`[Request interrupted by user`))
    return text;
  return during === `tool` ? `[Request interrupted by user for tool use]` : `[Request interrupted by user]`;
}
