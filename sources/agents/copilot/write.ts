import {Fidelity, deriveId}                                               from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, Json, JsonObject} from '../../interchange/index.ts';
import type {NeutralRecord, NoteRecord, PromptRecord, ReasoningRecord}    from '../../interchange/index.ts';
import type {ReplyRecord, ResultRecord, TitleRecord}                      from '../../interchange/index.ts';
import {apiName}                                                          from '../families/names.ts';
import {Ring}                                                             from '../families/ring.ts';
import {clip, stringify}                                                  from '../families/text.ts';
import type {RecordWriter, WriterTarget}                                  from '../types.ts';

import {contentOf, resultOf}                                              from './content.ts';
import {line, sessionStart, titleOf}                                      from './lines.ts';
import {createdOf}                                                        from './places.ts';
import {shapeCall}                                                        from './shape.ts';
import {loadState}                                                        from './state.ts';
import type {State}                                                       from './state.ts';

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
/** Parallel calls whose arguments are larger than this together are written as several messages: they stand in the state. */
const PENDING = 256 * 1024;
/** How much of the thinking is shown. */
const SHOWN = 20_000;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as Copilot's `events.jsonl`: its messages, calls and results, and nothing of the bookkeeping around
 * them, which Copilot does without (1.0.102). Nothing depends on when records come or how often the state was saved.
 */
export class CopilotWriter implements RecordWriter {
  private readonly state: State;
  private readonly ring: Ring;
  private readonly fidelity: Fidelity;

  private lines: Array<string> = [];
  private items: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.ring = new Ring(this.state.ring);
    this.fidelity = new Fidelity(this.state.fidelity);
    this.state.events ||= 1;
  }

  begin() {
    return sessionStart(this.target);
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.time = record.time;
    if (record.cwd !== undefined)
      this.state.cwd = record.cwd;

    const outcome = this.write(record);
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else
      this.fidelity.kept();

    this.ring.add(record.seq, this.items);
    this.items = [];
    return this.take();
  }

  end(): string {
    this.flushCalls();
    this.flushThinking();
    return this.take();
  }

  save(): Json {
    return structuredClone({...this.state, ring: this.ring.save(), fidelity: this.fidelity.report()}) as unknown as Json;
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
      case `reasoning`:  return this.reasoning(record);
      case `call`:       return this.call(record);
      case `result`:     return this.result(record);
      case `compaction`: return this.compaction(record);
      case `note`:       return this.note(record);
      case `title`:      return this.named(record);
      case `interrupt`: {
        this.flushCalls();
        this.flushThinking();
        this.event(`abort`, {reason: `user_initiated`});
        return [];
      }
      case `plan`:       return {dropped: `Copilot has no plan of its own beside the call that made it, which is kept`};
      case `model`:      return {dropped: `Copilot goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt({content, midTurn}: PromptRecord): Outcome {
    const {text, attachments, reduced} = contentOf(content, `image`);
    if (text.trim() === `` && attachments.length === 0)
      return {dropped: `empty`};

    this.flushCalls();
    this.flushThinking();
    this.item(`user.message`, {content: text, ...attachments.length > 0 ? {attachments} : {}, ...midTurn ? {delivery: `steering`} : {}});
    return reduced;
  }

  private reply({text, message, model}: ReplyRecord): Outcome {
    if (text.trim() === ``)
      return {dropped: `empty`};
    this.flushCalls();
    this.answer({content: text}, groupOf(message), model);
    return [];
  }

  private reasoning({text}: ReasoningRecord): Outcome {
    if (text.trim() === ``)
      return {dropped: `thinking without text`};
    this.flushCalls();
    this.state.thinking = clip(this.state.thinking === null ? text : `${this.state.thinking}\n\n${text}`, SHOWN);
    return [`thinking of another agent is shown, not sent to the model`];
  }

  private call(record: CallRecord): Outcome {
    const elsewhere = this.state.cwd === undefined || this.state.cwd === this.target.cwd ? undefined : this.state.cwd;
    const {request, shell, reduced} = shapeCall(record, elsewhere);
    const text = stringify(request);
    const group = groupOf(record.message);

    const {pending} = this.state;
    if (pending !== null && (pending.group !== group || pending.size + text.length > PENDING))
      this.flushCalls();
    this.state.pending ??= {group, requests: [], size: 0};
    this.state.pending.requests.push(text);
    this.state.pending.size += text.length;
    this.items.push(stringify({group, request}));
    // One that is larger than that alone is not kept waiting either.
    if (this.state.pending.size > PENDING)
      this.flushCalls();

    if (this.state.open.length >= OPEN_CALLS)
      this.state.open.shift();
    this.state.open.push({call: record.call, name: clip(record.name, 100), shell, seq: record.seq});
    return reduced === undefined ? [] : [reduced];
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (!open)
      return {dropped: `its call is not in this history`};

    this.flushCalls();
    this.state.open = this.state.open.filter(other => other !== open);
    const {text, attachments, reduced} = contentOf(record.content, `image in the result of ${open.name}`);
    this.item(`tool.execution_complete`, resultOf(record, text, {toolCallId: apiName(open.call), shell: open.shell}));
    // An image in a result is not sent on resume; Copilot puts a message that stands between results behind them.
    if (attachments.length > 0) {
      this.item(`user.message`, {content: ``, attachments});
      reduced.push(`its images follow it as a message`);
    }
    return open.hidden ? [...reduced, `its call lies before a compaction, which leaves it to the summary`] : reduced;
  }

  /** From here on the model gets the prompts so far as a list, the summary, and what follows: so what is kept is said again. */
  private compaction({summary, trigger, keep = []}: CompactionRecord): Outcome {
    this.flushCalls();
    this.flushThinking();
    this.event(`session.compaction_complete`, {success: true, summaryContent: summary, ...trigger !== undefined ? {trigger: trigger === `manual` ? `manual` : `threshold`} : {}});
    const kept = new Set(keep);
    this.state.open = this.state.open.map(open => kept.has(open.seq) ? open : {...open, hidden: true});

    let missing = 0;
    for (const seq of keep) {
      const items = this.ring.get(seq);
      if (items === undefined)
        missing += 1;
      for (const item of items ?? [])
        this.repeat(JSON.parse(item) as Repeated);
    }
    this.flushCalls();
    return missing === 0 ? [] : [`some of the messages it keeps lie too far back and are left to the summary`];
  }

  private repeat(item: Repeated) {
    if (`type` in item) {
      this.flushCalls();
      this.event(item.type, `messageId` in item.data ? {...item.data, messageId: this.messageId()} : item.data);
      return;
    }
    if (this.state.pending !== null && this.state.pending.group !== item.group)
      this.flushCalls();
    this.state.pending ??= {group: item.group, requests: [], size: 0};
    this.state.pending.requests.push(stringify(item.request));
  }

  private note({visible, text}: NoteRecord): Outcome {
    if (!visible)
      return {dropped: `context that each agent makes for itself`};
    if (text === undefined || text.trim() === ``)
      return {dropped: `empty`};

    this.flushCalls();
    this.flushThinking();
    this.item(`system.notification`, {content: text, kind: {type: `unclassified`}});
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

  /** A message of the model. Copilot makes one of those that follow one another with the same `apiCallId`: a text and its calls. */
  private answer(data: {content: string; toolRequests?: Array<Json>}, group: string | null, model?: string) {
    const body: JsonObject = {messageId: this.messageId(), ...model !== undefined ? {model: clip(model, 200)} : {}, ...data, ...group !== null ? {apiCallId: group} : {}};
    const {thinking} = this.state;
    this.state.thinking = null;
    if (data.toolRequests === undefined)
      this.items.push(stringify({type: `assistant.message`, data: body}));
    this.event(`assistant.message`, thinking === null ? body : {...body, reasoningText: thinking});
  }

  private flushCalls() {
    const {pending} = this.state;
    this.state.pending = null;
    if (pending !== null)
      this.answer({content: ``, toolRequests: pending.requests.map(request => JSON.parse(request) as Json)}, pending.group);
  }

  /** Thinking that no message followed. */
  private flushThinking() {
    const {thinking} = this.state;
    this.state.thinking = null;
    if (thinking !== null)
      this.event(`assistant.reasoning`, {reasoningId: this.messageId(), content: thinking});
  }

  private messageId() {
    return deriveId(`copilot-message`, this.target.id, this.state.events);
  }

  private item(type: string, data: JsonObject) {
    this.items.push(stringify({type, data}));
    this.event(type, data);
  }

  private event(type: string, data: JsonObject) {
    const time = this.state.time ?? createdOf(this.target.header.created);
    this.lines.push(line(this.target.id, this.state.events++, time, type, stringify(data)));
  }

  private take(): string {
    const text = this.lines.join(``);
    this.lines = [];
    return text;
  }
}

/** What a compaction repeats: an event, or a call that is to stand in a message with those beside it. */
type Repeated = {type: string; data: JsonObject} | {group: string | null; request: JsonObject};

function groupOf(message: string | undefined): string | null {
  return message === undefined || message === `` ? null : apiName(message);
}
