import {Fidelity, MISSING_RESULT}                                            from '../../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, Json}             from '../../../interchange/index.ts';
import type {NeutralRecord, PromptRecord, ResultRecord, TitleRecord}         from '../../../interchange/index.ts';
import {shortKey}                                                            from '../../values.ts';
import {titleOf}                                                             from '../text.ts';
import type {RecordWriter, WriterTarget}                                     from '../../types.ts';

import {milliseconds, outputOf, promptPart}                                  from './content.ts';
import {idOf}                                                                from './ids.ts';
import {lineOf}                                                              from './lines.ts';
import type {JournalPart, Line}                                              from './lines.ts';
import {nativeCall}                                                          from './nativeCalls.ts';
import {loadState}                                                           from './state.ts';
import type {OpenCall, State}                                                from './state.ts';

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as the rows that the agent's database gets of it (see lines.ts): a message for each prompt and each
 * answer of the model, a call and its result in one part of it.
 */
export class JournalWriter implements RecordWriter {
  private readonly state: State;
  private readonly fidelity: Fidelity;
  private text = ``;

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.fidelity = new Fidelity(this.state.fidelity);
  }

  begin() {
    const {id, cwd, header} = this.target;
    return lineOf({type: `session`, id, agent: header.agent.id, session: header.session, cwd, created: milliseconds(header.created) ?? 0});
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.time = record.time;

    const outcome = this.write(record);
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else
      this.fidelity.kept();
    return this.take();
  }

  end() {
    this.closeCalls(this.state.count);
    return this.take();
  }

  save(): Json {
    return structuredClone({...this.state, fidelity: this.fidelity.report()}) as unknown as Json;
  }

  report(): FidelityReport {
    return this.fidelity.report();
  }

  title() {
    return this.state.title?.text;
  }

  updated() {
    return this.state.time;
  }

  private write(record: NeutralRecord): Outcome {
    switch (record.kind) {
      case `prompt`:     return this.prompt(record);
      case `reply`:      return record.text.trim() === `` ? {dropped: `empty`} : this.said(record, {type: `text`, text: record.text}, []);
      case `reasoning`:  return record.text.trim() === ``
        ? {dropped: `thinking without text`}
        : this.said(record, {type: `reasoning`, text: record.text}, [`thinking of another model: not sent by most providers, sent as text after a change of model`]);
      case `call`:       return this.call(record);
      case `result`:     return this.result(record);
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.aside(record.seq, record.text ?? `[Request interrupted by user]`, [`stands as a note to the model`]);
      case `note`:       return this.note(record.seq, record.visible, record.text);
      case `title`:      return this.named(record);
      case `plan`:       return {dropped: `the call that made the plan shows it`};
      case `model`:      return {dropped: `the session goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const reduced = new Set<string>();
    const parts = record.content.flatMap(part => promptPart(part, reduced));
    if (parts.length === 0)
      return {dropped: `empty`};

    if (!record.midTurn)
      this.closeCalls(record.seq);
    this.open(`user`, record.seq);
    for (const part of parts)
      this.part(record.seq, part);
    return [...reduced];
  }

  private said(record: NeutralRecord & {message?: string}, part: JournalPart, reduced: Array<string>): Outcome {
    this.answer(record, {call: false});
    this.part(record.seq, part);
    return reduced;
  }

  private call(record: CallRecord): Outcome {
    if (this.state.open.length >= OPEN_CALLS)
      this.giveUp(this.state.open[0]!, record.seq);
    this.answer(record, {call: true});
    const {tool, title, input, reduced} = nativeCall(record, this.target.cwd);
    const part = this.part(record.seq, {type: `tool`, callID: record.call, tool, title, input});
    this.state.message!.called = true;
    this.state.open.push({call: record.call, part, shell: record.tool === `shell`});
    return reduced === undefined ? [] : [reduced];
  }

  private result(record: ResultRecord): Outcome {
    const {state} = this;
    const open = state.open.find(({call}) => call === record.call);
    if (!open)
      return {dropped: state.closed.includes(record.call) ? `came when its call had been given up` : `its call is not in this history`};

    const reduced = new Set<string>();
    const failed = record.error === true && !(open.shell && record.exitCode !== undefined);
    const {text, files} = outputOf(record.content, !failed, reduced, () => this.next(`prt`));
    const diff = record.patch?.map(({path, diff}) => diff === undefined ? `` : `--- ${path}\n+++ ${path}\n${diff}`).join(``);
    this.line({
      type: `result`, id: open.part, seq: record.seq, time: this.now(),
      ...failed ? {error: text} : {output: text},
      ...record.exitCode === undefined || failed ? {} : {exit: record.exitCode},
      ...diff && !failed ? {diff} : {},
      ...files.length > 0 ? {files} : {},
    });
    state.open = state.open.filter(other => other !== open);
    if (state.message?.called)
      state.message.answered = true;
    if (open.hidden)
      reduced.add(`its call lies before a compaction, which leaves it to the summary`);
    return [...reduced];
  }

  /** The agent's own: a question that stands for it, and the answer with the summary. The model sees nothing before them. */
  private compaction(record: CompactionRecord): Outcome {
    const {state} = this;
    const keep = new Set(record.keep);
    state.open = state.open.map(open => ({...open, hidden: true}));
    this.open(`user`, record.seq);
    this.part(record.seq, {type: `compaction`, auto: record.trigger === `auto`});
    this.open(`assistant`, record.seq, {summary: true});
    this.part(record.seq, {type: `text`, text: record.summary.trim() === `` ? `(no summary)` : record.summary});
    if (keep.size > 0)
      this.line({type: `keep`, at: ++state.count, time: state.ms, seqs: [...keep]});
    state.message = null;
    return [];
  }

  private note(seq: number, visible: boolean | undefined, text: string | undefined): Outcome {
    if (!visible)
      return {dropped: `context that each agent makes for itself`};
    return text === undefined || text.trim() === `` ? {dropped: `empty`} : this.aside(seq, text, []);
  }

  /** For the model alone: a person does not see a synthetic text. */
  private aside(seq: number, text: string, reduced: Array<string>): Outcome {
    this.open(`user`, seq);
    this.part(seq, {type: `text`, text, synthetic: true});
    this.state.message = null;
    return reduced;
  }

  private named({title, origin}: TitleRecord): Outcome {
    const custom = origin === `custom`;
    const text = titleOf(title);
    if (text === ``)
      return {dropped: `empty`};
    if (custom || !this.state.title?.custom)
      this.state.title = {text, custom};
    return [];
  }

  /** The message that a block of the model's goes into. A text after a call would be sent before it: it begins a new one. */
  private answer({seq, message}: NeutralRecord & {message?: string}, {call}: {call: boolean}) {
    const key = message === undefined ? undefined : shortKey(message);
    const current = this.state.message;
    if (current?.role === `assistant` && current.key === key && (call ? key !== undefined || !current.answered : !current.called))
      return;
    this.open(`assistant`, seq, key === undefined ? {} : {key});
  }

  private open(role: `user` | `assistant`, seq: number, {key, summary}: {key?: string; summary?: true} = {}) {
    const {state} = this;
    const id = this.next(`msg`);
    this.line({
      type: `message`, id, role, ...role === `assistant` && state.user !== undefined ? {parent: state.user} : {}, time: this.now(), seq,
      ...summary ? {summary} : {},
    });
    state.message = {id, role, ...key === undefined ? {} : {key}};
    if (role === `user`)
      state.user = id;
  }

  private part(seq: number, part: JournalPart): string {
    const id = this.next(`prt`);
    this.line({type: `part`, id, message: this.state.message!.id, seq, part});
    return id;
  }

  private closeCalls(seq: number) {
    for (const open of [...this.state.open])
      this.giveUp(open, seq);
  }

  private giveUp(open: OpenCall, seq: number) {
    const {state} = this;
    this.line({type: `result`, id: open.part, seq, time: this.now(), error: MISSING_RESULT});
    state.open = state.open.filter(other => other !== open);
    state.closed = [...state.closed, open.call].slice(-CLOSED_CALLS);
  }

  private now(): number {
    const {state} = this;
    state.ms = Math.max(state.ms, milliseconds(state.time) ?? milliseconds(this.target.header.created) ?? 0);
    return state.ms;
  }

  private next(kind: `msg` | `prt`) {
    return idOf(kind, this.target.id, ++this.state.count);
  }

  private line(line: Line) {
    this.text += lineOf(line);
  }

  private take() {
    const {text} = this;
    this.text = ``;
    return text;
  }
}
