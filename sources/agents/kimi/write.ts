import {Fidelity, deriveId}                                             from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord, Json} from '../../interchange/index.ts';
import type {NeutralRecord, NoteRecord, PlanRecord, PromptRecord}       from '../../interchange/index.ts';
import type {ReplyRecord, ResultRecord, TitleRecord}                    from '../../interchange/index.ts';
import {stringify, titleOf}                                                        from '../families/text.ts';
import {createdOf}                                                      from '../values.ts';
import {apiName}                                                        from '../families/names.ts';
import type {RecordWriter, WriterTarget}                                from '../types.ts';

import {contentOf, isBlank, outputOf}                                   from './parts.ts';
import type {Piece}                                                     from './parts.ts';
import {loadState}                                                      from './state.ts';
import type {OpenCall, State, Step}                                     from './state.ts';
import {nativeCall}                                                     from './tools.ts';

/** How far back a compaction may keep records. */
const PLACES = 1_000;
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;

/** Kimi Code 2.1.0 tells its model this of an interruption. */
const INTERRUPTED = `The previous turn was interrupted by the user before completion; any partial output shown above is incomplete. The user's next message continues the conversation.`;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as the event log of Kimi Code (protocol 1.5): prompts as messages, answers as the events of a step,
 * compactions as such. No `profile.bind`: its system prompt would replace the one that Kimi Code makes.
 */
export class KimiWriter implements RecordWriter {
  private readonly state: State;
  private readonly fidelity: Fidelity;
  private lines: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.fidelity = new Fidelity(this.state.fidelity);
  }

  begin() {
    return `${stringify({type: `metadata`, protocol_version: `1.5`, created_at: Date.parse(createdOf(this.target.header.created))})}\n`;
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined && !Number.isNaN(Date.parse(record.time)))
      this.state.time = record.time;
    if (record.cwd !== undefined)
      this.state.cwd = record.cwd;

    const before = this.state.length;
    const outcome = this.write(record);
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else
      this.fidelity.kept();

    // What adds no message of its own stands in the one that is open.
    if (record.kind !== `compaction`)
      this.state.places.push([record.seq, this.state.length > before ? this.state.length - 1 : this.state.step?.m ?? this.state.length]);
    if (this.state.places.length > PLACES)
      this.state.places.splice(0, this.state.places.length - PLACES);
    return this.flush();
  }

  end(): string {
    this.closeCalls();
    this.endStep();
    this.endTurn();
    return this.flush();
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
      case `reply`:      return this.reply(record);
      case `reasoning`:  return {dropped: `thinking is of no use to another model`};
      case `call`:       return this.call(record);
      case `result`:     return this.result(record);
      case `plan`:       return this.plan(record);
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `model`:      return {dropped: `Kimi Code goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {pieces, reduced} = contentOf(record.content);
    if (isBlank(pieces))
      return {dropped: `empty`};

    const midTurn = record.midTurn === true && this.state.turnOpen;
    const origin = {kind: `user`, ...midTurn ? {inTurn: true} : {}};
    if (!midTurn) {
      this.closeCalls();
      this.endStep();
      this.endTurn();
      this.beginTurn();
      this.line({type: `turn.prompt`, agentId: `main`, input: pieces, origin, turnId: this.state.turn});
    }
    this.message(pieces, origin);
    return reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};

    const step = this.inStep(record, record.message);
    this.event({type: `content.part`, uuid: this.id(`part`, record.seq), ...this.of(step), part: {type: `text`, text: record.text}});
    if (record.final === true && this.state.open.length === 0) {
      this.endStep(`end_turn`);
      this.endTurn();
    }
    return [];
  }

  private call(record: CallRecord): Outcome {
    if (this.state.open.length >= OPEN_CALLS)
      this.closeCall(this.state.open[0]!);
    const step = this.inStep(record, record.message);
    const {name, args} = nativeCall(this.withFolder(record));
    const uuid = this.id(`call`, record.seq);
    this.event({type: `tool.call`, uuid, ...this.of(step), toolCallId: apiName(record.call), name: apiName(name), args});
    this.state.open.push({call: record.call, uuid});
    return [];
  }

  /** A command ran where the source agent was, if that is not where Kimi Code will be. */
  private withFolder(record: CallRecord): CallRecord {
    const {cwd} = this.state;
    if (record.tool !== `shell` || record.args.workdir !== undefined || cwd === undefined || cwd === this.target.cwd)
      return record;
    return {...record, args: {...record.args, workdir: cwd}};
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (open === undefined)
      return {dropped: this.state.closed.includes(record.call) ? `came when its call had been given up` : `its call is not in this history`};

    const {output, reduced} = outputOf(record);
    this.answer(open, output, record.error === true);
    return open.hidden ? [...reduced, `its call lies before a compaction, which leaves it to the summary`] : reduced;
  }

  private plan(record: PlanRecord): Outcome {
    if (record.items === undefined)
      return {dropped: `Kimi Code keeps no plan in words beside the conversation`};
    this.line({type: `tools.update_store`, agentId: `main`, key: `todo`, value: record.items.map(({step, status}) => ({title: step, status: status === `completed` ? `done` : status}))});
    return [];
  }

  /**
   * `legacyTail`: from here on the model gets the summary, the messages from `compactedCount` on, and what follows, tried
   * with 2.1.0. Without it Kimi Code would keep the person's prompts and nothing else.
   */
  private compaction(record: CompactionRecord): Outcome {
    const {state} = this;
    const keep = new Set(record.keep ?? []);
    const kept = state.places.filter(([seq]) => keep.has(seq));
    const from = kept.length === 0 ? state.length : Math.min(...kept.map(([, m]) => m));

    if (state.open.length === 0)
      this.endStep();
    else if (state.step !== null && state.step.m < from) {
      state.open = state.open.map(open => ({...open, hidden: true}));
      state.step = null;
    }
    this.line({
      type: `context.apply_compaction`, agentId: `main`, summary: record.summary, contextSummary: summaryText(record.summary), compactedCount: from, legacyTail: true,
      tokensBefore: record.tokensBefore ?? 0,
    });
    state.places = state.places.filter(([, m]) => m >= from).map(([seq, m]) => [seq, m - from + 1]);
    state.length = state.length - from + 1;
    if (state.step !== null)
      state.step.m += 1 - from;
    return kept.length < keep.size ? [`some of the messages it keeps lie too far back and are left to the summary`] : [];
  }

  private interrupt(record: InterruptRecord): Outcome {
    this.closeCalls();
    this.endStep();
    this.endTurn(`cancelled`);
    // In the agent's own words; those of the source say the same in others.
    this.message([{type: `text`, text: `<system-reminder>\n${INTERRUPTED}\n</system-reminder>`}], {kind: `injection`, variant: `interruption`});
    return record.text === undefined || /^\[Request interrupted by user/.test(record.text) ? [] : [`said in Kimi Code's own words`];
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

  private note(record: NoteRecord): Outcome {
    if (!record.visible)
      return {dropped: `context that each agent makes for itself`};
    if (record.text === undefined || record.text.trim() === ``)
      return {dropped: `empty`};
    this.message([{type: `text`, text: record.text}], {kind: `system_trigger`, name: `session-sync`});
    return [];
  }

  /** A message beside the model's own. While calls are open, Kimi Code puts it behind their results. */
  private message(content: Array<Piece>, origin: {[key: string]: Json}) {
    const {step, open} = this.state;
    if (open.some(({hidden}) => !hidden) && step !== null)
      step.waits = true;
    else
      this.endStep();
    this.line({type: `context.append_message`, agentId: `main`, message: {role: `user`, content, toolCalls: [], origin}});
    this.state.length++;
  }

  /** The step that this part of an answer belongs to. None is left while its calls wait: that would give them up. */
  private inStep(record: NeutralRecord, message: string | undefined): Step {
    const {step} = this.state;
    if (step !== null) {
      const same = message !== undefined ? message === step.message : step.message === undefined && record.kind === `call` && !step.results;
      if (this.state.open.some(({hidden}) => !hidden) || same)
        return step;
      this.endStep();
    }

    if (!this.state.turnOpen)
      this.beginTurn();
    this.state.steps++;
    const next: Step = {uuid: this.id(`step`, record.seq), number: this.state.steps, ...message === undefined ? {} : {message}, m: this.state.length, results: false, waits: false};
    this.event({type: `step.begin`, uuid: next.uuid, turnId: String(this.state.turn), step: next.number});
    this.state.step = next;
    this.state.length++;
    return next;
  }

  private endStep(reason: `end_turn` | `tool_use` = this.state.step?.results ? `tool_use` : `end_turn`) {
    const {step} = this.state;
    if (step === null)
      return;
    this.event({type: `step.end`, uuid: step.uuid, turnId: String(this.state.turn), step: step.number, finishReason: reason});
    this.state.step = null;
  }

  private beginTurn() {
    this.state.turn++;
    this.state.turnOpen = true;
    this.state.steps = 0;
  }

  private endTurn(reason: `completed` | `cancelled` = `completed`) {
    if (this.state.turnOpen)
      this.line({type: `turn.ended`, agentId: `main`, turnId: this.state.turn, reason});
    this.state.turnOpen = false;
  }

  private closeCalls() {
    for (const open of [...this.state.open])
      this.closeCall(open);
  }

  private closeCall(open: OpenCall) {
    this.answer(open, `aborted`, true);
    this.state.closed = [...this.state.closed, open.call].slice(-CLOSED_CALLS);
  }

  private answer(open: OpenCall, output: Json, error: boolean) {
    const {state} = this;
    state.open = state.open.filter(other => other !== open);
    this.event({type: `tool.result`, parentUuid: open.uuid, toolCallId: apiName(open.call), result: {output, ...error ? {isError: true} : {}}});
    if (open.hidden)
      return;
    state.length++;
    if (state.step === null)
      return;
    state.step.results = true;
    if (state.step.waits && !state.open.some(({hidden}) => !hidden))
      this.endStep();
  }

  private of(step: Step) {
    return {turnId: String(this.state.turn), step: step.number, stepUuid: step.uuid};
  }

  private id(what: string, seq: number) {
    return deriveId(what, this.target.id, seq);
  }

  private event(event: {[key: string]: Json}) {
    this.line({type: `context.append_loop_event`, agentId: `main`, event});
  }

  private line(record: {[key: string]: unknown}) {
    const time = Date.parse(this.state.time ?? createdOf(this.target.header.created));
    this.lines.push(`${stringify({...record, time})}\n`);
  }

  private flush(): string {
    const text = this.lines.join(``);
    this.lines = [];
    return text;
  }
}

function summaryText(summary: string): string {
  return `The conversation so far has been compacted to free up context. What follows is a summary of it; use it to continue the work rather than starting over.\n${summary.trim() === `` ? `(no summary available)` : summary}`;
}
