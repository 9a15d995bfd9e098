import type {Json, JsonObject, NeutralRecord, Unplaced} from '../../../interchange/index.ts';
import {isObject, objectAt, shortKey, stringAt} from '../../values.ts';
import {NeedsFullRead}                          from '../../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine} from '../../types.ts';

import {Ledger}                                 from './ledger.ts';
import type {LedgerState}                       from './ledger.ts';
import {isoOf, messageOf, modelOf, objectsIn}   from './message.ts';
import {Nodes}                                  from './nodes.ts';
import type {NodesState}                        from './nodes.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const NOTHING: Array<NeutralRecord> = [];
/** A title that the agent gives a session until its model has found one (1.18.33, Kilo 7.7.7). */
const UNTITLED = /^(?:New session|Child session) - \d{4}-\d\d-\d\dT/;
const MOST_CALLS = 1_000;
const MOST_KEPT = 2_000;

type State = {
  v: number;
  seq: number;
  /** The record that the next one follows. */
  at: number;
  /** The message that the next one follows, as long as nothing was undone. */
  tip: string | null;
  /** Where the live end was said to be; `exact`: whatever descends from there. */
  leaf: {at: number; exact: boolean} | null;
  /** The newest record that did not follow the one before it. */
  forked: number;
  nodes: NodesState;
  ledger: LedgerState;
  calls: Array<string>;
  said: {model?: string; title?: string; cwd?: string};
  compaction: {id: string; auto: boolean; tail?: string; at: number} | null;
  idle: boolean;
};

/** Reads the journal that `refresh` keeps of a session. With a `state` of another version, the first `push` asks for a full read. */
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

class Reader implements RecordReader {
  private readonly nodes: Nodes;
  private readonly ledger = new Ledger();
  private state: Omit<State, `v` | `nodes` | `ledger` | `calls`> = {seq: 0, at: -1, tip: null, leaf: null, forked: -1, said: {}, compaction: null, idle: false};
  private calls = new Set<string>();
  private out = NOTHING;
  private cwd: string | undefined;

  constructor(unbounded: boolean) {
    this.nodes = new Nodes(unbounded);
  }

  push({value, text, length, offset}: SourceLine): Array<NeutralRecord> {
    this.out = [];
    if (!isObject(value)) {
      if (value !== undefined || length > text.length + 2 || text.trim() !== ``)
        this.ledger.repair(`bad-line`, `A line that is no JSON object was left out`, offset);
    } else if (value.type === `session`) {
      this.session(value);
    } else if (value.type === `message`) {
      this.message(value, offset);
    } else if (value.type === `end`) {
      this.end(value, offset);
    } else {
      this.ledger.ignore(typeof value.type === `string` ? value.type : `untyped`);
    }
    return this.out;
  }

  facts(): ReaderFacts {
    const {said, idle} = this.state;
    return {
      ...this.ledger.read(),
      ...said.title === undefined ? {} : {title: said.title},
      ...said.model === undefined ? {} : {model: said.model},
      idle,
    };
  }

  save(): Json {
    const state: State = {...this.state, v: VERSION, nodes: this.nodes.save(), ledger: this.ledger.save(), calls: [...this.calls]};
    return structuredClone(state) as unknown as Json;
  }

  /** False: it cannot be used. */
  restore(saved: Json): boolean {
    const {v, nodes, ledger, calls, ...state} = structuredClone(saved) as unknown as State;
    if (v !== VERSION)
      return false;
    this.nodes.restore(nodes);
    this.ledger.restore(ledger);
    this.calls = new Set(calls);
    this.state = state;
    this.cwd = ledger.facts.cwd;
    return true;
  }

  private session(value: JsonObject) {
    const {ledger, state} = this;
    ledger.learn({nativeId: stringAt(value, `id`), version: stringAt(value, `version`), cwd: stringAt(value, `directory`)});
    this.cwd = ledger.cwd;
    ledger.see(isoOf(value.created));
    const title = stringAt(value, `title`);
    if (title === undefined || title.trim() === `` || title === state.said.title || UNTITLED.test(title) || title.length > 1_000)
      return;
    state.said.title = title;
    this.emit({kind: `title`, title, origin: `generated`}, undefined, undefined);
  }

  private message(value: JsonObject, offset: number) {
    const {ledger, state} = this;
    const info = objectAt(value, `info`);
    const id = stringAt(info, `id`);
    if (info === undefined || id === undefined || (info.role !== `user` && info.role !== `assistant`)) {
      ledger.repair(`bad-message`, `A line without a message was left out`, offset);
      return;
    }

    const moved = this.goTo(value.after, offset);
    const time = isoOf(objectAt(info, `time`)?.created);
    const from = state.seq;
    const {records, compaction, summary, idle, ignored} = messageOf(info, objectsIn(value.parts), call => this.uniqueCall(call));
    for (const type of ignored)
      ledger.ignore(type);
    this.newModel(info, id, time);
    for (const record of records)
      this.emit(record, shortKey(id), time);
    if (summary !== undefined)
      this.compact(summary, shortKey(id), time);
    else if (info.role === `user`)
      state.compaction = compaction === undefined ? null : {...compaction, id: shortKey(id), at: state.at};
    state.idle = idle;
    this.nodes.set(shortKey(id), {first: state.seq > from ? from : -1, last: state.at});
    state.tip = shortKey(id);

    // What was said of the end before does not hold for what comes now, or only for what descends from there.
    if (state.leaf !== null && (state.leaf.exact || moved) && state.seq > from)
      this.leaf(false);
  }

  private newModel(info: JsonObject, id: string, time: string | undefined) {
    const model = info.role === `assistant` ? modelOf(info) : undefined;
    if (model === undefined || model === this.state.said.model || info.error !== undefined)
      return;
    this.state.said.model = model;
    this.emit({kind: `model`, model}, shortKey(id), time);
  }

  private compact(summary: string, id: string, time: string | undefined) {
    const {compaction} = this.state;
    this.state.compaction = null;
    const keep = compaction?.tail === undefined ? [] : this.keptFrom(compaction.tail, compaction.at);
    this.emit({
      kind: `compaction`, summary,
      ...compaction === null ? {} : {trigger: compaction.auto ? `auto` as const : `manual` as const},
      ...keep.length === 0 ? {} : {keep},
    }, id, time);
  }

  /** Records of the messages from this one up to the compaction. */
  private keptFrom(tail: string, to: number): Array<number> {
    const node = this.nodes.get(shortKey(tail));
    if (node === undefined && this.nodes.forgotten)
      throw new NeedsFullRead(`A compaction keeps what is out of reach`);
    if (node === undefined || node.first === -1 || node.first <= this.state.forked || to - node.first >= MOST_KEPT)
      return [];
    return Array.from({length: to - node.first + 1}, (_, index) => node.first + index);
  }

  /** To the end of the message that the next one follows. True: that is not where the last one was. */
  private goTo(after: Json | undefined, offset: number): boolean {
    const {state} = this;
    const before = state.at;
    const tip = typeof after === `string` ? shortKey(after) : null;
    // A title may have come in between.
    if (tip === state.tip || after !== null && typeof after !== `string`)
      return false;
    state.at = after === null ? -1 : this.find(after, offset) ?? state.at;
    return state.at !== before;
  }

  private find(id: string, offset: number): number | undefined {
    const node = this.nodes.get(shortKey(id));
    if (node === undefined && this.nodes.forgotten)
      throw new NeedsFullRead(`A line refers to a message that is out of reach`);
    if (node === undefined)
      this.ledger.repair(`unknown-message`, `A line whose message before it is not there follows the line before it`, offset);
    return node?.last;
  }

  private end(value: JsonObject, offset: number) {
    const at = typeof value.at === `string` ? this.find(value.at, offset) : undefined;
    if (at === undefined || at < 0)
      return;
    this.state.at = at;
    this.state.tip = shortKey(value.at as string);
    this.state.idle = true;
    this.leaf(true);
  }

  private leaf(exact: boolean) {
    const {state} = this;
    state.leaf = {at: state.at, exact};
    this.out.push({seq: state.seq++, kind: `leaf`, at: state.at, ...exact ? {exact} : {}});
    this.ledger.count(`leaf`);
  }

  private uniqueCall(id: string | undefined): string {
    const native = id === undefined ? `call-${this.state.seq}` : shortKey(id, 100);
    let call = native;
    for (let copy = 2; this.calls.has(call); copy++)
      call = `${native}~${copy}`;
    this.calls.add(call);
    if (this.calls.size > MOST_CALLS)
      this.calls.delete(this.calls.keys().next().value!);
    return call;
  }

  private emit(fields: Unplaced, id: string | undefined, time: string | undefined) {
    const {state, ledger} = this;
    if (state.at !== state.seq - 1) {
      this.out.push({seq: state.seq, kind: `branch`, parent: state.at, reason: `undone`});
      ledger.count(`branch`);
      state.forked = state.seq++;
    }
    const record = {seq: state.seq, ...fields} as NeutralRecord;
    if (id !== undefined)
      record.id = id;
    if (record.time === undefined && time !== undefined)
      record.time = time;
    if (this.cwd !== undefined && this.cwd !== state.said.cwd)
      record.cwd = state.said.cwd = this.cwd;
    ledger.see(record.time);
    ledger.count(record.kind);
    this.out.push(record);
    state.at = state.seq++;
  }
}
