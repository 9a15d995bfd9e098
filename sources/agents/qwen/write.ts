import {Fidelity}                                                            from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord}  from '../../interchange/index.ts';
import type {Json, JsonObject, NeutralRecord, NoteRecord, PromptRecord}      from '../../interchange/index.ts';
import type {ReasoningRecord, ReplyRecord, ResultRecord, TitleRecord}        from '../../interchange/index.ts';
import {titleOf}                                                             from '../families/text.ts';
import {apiName}                                                             from '../families/names.ts';
import {Ring}                                                                from '../families/ring.ts';
import type {RecordWriter, WriterTarget}                                     from '../types.ts';

import {Chain}                                                               from './chain.ts';
import {compressedHistory}                                                   from './memory.ts';
import type {Said}                                                           from './memory.ts';
import {contentOf, responseOf}                                               from './parts.ts';
import {shapeOf}                                                             from './shapes.ts';
import {loadState}                                                           from './state.ts';
import type {OpenCall, State}                                                from './state.ts';

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;

const NO_RESULT = `Tool execution result was not recorded.`;
const INTERRUPTED = `[Request interrupted by user]`;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as Qwen Code's linked records. All that the model says in one go is one message there, also when it
 * comes in pieces: those have the same `uuid`, and are put together when the file is read.
 */
export class QwenWriter implements RecordWriter {
  private readonly state: State;
  private readonly ring: Ring;
  private readonly fidelity: Fidelity;
  private readonly chain: Chain;
  private said: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.ring = new Ring(this.state.ring);
    this.fidelity = new Fidelity(this.state.fidelity);
    this.chain = new Chain(target, this.state);
  }

  begin() {
    return ``;
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

    this.ring.add(record.seq, this.said);
    this.said = [];
    return this.chain.take();
  }

  end(): string {
    this.closeCalls();
    return this.chain.take();
  }

  save(): Json {
    return structuredClone({...this.state, ring: this.ring.save(), fidelity: this.fidelity.report()}) as unknown as Json;
  }

  report(): FidelityReport {
    const {settling} = this.state;
    const copy = new Fidelity(this.fidelity.report());
    if (settling)
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
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `plan`:       return {dropped: `stands in the calls that made it`};
      case `model`:      return {dropped: `Qwen Code goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {parts, reduced} = contentOf(record.content);
    if (parts.every(part => typeof part.text === `string` && part.text.trim() === ``))
      return {dropped: `empty`};

    // What was typed while the model worked goes to it together with the results around it. Lists take no such title.
    if (record.midTurn && this.state.prompted) {
      this.user(parts, {subtype: `mid_turn_user_message`, systemPayload: {displayText: shown(parts)}});
      return reduced;
    }
    this.closeCalls();
    this.user(parts, {});
    this.state.prompted = true;
    return reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};
    this.answer({text: record.text});
    return [];
  }

  private reasoning(record: ReasoningRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `thinking without text`};
    if (this.target.header.agent.id !== `qwen`)
      return {dropped: `thinking of another agent, which the model would be given as its own`};
    this.answer({text: record.text, thought: true});
    return [];
  }

  private call(record: CallRecord): Outcome {
    const {header, cwd} = this.target;
    const folder = this.state.cwd === undefined || this.state.cwd === cwd ? {} : {folder: this.state.cwd};
    const {name, args, reduced} = shapeOf(record, {agent: header.agent.id, ...folder});
    if (this.state.open.length >= OPEN_CALLS)
      this.closeCall(this.state.open[0]!);

    const open = {call: record.call, id: apiName(record.call), name, seq: record.seq};
    this.answer({functionCall: {id: open.id, name: open.name, args}}, record.call);
    this.state.open.push(open);
    return reduced;
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (open === undefined)
      return {dropped: this.state.closed.includes(record.call)
        ? `came when its call had been given up`
        : `its call is not in this history`};

    this.state.open = this.state.open.filter(other => other !== open);
    // Without its call Qwen Code would not send it either.
    if (open.hidden)
      return {dropped: `its call lies before a compaction, which leaves it to the summary`};

    const {part, outcome, reduced} = responseOf(record, open);
    this.chain.add(`tool_result`, {message: {role: `user`, parts: [part]}, toolCallResult: outcome});
    this.say({as: `result`, part, call: open.call});
    return reduced;
  }

  /** From here on the model gets the summary, the records that were kept, and what follows. */
  private compaction(record: CompactionRecord): Outcome {
    const keep = new Set(record.keep ?? []);
    const missing = [...keep].filter(seq => this.ring.get(seq) === undefined);
    const kept = [...keep].flatMap(seq => this.ring.get(seq) ?? []).map(text => JSON.parse(text) as Said);
    const open = new Set(this.state.open.filter(({seq}) => keep.has(seq) && this.ring.get(seq) !== undefined).map(({call}) => call));
    this.state.open = this.state.open.map(one => open.has(one.call) ? one : {...one, hidden: true});

    this.chain.cut();
    this.chain.add(`system`, {subtype: `chat_compression`, systemPayload: {
      // No count of tokens: 0 makes Qwen Code estimate what the history needs.
      info: {originalTokenCount: record.tokensBefore ?? 0, newTokenCount: 0, compressionStatus: 1},
      compressedHistory: compressedHistory(record.summary, kept, open),
    }});
    if (missing.length > 0)
      this.state.settling = {seq: record.seq, missing: missing.slice(0, 1_000)};
    return [];
  }

  private interrupt(record: InterruptRecord): Outcome {
    const text = record.text?.trim() ? record.text : INTERRUPTED;
    this.user([{text}], {subtype: `notification`, systemPayload: {displayText: text}});
    return [];
  }

  private note(record: NoteRecord): Outcome {
    if (!record.visible)
      return {dropped: `context that each agent makes for itself`};
    if (record.text === undefined || record.text.trim() === ``)
      return {dropped: `empty`};
    this.user([{text: record.text}], {subtype: `notification`, systemPayload: {displayText: shown([{text: record.text}])}});
    return [];
  }

  private named({title, origin}: TitleRecord): Outcome {
    const custom = origin === `custom`;
    const text = titleOf(title);
    if (text === ``)
      return {dropped: `empty`};
    if (custom || !this.state.title?.custom) {
      this.state.title = {text, custom};
      this.chain.title();
    }
    return [];
  }

  private user(parts: Array<JsonObject>, more: JsonObject) {
    this.chain.add(`user`, {...more, message: {role: `user`, parts}});
    this.say({as: `user`, parts});
  }

  /** A piece of what the model said. `call`: the call that it is. */
  private answer(part: JsonObject, call?: string) {
    const written = this.chain.answer(part, call, new Set(this.state.open.filter(({hidden}) => !hidden).map(open => open.call)));
    this.say({as: `answer`, part: written, ...call === undefined ? {} : {call}});
  }

  private say(said: Said) {
    this.said.push(JSON.stringify(said));
  }

  private closeCalls() {
    for (const open of [...this.state.open])
      this.closeCall(open);
  }

  /** Qwen Code would say the same for a call without a result, until the real one came, out of its place. */
  private closeCall(open: OpenCall) {
    if (!open.hidden) {
      const part = {functionResponse: {id: open.id, name: open.name, response: {error: NO_RESULT}}};
      const toolCallResult = {callId: open.id, status: `error`, resultDisplay: NO_RESULT, error: {}, executionStatus: `error`};
      this.chain.add(`tool_result`, {message: {role: `user`, parts: [part]}, toolCallResult});
    }
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

/** What the transcript shows of a message that nobody typed as a prompt. */
function shown(parts: Array<JsonObject>) {
  const text = parts.flatMap(part => typeof part.text === `string` ? [part.text] : []).join(`\n`);
  return text.length <= 500 ? text : `${text.slice(0, 500)}…`;
}
