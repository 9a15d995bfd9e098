import type {JsonObject}                       from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, stringAt} from '../values.ts';
import type {SourceLine}                       from '../types.ts';

import type {Origin}                           from './history.ts';
import {digestOf, isFailure, textIn}           from './outputs.ts';
import {planItemsIn}                           from './plans.ts';
import type {RolloutReader}                    from './read.ts';
import {doneIn, remember}                      from './script.ts';
import {patchesOf}                             from './unpatch.ts';

/** Digests of texts that events have shown; the items follow within a few lines. */
const MOST_SHOWN = 20;
/** Calls that wait while a change of files is remembered for one of them. */
const MOST_WAITING = 20;

/**
 * An event is what a person is shown. Most say again what an item of the model says; the others tell what came of a call,
 * or what became of a turn.
 */
export function takeEvent(reader: RolloutReader, payload: JsonObject, origin: Origin, line: SourceLine) {
  const {history} = reader;
  switch (payload.type) {
    case `task_started`:
      reader.flush();
      reader.turn = {open: true, prompted: false, idle: false, aborted: false};
      // Codex itself, not our writer: its answers are announced by events.
      reader.meta.native ||= payload.root_turn_id !== undefined;
      break;
    case `task_complete`: {
      reader.flush();
      reader.turn = {...reader.turn, open: false, idle: true};
      const error = objectAt(payload, `error`);
      if (error !== undefined)
        history.emit({kind: `note`, what: `error`, bytes: line.length}, origin);
      break;
    }
    case `turn_aborted`:
      reader.flush();
      if (!reader.turn.aborted)
        reader.interrupt(origin);
      reader.turn = {...reader.turn, open: false, idle: true};
      break;
    case `thread_rolled_back`: {
      reader.flush();
      const count = numberAt(payload, `num_turns`);
      const end = count === undefined || count < 1 ? undefined : history.beforeTurns(count);
      if (end !== undefined)
        history.goBack(end, `rolled back`, origin);
      break;
    }
    case `thread_name_updated`: {
      const title = stringAt(payload, `thread_name`)?.trim().slice(0, 400);
      if (title !== undefined && title !== `` && title !== reader.title) {
        reader.title = title;
        reader.flush();
        history.emit({kind: `title`, title, origin: `custom`}, origin);
      }
      break;
    }
    case `agent_message`:
      announce(reader, stringAt(payload, `message`) ?? ``);
      break;
    case `agent_reasoning`:
    case `agent_reasoning_raw_content`: {
      const text = stringAt(payload, `text`) ?? ``;
      if (text.trim() === ``)
        break;
      reader.flush();
      reader.shown = [...reader.shown, digestOf(text)].slice(-MOST_SHOWN);
      reader.think(text, origin);
      break;
    }
    case `patch_apply_end`:
      effect(reader, stringAt(payload, `call_id`), payload, payload.success === false);
      break;
    case `exec_command_end`:
      effect(reader, stringAt(payload, `call_id`), payload, false);
      break;
    case `mcp_tool_call_end`:
      effect(reader, stringAt(payload, `call_id`), {}, isFailure(objectAt(payload, `result`)));
      break;
    case `item_completed`:
      itemCompleted(reader, objectAt(payload, `item`) ?? {}, origin);
      break;
    default:
      history.ignore(`event_msg/${typeof payload.type === `string` ? payload.type : `untyped`}`);
  }
}

function itemCompleted(reader: RolloutReader, item: JsonObject, origin: Origin) {
  switch (item.type) {
    case `AgentMessage`:
      announce(reader, textIn(item.content));
      return;
    case `Plan`: {
      const text = stringAt(item, `text`) ?? ``;
      if (text.trim() === `` || digestOf(text) === reader.plan)
        return;
      reader.flush();
      reader.plan = digestOf(text);
      const items = planItemsIn(text);
      reader.history.emit({kind: `plan`, ...items === undefined ? {text} : {items}}, origin);
      return;
    }
    default: {
      const id = stringAt(item, `id`);
      const done = doneIn(item);
      if (done === undefined)
        reader.history.ignore(`item/${typeof item.type === `string` ? item.type : `untyped`}`);
      else if (id !== undefined && reader.history.waiting(id) !== undefined)
        effect(reader, id, item, item.type === `McpToolCall` && (item.status === `failed` || isFailure(objectAt(item, `result`))));
      else if (reader.script !== null)
        remember(reader.script, done);
      else
        effect(reader, reader.history.open.find(open => open.kind === `script`)?.native, {changes: item.changes ?? null, success: item.status === `completed`}, false);
    }
  }
}

function announce(reader: RolloutReader, text: string) {
  reader.said = [...reader.said, digestOf(text)].slice(-MOST_SHOWN);
}

/** What an event says of a call, for its result. */
function effect(reader: RolloutReader, callId: string | undefined, said: JsonObject, failed: boolean) {
  const open = reader.history.waiting(callId);
  if (open === undefined)
    return;
  const {effects} = open;
  const exitCode = numberAt(said, `exit_code`);
  if (exitCode !== undefined && Number.isSafeInteger(exitCode))
    effects.exitCode = exitCode;
  if (failed)
    effects.error = true;
  if (isObject(said.changes) && said.success !== false && said.status !== `failed` && reader.history.open.length <= MOST_WAITING)
    effects.patch = [...open.kind === `script` ? effects.patch ?? [] : [], ...patchesOf(said.changes)].slice(0, MOST_WAITING);
}
