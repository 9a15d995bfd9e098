import type {CallRecord, FilePatch, JsonObject} from '../../interchange/index.ts';
import {numberAt, shortKey, stringAt}           from '../values.ts';

import type {Origin}                            from './history.ts';
import {commandOf}                              from './kinds.ts';
import type {Tool}                              from './kinds.ts';
import {SCRIPT, digestOf, textOf, withoutHead}  from './outputs.ts';
import type {Outcome}                           from './outputs.ts';
import {patchesOf, toolOfPatches}               from './unpatch.ts';

/** A longer script is recorded at once, as a script. */
export const LONGEST_SCRIPT = 64 * 1024;
/** A script that did more than this is recorded as a script in any case. */
const MOST_DONE = 20;
const MOST_TEXT = 256 * 1024;

/** What a script did, as events tell: one command (its output only by its hash), one change of files, or something else. */
export type Done =
  | {did: `command`; command: string; workdir?: string; exitCode?: number; output: string}
  | {did: `change`; patches: Array<FilePatch>}
  | {did: `other`};

/**
 * A call of `exec`, by which code-mode models (gpt-5.6 and newer) do everything, held back until its output comes: only
 * the events between say what it did.
 */
export type HeldScript = {
  callId: string;
  name: string;
  input: string;
  group: Pick<CallRecord, `message` | `model`>;
  origin: Origin;
  done: Array<Done>;
};

/** What an `item_completed` event says that a script did; undefined for items that no script makes. */
export function doneIn(item: JsonObject): Done | undefined {
  switch (item.type) {
    case `CommandExecution`: {
      const command = commandOf(item.command);
      const output = stringAt(item, `aggregated_output`);
      if (command === undefined || output === undefined || command.length > LONGEST_SCRIPT)
        return {did: `other`};
      const folder = stringAt(item, `cwd`)?.replace(/^file:\/\//, ``);
      const exitCode = numberAt(item, `exit_code`);
      return {
        did: `command`, command, output: digestOf(output),
        ...folder === undefined ? {} : {workdir: folder}, ...exitCode === undefined || !Number.isSafeInteger(exitCode) ? {} : {exitCode},
      };
    }
    case `FileChange`:
      return item.status === `completed` ? {did: `change`, patches: patchesOf(item.changes)} : {did: `other`};
    case `McpToolCall`:
    case `WebSearch`:
    case `ImageView`:
    case `DynamicToolCall`:
      return {did: `other`};
    default:
      return undefined;
  }
}

export function remember(script: HeldScript, done: Done) {
  if (script.done.length < MOST_DONE)
    script.done.push(JSON.stringify([script.done, done]).length > MOST_TEXT ? {did: `other`} : done);
}

/**
 * The script as the one thing that it did, where the model was told no more and no less of it: a command whose output
 * was handed on as it is, or one change of one file. Undefined: it stays a script.
 */
export function onlyDone(script: HeldScript, outcome: Outcome, cwd: string | undefined): {tool: Tool; outcome: Outcome} | undefined {
  const [only] = script.done;
  const head = outcome.content[0]?.type === `text` ? SCRIPT.exec(outcome.content[0].text) : null;
  if (only === undefined || script.done.length > 1 || head?.[1] !== `completed`)
    return undefined;

  const content = withoutHead(outcome.content, head[0]);
  if (only.did === `command`) {
    const same = content.every(part => part.type === `text`) && digestOf(textOf(content)) === only.output;
    if (!same)
      return undefined;
    const failed = only.exitCode !== undefined && only.exitCode !== 0;
    return {
      tool: {tool: `shell`, args: {command: only.command, ...only.workdir === undefined || only.workdir === cwd ? {} : {workdir: only.workdir}}},
      outcome: {...outcome, content, ...only.exitCode === undefined ? {} : {exitCode: only.exitCode}, ...failed ? {error: true} : {}},
    };
  }

  const tool = only.did === `change` ? toolOfPatches(only.patches) : undefined;
  return tool === undefined || only.did !== `change` ? undefined : {tool, outcome: {...outcome, content, patch: only.patches}};
}

/** The changes of files by a script that stays one. */
export function patchesBy(script: HeldScript): Array<FilePatch> {
  return script.done.flatMap(done => done.did === `change` ? done.patches : []);
}

/** A key for an item of the model's history: its id, or for one without an id what it says. */
export function itemKey(payload: JsonObject): string {
  const id = stringAt(payload, `id`);
  return id !== undefined ? `i:${shortKey(id)}` : `h:${digestOf(JSON.stringify(payload))}`;
}

