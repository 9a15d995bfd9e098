import type {CallRecord, Json, JsonObject, NeutralRecord, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {isObject, objectAt, shortKey, stringAt}                                  from '../values.ts';
import {NeedsFullRead}                                                           from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine}                 from '../types.ts';

import {compressed, isHookContext, messageParts, partsOf, responseParts}         from './content.ts';
import type {Compressed}                                                         from './content.ts';
import {toolOf}                                                                  from './kinds.ts';
import {planAfter, resultFields}                                                 from './results.ts';
import {Stream}                                                                  from './stream.ts';
import type {Line, StreamState}                                                  from './stream.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const NOTHING: Array<NeutralRecord> = [];
/** Longer call ids would fill the state. */
const LONGEST_ID = 100;
const LONGEST_TITLE = 1000;

const TYPES = new Set<Json | undefined>([`user`, `assistant`, `tool_result`, `system`]);
/** Records beside the conversation, which never are its end (0.24.4). */
const BESIDE = new Set<Json | undefined>([
  `session_sources_snapshot`, `session_artifact_event`, `session_artifact_snapshot`,
  `managed_session_header_v1`, `managed_session_event_v1`, `managed_session_commit_v1`,
]);

/** The last prompt, which a slash command takes back once it turns out to be one. `before`: the `seq` that it followed. */
type Typed = {text: string; before: number};
type Title = {text: string; custom: boolean};
type ReaderState = {v: number; stream: StreamState; title: Title | null; typed: Typed | null; session: string | null; ended: boolean};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(_file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  const reader = new Reader(unbounded);
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

/** What each kind of line means; where its records go is the stream's business. */
class Reader implements RecordReader {
  private readonly stream: Stream;
  private session: string | null = null;
  private title: Title | null = null;
  private typed: Typed | null = null;
  private ended = false;

  constructor(unbounded: boolean) {
    this.stream = new Stream(unbounded);
  }

  push(source: SourceLine): Array<NeutralRecord> {
    const {ledger} = this.stream;
    const value = source.value;
    if (!isObject(value)) {
      if (value !== undefined || source.length > source.text.length + 2 || source.text.trim() !== ``)
        ledger.repair(`bad-line`, `A line that is no JSON object was left out`, source.offset);
      return NOTHING;
    }
    if (!isRecord(value)) {
      ledger.repair(`bad-record`, `A line that Qwen Code would not take was left out`, source.offset);
      return NOTHING;
    }

    const session = shortKey(value.sessionId as string);
    if (session !== (this.session ??= session)) {
      ledger.repair(`foreign-line`, `A line of another session was left out`, source.offset);
      return NOTHING;
    }
    if (value.type === `system` && BESIDE.has(value.subtype)) {
      ledger.ignore(`system/${value.subtype as string}`);
      return NOTHING;
    }

    const uuid = value.uuid as string;
    const {isNew} = this.stream.follow({value, source, uuid});
    this.record({value, source, uuid, isNew, time: ledger.see(value)});
    return this.stream.take();
  }

  facts(): ReaderFacts {
    const {calls, ledger, said} = this.stream;
    return {
      ...ledger.read(),
      ...this.title === null ? {} : {title: this.title.text},
      ...said.model === null ? {} : {model: said.model},
      idle: this.ended && calls.all().length === 0,
    };
  }

  save(): Json {
    const {stream, title, typed, session, ended} = this;
    const state: ReaderState = {v: VERSION, stream: stream.save(), title: title && {...title}, typed: typed && {...typed}, session, ended};
    return state as unknown as Json;
  }

  /** False: it cannot be used. */
  restore(saved: Json): boolean {
    const state = saved as unknown as ReaderState;
    if (state.v !== VERSION)
      return false;
    try {
      this.stream.restore(state.stream);
      this.title = state.title;
      this.typed = state.typed;
      this.session = state.session;
      this.ended = state.ended;
      return true;
    } catch {
      return false;
    }
  }

  private record(line: Line) {
    const {value} = line;
    if (value.type === `system`) {
      this.system(line);
      return;
    }

    const parts = messageParts(value);
    if (parts.length === 0 || value.subtype === `realtime_message`) {
      this.stream.ledger.ignore(`${value.type as string}/empty`);
      return;
    }
    this.typed = null;
    if (value.type === `assistant`)
      this.assistant(line, parts);
    else
      this.user(line, parts);
  }

  /** Prompts, results, and what the program itself tells the model as a user. */
  private user(line: Line, parts: Array<JsonObject>) {
    const {value} = line;
    const responses = parts.filter(part => isObject(part.functionResponse));
    const rest = parts.filter(part => !isObject(part.functionResponse));
    for (const [index, part] of responses.entries())
      // Older tools put their images beside the answer.
      this.result(line, part.functionResponse as JsonObject, index === responses.length - 1 && value.type === `tool_result` ? rest : []);
    if (rest.length > 0 && (responses.length === 0 || value.type !== `tool_result`))
      this.said(line, rest);
  }

  private said(line: Line, list: Array<JsonObject>) {
    const {stream} = this;
    const {value} = line;
    const content = partsOf(list);
    if (content.every(part => part.type === `text` && part.text === ``)) {
      stream.ledger.ignore(`user/empty`);
      return;
    }

    const subtype = stringAt(value, `subtype`);
    if (subtype !== undefined && subtype !== `mid_turn_user_message`) {
      const text = content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
      stream.own(line, {kind: `note`, what: shortKey(subtype), visible: true, text});
      return;
    }

    const context = content.length > 1 && isHookContext(content.at(-1)) ? content.pop() : undefined;
    if (subtype === undefined)
      stream.heal(line);
    const before = stream.links.tip.at;
    stream.own(line, {kind: `prompt`, content, ...subtype === undefined ? {} : {midTurn: true}});
    if (context?.type === `text`)
      stream.own(line, {kind: `note`, what: `hook-context`, visible: true, text: context.text});
    const [only] = list;
    if (subtype === undefined && list.length === 1 && typeof only!.text === `string`)
      this.typed = {text: shortKey(only!.text), before};
    this.ended = false;
  }

  private result(line: Line, response: JsonObject, beside: Array<JsonObject>) {
    const {stream} = this;
    const {calls, ledger} = stream;
    const id = callId(response.id);
    const open = calls.waiting(id);
    if (open === undefined) {
      const answered = calls.answered(id);
      if (answered === `healed`)
        ledger.repair(`late-result`, `A result came after its call had been given an empty one`, line.source.offset);
      else if (answered === `really`)
        ledger.repair(`second-result`, `A second result of one call was left out`, line.source.offset);
      else
        ledger.repair(`result-without-call`, `A result without its call was left out`, line.source.offset);
      return;
    }

    const detail = objectAt(line.value, `toolCallResult`);
    // A line with several results says only of one how it went.
    const outcome = detail?.callId === undefined || detail.callId === response.id ? detail : undefined;
    const content = [...responseParts(response), ...partsOf(beside)];
    stream.own(line, {kind: `result`, call: open.call, ...resultFields(open.name, response, content, outcome)} as Unplaced<ResultRecord>);
    calls.close(open, false);
    const plan = planAfter(open.name, outcome);
    if (plan !== undefined)
      stream.own(line, {kind: `plan`, ...plan});
    this.ended = false;
  }

  private assistant(line: Line, parts: Array<JsonObject>) {
    const {stream} = this;
    const {value} = line;
    const answer = shortKey(line.uuid);
    // Results must follow their calls at once: Qwen Code takes those that do not for lost.
    if (stream.calls.all().some(open => open.answer !== answer))
      stream.heal(line);

    const model = stringAt(value, `model`);
    if (model !== undefined && model !== `` && model !== stream.said.model && model.length <= 200)
      stream.own(line, {kind: `model`, model: stream.said.model = model});

    const group = {message: answer, ...model ? {model} : {}};
    const final = !parts.some(part => isObject(part.functionCall));
    for (const part of parts) {
      if (isObject(part.functionCall))
        this.call(line, group, part.functionCall);
      else if (typeof part.text !== `string`)
        stream.ledger.ignore(`assistant/${shortKey(Object.keys(part)[0] ?? `empty`)}`);
      else if (part.text !== `` && part.thought === true)
        stream.own(line, {kind: `reasoning`, text: part.text, message: answer, ...typeof part.thoughtSignature === `string` ? {signature: part.thoughtSignature} : {}});
      else if (part.text !== ``)
        stream.own(line, {kind: `reply`, text: part.text, ...group, ...final ? {final} : {}});
    }
    this.ended = final;
  }

  private call(line: Line, group: {message: string; model?: string}, part: JsonObject) {
    const {stream} = this;
    const {calls} = stream;
    const native = callId(part.id) || `call-${shortKey(line.uuid)}`;
    // Of two with one id in one message, only the first is sent.
    if (!line.isNew && calls.all().some(open => open.call === native && open.answer === group.message)) {
      stream.ledger.repair(`duplicate-call`, `A call that stands twice in one message was left out`, line.source.offset);
      return;
    }
    if (calls.isFull())
      stream.healOne(calls.all()[0]!, line);

    const call = calls.unique(native);
    if (call !== native)
      stream.ledger.repair(`repeated-call-id`, `A call whose id was there before got another one`, line.source.offset);
    const name = stringAt(part, `name`) || `unknown`;
    const input = part.args ?? {};
    const seq = stream.own(line, {kind: `call`, call, name, ...group, ...toolOf(name, input), input} as Unplaced<CallRecord>);
    calls.add({call, name: name.slice(0, 100), seq, answer: group.message});
  }

  private system(line: Line) {
    const {stream} = this;
    const {value} = line;
    const payload = objectAt(value, `systemPayload`);
    const subtype = stringAt(value, `subtype`) ?? `none`;

    if (subtype === `custom_title`) {
      this.named(line, payload);
    } else if (subtype === `slash_command`) {
      this.command(line, payload);
    } else if (subtype === `chat_compression`) {
      const found = compressed(payload?.compressedHistory);
      if (found === null)
        stream.own(line, {kind: `note`, what: `chat_compression`, bytes: line.source.length});
      else
        this.compaction(line, found, objectAt(payload, `info`));
    } else {
      stream.ledger.ignore(`system/${shortKey(subtype)}`);
    }
  }

  private compaction(line: Line, {summary, beside, calls}: Compressed, info: JsonObject | undefined) {
    const {stream} = this;
    const keep = stream.calls.all().filter(({call}) => calls.has(call)).map(({seq}) => seq);
    const tokens = info?.originalTokenCount;
    const reason = info?.triggerReason;
    stream.own(line, {
      kind: `compaction`, summary,
      ...reason === `manual` ? {trigger: `manual`} : typeof reason === `string` ? {trigger: `auto`} : {},
      ...keep.length > 0 ? {keep} : {},
      ...typeof tokens === `number` && Number.isSafeInteger(tokens) && tokens > 0 ? {tokensBefore: tokens} : {},
    });
    if (beside.trim() !== ``)
      stream.own(line, {kind: `note`, what: `restored-context`, visible: true, text: beside});
    this.typed = null;
  }

  /** A command that answered by itself: Qwen Code takes what was typed back out of the history. */
  private command({uuid}: Line, payload: JsonObject | undefined) {
    const {stream, typed} = this;
    this.typed = null;
    const items = payload?.outputHistoryItems;
    const answered = payload?.phase === `result` && payload.sentToModel !== true && Array.isArray(items) && items.length > 0
      && items.every(item => isObject(item) && item.type === `assistant`);
    stream.ledger.ignore(`system/slash_command`);
    if (!answered || typed === null || typed.text !== shortKey(stringAt(payload, `rawCommand`) ?? ``))
      return;
    stream.goTo({at: typed.before}, `command`);
    stream.links.set(uuid, stream.links.tip);
  }

  private named(line: Line, payload: JsonObject | undefined) {
    const text = stringAt(payload, `customTitle`)?.trim().slice(0, LONGEST_TITLE);
    const custom = payload?.titleSource !== `auto`;
    // The program repeats the title every so often.
    if (!text || text === this.title?.text && custom === this.title.custom) {
      this.stream.ledger.ignore(`system/custom_title`);
      return;
    }
    this.title = {text, custom};
    this.stream.aside(line, {kind: `title`, title: text, origin: custom ? `custom` : `generated`});
  }
}

/** What 0.24.4 takes for a record. */
function isRecord(value: JsonObject) {
  const {uuid, parentUuid, sessionId, type} = value;
  return typeof uuid === `string` && uuid !== `` && (typeof parentUuid === `string` || parentUuid === null)
    && typeof sessionId === `string` && sessionId !== `` && TYPES.has(type);
}

function callId(id: Json | undefined) {
  return typeof id === `string` ? shortKey(id, LONGEST_ID) : ``;
}
