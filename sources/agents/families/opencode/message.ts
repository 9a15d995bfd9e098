import type {CallRecord, Json, JsonObject, Part, ResultRecord, Unplaced} from '../../../interchange/index.ts';
import {isObject, objectAt, stringAt}      from '../../values.ts';

import {filePart, planOf, resultOf, toolOf} from './calls.ts';

/** What one message becomes, beside what only its stream can say (a model that is new, what a compaction keeps). */
export type Message = {
  records: Array<Unplaced>;
  /** It asks for a compaction; the answer to it has the summary. */
  compaction?: {auto: boolean; tail?: string};
  summary?: string;
  /** Nothing is expected until the next prompt. */
  idle: boolean;
  /** Types of parts that became nothing. */
  ignored: Array<string>;
};

export function messageOf(info: JsonObject, parts: Array<JsonObject>, uniqueCall: (id: string | undefined) => string): Message {
  return info.role === `user` ? userMessage(parts) : assistantMessage(info, parts, uniqueCall);
}

function userMessage(parts: Array<JsonObject>): Message {
  const content: Array<Part> = [];
  const notes: Array<Unplaced> = [];
  const ignored: Array<string> = [];
  let compaction: Message[`compaction`];
  for (const part of parts) {
    const text = stringAt(part, `text`);
    if (part.type === `text` && text !== undefined && text !== `` && part.ignored !== true) {
      if (part.synthetic !== true)
        content.push({type: `text`, text});
      else
        notes.push(noteOf(text));
    } else if (part.type === `file`) {
      content.push(filePart(part));
    } else if (part.type === `subtask`) {
      content.push({type: `other`, name: `subtask`, value: {agent: part.agent ?? null, description: part.description ?? null, prompt: part.prompt ?? null}});
    } else if (part.type === `compaction`) {
      const tail = stringAt(part, `tail_start_id`);
      compaction = {auto: part.auto === true, ...tail === undefined ? {} : {tail}};
    } else {
      ignored.push(`user/${typeName(part)}`);
    }
  }
  const prompt: Array<Unplaced> = content.length > 0 ? [{kind: `prompt`, content}] : [];
  return {records: [...prompt, ...notes], ignored, idle: false, ...compaction === undefined ? {} : {compaction}};
}

/** What the agent itself tells its model: files that a prompt names, commands that the person ran. Its reminders are made afresh. */
function noteOf(text: string): Unplaced {
  return /^\s*<system-reminder>/.test(text)
    ? {kind: `note`, what: `reminder`, bytes: Buffer.byteLength(text)}
    : {kind: `note`, what: `synthetic`, visible: true, text};
}

function assistantMessage(info: JsonObject, parts: Array<JsonObject>, uniqueCall: (id: string | undefined) => string): Message {
  const error = stringAt(objectAt(info, `error`), `name`);
  const aborted = error === `MessageAbortedError`;
  // Left out of the history by the agent, with all that stands in it.
  if (info.error !== undefined && info.error !== null && !aborted)
    return {records: [{kind: `note`, what: `error`, bytes: Buffer.byteLength(JSON.stringify(info.error))}], ignored: [], idle: true};
  if (info.summary === true) {
    const summary = parts.flatMap(part => part.type === `text` ? [stringAt(part, `text`) ?? ``] : []).join(`\n\n`);
    return {records: [], summary, ignored: [], idle: true};
  }

  const provider = stringAt(info, `providerID`);
  const answer = new Answer(stringAt(info, `id`), modelOf(info));
  for (const part of parts) {
    const text = stringAt(part, `text`);
    if (part.type === `text` && text !== undefined && text !== ``)
      answer.text(text, timeOf(part, `start`));
    else if (part.type === `reasoning` && text !== undefined && text !== ``)
      answer.reasoning(text, provider, timeOf(part, `start`));
    else if (part.type === `tool`)
      answer.call(part, uniqueCall);
    else if (part.type === `step-start`)
      answer.endStep();
    else
      answer.ignored.push(`assistant/${typeName(part)}`);
  }
  answer.endStep();
  const finish = stringAt(info, `finish`);
  const idle = aborted || (finish !== undefined && finish !== `tool-calls` && finish !== `unknown`);
  return {records: answer.close({final: idle && !aborted, aborted}), ignored: answer.ignored, idle};
}

export function modelOf(info: JsonObject): string | undefined {
  const provider = stringAt(info, `providerID`);
  const model = stringAt(info, `modelID`);
  return provider === undefined || model === undefined || provider.length + model.length > 200 ? undefined : `${provider}/${model}`;
}

/** The records of one answer: of each step first what was said and asked for, then what came back, as the model got it. */
class Answer {
  readonly ignored: Array<string> = [];
  private readonly records: Array<Unplaced> = [];
  private results: Array<Unplaced> = [];
  private readonly group: {message?: string};

  constructor(message: string | undefined, private readonly model: string | undefined) {
    this.group = message === undefined ? {} : {message};
  }

  text(text: string, time: {time?: string}) {
    this.records.push({kind: `reply`, text, ...this.group, ...this.model === undefined ? {} : {model: this.model}, ...time});
  }

  reasoning(text: string, provider: string | undefined, time: {time?: string}) {
    this.records.push({kind: `reasoning`, text, ...this.group, ...provider === undefined ? {} : {provider}, ...time});
  }

  call(part: JsonObject, uniqueCall: (id: string | undefined) => string) {
    const call = uniqueCall(stringAt(part, `callID`) || undefined);
    const name = stringAt(part, `tool`) || `unknown`;
    const state = objectAt(part, `state`) ?? {};
    const input: Json = state.input ?? null;
    this.records.push({
      kind: `call`, call, name, ...this.group, ...this.model === undefined ? {} : {model: this.model}, ...toolOf(name, input), input, ...timeOf(state, `start`),
    } as Unplaced<CallRecord>);
    const ended = timeOf(state, `end`);
    this.results.push({kind: `result`, call, ...resultOf(name, state), ...ended} as Unplaced<ResultRecord>);
    const items = planOf(name, state);
    if (items !== undefined)
      this.results.push({kind: `plan`, items, ...ended});
  }

  endStep() {
    this.records.push(...this.results);
    this.results = [];
  }

  close({final, aborted}: {final: boolean; aborted: boolean}): Array<Unplaced> {
    const last = this.records.at(-1);
    if (last?.kind === `reply` && (final || aborted))
      Object.assign(last, final ? {final: true} : {partial: true});
    if (aborted)
      this.records.push({kind: `interrupt`, during: this.records.some(record => record.kind === `result` && record.interrupted) ? `tool` : `reply`});
    return this.records;
  }
}

export function isoOf(ms: Json | undefined): string | undefined {
  if (typeof ms !== `number` || !Number.isFinite(ms) || ms < 0 || ms > 253_402_300_799_999)
    return undefined;
  return new Date(ms).toISOString();
}

function timeOf(value: JsonObject, end: `start` | `end`): {time?: string} {
  const time = isoOf(objectAt(value, `time`)?.[end]);
  return time === undefined ? {} : {time};
}

function typeName(part: JsonObject) {
  return typeof part.type === `string` ? part.type.slice(0, 40) : `unknown`;
}

export function objectsIn(value: Json | undefined): Array<JsonObject> {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
