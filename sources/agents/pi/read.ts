import {MISSING_RESULT}                                     from '../../interchange/index.ts';
import type {Json, JsonObject, NeutralRecord, Unplaced}     from '../../interchange/index.ts';
import {isObject, isoTime, numberAt, objectAt, shortKey, stringAt} from '../values.ts';
import {NeedsFullRead}                                      from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine} from '../types.ts';

import {answerOf}                                           from './answer.ts';
import type {AnswerBlock}                                   from './answer.ts';
import {Ids, nativeId}                                      from './ids.ts';
import {resultFields}                                       from './inbound.ts';
import {Ledger}                                             from './ledger.ts';
import type {LedgerState}                                   from './ledger.ts';
import {OURS}                                               from './lines.ts';
import {Tree}                                               from './tree.ts';
import type {OpenCall, Place, TreeState}                    from './tree.ts';
import {branchText, partsOf, shellText, textOf}             from './values.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const MOST_OPEN = 64;

type Flags = {
  seq: number;
  /** The working folder has been said. */
  said: boolean;
  model: string | null;
  ended: boolean;
  /** The last result is that of a tool that was stopped. */
  stopped: boolean;
};
type ReaderState = {v: number; flags: Flags; tree: TreeState; ledger: LedgerState; ids: Array<string>};

/** An entry, with what it has in common with the others. */
type Entry = {value: JsonObject; line: SourceLine; id: string | undefined; time: string | undefined; open: Array<OpenCall>; from: number};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(_file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  if (state === undefined || state === null)
    return new Reader(unbounded);
  if (isObject(state) && state.v === VERSION)
    return new Reader(unbounded, structuredClone(state) as unknown as ReaderState);

  return {
    push() {
      throw new NeedsFullRead(`The reader's state is of another version`);
    },
    save: () => state,
    facts: () => ({counts: {}, ignored: {}, repairs: [], idle: false}),
  };
}

/**
 * Reads a session of Pi. Each entry names the one before it, and the last one of the file is the live end; an entry that
 * goes on from an earlier one begins a branch, whatever it is.
 */
class Reader implements RecordReader {
  private readonly flags: Flags;
  private readonly tree: Tree;
  private readonly ledger: Ledger;
  private readonly ids: Ids;
  private out: Array<NeutralRecord> = [];

  constructor(unbounded: boolean, state?: ReaderState) {
    this.flags = state?.flags ?? {seq: 0, said: false, model: null, ended: true, stopped: false};
    this.tree = new Tree(unbounded);
    this.ledger = new Ledger(state?.ledger);
    this.ids = new Ids(state?.ids);
    if (state !== undefined)
      this.tree.restore(state.tree);
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      // Blank lines are skipped by Pi too.
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.ledger.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return [];
    }

    if (value.type === `session`)
      this.header(value);
    else
      this.entry(value, line);
    const {out} = this;
    this.out = [];
    return out;
  }

  facts(): ReaderFacts {
    return {...this.ledger.read(), idle: this.flags.ended && this.tree.tip.open.length === 0};
  }

  save(): Json {
    const state: ReaderState = {v: VERSION, flags: this.flags, tree: this.tree.save(), ledger: this.ledger.save(), ids: this.ids.save()};
    return structuredClone(state) as unknown as Json;
  }

  private header(value: JsonObject) {
    const {facts} = this.ledger;
    // Pi takes the first one; there is no second in what it writes.
    if (facts.nativeId !== undefined)
      return this.ledger.ignore(`session`);
    facts.nativeId = (stringAt(value, `id`) ?? ``).slice(0, 200);
    const cwd = stringAt(value, `cwd`);
    if (cwd !== undefined && cwd !== ``)
      facts.cwd = cwd.slice(0, 4096);
    this.ledger.see(isoTime(value.timestamp));
  }

  private entry(value: JsonObject, line: SourceLine) {
    const id = typeof value.id === `string` && value.id !== `` ? value.id : undefined;
    if (id !== undefined && this.tree.recent(id) !== undefined)
      return this.ledger.repair(`duplicate-line`, `An entry whose id was there before was left out`, line.offset);

    const place = this.placeOf(value, line);
    const time = isoTime(value.timestamp);
    this.ledger.see(time);
    let {at} = place;
    if (at !== this.tree.tip.at)
      at = this.emit({kind: `branch`, parent: at, reason: at === -1 ? `second root` : `gone back`}, undefined, false);
    this.tree.tip = {at, from: -1, open: place.open};

    const entry: Entry = {value, line, id: id === undefined ? undefined : shortKey(id), time, open: place.open, from: -1};
    this.dispatch(entry);
    this.tree.add(id, {at: this.tree.tip.at, from: entry.from, open: entry.open});
  }

  private placeOf({parentId}: JsonObject, {offset}: SourceLine): Place {
    if (parentId === null)
      return {at: -1, from: -1, open: []};
    // Version 1 had no ids: an entry followed the one before it.
    if (typeof parentId !== `string`)
      return this.tree.tip;
    const place = this.tree.get(parentId);
    if (place === undefined)
      this.ledger.repair(`unknown-parent`, `An entry whose parent is not there follows the one before it`, offset);
    return place ?? this.tree.tip;
  }

  private dispatch(entry: Entry) {
    const {value} = entry;
    switch (value.type) {
      case `message`:        return this.message(entry, objectAt(value, `message`));
      case `custom_message`: return this.custom(entry, value);
      case `compaction`:     return this.compaction(entry);
      case `branch_summary`: return this.aside(entry, `branch-summary`, stringAt(value, `summary`) ? branchText(stringAt(value, `summary`)!) : ``);
      case `session_info`:   return this.title(entry);
      // What it takes away lies before it, and may have been carried on already.
      case `context_edit`:   return this.note(entry, `context-edit`);
      default:               return this.ledger.ignore(typeof value.type === `string` ? value.type : `untyped`);
    }
  }

  private message(entry: Entry, message: JsonObject | undefined) {
    const role = stringAt(message, `role`);
    switch (role) {
      case `user`:          return this.prompt(entry, message!);
      case `assistant`:     return this.answer(entry, message!);
      case `toolResult`:    return this.result(entry, message!);
      case `system`:        return this.note(entry, `system`);
      case `bashExecution`: return message!.excludeFromContext === true ? this.note(entry, `shell-mode`) : this.aside(entry, `shell-mode`, shellText(message!));
      case `custom`:
      case `hookMessage`:   return this.custom(entry, message!);
      default:
        this.ledger.repair(`bad-message`, `A message of a role that Pi does not have was left out`, entry.line.offset);
        this.note(entry, `message/${shortKey(role ?? `none`)}`);
    }
  }

  private prompt(entry: Entry, message: JsonObject) {
    const content = partsOf(message.content);
    if (content.length === 0)
      return this.ledger.ignore(`user/empty`);

    // Typed while a turn ran: Pi hands it over when the results are there.
    const midTurn = !this.flags.ended && entry.open.length === 0;
    this.heal(entry);
    this.own(entry, {kind: `prompt`, content, ...midTurn ? {midTurn} : {}});
    this.flags.ended = this.flags.stopped = false;
  }

  private answer(entry: Entry, message: JsonObject) {
    const {flags} = this;
    this.heal(entry);
    const answer = answerOf(message);
    const {model} = answer;
    // Pi leaves it out of what the model gets, and asks again.
    if (answer.outcome === `failed`) {
      flags.ended = true;
      return this.note(entry, `error`);
    }

    if (model !== undefined && model !== flags.model && answer.blocks.length > 0) {
      flags.model = this.ledger.facts.model = model;
      this.emit({kind: `model`, model}, entry, false);
    }
    const group = {...entry.id === undefined ? {} : {message: entry.id}, ...model === undefined ? {} : {model}};
    for (const block of answer.blocks)
      this.block(entry, group, block);
    for (const type of answer.ignored)
      this.ledger.ignore(type);
    if (answer.outcome === `aborted`)
      this.own(entry, {kind: `interrupt`, during: flags.stopped ? `tool` : `reply`});
    flags.ended = answer.outcome !== `calls`;
    flags.stopped = false;
  }

  private block(entry: Entry, group: {message?: string; model?: string}, block: AnswerBlock) {
    if (block.kind === `reply`) {
      this.own(entry, {...block, ...group});
    } else if (block.kind === `reasoning`) {
      const {message} = group;
      this.own(entry, {...block, ...message === undefined ? {} : {message}});
    } else {
      if (entry.open.length >= MOST_OPEN)
        this.healOne(entry, entry.open[0]!);
      const {native, ...fields} = block;
      const call = this.ids.unique(native, this.flags.seq);
      if (call !== native)
        this.ledger.repair(`duplicate-call`, `A call whose id was there before got another one`, entry.line.offset);
      this.own(entry, {...fields, call, ...group} as Unplaced);
      entry.open = [...entry.open, {call, native, name: block.name.slice(0, 100)}];
    }
  }

  private result(entry: Entry, message: JsonObject) {
    const native = nativeId(message.toolCallId);
    const open = entry.open.find(call => call.native === native);
    if (open === undefined) {
      this.ledger.repair(`result-without-call`, `A result without its call was left out`, entry.line.offset);
      return this.ledger.ignore(`toolResult/lost`);
    }

    const fields = resultFields(open.name, message);
    this.own(entry, {kind: `result`, call: open.call, ...fields});
    entry.open = entry.open.filter(call => call !== open);
    this.flags.stopped = fields.interrupted === true;
    this.flags.ended = false;
  }

  /** What an extension put into the conversation: the model sees it as a user message. */
  private custom(entry: Entry, {content, customType, details}: JsonObject) {
    const parts = partsOf(content);
    const ours = customType === OURS && isObject(details) ? details : undefined;
    if (ours?.kind === `interrupt`) {
      this.heal(entry);
      this.own(entry, {kind: `interrupt`, during: ours.during === `tool` ? `tool` : `reply`, text: textOf(parts)});
      this.flags.ended = true;
    } else if (parts.some(part => part.type === `image`)) {
      this.heal(entry);
      this.own(entry, {kind: `prompt`, content: parts, midTurn: true});
    } else {
      const what = ours?.kind === `note` ? stringAt(ours, `what`) : typeof customType === `string` ? customType : undefined;
      this.aside(entry, shortKey(what ?? `custom`), textOf(parts));
    }
  }

  private compaction(entry: Entry) {
    this.heal(entry);
    const {value} = entry;
    const first = stringAt(value, `firstKeptEntryId`);
    // Its own id stands for nothing at all.
    const kept = first === undefined || first === value.id ? null : this.tree.get(first);
    const seqs = kept === null || kept === undefined ? null : this.tree.since(kept);
    if (kept === undefined)
      this.ledger.repair(`unknown-kept`, `A compaction keeps what is not there: it keeps nothing`, entry.line.offset);
    const keep = seqs === null ? [] : this.without(seqs, objectAt(value, `details`));
    const tokensBefore = numberAt(value, `tokensBefore`);
    const at = this.emit({
      kind: `compaction`, summary: stringAt(value, `summary`) ?? ``,
      ...keep.length > 0 ? {keep} : {},
      ...tokensBefore !== undefined && Number.isSafeInteger(tokensBefore) ? {tokensBefore} : {},
    }, entry, false);
    entry.from = at;
  }

  /** A compaction that we wrote says itself what the lines after it take away. */
  private without(seqs: Array<number>, details: JsonObject | undefined): Array<number> {
    if (details?.by !== OURS || !Array.isArray(details.without))
      return seqs;
    const gone = new Set<number>();
    for (const id of details.without.slice(0, 1_000)) {
      const place = typeof id === `string` ? this.tree.get(id) : undefined;
      for (let seq = place?.from ?? -1; place !== undefined && seq >= 0 && seq <= place.at; seq++)
        gone.add(seq);
    }
    return seqs.filter(seq => !gone.has(seq));
  }

  private title(entry: Entry) {
    const title = stringAt(entry.value, `name`)?.trim();
    // An empty one takes the name away.
    if (!title) {
      delete this.ledger.facts.title;
      return this.ledger.ignore(`session_info/empty`);
    }
    this.ledger.facts.title = title.slice(0, 1_000);
    this.emit({kind: `title`, title, origin: `custom`}, entry, false);
  }

  private aside(entry: Entry, what: string, text: string) {
    if (text.trim() === ``)
      return this.note(entry, what);
    this.heal(entry);
    this.own(entry, {kind: `note`, what, visible: true, text});
  }

  private note(entry: Entry, what: string) {
    this.emit({kind: `note`, what, bytes: entry.line.length}, entry, false);
  }

  /** Calls that have no result when the next message comes never get one: Pi then says so itself. */
  private heal(entry: Entry) {
    for (const open of entry.open)
      this.healOne(entry, open);
  }

  private healOne(entry: Entry, open: OpenCall) {
    this.emit({kind: `result`, call: open.call, content: [{type: `text`, text: MISSING_RESULT}], error: true, healed: true}, {...entry, id: undefined}, true);
    entry.open = entry.open.filter(call => call !== open);
    this.ledger.repair(`missing-result`, `A call without result got an empty one`, entry.line.offset);
  }

  private own(entry: Entry, record: Unplaced) {
    const at = this.emit(record, entry, true);
    if (entry.from === -1)
      entry.from = at;
  }

  private emit(fields: Unplaced, entry: Pick<Entry, `id` | `time`> | undefined, visible: boolean): number {
    const seq = this.flags.seq++;
    const {cwd} = this.ledger.facts;
    const said = entry === undefined || this.flags.said || cwd === undefined;
    this.out.push({
      seq, ...fields,
      ...entry?.id === undefined ? {} : {id: entry.id},
      ...entry?.time === undefined ? {} : {time: entry.time},
      ...said ? {} : {cwd},
    } as NeutralRecord);
    this.flags.said ||= !said;
    this.ledger.count(fields.kind);
    this.tree.record(visible, fields.kind === `branch` ? fields.parent : undefined);
    this.tree.tip = {...this.tree.tip, at: seq};
    return seq;
  }
}
