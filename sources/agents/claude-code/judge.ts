import type {Json, JsonObject}        from '../../interchange/index.ts';

import {isObject, objectAt, stringAt} from '../values.ts';

/** Lines that Claude Code writes for merely opening, naming or closing a session (2.1.330). */
const BOOKKEEPING = new Set([
  `mode`, `permission-mode`, `atis-latch`, `tools-used`, `cost-state`, `custom-title`, `ai-title`, `agent-name`,
  `file-history-snapshot`, `session-sync`,
]);
/** What a session says of itself between turns. */
const SYSTEM = new Set([`turn_duration`, `stop_hook_summary`, `informational`]);
const NONE = `00000000-0000-0000-0000-000000000000`;

/**
 * What stands after a mirror's last byte. Anything that somebody said, that is shown to the model or that is not known
 * is Claude Code going on; the session is left to it then.
 */
export function judge(tail: string): `opened` | `continued` {
  const lines = tail.split(`\n`);
  // A long tail may be handed over cut, and the last line may still be being written: its begin says enough.
  const last = lines.pop()!;
  return lines.every(text => text.trim() === `` || isBookkeeping(parse(text))) && (last.trim() === `` || isBookkeeping(parse(last)) || BEGINS.test(last))
    ? `opened`
    : `continued`;
}

const BEGINS = new RegExp(`^\\{"type":"(?:${[...BOOKKEEPING].join(`|`)})",`);

function isBookkeeping(value: Json | undefined): boolean {
  if (!isObject(value))
    return false;

  const type = stringAt(value, `type`) ?? ``;
  switch (type) {
    // The person went back to an earlier point, to go on from there.
    case `last-prompt`:
      return value.explicit !== true || value.leafUuid === NONE;
    case `system`:
      return SYSTEM.has(stringAt(value, `subtype`) ?? ``);
    case `attachment`:
      return isHarness(objectAt(value, `attachment`));
    default:
      return BOOKKEEPING.has(type);
  }
}

/** The environment, the model, lists of tools; not what was queued, nor what a hook says. */
function isHarness(attachment: JsonObject | undefined) {
  const type = stringAt(attachment, `type`);
  return type !== undefined && type !== `queued_command` && !type.startsWith(`hook_`);
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
