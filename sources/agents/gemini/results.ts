import type {FilePatch, JsonObject, ResultRecord}  from '../../interchange/index.ts';
import {isObject, objectAt, stringAt}              from '../values.ts';

import type {Answer}                               from './messages.ts';

const EXIT_CODE = /^Exit Code: (\d{1,3})$/m;
const FULL = /For full output see: ([^\n]+)/;
const SAFE = /^[A-Za-z0-9._-]{1,64}$/;

export type ResultFields = Pick<ResultRecord, `content` | `error` | `exitCode` | `interrupted` | `full` | `patch` | `stream`>;

/** What a call gave back. `name`: of the tool. */
export function resultFields(name: string, {content, response, call}: Answer): ResultFields {
  const fields: ResultFields = {content};
  const text = content[0]?.type === `text` ? content[0].text : ``;
  const status = stringAt(call, `status`);
  if (status === `error` || (isObject(response) && response.error !== undefined && response.error !== null))
    fields.error = true;
  if (status === `cancelled` || (fields.error && text.startsWith(`[Operation Cancelled]`)))
    fields.interrupted = true;

  if (name === `run_shell_command` && !fields.error && !fields.interrupted) {
    const code = EXIT_CODE.exec(text.slice(-500))?.[1];
    if (code !== undefined)
      fields.exitCode = Number(code);
    else if (!/^(?:Signal|Background PIDs): (?!\(none\))/m.test(text.slice(-500)))
      fields.exitCode = 0;
  }

  const full = FULL.exec(text.slice(0, 1_000))?.[1];
  if (full !== undefined)
    fields.full = {path: full};

  const patch = fields.error ? undefined : patchOf(objectAt(call, `resultDisplay`));
  if (patch !== undefined)
    fields.patch = [patch];
  const agent = stringAt(call, `agentId`);
  if (agent !== undefined && SAFE.test(agent))
    fields.stream = `sub-${agent}`;
  return fields;
}

/** `fileDiff` is a whole patch with its header lines, in the form of the library `diff` (0.61.0). */
function patchOf(display: JsonObject | undefined): FilePatch | undefined {
  const path = stringAt(display, `filePath`);
  const diff = stringAt(display, `fileDiff`);
  if (path === undefined || diff === undefined)
    return undefined;

  const content = stringAt(display, `newContent`);
  if (display!.isNewFile === true && content !== undefined)
    return {path, change: `add`, content};

  const hunks = diff.startsWith(`@@ `) ? 0 : diff.indexOf(`\n@@ `) + 1;
  if (hunks === 0 && !diff.startsWith(`@@ `))
    return undefined;
  const text = diff.slice(hunks);
  return {path, change: `update`, diff: text.endsWith(`\n`) ? text : `${text}\n`};
}
