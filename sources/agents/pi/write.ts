import {Fidelity, MISSING_RESULT}                                            from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord}  from '../../interchange/index.ts';
import type {Json, NeutralRecord, NoteRecord, PromptRecord}                  from '../../interchange/index.ts';
import type {ReplyRecord, ResultRecord, TitleRecord}                         from '../../interchange/index.ts';
import {apiName}                                                             from '../families/names.ts';
import type {RecordWriter, WriterTarget}                                     from '../types.ts';

import {blocksOf, isBlank}                                                   from './content.ts';
import {OURS, aside, assistant, entryLine, headerLine, message, origin, titleOf} from './lines.ts';
import type {Fields}                                                         from './lines.ts';
import {createdOf}                                                           from './places.ts';
import {shapeCall}                                                           from './shape.ts';
import {Spans}                                                               from './spans.ts';
import type {Span}                                                           from './spans.ts';
import {loadState}                                                           from './state.ts';
import type {OpenCall, State}                                                from './state.ts';

/** Characters that may wait for results of earlier calls, or for the rest of an answer; then they are given up. */
const WAITING = 256 << 10;
/** Calls that were given up and are remembered, so that a late result can be told from a lost one. */
const CLOSED = 256;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session of Pi, version 3: a line an entry, each the child of the one before. Nothing depends on when records
 * come or how often the state was saved in between.
 *
 * All texts and calls of an answer stand in one message, and the results of its calls right after it: Pi makes up a
 * result for every call that has none when the next message comes (1.5.2), and some providers refuse an answer in two.
 * So calls are written when the answer is known to be over, and what comes between its results waits for the last of
 * them. A text is written at once, because nothing may ever follow it; where the answer turns out to go on, the whole
 * answer is written as another branch from the same place, and the first try is no longer on the way to the end.
 */
export class PiWriter implements RecordWriter {
  private readonly state: State;
  private readonly fidelity: Fidelity;
  private readonly spans: Spans;
  private text = ``;

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.fidelity = new Fidelity(this.state.fidelity);
    this.spans = new Spans(this.state.spans);
  }

  /** The line of the origin has the number 0; all others count from 1. */
  begin(): string {
    const timestamp = createdOf(this.target.header.created);
    return headerLine(this.target) + entryLine(origin(this.target), {id: idOf(0), parentId: null, timestamp});
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.updated = record.time;
    this.accept(record);
    return this.take();
  }

  end(): string {
    this.closeAnswer();
    while (this.state.open.length > 0) {
      this.giveUp();
      this.closeAnswer();
    }
    return this.take();
  }

  save(): Json {
    return structuredClone({...this.state, spans: this.spans.save(), fidelity: this.fidelity.report()}) as unknown as Json;
  }

  report(): FidelityReport {
    const report = this.fidelity.report();
    return {...report, kept: report.kept + this.state.answer.length + this.state.queue.length};
  }

  title() {
    return this.state.title?.text;
  }

  updated() {
    return this.state.updated;
  }

  private accept(record: NeutralRecord): void {
    const {open} = this.state;
    if (open.length === 0)
      return this.place(record);

    const awaited = record.kind === `result` ? open.find(({call}) => call === record.call) : undefined;
    if (awaited !== undefined) {
      this.result(record as ResultRecord, awaited);
    } else if (record.kind === `prompt` && record.midTurn !== true) {
      this.giveUp();
      this.accept(record);
    } else {
      this.state.queue.push(record);
      if (sizeOf(this.state.queue) > WAITING)
        this.giveUp();
    }
  }

  /** No call is open. */
  private place(record: NeutralRecord): void {
    const {answer} = this.state;
    if (record.kind === `reply` && record.text.trim() === ``) {
      this.see(record);
      return this.count(record, {dropped: `empty`});
    }

    if ((record.kind === `reply` || record.kind === `call`) && (answer.length === 0 || isSameAnswer(answer[0]!, record))) {
      this.see(record);
      answer.push(record);
      if (record.kind === `reply`)
        this.writeAnswer();
      if (record.kind === `reply` && (record.final || record.partial || record.error) || sizeOf(answer) > WAITING)
        this.closeAnswer();
      return;
    }

    this.closeAnswer();
    // The answer had calls: now they are open, and this may be what they wait for.
    if (this.state.open.length > 0 || record.kind === `reply` || record.kind === `call`)
      return this.accept(record);
    this.see(record);
    this.count(record, this.write(record));
  }

  private write(record: NeutralRecord): Outcome {
    switch (record.kind) {
      case `prompt`:     return this.prompt(record);
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `result`:     return {dropped: this.state.closed.includes(record.call) ? `came when its call had been given up` : `its call is not in this history`};
      case `reasoning`:  return {dropped: `thinking is of use to the model only that did it`};
      case `plan`:       return {dropped: `Pi has no plan of its own; the call that made it is kept`};
      case `model`:      return {dropped: `Pi goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
      case `reply`:
      case `call`:       throw new Error(`Assertion failed: answers are not written record by record`);
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {blocks, reduced} = blocksOf(record.content);
    if (isBlank(blocks))
      return {dropped: `empty`};

    this.message({role: `user`, content: blocks}, {seqs: [record.seq]});
    return reduced;
  }

  private closeAnswer() {
    const {answer, begun} = this.state;
    if (answer.length === 0)
      return;

    if (begun?.count !== answer.length)
      this.writeAnswer();
    for (const record of answer) {
      if (record.kind === `reply`) {
        this.fidelity.kept();
        continue;
      }
      const {name, reduced} = this.shape(record);
      this.count(record, reduced === undefined ? [] : [reduced]);
      this.state.open.push({call: record.call, name, line: this.state.lines});
    }
    this.state.answer = [];
    delete this.state.begun;
  }

  /** What there is of the answer, instead of what was written of it before. */
  private writeAnswer() {
    const {answer, begun} = this.state;
    const parent = begun?.parent ?? this.state.lines;
    if (begun !== undefined)
      this.spans.drop();

    const content = answer.map((record): Json => {
      if (record.kind === `reply`)
        return {type: `text`, text: record.text};
      const {name, arguments: input} = this.shape(record);
      return {type: `toolCall`, id: apiName(record.call), name, arguments: input};
    });
    const calls = answer.some(({kind}) => kind === `call`);
    const model = answer.find(record => record.model !== undefined)?.model;
    this.message(assistant(content, this.target.header.agent.id, model, calls), {seqs: answer.map(({seq}) => seq)}, parent);
    this.state.begun = {parent, count: answer.length};
  }

  private shape(record: CallRecord) {
    const {cwd} = this.state;
    return shapeCall(record, cwd === undefined || cwd === this.target.cwd ? undefined : cwd);
  }

  private result(record: ResultRecord, open: OpenCall) {
    const {blocks, reduced} = blocksOf(record.content);
    const failed = open.name === `bash` && record.exitCode !== undefined && record.exitCode !== 0;
    const text = blocks.map(block => block.type === `text` ? block.text : ``).join(`\n`);
    if (failed && !new RegExp(`exit(?:ed)?\\b.{0,20}\\b${record.exitCode}\\b`, `i`).test(text))
      blocks.push({type: `text`, text: `Command exited with code ${record.exitCode}`});

    this.see(record);
    this.state.open = this.state.open.filter(other => other !== open);
    this.message({role: `toolResult`, toolCallId: apiName(open.call), toolName: open.name, content: blocks, isError: record.error === true || failed}, {seqs: [record.seq], of: open.line});
    this.count(record, reduced);
    this.drain();
  }

  /** What waited for the last result comes now, in order; some of it may have to wait again. */
  private drain() {
    if (this.state.open.length > 0)
      return;
    for (const record of this.state.queue.splice(0))
      this.accept(record);
  }

  /** Pi would say the same for a call without a result, but only until the real one came, out of its place. */
  private giveUp() {
    for (const {call, name, line} of this.state.open.splice(0)) {
      this.message({role: `toolResult`, toolCallId: apiName(call), toolName: name, content: [{type: `text`, text: MISSING_RESULT}], isError: true}, {seqs: [], of: line});
      this.state.closed = [...this.state.closed, call].slice(-CLOSED);
    }
    this.drain();
  }

  /** From here on the model gets the summary, the records that were kept, and what follows: measured with 1.5.2. */
  private compaction(record: CompactionRecord): Outcome {
    const {first, without, lost} = this.spans.keep(record.keep ?? []);
    // Its own id keeps nothing.
    const firstKeptEntryId = idOf(first ?? this.state.lines + 1);
    this.line({
      type: `compaction`, summary: record.summary, firstKeptEntryId, tokensBefore: record.tokensBefore ?? 0,
      ...without.length > 0 ? {details: {by: OURS, without: without.map(idOf)}} : {},
    });
    for (const line of without)
      this.line({type: `context_edit`, targetId: idOf(line), replacement: null});
    return lost ? [`some of the messages it keeps lie too far back and are left to the summary`] : [];
  }

  private interrupt(record: InterruptRecord): Outcome {
    this.line(aside(record.text || `[Request interrupted by user]`, {kind: `interrupt`, during: record.during}), {seqs: [record.seq]});
    return [];
  }

  private note(record: NoteRecord): Outcome {
    if (!record.visible)
      return {dropped: `context that each agent makes for itself`};
    if (record.text === undefined || record.text.trim() === ``)
      return {dropped: `empty`};

    this.line(aside(record.text, {kind: `note`, what: record.what}), {seqs: [record.seq]});
    return [];
  }

  private named(record: TitleRecord): Outcome {
    const custom = record.origin === `custom`;
    const text = titleOf(record.title);
    if (text === ``)
      return {dropped: `empty`};
    if (!custom && this.state.title?.custom || text === this.state.title?.text)
      return [];

    this.state.title = {text, custom};
    this.line({type: `session_info`, name: text});
    return [];
  }

  private message(fields: Fields, span: Omit<Span, `line`>, parent?: number) {
    this.line(message(fields, this.time()), span, parent);
  }

  /** `span`: for lines that the model sees. */
  private line(fields: Fields, span?: Omit<Span, `line`>, parent = this.state.lines) {
    const parentId = idOf(parent);
    this.state.lines += 1;
    this.text += entryLine(fields, {id: idOf(this.state.lines), parentId, timestamp: this.time()});
    if (span !== undefined)
      this.spans.add({line: this.state.lines, ...span});
  }

  private see(record: NeutralRecord) {
    if (record.time !== undefined)
      this.state.time = record.time;
    if (record.cwd !== undefined)
      this.state.cwd = record.cwd;
  }

  private time() {
    return this.state.time ?? createdOf(this.target.header.created);
  }

  private count(record: NeutralRecord, outcome: Outcome) {
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else
      this.fidelity.kept();
  }

  private take(): string {
    const {text} = this;
    this.text = ``;
    return text;
  }
}

/** Pi's own ids are 8 hex digits; those of lines that are counted never meet. */
function idOf(line: number) {
  return line.toString(16).padStart(8, `0`);
}

/** Without a name for the answer, two texts are two answers. */
function isSameAnswer(first: ReplyRecord | CallRecord, record: ReplyRecord | CallRecord) {
  return first.message === record.message && (record.kind === `call` || record.message !== undefined);
}

function sizeOf(records: Array<NeutralRecord>) {
  return records.reduce((sum, record) => sum + JSON.stringify(record).length, 0);
}
