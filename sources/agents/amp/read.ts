import type {Json, JsonObject, NeutralRecord, Part, Unplaced} from '../../interchange/index.ts';
import {Recorder, isoOfMs}                       from '../families/recorder.ts';
import type {Origin, RecorderState}              from '../families/recorder.ts';
import {NeedsFullRead}                           from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine} from '../types.ts';
import {isObject, isoTime, objectAt, stringAt}   from '../values.ts';

import {resultOf, toolOf}                        from './tools.ts';

const VERSION = 1;

type Facts = {nativeId?: string; title?: string; cwd?: string; version?: string; model?: string; idle: boolean};
type State = {v: number; recorder: RecorderState; facts: Facts; cwdTold: boolean};

/**
 * Reads a journal of a thread (see thread.ts): its messages in the shapes of `amp threads export`, which are those of the
 * old local files as well (0.0.1767830505 to 0.0.1790142911).
 */
export function openReader(_file: Pick<SessionFile, `name` | `stream`>, state?: Json): RecordReader {
  if (state === undefined || state === null)
    return new Reader();
  if (isObject(state) && state.v === VERSION)
    return new Reader(state as unknown as State);
  return {
    push() {
      throw new NeedsFullRead(`The reader's state is of another version`);
    },
    save: () => state,
    facts: () => ({counts: {}, ignored: {}, repairs: [], idle: false}),
  };
}

class Reader implements RecordReader {
  private readonly recorder: Recorder;
  private readonly told: Facts;
  private cwdTold: boolean;

  constructor(state?: State) {
    this.recorder = new Recorder(state?.recorder);
    this.told = {...state?.facts ?? {idle: false}};
    this.cwdTold = state?.cwdTold ?? false;
  }

  push({value, text, offset}: SourceLine): Array<NeutralRecord> {
    if (!isObject(value)) {
      if (text.trim() !== `` || value !== undefined)
        this.recorder.repair(`bad-line`, `A line that is no JSON object was left out`, offset);
      return [];
    }
    switch (value.type) {
      case `thread`: this.thread(value); break;
      case `message`: this.message(objectAt(value, `message`), {}, offset); break;
      case `again`:
        this.recorder.abandonCalls();
        this.recorder.emit({kind: `branch`, parent: -1, reason: `the thread was changed`});
        break;
      default: this.recorder.ignore(value.type);
    }
    return this.recorder.take();
  }

  save(): Json {
    return structuredClone({v: VERSION, recorder: this.recorder.save(), facts: this.told, cwdTold: this.cwdTold} satisfies State) as unknown as Json;
  }

  facts(): ReaderFacts {
    return {...this.recorder.facts(), ...this.told, idle: this.told.idle && !this.recorder.hasOpenCalls};
  }

  private thread(value: JsonObject) {
    const title = stringAt(value, `title`);
    if (title !== undefined && title.trim() !== `` && title !== this.told.title)
      this.recorder.emit({kind: `title`, title, origin: `generated`}, {});
    for (const [key, given] of Object.entries({title, nativeId: stringAt(value, `id`), cwd: stringAt(value, `cwd`), version: stringAt(value, `version`)}))
      if (given !== undefined && given.trim() !== ``)
        this.told[key as `title`] = given.slice(0, 4_000);
  }

  private message(message: JsonObject | undefined, origin: Origin, at: number) {
    const role = stringAt(message, `role`);
    const content = typeof message?.content === `string` ? [{type: `text`, text: message.content}] : message?.content;
    if ((role !== `user` && role !== `assistant`) || !Array.isArray(content)) {
      if (role === `info`)
        this.recorder.ignore(`info`);
      else
        this.recorder.repair(`bad-message`, `A message without a role or content was left out`, at);
      return;
    }
    const time = isoOfMs(objectAt(message, `meta`)?.sentAt) ?? isoTime(stringAt(objectAt(message, `usage`), `timestamp`));
    const id = message?.messageId === undefined ? undefined : String(message.messageId).slice(0, 100);
    const from: Origin = {...origin, ...time === undefined ? {} : {time}, ...id === undefined ? {} : {id}};
    if (role === `user`)
      this.prompt(content, from, at);
    else
      this.answer(content, message!, from, at);
  }

  private prompt(content: Array<Json>, origin: Origin, at: number) {
    const said: Array<Part> = [];
    for (const block of content) {
      if (!isObject(block))
        continue;
      if (block.type === `tool_result`) {
        this.result(block, origin, at);
        continue;
      }
      const part = partOf(block);
      if (part !== null)
        said.push(part);
    }
    if (said.length === 0)
      return;
    // Nobody answers calls any more once the person has gone on.
    this.recorder.healAll(origin);
    this.told.idle = false;
    this.emit({kind: `prompt`, content: said}, origin);
  }

  private answer(content: Array<Json>, message: JsonObject, origin: Origin, at: number) {
    const state = objectAt(message, `state`);
    const asked = content.some(block => isObject(block) && block.type === `tool_use`);
    const final = state?.type === `complete` && !asked;
    const group = `m${this.recorder.seq}`;
    const model = stringAt(objectAt(message, `usage`), `model`);
    if (model !== undefined)
      this.told.model = model.slice(0, 200);
    const texts = content.filter(block => isObject(block) && block.type === `text`);
    for (const block of content) {
      if (!isObject(block))
        continue;
      switch (block.type) {
        case `text`:
          if (typeof block.text === `string` && block.text !== ``)
            this.emit({kind: `reply`, text: block.text, message: group, ...final && block === texts.at(-1) ? {final} : {}, ...state?.type === `cancelled` ? {partial: true} : {}}, origin);
          break;
        case `thinking`:
          if (typeof block.thinking === `string`)
            this.emit({kind: `reasoning`, text: block.thinking, message: group, ...typeof block.signature === `string` ? {signature: block.signature, provider: stringAt(block, `provider`) ?? `anthropic`} : {}}, origin);
          break;
        case `tool_use`: {
          const name = stringAt(block, `name`) ?? `unknown`;
          const input = block.input ?? {};
          const call = this.recorder.open(block.id, name, at);
          this.emit({kind: `call`, call, name, message: group, input, ...toolOf(name, input)} as Unplaced, origin);
          break;
        }
        default: this.recorder.ignore(block.type);
      }
    }
    if (state?.type === `cancelled`)
      this.emit({kind: `interrupt`, during: asked ? `tool` : `reply`}, origin);
    this.told.idle = final || state?.type === `cancelled`;
  }

  private result(block: JsonObject, origin: Origin, at: number) {
    const open = this.recorder.answer(block.toolUseID ?? block.tool_use_id, at);
    if (open === null)
      return;
    const run = objectAt(block, `run`) ?? {};
    const {text, exitCode} = run.status === `done` ? resultOf(run.result) : {text: stringAt(objectAt(run, `error`), `message`) ?? stringAt(run, `reason`) ?? String(run.status ?? ``), exitCode: undefined};
    this.emit({
      kind: `result`, call: open.call, content: text === `` ? [] : [{type: `text`, text}],
      ...run.status === `done` && (exitCode ?? 0) === 0 ? {} : {error: true}, ...exitCode === undefined ? {} : {exitCode}, ...run.status === `cancelled` ? {interrupted: true} : {},
    }, origin);
  }

  private emit(record: Unplaced, origin: Origin) {
    if (this.cwdTold || this.told.cwd === undefined) {
      this.recorder.emit(record, origin);
      return;
    }
    this.cwdTold = true;
    this.recorder.emit({...record, cwd: this.told.cwd}, origin);
  }
}

function partOf(block: JsonObject): Part | null {
  if (block.type === `text`)
    return typeof block.text === `string` && block.text !== `` ? {type: `text`, text: block.text} : null;
  if (block.type !== `image`)
    return {type: `other`, name: typeof block.type === `string` ? block.type.slice(0, 64) : `unknown`, value: block};
  const source = objectAt(block, `source`);
  const [data, mediaType] = [stringAt(source, `data`), stringAt(source, `mediaType`) ?? stringAt(source, `media_type`)];
  return data === undefined || mediaType === undefined ? {type: `other`, name: `image`, value: block} : {type: `image`, mediaType, data};
}
