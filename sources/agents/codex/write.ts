import {Fidelity, deriveId}                                                  from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord}  from '../../interchange/index.ts';
import type {Json, NeutralRecord, NoteRecord, PlanRecord, PromptRecord}      from '../../interchange/index.ts';
import type {ReasoningRecord, ReplyRecord, ResultRecord, TitleRecord}        from '../../interchange/index.ts';
import type {RecordWriter, WriterTarget}                                     from '../types.ts';

import {OUTPUT_METADATA, UNAIDED_LIMIT, contentOf, outputOf}                 from './content.ts';
import type {Output}                                                         from './content.ts';
import {abortedText, line, message, sessionMeta, shownPrompt, summaryText} from './lines.ts';
import {clip, stringify, titleOf} from '../families/text.ts';
import type {Payload}                                                        from './lines.ts';
import {createdOf}                                                           from '../values.ts';
import {apiName}                                                             from '../families/names.ts';
import {absoluteIn, patchChange}                                             from './patch.ts';
import {planText}                                                            from './plans.ts';
import {Ring}                                                                from '../families/ring.ts';
import {loadState}                                                           from './state.ts';
import type {OpenCall, State}                                                from './state.ts';
import {shapeCall}                                                           from './tools.ts';

/** Codex 0.169.0 lists a session only when a prompt is shown within its first 210 lines. */
const LINES_BEFORE_PROMPT = 190;

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;

/** How much of an output, and of the last answer, the events carry that only show it. */
const SHOWN = 2_000;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as a Codex rollout in legacy mode: for all that the model gets back a `response_item`, for all that a
 * person sees an `event_msg`. Nothing depends on when records come or how often the state was saved in between.
 */
export class CodexWriter implements RecordWriter {
  private readonly state: State;
  private readonly ring: Ring;
  private readonly fidelity: Fidelity;

  private lines: Array<string> = [];
  private items: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.ring = new Ring(this.state.ring);
    this.fidelity = new Fidelity(this.state.fidelity);
  }

  begin() {
    return sessionMeta(this.target);
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.time = record.time;
    if (record.cwd !== undefined)
      this.state.cwd = record.cwd;
    this.settle(record);

    const outcome = this.write(record);
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else if (this.state.settling?.seq !== record.seq)
      this.fidelity.kept();

    this.ring.add(record.seq, this.items);
    this.items = [];
    return this.flush();
  }

  end(): string {
    this.closeCalls();
    this.closeTurn();
    if (!this.state.seen)
      this.showOrigin();
    this.items = [];
    return this.flush();
  }

  save(): Json {
    return structuredClone({...this.state, ring: this.ring.save(), fidelity: this.fidelity.report()}) as unknown as Json;
  }

  report(): FidelityReport {
    const {settling} = this.state;
    if (!settling)
      return this.fidelity.report();

    const copy = new Fidelity(this.fidelity.report());
    settleIn(copy, settling);
    return copy.report();
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
      case `reasoning`:  return this.reasoning(record);
      case `call`:       return this.call(record);
      case `result`:     return this.result(record);
      case `plan`:       return this.plan(record);
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `model`:      return {dropped: `Codex goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {pieces, reduced} = contentOf(record.content);
    if (pieces.every(piece => piece.type === `input_text` && piece.text.trim() === ``))
      return {dropped: `empty`};

    if (record.midTurn && this.state.turn) {
      this.item(message(`user`, pieces));
    } else {
      if (!this.state.seen && this.state.lines + 2 * this.state.open.length > LINES_BEFORE_PROMPT)
        this.showOrigin();
      this.closeCalls();
      this.closeTurn();
      this.openTurn(record);
      this.item(message(`user`, pieces));
    }

    const text = record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
    this.showPrompt(text.trim() === `` ? `[Image #1]` : shownPrompt(text));
    return reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};

    const turn = this.ensureTurn(record);
    const phase = record.final ? `final_answer` : null;
    this.event({type: `agent_message`, message: record.text, phase});
    this.item({...message(`assistant`, [{type: `output_text`, text: record.text}]), ...phase ? {phase} : {}});
    turn.last = clip(record.text, SHOWN);
    if (record.final)
      this.closeTurn();
    return [];
  }

  private reasoning(record: ReasoningRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `thinking without text`};

    this.ensureTurn(record);
    this.event({type: `agent_reasoning`, text: record.text});
    return [`thinking of another agent is shown, not sent to the model`];
  }

  private call(record: CallRecord): Outcome {
    const {header, cwd} = this.target;
    const workdir = this.state.cwd === undefined || this.state.cwd === cwd ? {} : {workdir: this.state.cwd};
    const {item, custom, display, shell, reduced} = shapeCall(record, {agent: header.agent.id, cwd, ...workdir});

    this.ensureTurn(record);
    if (this.state.open.length >= OPEN_CALLS)
      this.closeCall(this.state.open[0]!);
    this.item(item);
    this.state.open.push({call: record.call, seq: record.seq, custom, shell, display});
    return reduced === undefined ? [] : [reduced];
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (!open) {
      return {dropped: this.state.closed.includes(record.call)
        ? `came when its call had been given up`
        : `its call is not in this history`};
    }

    this.state.open = this.state.open.filter(other => other !== open);
    const output = outputOf(record, open);
    this.showResult(open, record, output);
    this.item(
      {type: open.custom ? `custom_tool_call_output` : `function_call_output`, call_id: apiName(open.call), output: output.output},
      output.bytes > UNAIDED_LIMIT ? OUTPUT_METADATA : undefined,
    );
    return open.hidden ? [...output.reduced, `its call lies before a compaction, which leaves it to the summary`] : output.reduced;
  }

  private showResult(open: OpenCall, record: ResultRecord, output: Output) {
    const {call, display} = open;
    const text = clip(output.text, SHOWN);
    if (display.as === `patch`) {
      const patches = record.error ? [] : record.patch ?? [];
      const changes = patches.length > 0
        ? Object.fromEntries(patches.map(patch => [absoluteIn(this.target.cwd, patch.path), patchChange(patch)]))
        : display.changes;
      this.event({
        type: `patch_apply_end`,
        call_id: apiName(call),
        turn_id: this.state.turn?.id ?? this.state.lastTurn,
        stdout: record.error ? `` : text,
        stderr: record.error ? text : ``,
        success: !record.error,
        changes,
        status: record.error ? `failed` : `completed`,
      });
    } else {
      this.showCall(open, record.error ? {Err: text} : {Ok: {content: [{type: `text`, text}]}});
    }
  }

  /** The one event by which Codex shows a tool that is not its own (in legacy mode its own commands, too). */
  private showCall({call, display}: OpenCall, result: Payload) {
    if (display.as !== `tool`)
      return;

    const {server, tool, input} = display;
    this.event({type: `mcp_tool_call_end`, call_id: apiName(call), invocation: {server, tool, arguments: input}, duration: {secs: 0, nanos: 0}, result});
  }

  private plan(record: PlanRecord): Outcome {
    const text = planText(record);
    if (text.trim() === ``)
      return {dropped: `empty`};

    const turn = this.ensureTurn(record);
    this.event({type: `item_completed`, thread_id: this.target.id, turn_id: turn.id, item: {type: `Plan`, id: `plan-${record.seq}`, text}});
    return [];
  }

  /** From here on the model gets the summary, the records that were kept, and what follows: measured with 0.169.0. */
  private compaction(record: CompactionRecord): Outcome {
    const kept: Array<string> = [];
    const missing: Array<number> = [];
    for (const seq of record.keep ?? []) {
      const items = this.ring.get(seq);
      if (items)
        kept.push(...items);
      else
        missing.push(seq);
    }

    if (!this.state.seen)
      this.showOrigin();
    const keep = new Set(record.keep ?? []);
    this.state.open = this.state.open.map(open => keep.has(open.seq) ? open : {...open, hidden: true});

    const summary = summaryText(record.summary);
    const history = [stringify(message(`user`, [{type: `input_text`, text: summary}])), ...kept];
    this.lines.push(line(this.time(), `compacted`, `{"message":${stringify(summary)},"replacement_history":[${history.join(`,`)}]}`));
    this.event({type: `context_compacted`});

    if (missing.length > 0)
      this.state.settling = {seq: record.seq, missing: missing.slice(0, 1_000)};
    return [];
  }

  private interrupt(record: InterruptRecord): Outcome {
    this.item(message(`user`, [{type: `input_text`, text: abortedText(record.text)}]));
    if (this.state.turn)
      this.event({type: `turn_aborted`, turn_id: this.state.turn.id, reason: `interrupted`});
    this.state.turn = null;
    return [];
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

    this.item(message(`user`, [{type: `input_text`, text: record.text}]));
    return [];
  }

  private time() {
    return this.state.time ?? createdOf(this.target.header.created);
  }

  private item(payload: Payload, metadata?: Payload) {
    const text = stringify(payload);
    this.lines.push(line(this.time(), `response_item`, text, metadata));
    this.items.push(text);
  }

  private event(payload: Payload) {
    this.lines.push(line(this.time(), `event_msg`, stringify(payload)));
  }

  private showPrompt(text: string) {
    this.event({type: `user_message`, message: text, images: [], local_images: [], text_elements: []});
    this.state.seen = true;
  }

  /** For the list and the transcript only: a session that shows no prompt is not listed. */
  private showOrigin() {
    this.showPrompt(`(continued from ${this.target.header.agent.id})`);
  }

  private flush(): string {
    if (!this.state.seen) {
      this.state.lines += this.lines.length;
      if (this.state.lines > LINES_BEFORE_PROMPT)
        this.showOrigin();
    }
    const text = this.lines.join(``);
    this.lines = [];
    return text;
  }

  private openTurn({id, seq}: Pick<NeutralRecord, `id` | `seq`>) {
    const turn = {id: deriveId(`turn`, this.target.header.session, id ?? ``, seq), last: null};
    const started = Math.floor(Date.parse(this.time()) / 1000);
    this.event({
      type: `task_started`,
      turn_id: turn.id,
      started_at: Number.isNaN(started) ? 0 : started,
      model_context_window: null,
      collaboration_mode_kind: `default`,
    });
    this.state.turn = turn;
    this.state.lastTurn = turn.id;
    return turn;
  }

  private ensureTurn(record: NeutralRecord): NonNullable<State[`turn`]> {
    return this.state.turn ?? this.openTurn(record);
  }

  private closeTurn() {
    const {turn} = this.state;
    if (turn)
      this.event({type: `task_complete`, turn_id: turn.id, last_agent_message: turn.last});
    this.state.turn = null;
  }

  /** Codex would say the same for a call without an output, but only until the real one came, out of its place. */
  private closeCalls() {
    for (const open of [...this.state.open])
      this.closeCall(open);
  }

  private closeCall(open: OpenCall) {
    this.showCall(open, {Err: `aborted`});
    const type = open.custom ? `custom_tool_call_output` : `function_call_output`;
    this.lines.push(line(this.time(), `response_item`, stringify({type, call_id: apiName(open.call), output: `aborted`})));
    this.state.open = this.state.open.filter(other => other !== open);
    this.state.closed = [...this.state.closed, open.call].slice(-CLOSED_CALLS);
  }

  /** Kept records that come after their compaction stand where they belong; those that do not come are lost to the model. */
  private settle(record: NeutralRecord) {
    const {settling} = this.state;
    if (!settling)
      return;

    settling.missing = settling.missing.filter(seq => seq !== record.seq);
    if (record.seq < settling.seq && settling.missing.length > 0)
      return;
    settleIn(this.fidelity, settling);
    delete this.state.settling;
  }
}

function settleIn(fidelity: Fidelity, {seq, missing}: NonNullable<State[`settling`]>) {
  if (missing.length === 0)
    fidelity.kept();
  else
    fidelity.reduced({kind: `compaction`, seq}, `some of the messages it keeps lie too far back and are left to the summary`);
}
