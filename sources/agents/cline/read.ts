import type {CallRecord, Json, JsonObject, NeutralRecord, Part, Unplaced} from '../../interchange/index.ts';
import {isObject, numberAt, objectAt, shortKey, stringAt}        from '../values.ts';
import {Recorder, isoOfMs}                                       from '../families/recorder.ts';
import type {Origin, RecorderState}                              from '../families/recorder.ts';
import {NeedsFullRead}                                           from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine} from '../types.ts';

import {toolOf}                                                  from './tools.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
/** Messages whose place is remembered, for when the document is cut back to one of them. */
const MOST = 3000;
const WRAPPED = /^<user_input mode="(?:act|plan)">([\s\S]*)<\/user_input>$/;

type State = {v: number; recorder: RecorderState; starts: Array<[message: number, seq: number]>; count: number; model: string | null; title: string | null; ended: boolean};

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

/** Reads the journal of a session (see `refresh`): messages as Cline 3.0.65 has them in its document. */
class Reader implements RecordReader {
  private readonly recorder: Recorder;
  /** Next record when a message was read, by its place in the document. */
  private starts: State[`starts`];
  private count: number;
  private model: string | null;
  private title: string | null;
  private ended: boolean;

  constructor(private readonly unbounded: boolean, state?: State) {
    this.recorder = new Recorder(state?.recorder);
    this.starts = state?.starts.map(([message, seq]) => [message, seq]) ?? [];
    this.count = state?.count ?? 0;
    this.model = state?.model ?? null;
    this.title = state?.title ?? null;
    this.ended = state?.ended ?? false;
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.recorder.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return [];
    }
    if (value.type === `message`)
      this.message(value.message, line.offset);
    else if (value.type === `cut`)
      this.cut(numberAt(value, `at`));
    else if (value.type === `title` && typeof value.title === `string` && value.title !== ``)
      this.named(value.title);
    else
      this.recorder.ignore(value.type);
    return this.recorder.take();
  }

  save(): Json {
    const state: State = {v: VERSION, recorder: this.recorder.save(), starts: this.starts, count: this.count, model: this.model, title: this.title, ended: this.ended};
    return structuredClone(state) as unknown as Json;
  }

  facts(): ReaderFacts {
    return {
      ...this.recorder.facts(),
      ...this.title === null ? {} : {title: this.title},
      ...this.model === null ? {} : {model: this.model},
      idle: this.ended && !this.recorder.hasOpenCalls,
    };
  }

  private message(message: Json | undefined, at: number) {
    this.starts.push([this.count++, this.recorder.seq]);
    if (!this.unbounded && this.starts.length > MOST * 1.1)
      this.starts.splice(0, this.starts.length - MOST);

    const role = isObject(message) ? message.role : undefined;
    if (!isObject(message) || (role !== `user` && role !== `assistant`)) {
      this.recorder.repair(`bad-message`, `A message without a role was left out`, at);
      return;
    }
    const id = stringAt(message, `id`);
    const time = isoOfMs(message.ts);
    const origin: Origin = {...time === undefined ? {} : {time}, ...id === undefined ? {} : {id}};
    const blocks = typeof message.content === `string` ? [{type: `text`, text: message.content}] : Array.isArray(message.content) ? message.content : [];
    if (role === `user`)
      this.user(blocks, origin, at);
    else
      this.assistant(message, blocks, origin, at);
  }

  private user(blocks: Array<Json>, origin: Origin, at: number) {
    const parts: Array<Part> = [];
    for (const block of blocks) {
      if (!isObject(block))
        continue;
      if (block.type === `tool_result`)
        this.result(block, origin, at);
      else
        parts.push(partOf(block));
    }
    if (parts.length === 0)
      return;

    const midTurn = this.recorder.hasOpenCalls && !this.ended;
    this.recorder.healAll(origin);
    this.recorder.emit({kind: `prompt`, content: parts.map(part => part.type === `text` ? {...part, text: WRAPPED.exec(part.text)?.[1] ?? part.text} : part), ...midTurn ? {midTurn} : {}}, origin);
    this.ended = false;
  }

  private result(block: JsonObject, origin: Origin, at: number) {
    const open = this.recorder.answer(block.tool_use_id, at);
    if (open === null)
      return;
    const {parts, error} = outputOf(block.content);
    const text = parts.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
    const code = open.name === `run_commands` ? /^\[Command exited with code (\d{1,5})\]/.exec(text)?.[1] : undefined;
    const failed = block.is_error === true || error;
    this.recorder.emit({
      kind: `result`, call: open.call, content: parts, ...failed ? {error: true} : {}, ...code === undefined ? {} : {exitCode: Number(code)},
    }, origin);
    this.ended = false;
  }

  private assistant(message: JsonObject, blocks: Array<Json>, origin: Origin, at: number) {
    this.recorder.healAll(origin);
    const model = stringAt(objectAt(message, `modelInfo`), `id`);
    if (model !== undefined && model !== this.model && model.length <= 200) {
      this.model = model;
      this.recorder.emit({kind: `model`, model}, origin);
    }
    const calls = blocks.some(block => isObject(block) && block.type === `tool_use`);
    const group = {...origin.id === undefined ? {} : {message: shortKey(origin.id)}, ...model === undefined ? {} : {model}};
    const last = blocks.findLastIndex(block => isObject(block) && block.type === `text`);
    for (const [index, block] of blocks.entries()) {
      if (!isObject(block))
        continue;
      if (block.type === `text` && typeof block.text === `string`) {
        if (block.text !== ``)
          this.recorder.emit({kind: `reply`, text: block.text, ...group, ...!calls && index === last ? {final: true} : {}}, origin);
      } else if (block.type === `thinking` && typeof block.thinking === `string`) {
        this.recorder.emit({kind: `reasoning`, text: block.thinking, ...group.message === undefined ? {} : {message: group.message}, ...typeof block.signature === `string` ? {signature: block.signature} : {}}, origin);
      } else if (block.type === `tool_use`) {
        const name = stringAt(block, `name`) || `unknown`;
        const input = block.input ?? null;
        const call = this.recorder.open(block.id, name, at);
        this.recorder.emit({kind: `call`, call, name, ...group, ...toolOf(name, input), input} as Unplaced<CallRecord>, origin);
      } else {
        this.recorder.ignore(`assistant/${typeof block.type === `string` ? block.type : `unknown`}`);
      }
    }
    this.ended = !calls;
  }

  private cut(at: number | undefined) {
    if (at === undefined || at >= this.count || at < 0) {
      this.recorder.ignore(`cut`);
      return;
    }
    const index = at === 0 ? 0 : this.starts.findIndex(([message]) => message === at);
    if (index === -1)
      throw new NeedsFullRead(`The document was cut back further than the reader remembers`);
    const seq = at === 0 ? 0 : this.starts[index]![1];
    this.starts = this.starts.filter(([message]) => message < at);
    this.count = Math.floor(at);
    this.recorder.abandonCalls();
    this.recorder.emit({kind: `branch`, parent: seq - 1, reason: `edited`});
  }

  private named(title: string) {
    this.title = title.slice(0, 300);
    // Cline's own is the first prompt; one of a person looks no different (3.0.65).
    this.recorder.emit({kind: `title`, title: this.title, origin: `generated`});
  }
}

function partOf(block: JsonObject): Part {
  if (block.type === `text` && typeof block.text === `string`)
    return {type: `text`, text: block.text};
  if (block.type === `image` && typeof block.data === `string` && typeof block.mediaType === `string`)
    return {type: `image`, mediaType: block.mediaType, data: block.data};
  return {type: `other`, name: typeof block.type === `string` ? block.type : `unknown`, value: block};
}

/** A text, parts of a message, or `{query, result, success, error?}` for each of the things that were asked for at once. */
function outputOf(content: Json | undefined): {parts: Array<Part>; error: boolean} {
  if (typeof content === `string`)
    return {parts: content === `` ? [] : [{type: `text`, text: content}], error: false};
  const items = Array.isArray(content) ? content : isObject(content) ? [content] : [];
  const parts: Array<Part> = [];
  let error = false;
  for (const item of items) {
    if (isObject(item) && typeof item.success === `boolean` && item.type === undefined) {
      error ||= !item.success;
      parts.push(...outputOf(typeof item.result === `object` ? item.result : stringAt(item, `result`) ?? stringAt(item, `error`) ?? ``).parts);
    } else if (isObject(item)) {
      parts.push(partOf(item));
    } else if (typeof item === `string`) {
      parts.push({type: `text`, text: item});
    }
  }
  return {parts, error};
}
