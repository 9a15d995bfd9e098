import type {CallRecord, Json, JsonObject, NeutralRecord, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {NeedsFullRead}                                                            from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine}                  from '../types.ts';

import {classify, partsOf, renderedText, textOf}                                  from './content.ts';
import {Plans}                                                                    from './plans.ts';
import type {PlansState}                                                          from './plans.ts';
import {resultFields}                                                             from './results.ts';
import {Stream}                                                                   from './stream.ts';
import type {Place, StreamState}                                                  from './stream.ts';
import {Titles}                                                                   from './titles.ts';
import type {TitlesState}                                                         from './titles.ts';
import {toolOf}                                                                   from '../families/claudeTools.ts';
import {isObject, objectAt, shortKey, stringAt}                                   from '../values.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
const NOTHING: Array<NeutralRecord> = [];
/** Longer call ids would fill the state. */
const LONGEST_ID = 100;

type ReaderState = {v: number; stream: StreamState; plans: PlansState; titles: TitlesState; ended: boolean};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  const reader = new Reader(file.stream !== undefined && file.stream !== `main`, unbounded);
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

/** What each kind of line means; where its records go is the stream's business. */
class Reader implements RecordReader {
  private readonly stream: Stream;
  private readonly plans = new Plans();
  private readonly titles = new Titles();
  private ended = false;

  constructor(private readonly sub: boolean, unbounded: boolean) {
    this.stream = new Stream(unbounded);
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      // Blank lines are skipped by Claude Code too.
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.stream.ledger.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return NOTHING;
    }

    switch (value.type) {
      case `user`:
      case `assistant`:
      case `system`:
      case `attachment`:
        this.chain(value, line);
        break;
      case `last-prompt`:
        this.stream.ledger.ignore(`last-prompt`);
        if (this.stream.leaves.see(value))
          this.stream.settleLeaf();
        break;
      case `custom-title`:
      case `ai-title`:
      case `summary`:
        this.title(value);
        break;
      default:
        if (typeof value.uuid === `string` && (typeof value.parentUuid === `string` || value.parentUuid === null))
          this.chain(value, line);
        else
          this.stream.ledger.ignore(typeof value.type === `string` ? value.type : `untyped`);
    }
    return this.stream.take();
  }

  facts(): ReaderFacts {
    const {calls, ledger, said, tip} = this.stream;
    return {
      ...ledger.read(),
      ...this.titles.current === null ? {} : {title: this.titles.current},
      ...said.model === null ? {} : {model: said.model},
      idle: this.ended && !calls.hasOpen(tip.root),
    };
  }

  save(): Json {
    const state: ReaderState = {v: VERSION, stream: this.stream.save(), plans: this.plans.save(), titles: this.titles.save(), ended: this.ended};
    return state as unknown as Json;
  }

  /** False: it cannot be used. */
  restore(saved: Json): boolean {
    const state = saved as unknown as ReaderState;
    if (state.v !== VERSION)
      return false;

    try {
      this.stream.restore(state.stream);
      this.plans.restore(state.plans);
      this.titles.restore(state.titles);
      this.ended = state.ended;
      return true;
    } catch {
      return false;
    }
  }

  private chain(value: JsonObject, line: SourceLine) {
    const {ledger, tree} = this.stream;
    // Up to 2.0 sub-agents wrote into the main file; nothing of theirs is needed to go on.
    if (value.isSidechain === true && !this.sub) {
      ledger.ignore(`sidechain`);
      return;
    }

    const id = typeof value.uuid === `string` && value.uuid !== `` ? value.uuid : undefined;
    if (id !== undefined && tree.recent(id) !== undefined) {
      ledger.repair(`duplicate-line`, `A line whose uuid was there before was left out`, line.offset);
      return;
    }

    const place = this.stream.begin(value, line, id);
    if (value.type === `user`)
      this.user(place);
    else if (value.type === `assistant`)
      this.assistant(place);
    else if (value.type === `system`)
      this.system(place);
    else if (value.type === `attachment`)
      this.attachment(place);
    else if (value.type === `progress`)
      this.stream.ignore(place, `progress`);
    else
      this.stream.note(place, shortKey(String(value.type)));
  }

  private user(place: Place) {
    const {value} = place;
    const content = objectAt(value, `message`)?.content;
    if (typeof content !== `string` && !Array.isArray(content)) {
      this.stream.ledger.repair(`bad-message`, `A user line without content was left out`, place.line.offset);
      this.stream.ignore(place, `user/empty`);
      return;
    }

    const results = Array.isArray(content) ? content.filter(isResult) : [];
    if (results.length > 0) {
      this.results(place, results, results.length === 1 ? value.toolUseResult : undefined);
      const rest = (content as Array<Json>).filter(block => !isResult(block));
      // The line's node leads to its results; what was said beside them follows from there.
      if (rest.length > 0)
        this.userText({...place, value: {...value, parentUuid: value.uuid ?? value.parentUuid ?? null}}, rest);
      return;
    }

    if (value.isCompactSummary !== true || !this.stream.endCompaction(place, textOf(partsOf(content))))
      this.userText(place, content);
  }

  private userText(place: Place, content: Json) {
    const {stream} = this;
    const parts = partsOf(content);
    if (parts.length === 0) {
      stream.ignore(place, `user/empty`);
      return;
    }

    const text = textOf(parts);
    const kind = classify(place.value, text);
    if (kind.kind === `note` && !kind.visible) {
      stream.note(place, kind.what);
      return;
    }

    stream.follow(place, kind.kind === `prompt` ? `edited prompt` : `other branch`);
    if (kind.kind === `prompt`)
      stream.heal(place);
    stream.newBatch();

    let at: number;
    if (kind.kind === `prompt`) {
      at = stream.own(place, {kind: `prompt`, content: parts});
      this.ended = false;
    } else if (kind.kind === `interrupt`) {
      at = stream.own(place, {kind: `interrupt`, during: kind.during, text});
      this.ended = true;
    } else {
      at = stream.own(place, {kind: `note`, what: kind.what, visible: true, text});
    }
    stream.node(place, at, at);
  }

  private results(place: Place, blocks: Array<JsonObject>, detail: Json | undefined) {
    const {stream} = this;
    const {calls} = stream;
    const first = blocks.map(block => calls.waiting(callId(block.tool_use_id))).find(open => open !== undefined);
    if (first === undefined) {
      for (const block of blocks)
        this.lostResult(place, block);
      stream.ignore(place, `user/lost-result`);
      return;
    }

    stream.follow(place, `other branch`, {open: first});
    const from = stream.seq;
    let at = from;
    for (const block of blocks) {
      const open = calls.waiting(callId(block.tool_use_id));
      if (open === undefined) {
        this.lostResult(place, block);
        continue;
      }

      at = stream.own(place, {kind: `result`, call: open.call, ...resultFields(open.name, block, detail, place.value)} as Unplaced<ResultRecord>);
      calls.close(open, at, false);
      const plan = block.is_error === true ? undefined : this.plans.after(open.plan, open.name, detail);
      if (plan !== undefined)
        at = stream.own(place, {kind: `plan`, ...plan});
      open.batch.core = open.batch.last = at;
    }
    stream.node(place, from, at);
    this.ended = false;
  }

  private lostResult({line}: Place, block: JsonObject) {
    const {calls, ledger} = this.stream;
    const closed = calls.answered(callId(block.tool_use_id));
    if (closed?.healed)
      ledger.repair(`late-result`, `A result came after its call had been given an empty one`, line.offset);
    else if (closed)
      ledger.repair(`second-result`, `A second result of one call was left out`, line.offset);
    else
      ledger.repair(`result-without-call`, `A result without its call was left out`, line.offset);
  }

  private assistant(place: Place) {
    const {stream} = this;
    const message = objectAt(place.value, `message`);
    const content = message?.content;
    const blocks: Array<Json> | undefined = typeof content === `string` ? [{type: `text`, text: content}] : Array.isArray(content) ? content : undefined;
    if (message === undefined || blocks === undefined || blocks.length === 0) {
      stream.ignore(place, `assistant/empty`);
      return;
    }

    const nativeId = stringAt(message, `id`);
    const id = nativeId === undefined ? undefined : shortKey(nativeId);
    stream.follow(place, `other branch`, id === undefined ? {} : {message: id});
    if (id === undefined || stream.tip.root.message !== id) {
      stream.heal(place);
      stream.newBatch(id);
    }

    const model = stringAt(message, `model`);
    if (model !== undefined && model !== `<synthetic>` && model !== stream.said.model && model.length <= 200) {
      stream.said.model = model;
      stream.tip.last = stream.emit({kind: `model`, model}, place);
    }

    const group = {...id === undefined ? {} : {message: id}, ...model === undefined ? {} : {model}};
    const from = stream.seq;
    for (const block of blocks)
      if (isObject(block))
        this.block(place, message, group, block);

    const {tip} = stream;
    const none = stream.seq === from;
    // After a note in the middle of an answer the tip is the note's batch, the answer's its root.
    if (!none)
      tip.root.last = tip.root.core = tip.last;
    stream.node(place, none ? -1 : from, tip.last);
  }

  private block(place: Place, message: JsonObject, group: {message?: string; model?: string}, block: JsonObject) {
    const {stream} = this;
    const {value} = place;

    if (block.type === `text` && typeof block.text === `string`) {
      // Claude Code drops empty texts as well.
      if (block.text === ``)
        return;
      const stop = message.stop_reason;
      const error = value.isApiErrorMessage === true;
      const final = stop === `end_turn` || stop === `stop_sequence`;
      // Versions that did not write `apiBlockIndex` yet had null on every block but the last.
      const partial = value.isAbortedMidStream === true || (stop === null && value.apiBlockIndex !== undefined);
      this.ended = final || error;
      stream.own(place, {
        kind: `reply`, text: block.text, ...group,
        ...final ? {final} : {}, ...partial ? {partial} : {}, ...error ? {error} : {},
      });
    } else if (block.type === `thinking` && typeof block.thinking === `string`) {
      stream.own(place, {
        kind: `reasoning`, text: block.thinking,
        ...group.message === undefined ? {} : {message: group.message},
        ...typeof block.signature === `string` ? {signature: block.signature} : {},
        provider: `anthropic`,
      });
    } else if (block.type === `tool_use`) {
      this.call(place, group, block);
    } else {
      stream.ledger.ignore(`assistant/${typeof block.type === `string` ? block.type : `unknown`}`);
    }
  }

  private call(place: Place, group: {message?: string; model?: string}, block: JsonObject) {
    const {stream} = this;
    const {calls} = stream;
    if (calls.isFull()) {
      const oldest = calls.openIn(stream.tip.root)[0];
      if (oldest !== undefined)
        stream.healOne(oldest, place);
      else
        calls.forgetOldest();
    }

    const native = typeof block.id === `string` && block.id !== `` ? callId(block.id) : `call-${stream.seq}`;
    const call = calls.unique(native);
    if (call !== native)
      stream.ledger.repair(`duplicate-call`, `A call whose id was there before got another one`, place.line.offset);

    const name = stringAt(block, `name`) || `unknown`;
    const input = block.input ?? null;
    const seq = stream.own(place, {kind: `call`, call, name, ...group, ...toolOf(name, input), input} as Unplaced<CallRecord>);
    const plan = this.plans.inputOf(name, input);
    calls.add({call, name: name.slice(0, 100), seq, batch: stream.tip.root, ...plan === undefined ? {} : {plan}});
    this.ended = false;
  }

  private system(place: Place) {
    const {stream} = this;
    const {value} = place;
    const subtype = stringAt(value, `subtype`) ?? `unknown`;

    if (subtype === `compact_boundary`) {
      stream.beginCompaction(place);
      return;
    }

    if (subtype === `turn_duration` || subtype === `stop_hook_summary`) {
      this.ended = true;
      stream.ignore(place, `system/${subtype}`);
      return;
    }

    // The same text as in `user` lines of other commands, and sent to the model all the same (2.1.330).
    const text = stringAt(value, `content`);
    if (subtype === `local_command` && text) {
      stream.follow(place, `other branch`);
      stream.newBatch();
      const at = stream.own(place, {kind: `note`, what: `local-command`, visible: true, text});
      stream.node(place, at, at);
    } else {
      stream.note(place, `system/${shortKey(subtype)}`);
    }
  }

  private attachment(place: Place) {
    const {stream} = this;
    const {value} = place;
    const attachment = objectAt(value, `attachment`);
    const type = stringAt(attachment, `type`) ?? `unknown`;

    const queued = type === `queued_command` ? partsOf(attachment!.prompt) : [];
    if (queued.length > 0) {
      const mode = stringAt(attachment, `commandMode`) ?? `prompt`;
      stream.aside(place, mode === `prompt`
        ? {kind: `prompt`, content: queued, midTurn: true}
        : {kind: `note`, what: shortKey(mode), visible: true, text: renderedText(value) || textOf(queued)});
      return;
    }

    // What a hook printed is shown to the model for some events only; `rendered` tells.
    const shown = type.startsWith(`hook_`) ? renderedText(value) : ``;
    if (shown !== ``)
      stream.aside(place, {kind: `note`, what: shortKey(type), visible: true, text: shown});
    else
      stream.note(place, shortKey(type));
  }

  private title(value: JsonObject) {
    const {stream} = this;
    const title = this.titles.see(value, uuid => stream.tree.recent(uuid) !== undefined);
    if (title === undefined)
      stream.ledger.ignore(String(value.type));
    else
      stream.emit({kind: `title`, ...title}, undefined);
  }
}

function isResult(block: Json): block is JsonObject {
  return isObject(block) && block.type === `tool_result`;
}

function callId(id: Json | undefined) {
  return typeof id === `string` ? shortKey(id, LONGEST_ID) : ``;
}
