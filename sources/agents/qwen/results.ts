import type {FilePatch, Json, JsonObject, Part, ResultRecord} from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt}               from '../values.ts';

import {planItems}                                            from './kinds.ts';
import {streamOf}                                             from './locate.ts';

export type ResultFields = Pick<ResultRecord, `content` | `error` | `exitCode` | `interrupted` | `denied` | `full` | `patch` | `stream`>;

const SAVED   = /^Tool output was too large and has been truncated\b[\s\S]{0,300}?saved to:? (\S[^\n]*)/m;
const TASK    = /^task_id: ([A-Za-z0-9._-]{1,100})(?:\s|$)/m;
const EXITED  = /^Exit Code: (-?\d{1,10})$/m;
const REFUSED = /did not allow/;

/** One answer of a tool. `response`: the `functionResponse`; `outcome`: the line's `toolCallResult`, what the program knows beside it. */
export function resultFields(name: string, response: JsonObject, content: Array<Part>, outcome: JsonObject | undefined): ResultFields {
  const fields: ResultFields = {content};
  const text = content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
  const inner = response.response;
  const status = stringAt(outcome, `status`);
  const display = outcome?.resultDisplay;

  if (status === undefined ? isObject(inner) && typeof inner.error === `string` && typeof inner.output !== `string` : status !== `success`)
    fields.error = true;
  if (status === `cancelled` || outcome?.executionStatus === `cancelled`)
    fields[REFUSED.test(text.slice(0, 500)) ? `denied` : `interrupted`] = true;
  else if (outcome?.errorType === `execution_denied`)
    fields.denied = true;

  if (name === `run_shell_command`) {
    const code = isObject(display) ? numberAt(display, `exitCode`) : Number(EXITED.exec(text.slice(-500))?.[1] ?? NaN);
    if (code !== undefined && Number.isSafeInteger(code))
      fields.exitCode = code;
  }

  const full = SAVED.exec(text.slice(0, 2_000))?.[1]?.trim();
  if (full !== undefined)
    fields.full = {path: full};

  const patch = fields.error ? undefined : patchOf(display);
  if (patch !== undefined)
    fields.patch = [patch];

  const task = name === `agent` ? TASK.exec(text.slice(0, 2_000))?.[1] ?? stringAt(objectAt(outcome, `resultDisplay`), `subagentId`) : undefined;
  if (task !== undefined && /^[A-Za-z0-9._-]{1,100}$/.test(task))
    fields.stream = streamOf(task);
  return fields;
}

/** The plan that stands after a tool ran. */
export function planAfter(name: string, outcome: JsonObject | undefined) {
  const display = objectAt(outcome, `resultDisplay`);
  if (stringAt(outcome, `status`) !== `success` || display === undefined)
    return undefined;
  if (name === `todo_write`) {
    const items = planItems(display.todos);
    return items === undefined ? undefined : {items};
  }
  const text = name === `exit_plan_mode` ? stringAt(display, `plan`) : undefined;
  return text === undefined ? undefined : {text};
}

function patchOf(display: Json | undefined): FilePatch | undefined {
  const diff = isObject(display) ? stringAt(display, `fileDiff`) : undefined;
  const path = isObject(display) ? stringAt(display, `filePath`) ?? stringAt(display, `fileName`) : undefined;
  if (!isObject(display) || diff === undefined || path === undefined)
    return undefined;

  const content = stringAt(display, `newContent`);
  // A file that was empty counts as a new one: nothing else tells the two apart.
  if ((display.originalContent === `` || display.originalContent === null) && content !== undefined)
    return {path, change: `add`, content};
  const from = diff.search(/^@@ /m);
  return from === -1 ? undefined : {path, change: `update`, diff: diff.slice(from)};
}
