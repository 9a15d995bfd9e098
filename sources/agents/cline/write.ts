import {Fidelity}                                              from '../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord, Json, JsonObject} from '../../interchange/index.ts';
import type {NeutralRecord, NoteRecord, Part, PromptRecord, ReplyRecord, ResultRecord, TitleRecord} from '../../interchange/index.ts';
import {cutMiddle, stringify, titleOf}                                               from '../families/text.ts';
import {createdOf}                                             from '../values.ts';
import {apiName}                                               from '../families/names.ts';
import type {RecordWriter, WriterTarget}                       from '../types.ts';

import {loadState}                                             from './state.ts';
import type {OpenCall, State}                                  from './state.ts';
import {nativeCall}                                            from './tools.ts';

/** Characters of one output; Cline 3.0.65 has no limit of its own for what stands in a document. */
const OUTPUT_LIMIT = 100_000;
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;
const IMAGES = new Set([`image/png`, `image/jpeg`, `image/gif`, `image/webp`]);

type Outcome = Array<string> | {dropped: string};

/**
 * Writes the journal that Cline's documents are made from (see `render`), a block a line:
 * `{"round","at","seq","time","block"}`, `at` one of `prompt`, `say`, `result`, `after`; and `{"compaction","keep"}`.
 */
export class ClineWriter implements RecordWriter {
  private readonly state: State;
  private readonly fidelity: Fidelity;
  private lines: Array<string> = [];

  constructor(private readonly target: WriterTarget, state?: Json) {
    this.state = loadState(state);
    this.fidelity = new Fidelity(this.state.fidelity);
  }

  begin() {
    return `${stringify({type: `session`, id: this.target.id, cwd: this.target.cwd, created: createdOf(this.target.header.created)})}\n`;
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined && !Number.isNaN(Date.parse(record.time)))
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
    return this.flush();
  }

  end(): string {
    this.closeCalls();
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
      case `plan`:       return {dropped: `Cline has no plan beside the conversation`};
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `model`:      return {dropped: `Cline goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const {blocks, reduced} = blocksOf(record.content);
    if (blocks.every(block => block.type === `text` && String(block.text).trim() === ``))
      return {dropped: `empty`};
    if (record.midTurn !== true)
      this.closeCalls();
    this.user(record.seq, blocks.map(block => block.type === `text` ? {...block, text: `<user_input mode="act">${String(block.text)}</user_input>`} : block));
    return reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};
    this.say(record.seq, record.message, {type: `text`, text: record.text});
    return [];
  }

  private call(record: CallRecord): Outcome {
    if (this.state.open.length >= OPEN_CALLS)
      this.closeCall(this.state.open[0]!);
    const {cwd} = this.state;
    const away = record.tool === `shell` && record.args.workdir === undefined && cwd !== undefined && cwd !== this.target.cwd;
    const {name, input} = nativeCall(away ? {...record, args: {...record.args, workdir: cwd}} as CallRecord : record);
    this.say(record.seq, record.message, {type: `tool_use`, id: apiName(record.call), name: apiName(name), input});
    this.state.open.push({call: record.call, round: this.state.round, name: apiName(name)});
    return [];
  }

  private result(record: ResultRecord): Outcome {
    const open = this.state.open.find(({call}) => call === record.call);
    if (open === undefined)
      return {dropped: this.state.closed.includes(record.call) ? `came when its call had been given up` : `its call is not in this history`};
    const {blocks, reduced} = blocksOf(record.content);
    const whole = blocks.flatMap(block => block.type === `text` ? [String(block.text)] : []).join(`\n`);
    const text = whole.length <= OUTPUT_LIMIT ? whole : cutMiddle(whole, OUTPUT_LIMIT, left => `\n[… session-sync cut out ${left} bytes here …]\n`);
    if (text !== whole)
      reduced.push(`output above ${OUTPUT_LIMIT} characters, cut in its middle`);
    const images = blocks.filter(block => block.type === `image`);
    this.answer(open, record.seq, images.length === 0 ? text : [...text === `` ? [] : [{type: `text`, text}], ...images], record.error === true);
    return reduced;
  }

  private compaction(record: CompactionRecord): Outcome {
    this.closeCalls();
    this.lines.push(`${stringify({compaction: record.summary, keep: record.keep ?? [], round: ++this.state.round, seq: record.seq, time: this.time()})}\n`);
    this.state.has = {say: false, results: false, after: true};
    return [`Cline has no compaction: the messages before it are left out there`];
  }

  private interrupt(record: InterruptRecord): Outcome {
    this.closeCalls();
    this.user(record.seq, [{type: `text`, text: record.text ?? `[Request interrupted by user]`}]);
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
    this.user(record.seq, [{type: `text`, text: record.text}]);
    return [];
  }

  /** What the model is told beside results: behind those of the calls that still wait. */
  private user(seq: number, blocks: Array<JsonObject>) {
    const {state} = this;
    if (state.open.length === 0 && (state.has.say || state.has.results || state.has.after))
      this.nextRound();
    const at = state.open.length > 0 ? `after` : `prompt`;
    for (const block of blocks)
      this.line(at, seq, block);
    if (at === `after`)
      state.has.after = true;
  }

  private say(seq: number, message: string | undefined, block: JsonObject) {
    const {has, open} = this.state;
    const same = has.say && message !== undefined && message === has.message && !has.results;
    if (open.length === 0 && (has.say && !same || has.results || has.after))
      this.nextRound();
    this.state.has.say = true;
    if (message !== undefined)
      this.state.has.message = message;
    this.line(`say`, seq, block);
  }

  private nextRound() {
    this.state.round++;
    this.state.has = {say: false, results: false, after: false};
  }

  private closeCalls() {
    for (const open of [...this.state.open])
      this.closeCall(open);
  }

  private closeCall(open: OpenCall) {
    this.answer(open, -1, `aborted`, true);
    this.state.closed = [...this.state.closed, open.call].slice(-CLOSED_CALLS);
  }

  private answer(open: OpenCall, seq: number, content: Json, error: boolean) {
    this.state.open = this.state.open.filter(other => other !== open);
    this.state.has.results = true;
    // Without the tool's name the next prompt fails (3.0.65).
    this.line(`result`, seq, {type: `tool_result`, tool_use_id: apiName(open.call), name: open.name, content, ...error ? {is_error: true} : {}}, open.round);
  }

  private line(at: `prompt` | `say` | `result` | `after`, seq: number, block: JsonObject, round = this.state.round) {
    this.lines.push(`${stringify({round, at, seq, time: this.time(), block})}\n`);
  }

  private time() {
    return Date.parse(this.state.time ?? createdOf(this.target.header.created));
  }

  private flush(): string {
    const text = this.lines.join(``);
    this.lines = [];
    return text;
  }
}

function blocksOf(parts: Array<Part>): {blocks: Array<JsonObject>; reduced: Array<string>} {
  const blocks: Array<JsonObject> = [];
  const reduced = new Set<string>();
  for (const part of parts) {
    if (part.type === `image` && part.data !== undefined && IMAGES.has(part.mediaType)) {
      blocks.push({type: `image`, data: part.data, mediaType: part.mediaType});
    } else if (part.type === `image`) {
      reduced.add(part.data === undefined ? `image not at hand, named only` : `image of a kind that models do not take, named only`);
      blocks.push({type: `text`, text: `[image: ${part.mediaType}${part.bytes === undefined ? `` : `, ${part.bytes} bytes`}; not carried over]`});
    } else if (part.type === `other`) {
      reduced.add(`content of another kind, written as text`);
      blocks.push({type: `text`, text: `[${part.name}] ${stringify(part.value)}`});
    } else if (part.type === `text` && part.text !== ``) {
      blocks.push({type: `text`, text: part.text});
    }
  }
  return {blocks, reduced: [...reduced]};
}
