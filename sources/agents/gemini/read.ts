import type {CallRecord, Json, JsonObject, NeutralRecord, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {Ledger}                                                                   from '../families/ledger.ts';
import type {LedgerState}                                                         from '../families/ledger.ts';
import {isObject, shortKey, stringAt}                                             from '../values.ts';
import {NeedsFullRead}                                                            from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine}                  from '../types.ts';

import {Calls}                                                                    from './calls.ts';
import type {CallsState}                                                          from './calls.ts';
import {planItems, toolOf}                                                        from './kinds.ts';
import {isSnapshot}                                                               from './lines.ts';
import {messageOf}                                                                from './messages.ts';
import type {Answer, Message, Unit}                                               from './messages.ts';
import {resultFields}                                                             from './results.ts';
import {Sequence}                                                                 from './sequence.ts';
import type {Entry, SequenceState}                                                from './sequence.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const LONGEST_TITLE = 500;
const MOST_CALLS = 500;

/** What Gemini lets the model say to a summary (0.61.0). */
const THANKS = `Got it. Thanks for the additional context!`;
/** Shown for an interruption by the person; sent to no model (0.61.0). */
const CANCELLED = `Request cancelled.`;

/** What the last message of the model has said already: it is written again with its calls once these have run. */
type Said = {id: string; text: string; calls: Array<string>; reasoned: boolean};

type ReaderState = {
  v: number; seq: number; sequence: SequenceState; calls: CallsState; ledger: LedgerState;
  said: Said | null; model: string | null; title: string | null; previous: string; idle: boolean; restarted: boolean;
};

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

/** Lines of 0.61.0, told apart by their fields in the order in which Gemini itself looks at them. */
class Reader implements RecordReader {
  private readonly sequence: Sequence;
  private readonly calls = new Calls();
  private readonly ledger = new Ledger();
  private out: Array<NeutralRecord> = [];
  private seq = 0;
  private said: Said | null = null;
  private model: string | null = null;
  private title: string | null = null;
  /** Kind of the last record. */
  private previous = ``;
  private idle = false;
  /** A second first line came: a resume whose empty file has the name of this one begins again in it (0.61.0, within a minute). */
  private restarted = false;

  constructor(unbounded: boolean) {
    this.sequence = new Sequence(unbounded);
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    this.out = [];
    if (!isObject(value)) {
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.ledger.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
    } else if (typeof value.$rewindTo === `string`) {
      this.ledger.ignore(`$rewindTo`);
      this.branch(this.sequence.rewind(shortKey(value.$rewindTo, 100)), `taken back`);
    } else if (typeof value.id === `string`) {
      this.message(messageOf(value), line);
    } else if (isObject(value.$set)) {
      this.ledger.ignore(`$set`);
      this.metadata(value.$set);
      if (Array.isArray(value.$set.messages))
        this.list(value.$set.messages.filter(isMessage).map(messageOf));
    } else if (typeof value.sessionId === `string` && typeof value.projectHash === `string`) {
      this.ledger.ignore(`metadata`);
      this.restarted = this.seq > 0;
      this.metadata(value);
      for (const message of Array.isArray(value.messages) ? value.messages.filter(isMessage) : [])
        this.message(messageOf(message), line);
    } else {
      this.ledger.ignore(`unknown`);
    }
    return this.out;
  }

  facts(): ReaderFacts {
    return {
      ...this.ledger.read(),
      ...this.title === null ? {} : {title: this.title},
      ...this.model === null ? {} : {model: this.model},
      idle: this.idle && this.calls.waiting === 0,
    };
  }

  save(): Json {
    const state: ReaderState = {
      v: VERSION, seq: this.seq, sequence: this.sequence.save(), calls: this.calls.save(), ledger: this.ledger.save(),
      said: this.said === null ? null : {...this.said, calls: [...this.said.calls]}, model: this.model, title: this.title, previous: this.previous, idle: this.idle, restarted: this.restarted,
    };
    return state as unknown as Json;
  }

  /** False: it cannot be used. */
  restore(saved: Json): boolean {
    const state = saved as unknown as ReaderState;
    if (state.v !== VERSION)
      return false;

    try {
      this.sequence.restore(state.sequence);
      this.calls.restore(state.calls);
      this.ledger.restore(state.ledger);
      const {seq, said, model, title, previous, idle, restarted} = state;
      Object.assign(this, {seq, said: said && {...said, calls: [...said.calls]}, model, title, previous, idle, restarted});
      return true;
    } catch {
      return false;
    }
  }

  private metadata(value: JsonObject) {
    this.ledger.see({sessionId: value.sessionId ?? null, timestamp: value.startTime ?? null});
    this.ledger.see({timestamp: value.lastUpdated ?? null});
    const title = stringAt(value, `summary`)?.replace(/\s+/g, ` `).trim().slice(0, LONGEST_TITLE);
    if (title === undefined || title === `` || title === this.title)
      return;
    this.title = title;
    this.emit({kind: `title`, title, origin: `generated`});
  }

  private message(message: Message, line: SourceLine) {
    this.ledger.see({timestamp: message.time ?? null});
    if (this.restarted && message.digest !== ``) {
      this.restarted = false;
      this.branch(this.sequence.clear(), `begun again`);
    }
    const known = this.sequence.recent(message.id);
    if (known === undefined)
      this.append(message);
    else
      this.again(known, message, line);
  }

  private append(message: Message) {
    this.sequence.add(message.id, message.digest, this.seq);
    if (message.type === `info` && message.text.trim() === CANCELLED) {
      this.emit({kind: `interrupt`, during: this.calls.waiting > 0 ? `tool` : `reply`}, message);
      this.idle = true;
    } else if (message.type !== `user` && message.type !== `gemini`) {
      this.ledger.ignore(`message/${message.type}`);
    } else {
      if (message.units.length === 0 && message.answers.length === 0)
        this.ledger.ignore(`${message.type}/empty`);
      this.answers(message);
      this.units(message, message.units);
      this.answers(message);
      this.remember(message);
    }
  }

  /** A line with a known id stands in the place of the earlier one. */
  private again(entry: Entry, message: Message, line: SourceLine) {
    const {said} = this;
    if (message.digest === entry.digest || message.digest === ``) {
      this.answers(message);
      return;
    }

    const more = said !== null && said.id === message.id && continues(said, message);
    if (more) {
      const calls = said.calls.length;
      let skip = calls;
      const units = message.units.filter(({kind}) => kind === `call` ? skip-- <= 0 : kind === `reply` ? said.text === `` : kind === `reasoning` && !said.reasoned);
      this.units(message, units);
      entry.digest = message.digest;
      this.answers(message);
      this.remember(message);
    } else if (this.sequence.isLast(entry)) {
      this.branch(this.sequence.before(entry), `changed`);
      this.append(message);
    } else {
      this.ledger.repair(`changed-message`, `A message that was changed after others had followed it was left as it was`, line.offset);
    }
  }

  private list(messages: Array<Message>) {
    const said = messages.filter(({digest}) => digest !== ``);
    // The history that was taken up comes in the next list.
    if (this.restarted && said.length === 0)
      return;
    this.restarted = false;
    const [first] = said;
    if (first !== undefined && first.type === `user` && isSnapshot(first.text) && first.digest !== this.sequence.first) {
      this.compaction(messages, said);
      return;
    }

    const {common, end} = this.sequence.replace(said);
    this.branch(end, `taken back`);
    this.follow(messages, said[common - 1]);
  }

  private compaction(messages: Array<Message>, said: Array<Message>) {
    const summaries = said[1]?.type === `gemini` && said[1].text.trim() === THANKS ? 2 : 1;
    const {common, keep} = this.sequence.compact(said, summaries, this.seq);
    const [first] = said;
    const kept = new Set(keep);
    this.calls.forget(call => !kept.has(call.seq));
    this.emit({kind: `compaction`, summary: first!.text, ...keep.length > 0 ? {keep} : {}}, first);
    this.follow(messages, said[summaries + common - 1]);
  }

  /** What comes in a list after the last message that was there before; of those before only results may be new. */
  private follow(messages: Array<Message>, last: Message | undefined) {
    const from = last === undefined ? 0 : messages.indexOf(last) + 1;
    for (const message of messages.slice(0, from))
      this.answers(message);
    for (const message of messages.slice(from))
      if (this.sequence.recent(message.id) === undefined)
        this.append(message);
  }

  /** Leaves what was said after this record, where anything was. */
  private branch(end: number, reason: string) {
    if (end === this.seq - 1)
      return;
    this.calls.forget(call => call.seq > end);
    this.said = null;
    this.idle = true;
    this.emit({kind: `branch`, parent: end, reason});
  }

  private units(message: Message, units: Array<Unit>) {
    const {model} = message;
    if (model !== undefined && model !== this.model && units.length > 0) {
      this.model = model;
      this.emit({kind: `model`, model}, message);
    }

    const group = {message: message.id, ...model === undefined ? {} : {model}};
    for (const unit of units) {
      switch (unit.kind) {
        case `prompt`:
          this.emit({kind: `prompt`, content: unit.content, ...this.isAmidCalls() ? {midTurn: true} : {}}, message);
          this.idle = false;
          break;
        case `reasoning`:
          this.emit({kind: `reasoning`, text: unit.text, message: message.id, provider: `google`}, message);
          break;
        case `reply`:
          this.emit({kind: `reply`, text: unit.text, ...group}, message);
          this.idle = true;
          break;
        case `call`:
          this.call(message, group, unit);
      }
    }
  }

  private isAmidCalls() {
    return this.calls.waiting > 0 && (this.previous === `call` || this.previous === `result`);
  }

  private call(message: Message, group: {message: string; model?: string}, {id, name, input}: Unit & {kind: `call`}) {
    const native = id === `` ? `call-${this.seq}` : id;
    const call = this.calls.unique(native);
    const plan = name === `write_todos` && isObject(input) ? planItems(input.todos) : undefined;
    const seq = this.emit({kind: `call`, call, name, ...group, ...toolOf(name, input), input} as Unplaced<CallRecord>, message);
    this.calls.add(native, {call, name: name.slice(0, 100), seq, ...plan === undefined ? {} : {plan}});
    this.idle = false;
  }

  /** Results stand beside the call, and once more in the message that follows; the first one counts. */
  private answers(message: Message) {
    for (const answer of message.answers)
      this.answer(message, answer);
  }

  private answer(message: Message, answer: Answer) {
    const open = this.calls.take(answer.id);
    if (open === undefined)
      return;

    const fields = resultFields(open.name, answer);
    this.emit({kind: `result`, call: open.call, ...fields} as Unplaced<ResultRecord>, {id: message.id, ...answer.time === undefined ? {} : {time: answer.time}});
    if (open.plan !== undefined && fields.error !== true && fields.interrupted !== true)
      this.emit({kind: `plan`, items: open.plan}, message);
    this.idle = false;
  }

  private remember({type, id, units, calls}: Message) {
    if (type === `gemini`)
      this.said = {id, text: textIn(units), calls: calls.slice(0, MOST_CALLS), reasoned: units.some(({kind}) => kind === `reasoning`)};
  }

  private emit(fields: Unplaced, place?: {id?: string; time?: string}): number {
    const seq = this.seq++;
    const record = {
      seq, ...fields,
      ...place?.id === undefined || place.id === `` ? {} : {id: place.id},
      ...place?.time === undefined ? {} : {time: place.time},
    } as NeutralRecord;
    this.ledger.count(record.kind);
    this.previous = record.kind;
    this.sequence.made(seq, record.kind !== `branch` && record.kind !== `compaction`);
    this.out.push(record);
    return seq;
  }
}

function isMessage(value: Json): value is JsonObject {
  return isObject(value) && typeof value.id === `string`;
}

/** Has the message only more calls than before, or a text where it had none? */
function continues({text, calls}: Said, message: Message) {
  return (text === `` && calls.length === 0 || textIn(message.units) === text) && calls.every((call, index) => message.calls[index] === call);
}

/** Kept in state: a long one as its hash. */
function textIn(units: Array<Unit>): string {
  return shortKey(units.flatMap(unit => unit.kind === `reply` ? [unit.text] : []).join(``));
}
