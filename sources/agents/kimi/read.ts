import type {CallRecord, Json, JsonObject, NeutralRecord, ReplyRecord, Unplaced} from '../../interchange/index.ts';
import {isTooDeep}                                                    from '../../interchange/depth.ts';
import {isObject, numberAt, objectAt, shortKey, stringAt}             from '../values.ts';
import {Recorder, isoOfMs}                                            from '../families/recorder.ts';
import type {Origin, RecorderState}                                   from '../families/recorder.ts';
import {NeedsFullRead}                                                from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine}      from '../types.ts';

import {classify, exitCodeOf, fullOf, partsOf, promptKind, textOf}    from './content.ts';
import {History}                                                      from './history.ts';
import type {HistoryState}                                            from './history.ts';
import {planItems, toolOf}                                            from './tools.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
/** A reply waits for the line that says whether it ended the turn; a longer one does not, so that the state stays small. */
const LONGEST_HELD = 16 << 10;
/** What Kimi Code 2.1.0 itself tells the model of a call that was cut off. */
const CUT_OFF = `Tool execution was interrupted before its result was recorded. Do not assume the tool completed successfully.`;

type Step = {id: string; said: boolean};
type Held = {record: Unplaced<ReplyRecord>; origin: Origin};
type State = {v: number; recorder: RecorderState; history: HistoryState; step: Step | null; held: Held | null; model: string | null; idle: boolean; cut: boolean};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(_file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  if (state === undefined || state === null)
    return new Reader(unbounded);
  if (isObject(state) && state.v === VERSION)
    return new Reader(unbounded, state as unknown as State);
  return {
    push() {
      throw new NeedsFullRead(`The reader's state is of another version`);
    },
    save: () => state,
    facts: () => ({counts: {}, ignored: {}, repairs: [], idle: false}),
  };
}

/** Reads `wire.jsonl`, the event log of one agent of a session (protocol 1.5, Kimi Code 2.1.0). */
class Reader implements RecordReader {
  private readonly recorder: Recorder;
  private readonly history: History;
  private step: Step | null;
  private held: Held | null;
  private model: string | null;
  private idle: boolean;
  /** A tool of this turn was stopped by the person. */
  private cut: boolean;

  constructor(unbounded: boolean, state?: State) {
    this.recorder = new Recorder(state?.recorder);
    this.history = new History(unbounded, state?.history);
    this.step = state?.step ?? null;
    this.held = state?.held ?? null;
    this.model = state?.model ?? null;
    this.idle = state?.idle ?? false;
    this.cut = state?.cut ?? false;
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.recorder.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return [];
    }
    this.line(value, {time: isoOfMs(value.time)}, line.offset);
    return this.recorder.take();
  }

  save(): Json {
    const state: State = {v: VERSION, recorder: this.recorder.save(), history: this.history.save(), step: this.step, held: this.held, model: this.model, idle: this.idle, cut: this.cut};
    return structuredClone(state) as unknown as Json;
  }

  facts(): ReaderFacts {
    return {...this.recorder.facts(), ...this.model === null ? {} : {model: this.model}, idle: this.idle && !this.recorder.hasOpenCalls && this.held === null};
  }

  private line(value: JsonObject, origin: Origin, at: number) {
    switch (value.type) {
      case `turn.prompt`:
        this.settle(origin);
        this.idle = this.cut = false;
        break;
      case `context.append_message`:
        this.message(objectAt(value, `message`), origin, at);
        break;
      case `context.append_loop_event`:
        this.event(objectAt(value, `event`), origin, at);
        break;
      case `turn.ended`:
        this.turnEnded(value, origin);
        break;
      case `context.undo`:
        this.undo(value, origin);
        break;
      case `context.clear`:
        this.leave(-1, `cleared`, origin);
        this.history.clear();
        break;
      case `context.apply_compaction`:
        this.compaction(value, origin, at);
        break;
      case `llm.request`:
        this.sawModel(stringAt(value, `model`), origin);
        break;
      case `tools.update_store`: {
        const items = value.key === `todo` ? planItems(value.value) : undefined;
        if (items !== undefined)
          this.recorder.emit({kind: `plan`, items}, origin);
        else
          this.recorder.ignore(value.type);
        break;
      }
      default:
        this.recorder.ignore(value.type);
    }
  }

  private message(message: JsonObject | undefined, origin: Origin, at: number) {
    const role = stringAt(message, `role`);
    if (message === undefined || (role !== `user` && role !== `assistant` && role !== `tool` && role !== `system`)) {
      this.recorder.repair(`bad-message`, `A message without a role was left out`, at);
      return;
    }

    const from = {...origin, ...typeof message.id === `string` ? {id: message.id} : {}};
    if (role === `user` || role === `system`) {
      this.user(message, role, from);
      return;
    }
    if (role === `tool`) {
      this.result(message.toolCallId, message.content, message.isError === true, from, at);
      return;
    }

    this.release();
    this.history.message();
    for (const part of partsOf(message.content))
      if (part.type === `text` && part.text !== ``)
        this.history.record(this.recorder.emit({kind: `reply`, text: part.text}, from));
    for (const call of Array.isArray(message.toolCalls) ? message.toolCalls : [])
      if (isObject(call))
        this.call(call.id, stringAt(call, `name`), parsed(call.arguments), from, at);
  }

  private user(message: JsonObject, role: string, origin: Origin) {
    const kind = role === `system` ? {kind: `note` as const, what: `system`, visible: false} : classify(message);
    const parts = partsOf(message.content);
    const text = textOf(parts);
    if (kind.kind === `prompt` && !kind.midTurn)
      this.settle(origin);
    this.release();
    this.history.message();

    if (kind.kind === `note` && !kind.visible) {
      this.recorder.emit({kind: `note`, what: kind.what, bytes: Buffer.byteLength(text)}, origin);
      return;
    }
    if (parts.length === 0)
      return;
    const seq = kind.kind === `prompt`
      ? this.recorder.emit({kind: `prompt`, content: parts, ...kind.midTurn ? {midTurn: true} : {}}, origin)
      : this.recorder.emit({kind: `note`, what: kind.what, visible: true, text}, origin);
    this.history.record(seq, promptKind(message));
  }

  private event(event: JsonObject | undefined, origin: Origin, at: number) {
    const from = {...origin, ...typeof event?.uuid === `string` ? {id: event.uuid} : {}};
    switch (event?.type) {
      case `step.begin`:
        this.settle(origin);
        this.step = {id: shortKey(stringAt(event, `uuid`) ?? `step-${this.recorder.seq}`), said: false};
        this.idle = false;
        break;
      case `content.part`:
        this.part(objectAt(event, `part`), from);
        break;
      case `tool.call`:
        this.release();
        this.inStep();
        this.call(event.toolCallId, stringAt(event, `name`), event.args ?? {}, from, at);
        break;
      case `tool.result`: {
        const result = objectAt(event, `result`);
        this.result(event.toolCallId, result?.output, result?.isError === true, origin, at);
        break;
      }
      case `step.end`:
        this.stepEnd(event, origin);
        break;
      default:
        this.recorder.ignore(`event/${typeof event?.type === `string` ? event.type : `untyped`}`);
    }
  }

  private part(part: JsonObject | undefined, origin: Origin) {
    this.release();
    if (part?.type === `text` && typeof part.text === `string`) {
      if (part.text === ``)
        return;
      this.inStep();
      this.held = {record: {kind: `reply`, text: part.text, ...this.grouped()}, origin};
      if (part.text.length > LONGEST_HELD)
        this.release();
    } else if (part?.type === `think` && typeof part.think === `string`) {
      this.inStep();
      const signature = stringAt(part, `encrypted`);
      const seq = this.recorder.emit({kind: `reasoning`, text: part.think, ...this.step === null ? {} : {message: this.step.id}, ...signature === undefined ? {} : {signature}}, origin);
      this.history.record(seq);
    } else {
      this.recorder.ignore(`part/${typeof part?.type === `string` ? part.type : `untyped`}`);
    }
  }

  private call(id: Json | undefined, named: string | undefined, input: Json, origin: Origin, at: number) {
    const name = named || `unknown`;
    const call = this.recorder.open(id, name, at);
    const seq = this.recorder.emit({kind: `call`, call, name, ...this.grouped(), ...toolOf(name, input), input} as Unplaced<CallRecord>, origin);
    this.history.record(seq);
    this.idle = false;
  }

  private result(id: Json | undefined, output: Json | undefined, error: boolean, origin: Origin, at: number) {
    this.release();
    const open = this.recorder.answer(id, at);
    if (open === null)
      return;

    const content = partsOf(output);
    const text = textOf(content);
    const exitCode = exitCodeOf(open.name, text, error);
    const full = fullOf(text);
    const interrupted = error && text === `Interrupted by user`;
    this.cut ||= interrupted;
    const agent = open.name === `Agent` ? /^agent_id: ([A-Za-z0-9._-]{1,60})\n/.exec(text)?.[1] : undefined;
    this.history.message();
    this.history.record(this.recorder.emit({
      kind: `result`, call: open.call, content,
      ...error ? {error} : {},
      ...exitCode === undefined ? {} : {exitCode},
      ...interrupted ? {interrupted} : {},
      ...full === undefined ? {} : {full},
      ...agent === undefined ? {} : {stream: `sub-${agent}`},
    }, origin));
  }

  private stepEnd(event: JsonObject, origin: Origin) {
    const reason = event.finishReason;
    if (reason === `interrupted` || reason === `error`) {
      this.release({partial: true});
      return;
    }
    this.release(reason === `end_turn` ? {final: true} : {});
    this.settle(origin);
  }

  private turnEnded(value: JsonObject, origin: Origin) {
    const tool = this.cut || this.recorder.hasOpenCalls;
    this.settle(origin);
    if (value.reason === `cancelled`)
      this.recorder.emit({kind: `interrupt`, during: tool ? `tool` : `reply`}, origin);
    this.idle = true;
  }

  private undo(value: JsonObject, origin: Origin) {
    const count = numberAt(value, `count`);
    this.settle(origin);
    const from = count === undefined || !Number.isSafeInteger(count) || count < 1 ? null : this.history.undo(count);
    if (from === null)
      this.recorder.ignore(`context.undo`);
    else
      this.leave(from, `undone`, origin);
  }

  private leave(parent: number, reason: string, origin: Origin) {
    this.release();
    this.recorder.abandonCalls();
    this.step = null;
    this.recorder.emit({kind: `branch`, parent, reason}, origin);
    this.idle = true;
  }

  private compaction(value: JsonObject, origin: Origin, at: number) {
    const summary = summaryOf(value);
    const compacted = numberAt(value, `compactedCount`) ?? numberAt(value, `count`);
    if (summary === undefined || compacted === undefined || compacted < 0) {
      this.recorder.repair(`bad-compaction`, `A compaction without a summary was left out`, at);
      return;
    }

    this.settle(origin);
    const prompts = numberAt(value, `keptUserMessageCount`);
    const whole = value.legacyTail === true || (prompts === undefined && value.legacyTail !== false);
    const keep = whole ? this.history.keepTail(compacted) : this.history.keepPrompts(prompts ?? 0, numberAt(value, `keptHeadUserMessageCount`) ?? 0);
    const before = numberAt(value, `tokensBefore`);
    this.recorder.emit({kind: `compaction`, summary, ...keep.length === 0 ? {} : {keep}, ...before === undefined ? {} : {tokensBefore: before}}, origin);
  }

  private sawModel(model: string | undefined, origin: Origin) {
    if (model === undefined || model === this.model || model.length > 200)
      return;
    this.model = model;
    this.recorder.emit({kind: `model`, model}, origin);
  }

  /** Nothing more comes for what is still open. */
  private settle(origin: Origin) {
    this.release();
    for (let left = this.recorder.openCalls.length; left > 0; left--)
      this.history.message();
    this.recorder.healAll(origin, CUT_OFF);
    this.step = null;
  }

  /** A step counts as a message from its first word on. */
  private inStep() {
    if (this.step?.said === true)
      return;
    this.history.message();
    if (this.step !== null)
      this.step.said = true;
  }

  private grouped() {
    return {...this.step === null ? {} : {message: this.step.id}, ...this.model === null ? {} : {model: this.model}};
  }

  private release(more: {final?: true; partial?: true} = {}) {
    if (this.held === null)
      return;
    const {record, origin} = this.held;
    this.held = null;
    this.history.record(this.recorder.emit({...record, ...more}, origin));
  }
}

function summaryOf(value: JsonObject): string | undefined {
  const {summary} = value;
  if (typeof summary === `string`)
    return summary;
  return stringAt(value, `contextSummary`) ?? (isObject(summary) ? textOf(partsOf(summary.content)) : undefined);
}

function parsed(text: Json | undefined): Json {
  if (typeof text !== `string`)
    return text ?? {};
  try {
    return isTooDeep(text) ? text : JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
