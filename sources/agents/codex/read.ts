import {isTooDeep}                                          from '../../interchange/depth.ts';
import type {CallRecord, Json, JsonObject, NeutralRecord, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {isObject, isoTime, objectAt, shortKey, stringAt}    from '../values.ts';
import {NeedsFullRead}                                      from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine} from '../types.ts';

import {compactionOf}                                       from './compacted.ts';
import {takeEvent}                                          from './eventLines.ts';
import {History}                                            from './history.ts';
import type {HistoryState, OpenCall, Origin}                from './history.ts';
import {toolOf}                                             from './kinds.ts';
import type {Tool}                                          from './kinds.ts';
import {ORIGINATOR}                                         from './lines.ts';
import {digestOf, outcomeOf, textIn}                        from './outputs.ts';
import type {Outcome}                                       from './outputs.ts';
import {planText}                                           from './plans.ts';
import {saidIn}                                             from './said.ts';
import {LONGEST_SCRIPT, itemKey, onlyDone, patchesBy}       from './script.ts';
import type {HeldScript}                                    from './script.ts';
import {SEGMENT}                                            from './segments.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const NOTHING: Array<NeutralRecord> = [];
const LONGEST_HELD = 64 * 1024;

export type Turn = {
  open: boolean;
  prompted: boolean;
  idle: boolean;
  aborted: boolean;
  /** Model answers are told apart by what comes between them. */
  message?: string;
};

type Meta = {nativeId?: string; version?: string; provider?: string; created?: string; ours: boolean; native: boolean; sub: boolean; segment: string; switching: boolean};

type ReaderState = {
  v: number; history: HistoryState; turn: Turn; meta: Meta; model: string | null; title: string | null; plan: string | null;
  shown: Array<string>; said: Array<string>; script: HeldScript | null; reply: HeldReply | null;
};

/** An answer that no event announced: if a compaction follows it is the summary, and no answer. */
type HeldReply = {payload: JsonObject; origin: Origin};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(_file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  const reader = new RolloutReader(unbounded);
  if (state === undefined || state === null || reader.restore(state))
    return reader;

  return {
    push() {
      throw new NeedsFullRead(`The reader's state is of another version`);
    },
    save: () => state,
    facts: () => ({counts: {}, ignored: {}, repairs: [], idle: false}),
  };
}

/**
 * Reads a rollout of either history mode. The response items are what the model was told, and give the records; events
 * say what items do not: what a script ran, how a file changed, that a turn was interrupted or taken back.
 */
export class RolloutReader implements RecordReader {
  readonly history: History;
  turn: Turn = {open: false, prompted: false, idle: true, aborted: false};
  meta: Meta = {ours: false, native: false, sub: false, segment: ``, switching: false};
  model: string | null = null;
  title: string | null = null;
  /** The plan that was recorded last, as text. */
  plan: string | null = null;
  /** Digests of thinking that events have shown already, and of answers that they have announced. */
  shown: Array<string> = [];
  said: Array<string> = [];
  script: HeldScript | null = null;
  private reply: HeldReply | null = null;

  constructor(unbounded: boolean) {
    this.history = new History(unbounded);
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.history.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return NOTHING;
    }

    const payload = objectAt(value, `payload`) ?? {};
    const time = isoTime(value.timestamp);
    if (value.type === `session_meta` || value.type === SEGMENT)
      this.sessionMeta(String(value.type), payload, {...time === undefined ? {} : {time}}, line);
    else if (this.meta.sub)
      this.history.ignore(`sub-agent`);
    else
      this.item(value, payload, {...time === undefined ? {} : {time}}, line);

    if (typeof value.ordinal === `number` && Number.isSafeInteger(value.ordinal))
      this.history.point(this.meta.segment, value.ordinal);
    return this.history.hasOutput ? this.history.take() : NOTHING;
  }

  facts(): ReaderFacts {
    const {nativeId, version, created} = this.meta;
    const {cwd, branch} = this.history;
    return {
      ...nativeId === undefined ? {} : {nativeId},
      ...version === undefined ? {} : {version},
      ...cwd === undefined ? {} : {cwd},
      ...branch === undefined ? {} : {branch},
      ...this.title === null ? {} : {title: this.title},
      ...this.model === null ? {} : {model: this.model},
      ...this.history.facts(),
      ...created === undefined ? {} : {created},
      idle: this.turn.idle && this.script === null && this.reply === null,
    };
  }

  save(): Json {
    const {turn, meta, model, title, plan, shown, said, script, reply} = this;
    const state: ReaderState = {v: VERSION, history: this.history.save(), turn, meta, model, title, plan, shown, said, script, reply};
    return structuredClone(state) as unknown as Json;
  }

  /** False: it cannot be used. */
  restore(saved: Json): boolean {
    const {v, history, ...rest} = structuredClone(saved) as unknown as ReaderState;
    if (v !== VERSION)
      return false;
    Object.assign(this, rest);
    this.history.restore(history);
    return true;
  }

  private sessionMeta(type: string, payload: JsonObject, origin: Origin, line: SourceLine) {
    const {history, meta} = this;
    if (type === SEGMENT) {
      meta.segment = shortKey(stringAt(payload, `id`) ?? ``);
      meta.switching = true;
      return;
    }
    if (meta.nativeId !== undefined && !meta.switching) {
      history.ignore(`session_meta`);
      return;
    }

    this.flush();
    const id = stringAt(payload, `id`);
    meta.switching = false;
    meta.nativeId = shortKey(id ?? `unknown`, 200);
    if (meta.segment === ``)
      meta.segment = meta.nativeId;
    const version = stringAt(payload, `cli_version`)?.slice(0, 40);
    if (version !== undefined)
      meta.version = version;
    const provider = stringAt(payload, `model_provider`)?.slice(0, 100);
    if (provider !== undefined)
      meta.provider = provider;
    const created = isoTime(payload.timestamp) ?? origin.time;
    if (created !== undefined)
      meta.created ??= created;
    meta.ours = payload.originator === ORIGINATOR;
    meta.native ||= payload.history_mode === `paginated`;
    meta.sub = isObject(payload.source) && payload.source.subagent !== undefined || payload.thread_source === `subagent`;
    history.see(created);
    history.cwd = stringAt(payload, `cwd`)?.slice(0, 4096) ?? history.cwd;
    const git = objectAt(payload, `git`);
    history.branch = stringAt(git, `branch`)?.slice(0, 1024) ?? history.branch;
    history.commit = stringAt(git, `commit_hash`)?.slice(0, 64) ?? history.commit;

    const base = objectAt(payload, `history_base`);
    if (base === undefined)
      return;
    const ordinal = base.end_ordinal_exclusive;
    const end = typeof ordinal === `number` ? history.beforeOrdinal(shortKey(stringAt(base, `thread_id`) ?? ``), ordinal) : undefined;
    if (end === undefined)
      history.repair(`missing-base`, `The file that the session goes on from is not there`, line.offset);
    else
      history.goBack(end, `went back`, origin);
    this.turn = {open: false, prompted: false, idle: true, aborted: false};
  }

  private item(value: JsonObject, payload: JsonObject, origin: Origin, line: SourceLine) {
    switch (value.type) {
      case `response_item`:
        this.responseItem(payload, {...origin, ...typeof payload.id === `string` && payload.id !== `` ? {id: shortKey(payload.id)} : {}}, line);
        break;
      case `event_msg`:
        takeEvent(this, payload, origin, line);
        break;
      case `turn_context`: {
        const {history} = this;
        history.cwd = stringAt(payload, `cwd`)?.slice(0, 4096) ?? history.cwd;
        const model = stringAt(payload, `model`)?.slice(0, 200);
        if (model !== undefined && model !== `` && model !== this.model) {
          this.flush();
          this.model = model;
          history.emit({kind: `model`, model}, origin);
        }
        break;
      }
      case `compacted`:
        this.compacted(payload, origin, line);
        break;
      default:
        this.history.ignore(typeof value.type === `string` ? value.type : `untyped`);
    }
  }

  private responseItem(payload: JsonObject, origin: Origin, line: SourceLine) {
    const {history} = this;
    const type = typeof payload.type === `string` ? payload.type : `untyped`;
    const from = history.seq;
    switch (type) {
      case `message`:
        this.message(payload, origin, line);
        break;
      case `reasoning`:
        this.reasoning(payload, origin);
        break;
      case `function_call`:
      case `custom_tool_call`:
      case `local_shell_call`:
        this.call(type, payload, origin, line);
        break;
      case `function_call_output`:
      case `custom_tool_call_output`:
        this.result(payload, origin, line);
        break;
      case `web_search_call`: {
        const action = objectAt(payload, `action`) ?? {};
        this.flush();
        const call = history.openCall(undefined, `other`, line.offset);
        history.emit({kind: `call`, call, name: `web_search`, ...this.group(), ...toolOf(`web_search`, action), input: action} as Unplaced<CallRecord>, origin);
        history.answer(call, line.offset);
        history.emit({kind: `result`, call, content: []}, origin);
        break;
      }
      default:
        history.ignore(`response_item/${type}`);
    }
    // Only what was not said by Codex itself goes without ids: then a compaction names it by what it says.
    if (history.seq > from && (payload.role === `user` || this.isOurs(payload)))
      history.item(itemKey(payload), from);
  }

  /** Was the line written by our writer, not by Codex after it? */
  isOurs(payload: JsonObject) {
    return this.meta.ours && payload.id === undefined && payload.internal_chat_message_metadata_passthrough === undefined;
  }

  private message(payload: JsonObject, origin: Origin, line: SourceLine) {
    if (payload.role === `assistant`) {
      const text = textIn(payload.content);
      const announced = this.said.includes(digestOf(text));
      if (!announced && this.meta.native && !this.isOurs(payload) && text.length <= LONGEST_HELD) {
        this.flush();
        this.reply = {payload: {content: [{type: `output_text`, text}], phase: payload.phase ?? null}, origin};
      } else {
        this.flush();
        this.answer(payload, origin);
      }
      return;
    }

    const {history} = this;
    for (const said of saidIn(payload, this.isOurs(payload))) {
      this.flush();
      delete this.turn.message;
      if (said.kind === `context`) {
        history.emit({kind: `note`, what: said.what, bytes: line.length}, origin);
      } else if (said.kind === `note`) {
        history.emit({kind: `note`, what: said.what, visible: true, text: said.text}, origin);
      } else if (said.kind === `interrupt`) {
        this.interrupt(origin, said.text);
      } else {
        const midTurn = this.turn.open && this.turn.prompted;
        if (!midTurn)
          history.healAll(origin.time === undefined ? {} : {time: origin.time});
        history.beginTurn();
        this.turn = {...this.turn, prompted: this.turn.open, idle: false, aborted: false};
        history.emit({kind: `prompt`, content: said.content, ...midTurn ? {midTurn} : {}}, origin);
      }
    }
  }

  interrupt(origin: Origin, text?: string) {
    this.turn = {...this.turn, aborted: true, idle: true};
    delete this.turn.message;
    this.history.emit({kind: `interrupt`, during: this.history.open.length > 0 ? `tool` : `reply`, ...text === undefined ? {} : {text}}, origin);
  }

  private answer(payload: JsonObject, origin: Origin) {
    const content = Array.isArray(payload.content) ? payload.content : [];
    for (const item of content) {
      const text = isObject(item) ? stringAt(item, `text`) ?? stringAt(item, `refusal`) : undefined;
      if (text !== undefined && text !== ``)
        this.history.emit({kind: `reply`, text, ...this.group(), ...payload.phase === `final_answer` ? {final: true} : {}}, origin);
    }
    // The event that ends the turn comes after the Stop hook.
    this.turn.idle = payload.phase === `final_answer`;
  }

  private reasoning(payload: JsonObject, origin: Origin) {
    const texts = [payload.summary, payload.content].flatMap(list => Array.isArray(list) ? list : []).flatMap(part => isObject(part) ? stringAt(part, `text`) ?? [] : []);
    // The legacy mode shows it in events before the item comes.
    const shown = texts.length > 0 && texts.every(text => this.shown.includes(digestOf(text)));
    if (texts.length === 0 || shown) {
      this.history.ignore(`response_item/reasoning`);
      return;
    }
    this.flush();
    const signature = stringAt(payload, `encrypted_content`);
    this.think(texts.join(`\n\n`), origin, signature);
  }

  think(text: string, origin: Origin, signature?: string) {
    const {message} = this.group();
    this.history.emit({
      kind: `reasoning`, text, ...message === undefined ? {} : {message}, ...signature === undefined ? {} : {signature}, provider: this.meta.provider || `openai`,
    }, origin);
  }

  private call(type: string, payload: JsonObject, origin: Origin, line: SourceLine) {
    const callId = stringAt(payload, `call_id`) ?? stringAt(payload, `id`);
    const name = type === `local_shell_call` ? `local_shell` : (stringAt(payload, `name`) ?? ``);
    const input = type === `custom_tool_call` ? payload.input ?? null : type === `local_shell_call` ? payload.action ?? null : parsed(payload.arguments);
    this.flush();
    this.turn.idle = false;

    if (type === `custom_tool_call` && name === `exec` && typeof input === `string`) {
      const waits = this.history.open.some(open => open.kind === `script`);
      if (callId !== undefined && !waits && input.length <= LONGEST_SCRIPT) {
        this.script = {callId, name, input, group: this.group(), origin, done: []};
        return;
      }
      this.openCall(callId, name, `script`, {tool: `other`}, input, origin, line.offset);
      return;
    }

    const {cwd} = this.history;
    const unwrapped = this.isOurs(payload) ? unwrap(input) : input;
    const tool = toolOf(name, unwrapped, {...cwd === undefined ? {} : {cwd}, namespace: stringAt(payload, `namespace`)});
    this.openCall(callId, name, tool.tool === `shell` ? `shell` : `other`, tool, unwrapped, origin, line.offset);
  }

  private openCall(callId: string | undefined, name: string, kind: OpenCall[`kind`], tool: Tool, input: Json, origin: Origin, at: number, group = this.group()) {
    const plan = tool.tool === `plan` ? (tool.args as {items?: OpenCall[`plan`]}).items : undefined;
    const call = this.history.openCall(callId, kind, at, plan);
    this.history.emit({kind: `call`, call, name: name || `unknown`, ...group, ...tool, input} as Unplaced<CallRecord>, origin);
    return call;
  }

  private result(payload: JsonObject, origin: Origin, line: SourceLine) {
    const {script, history} = this;
    const callId = stringAt(payload, `call_id`);
    delete this.turn.message;
    if (script !== null && script.callId === callId) {
      this.script = null;
      const whole = outcomeOf(payload.output, `script`, {patch: patchesBy(script)});
      const only = onlyDone(script, whole, history.cwd);
      const call = this.openCall(callId, script.name, `script`, only?.tool ?? {tool: `other`}, script.input, script.origin, line.offset, script.group);
      history.closeCall(call);
      this.emitResult(call, only?.outcome ?? whole, origin);
      return;
    }

    this.flush();
    const open = history.answer(callId, line.offset);
    if (open === null)
      return;
    const outcome = outcomeOf(payload.output, open.kind, open.effects);
    this.emitResult(open.call, outcome, origin);
    if (open.plan !== undefined && outcome.error !== true) {
      this.plan = digestOf(planText({items: open.plan}));
      history.emit({kind: `plan`, items: open.plan}, origin.time === undefined ? {} : {time: origin.time});
    }
  }

  private emitResult(call: string, outcome: Outcome, origin: Origin) {
    this.history.emit({kind: `result`, call, ...outcome} as Unplaced<ResultRecord>, origin);
  }

  private compacted(payload: JsonObject, origin: Origin, line: SourceLine) {
    const {history, reply} = this;
    const found = compactionOf(payload, this);
    // The answer before it was the summary itself, which stands in no history.
    if (found !== null && reply !== null && found.summary.trim() === textIn(reply.payload.content).trim())
      this.reply = null;
    this.flush();
    if (found === null) {
      history.repair(`compaction-unread`, `A compaction whose summary cannot be read was left out`, line.offset);
      history.emit({kind: `note`, what: `compacted`, bytes: line.length}, origin);
      return;
    }
    const trigger = this.meta.ours ? {} : {trigger: this.turn.open && !this.turn.prompted ? `manual` as const : `auto` as const};
    history.healAll(origin.time === undefined ? {} : {time: origin.time});
    delete this.turn.message;
    history.emit({kind: `compaction`, summary: found.summary, ...trigger, ...found.keep.length > 0 ? {keep: found.keep} : {}}, origin);
  }

  /** What was held back is what it looks like: nothing that makes it something else has come. */
  flush() {
    const {script, reply} = this;
    this.script = null;
    this.reply = null;
    if (reply !== null)
      this.answer(reply.payload, reply.origin);
    if (script !== null)
      this.openCall(script.callId, script.name, `script`, {tool: `other`}, script.input, script.origin, 0, script.group);
  }

  /** One answer of the model: its blocks and calls share an id. */
  private group(): Pick<CallRecord, `message` | `model`> {
    this.turn.message ??= `answer-${this.history.seq}`;
    return {message: this.turn.message, ...this.model === null ? {} : {model: this.model}};
  }
}

/** Arguments are JSON in a string; what is none stays a string. */
function parsed(text: Json | undefined): Json {
  if (typeof text !== `string` || isTooDeep(text))
    return text ?? null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** Our writer puts what is no object into one, because the API wants one. */
function unwrap(input: Json): Json {
  if (!isObject(input) || Object.keys(input).length !== 1 || input.input === undefined)
    return input;
  return isObject(input.input) ? input : input.input;
}
