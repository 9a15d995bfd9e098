import {Fidelity, deriveId}                                                  from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord}  from '../../interchange/index.ts';
import type {Json, NeutralRecord, NoteRecord, Part, PromptRecord}            from '../../interchange/index.ts';
import type {ReasoningRecord, ReplyRecord, ResultRecord, TitleRecord}        from '../../interchange/index.ts';
import {Ring}                                                                from '../families/ring.ts';
import {clip, stringify}                                                     from '../families/text.ts';
import type {RecordWriter, WriterTarget}                                     from '../types.ts';

import {keptMessages}                                                        from './kept.ts';
import {metadataLine, outputOf, promptPieces, summaryText, titleOf}          from './lines.ts';
import type {Piece}                                                          from './lines.ts';
import {createdOf}                                                           from './places.ts';
import {loadState}                                                           from './state.ts';
import type {Group, ModelLine, OpenCall, State}                              from './state.ts';
import {shapeCall}                                                           from './tools.ts';

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;
/** A message of the model above this is not written again. */
const REWRITTEN = 64 << 10;
/** Nor above this, when only its picture in the terminal would be better for it. */
const REDRAWN = 6_000;
/** How much of an output the terminal shows. */
const SHOWN = 2_000;

/** The value by which Gemini itself says that a call came from elsewhere (0.61.0). */
const SIGNATURE = `skip_thought_signature_validator`;

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as Gemini CLI keeps it, with calls and results as parts of messages: the one form that survives being
 * resumed again and again. Neighbours of one role become one message on the way to the model, and a line with a known id
 * takes the place of the earlier one; both together make a file that only grows.
 */
export class GeminiWriter implements RecordWriter {
  private readonly state: State;
  private readonly ring: Ring;
  private readonly fidelity: Fidelity;

  private lines: Array<string> = [];
  /** Messages of the record at hand, each as if it stood alone. */
  private items: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.ring = new Ring(this.state.ring);
    this.fidelity = new Fidelity(this.state.fidelity);
  }

  begin() {
    return metadataLine(this.target);
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.time = record.time;
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
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.titled(record);
      case `note`:       return this.note(record);
      case `plan`:       return {dropped: `stands in the call that made it`};
      case `model`:      return {dropped: `Gemini goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {pieces, reduced} = promptPieces(record.content);
    if (pieces.length === 0)
      return {dropped: `empty`};

    if (!record.midTurn)
      this.closeCalls();
    this.message(record, `user`, pieces);
    this.nameAfter(record.content);
    return reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};
    return this.model(record, [{text: record.text}]);
  }

  /** Gemini takes no thinking back, not even its own: it only shows it. */
  private reasoning(record: ReasoningRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `thinking without text`};
    if (this.state.group?.answered && this.waiting().length > 0)
      return {dropped: `thinking between the results of parallel calls`};

    const timestamp = this.time();
    this.line({id: this.id(record.seq), timestamp, type: `gemini`, content: ``, thoughts: [{subject: ``, description: record.text, timestamp}]});
    return [`thinking of another agent is shown, not sent to the model`];
  }

  private call(record: CallRecord): Outcome {
    const {name, args, shown} = shapeCall(record);
    if (this.state.open.length >= OPEN_CALLS)
      this.closeCall(this.state.open[0]!);

    const piece: Piece = {functionCall: {id: record.call, name, args}};
    const drawn = {id: `ui-${record.call}`, name, ...shown, status: `success`, timestamp: this.time(), resultDisplay: ``};
    const outcome = this.model(record, [piece], drawn);
    this.state.open.push({call: record.call, name, seq: record.seq});
    return outcome;
  }

  /** Something that the model said. While results of its calls are still to come it stands beside the calls, before them. */
  private model(record: ReplyRecord | CallRecord, content: Array<Piece>, drawn?: {[key: string]: Json}): Outcome {
    const {message, model} = record;
    let {group} = this.state;
    if (group?.answered) {
      if (message !== undefined && group.message !== undefined && message !== group.message)
        this.closeCalls();
      if (this.waiting().length === 0)
        group = null;
    }

    const signed = drawn === undefined ? content : [{...content[0]!, thoughtSignature: SIGNATURE}];
    const line: ModelLine = {
      id: this.id(record.seq), timestamp: this.time(), ...model !== undefined ? {model: clip(model, 200)} : {},
      content: group === null ? signed : content, toolCalls: drawn ? [drawn] : [],
    };
    // A compaction may keep it without what stands before it.
    this.items.push(drawLine({...line, content: signed}));

    if (group?.answered) {
      const last = group.last ? group.lines.at(-1) : undefined;
      if (last === undefined) {
        this.lines.push(`${drawLine(line)}\n`);
        return [`stands between the results of parallel calls`];
      }
      last.content.push(...content);
      last.toolCalls.push(...line.toolCalls);
      this.rewrite(group, last);
      return [];
    }

    const text = drawLine(line);
    this.lines.push(`${text}\n`);
    // Only calls have results to wait for.
    if (drawn !== undefined)
      group ??= {answered: false, lines: [], last: false, ...message !== undefined ? {message} : {}};
    this.state.group = group;
    if (group !== null) {
      group.last = text.length <= REWRITTEN;
      if (group.last)
        group.lines = bounded([...group.lines, line]);
    }
    return [];
  }

  private rewrite(group: Group, line: ModelLine) {
    const text = drawLine(line);
    this.lines.push(`${text}\n`);
    if (text.length > REWRITTEN)
      group.last = false;
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (open === undefined || open.hidden)
      return this.lateResult(record, open);

    const {text, images, reduced} = outputOf(record);
    this.state.open = this.state.open.filter(other => other !== open);
    this.draw(open, text, record.error === true);
    this.respond(this.id(record.seq), open, record.error ? {error: text} : {output: text}, images);
    return reduced;
  }

  /** The API refuses a result whose call is not right before it. */
  private lateResult(record: ResultRecord, open: OpenCall | undefined): Outcome {
    const name = open?.name ?? this.state.closed.find(([call]) => call === record.call)?.[1];
    if (name === undefined)
      return {dropped: `its call is not in this history`};

    this.state.open = this.state.open.filter(other => other !== open);
    this.state.closed = this.state.closed.filter(([call]) => call !== record.call);
    const {text, images, reduced} = outputOf(record);
    this.message(record, `user`, [{text: `[Result of ${name}, which came later]\n${text}`}, ...images]);
    return [...reduced, open === undefined ? `came when its call had been given up, written as text` : `its call lies before a compaction, written as text`];
  }

  private respond(id: string, {call, name}: OpenCall, response: {[key: string]: Json}, images: Array<Piece> = []) {
    if (this.state.group)
      this.state.group.answered = true;
    const text = this.line({
      id, timestamp: this.time(), type: `user`,
      content: [{functionResponse: {id: call, name, response}}, ...images],
      // Shown with the call; a text without anything to see keeps it from being shown twice.
      displayContent: [{text: ` `}],
    });
    this.items.push(text);
  }

  /** The call once more with what it gave back, where that is cheap; the model gets it from the response. */
  private draw({call}: OpenCall, text: string, failed: boolean) {
    const line = this.state.group?.lines.find(({toolCalls}) => toolCalls.some(({id}) => id === `ui-${call}`));
    const drawn = line?.toolCalls.find(({id}) => id === `ui-${call}`);
    if (line === undefined || drawn === undefined)
      return;

    drawn.status = failed ? `error` : `success`;
    drawn.resultDisplay = clip(text, SHOWN);
    const again = drawLine(line);
    if (again.length <= REDRAWN)
      this.lines.push(`${again}\n`);
  }

  /** From here on the model gets the summary, the records that were kept, and what follows; as Gemini does it itself. */
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

    const {messages, waiting, answered} = keptMessages(kept, new Set(this.waiting().map(({call}) => call)));
    this.state.open = this.state.open.map(open => waiting.has(open.call) ? open : {...open, hidden: true});
    this.state.group = waiting.size === 0 ? null : {answered, lines: [], last: false};

    const summary = stringify({id: this.id(record.seq), timestamp: this.time(), type: `user`, content: [{text: summaryText(record.summary)}]});
    this.lines.push(`{"$set":{"messages":[${[summary, ...messages].join(`,`)}]}}\n`);
    if (missing.length > 0)
      this.state.settling = {seq: record.seq, missing: missing.slice(0, 1_000)};
    return [];
  }

  private interrupt(record: InterruptRecord): Outcome {
    const text = record.text?.trim() ? record.text : `[Request interrupted by user]`;
    this.message(record, `user`, promptPieces([{type: `text`, text}]).pieces);
    return [];
  }

  private titled({title, origin}: TitleRecord): Outcome {
    const custom = origin === `custom`;
    const text = titleOf(title);
    if (text === ``)
      return {dropped: `empty`};
    if (!custom && this.state.title?.custom)
      return [];

    this.state.title = {text, custom};
    this.name(text);
    return [];
  }

  private note(record: NoteRecord): Outcome {
    if (!record.visible)
      return {dropped: `context that each agent makes for itself`};

    const {pieces} = promptPieces([{type: `text`, text: record.text ?? ``}]);
    if (pieces.length === 0)
      return {dropped: `empty`};
    this.message(record, `user`, pieces);
    return [];
  }

  /** Gemini would show the first prompt itself, but only its ASCII characters. */
  private nameAfter(content: Array<Part>) {
    if (this.state.named)
      return;
    const text = titleOf(content.flatMap(part => part.type === `text` ? [part.text] : []).join(` `).slice(0, 1_000));
    if (text !== ``)
      this.name(text);
  }

  private name(summary: string) {
    this.state.named = true;
    this.line({$set: {summary}});
  }

  /** Calls whose results can still be put in their place. */
  private waiting() {
    return this.state.open.filter(({hidden}) => !hidden);
  }

  private closeCalls() {
    for (const open of [...this.state.open])
      this.closeCall(open);
    this.state.group = null;
  }

  private closeCall(open: OpenCall) {
    if (!open.hidden)
      this.respond(deriveId(`gemini-closed`, this.target.id, open.seq, open.call), open, {error: `interrupted`});
    this.state.open = this.state.open.filter(other => other !== open);
    this.state.closed = [...this.state.closed, [open.call, open.name] as [string, string]].slice(-CLOSED_CALLS);
  }

  private message({seq}: NeutralRecord, type: `user`, content: Array<Piece>) {
    if (this.waiting().length === 0)
      this.state.group = null;
    this.items.push(this.line({id: this.id(seq), timestamp: this.time(), type, content}));
  }

  private line(value: {[key: string]: unknown}): string {
    const text = stringify(value);
    this.lines.push(`${text}\n`);
    return text;
  }

  private id(seq: number) {
    return deriveId(`gemini-line`, this.target.id, seq);
  }

  private time() {
    return this.state.time ?? createdOf(this.target.header.created);
  }

  private flush(): string {
    const text = this.lines.join(``);
    this.lines = [];
    return text;
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

/** A message with calls: what the terminal shows of its content is its text alone. */
function drawLine({id, timestamp, model, content, toolCalls}: ModelLine): string {
  const text = content.flatMap(piece => typeof piece.text === `string` ? [piece.text] : []).join(`\n`);
  return stringify({
    id, timestamp, type: `gemini`, ...model !== undefined ? {model} : {}, content,
    ...toolCalls.length > 0 ? {displayContent: [{text: text === `` ? ` ` : text}], toolCalls} : {},
  });
}

/** The last ones, as many as may stand in the state. */
function bounded(lines: Array<ModelLine>) {
  let size = 0;
  const from = lines.findLastIndex(line => (size += drawLine(line).length) > 2 * REWRITTEN);
  return lines.slice(Math.min(from + 1, lines.length - 1));
}

function settleIn(fidelity: Fidelity, {seq, missing}: NonNullable<State[`settling`]>) {
  if (missing.length === 0)
    fidelity.kept();
  else
    fidelity.reduced({kind: `compaction`, seq}, `some of the messages it keeps lie too far back and are left to the summary`);
}
