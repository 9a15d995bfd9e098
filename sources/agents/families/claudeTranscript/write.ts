import {Fidelity, MISSING_RESULT, deriveId}                                  from '../../../interchange/index.ts';
import type {CallRecord, CompactionRecord, FidelityReport, InterruptRecord}  from '../../../interchange/index.ts';
import type {Json, JsonObject, NeutralRecord, NoteRecord, PromptRecord}      from '../../../interchange/index.ts';
import type {ReasoningRecord, ReplyRecord, ResultRecord, TitleRecord}        from '../../../interchange/index.ts';
import type {RecordWriter, WriterTarget}                                     from '../../types.ts';

import {Chain}                                                               from './chain.ts';
import {compact, contentOf}                                                  from './content.ts';
import {assistantMessage, interruptText, markerLine, summaryText, userMessage} from './lines.ts';
import {isFailure, remember, shownResult}                                    from './shown.ts';
import {initialState, loadState}                                             from './state.ts';
import type {OpenCall, State}                                                from './state.ts';
import {apiName, stringify, titleOf}                                         from './text.ts';
import {shapeCall}                                                           from './tools.ts';

/** Calls that may wait for a result at once; a source with more has lost them. */
const OPEN_CALLS = 256;
const CLOSED_CALLS = 256;
/** Characters of arguments that are remembered for showing results, of one call and of all that are open. */
const SHOWN_INPUT = 8_000;
const SHOWN_INPUTS = 200_000;
const LABEL = 80;
const OWN_TAGS = /<(local-command-[a-z]+|command-[a-z]+|system-reminder)>/;

/** Notes that Claude Code shows as what they are, by their tags (2.1.330); the others are hidden from the person. */
const SHOWN_NOTES = new Set([`shell-mode`, `local-command`]);

/** Who reads the lines. */
export type Dialect = {
  /** Version of the agent that the lines are said to be of. */
  version: string;
  /** Id of the agent whose calls, blocks and notes have this form already. */
  own: string;
  /** What was said while the model worked: as Claude Code's own `queued_command`, or a prompt like any other. */
  midTurn: `queued` | `prompt`;
  /** Begin with a line that says where the session is from, and name its title and its live end. */
  bookkeeping: boolean;
  /**
   * For a reader that knows only prompts, answers and calls (Amp 0.0.1790142911 leaves out what is marked as no prompt, and
   * what stands in tags of Claude Code's own): a compaction is a prompt with its summary, and so is a note.
   */
  plain?: boolean;
};

/** Reasons why a record is not wholly what it was; none when it is. */
type Outcome = Array<string> | {dropped: string};

/**
 * Writes a session as a transcript of Claude Code: one line a block, each the child of the one before. Claude Code's own
 * graph gives its model the same (2.1.330), but loses results in programs that only walk from the end to the root.
 */
export class TranscriptWriter implements RecordWriter {
  private readonly state: State;
  private readonly fidelity: Fidelity;
  private readonly own: boolean;
  private readonly chain: Chain;

  constructor(private readonly target: WriterTarget, private readonly dialect: Dialect, state?: Json) {
    this.state = state === undefined ? initialState(target.header.branch) : loadState(state);
    this.fidelity = new Fidelity(this.state.fidelity);
    this.own = target.header.agent.id === dialect.own;
    this.chain = new Chain(target, dialect, this.state);
  }

  begin() {
    return this.dialect.bookkeeping ? markerLine(this.target) : ``;
  }

  push(record: NeutralRecord): string {
    if (record.time !== undefined)
      this.state.time = record.time;
    if (record.cwd !== undefined)
      this.state.cwd = record.cwd;
    if (record.head?.branch !== undefined)
      this.state.branch = record.head.branch;
    this.settle(record);
    this.chain.begin(record.seq);

    const outcome = this.write(record);
    this.chain.remember(record.seq);
    if (!Array.isArray(outcome))
      this.fidelity.dropped(record, outcome.dropped);
    else if (outcome.length > 0)
      this.fidelity.reduced(record, outcome.join(`; `));
    else if (this.state.settling?.seq !== record.seq)
      this.fidelity.kept();
    return this.chain.flush();
  }

  end(): string {
    this.chain.begin(`end`);
    if (this.state.open.length > 0) {
      this.closeCalls(MISSING_RESULT);
      this.chain.turnEnd();
    }
    return this.chain.flush();
  }

  save(): Json {
    return structuredClone({...this.state, fidelity: this.fidelity.report()}) as unknown as Json;
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
      case `plan`:       return {dropped: `the call that changed the plan has it`};
      case `compaction`: return this.compaction(record);
      case `interrupt`:  return this.interrupt(record);
      case `title`:      return this.named(record);
      case `note`:       return this.note(record);
      case `model`:      return {dropped: `Claude Code goes on with the model of its own settings`};
      case `branch`:
      case `leaf`:       return {dropped: `not part of a linear history`};
    }
  }

  private prompt(record: PromptRecord): Outcome {
    const content = contentOf(record.content, {own: this.own});
    if (content.blocks.length === 0)
      return {dropped: `empty`};

    const {state} = this;
    if (record.midTurn && state.turn) {
      this.interject();
      if (this.dialect.midTurn === `queued`)
        this.chain.add(`attachment`, {attachment: {type: `queued_command`, prompt: compact(content), commandMode: `prompt`, origin: {kind: `human`}, humanTurn: true}});
      else
        this.chain.human(compact(content));
    } else {
      this.closeCalls(MISSING_RESULT);
      state.group = null;
      state.turn = true;
      state.label ??= titleOf(content.text, LABEL) || `[Image]`;
      this.chain.human(compact(content));
      this.chain.turnEnd();
    }
    return content.reduced;
  }

  private reply(record: ReplyRecord): Outcome {
    if (record.text.trim() === ``)
      return {dropped: `empty`};

    const {state} = this;
    const alone = state.open.length === 0;
    // Claude Code shows such an answer and keeps it from the model (2.1.330); it must not share an id with another.
    const failure = record.error === true && alone;
    if (failure)
      state.group = null;
    this.assistant(record, {type: `text`, text: record.text}, {
      stop: record.final ? `end_turn` : null,
      fields: failure ? {isApiErrorMessage: true} : record.partial ? {isAbortedMidStream: true} : {},
    });
    if (failure)
      state.group = null;
    if (record.final && alone) {
      state.group = null;
      state.turn = false;
      this.chain.turnEnd();
    }
    return [];
  }

  /** A signature is only good for the provider that made it; the API refuses thinking with another or none. */
  private reasoning(record: ReasoningRecord): Outcome {
    const {text, signature, provider} = record;
    if (provider !== `anthropic` || signature === undefined || signature === ``)
      return {dropped: `thinking without a signature of this provider, which its model does not take`};

    this.assistant(record, {type: `thinking`, thinking: text, signature}, {stop: null});
    return [];
  }

  private call(record: CallRecord): Outcome {
    const {target: {cwd}, state} = this;
    const {uses, reduced} = shapeCall(record, {cwd, own: this.own, ...state.cwd === undefined || state.cwd === cwd ? {} : {workdir: state.cwd}});
    if (state.open.length >= OPEN_CALLS)
      this.closeCall(state.open[0]!, MISSING_RESULT);

    const open: OpenCall = {call: record.call, kind: record.tool, uses: []};
    let room = SHOWN_INPUTS - state.open.reduce((sum, {uses}) => sum + sizeOf(uses), 0);
    for (const [index, use] of uses.entries()) {
      const id = apiName(index === 0 ? record.call : `${record.call}#${index + 1}`);
      this.assistant(record, {type: `tool_use`, id, name: use.name, input: use.input}, {stop: `tool_use`});
      const shown = remember(use, Math.min(SHOWN_INPUT, room));
      room -= shown === null ? 0 : stringify(shown).length;
      open.uses.push({id, line: state.last!, shown});
    }
    state.open.push(open);
    return reduced === undefined ? [] : [reduced];
  }

  private result(record: ResultRecord): Outcome {
    const {state} = this;
    const open = state.open.find(({call}) => call === record.call);
    if (!open) {
      return {dropped: state.closed.includes(record.call)
        ? `came when its call had been given up`
        : `its call is not in this history`};
    }

    state.open = state.open.filter(other => other !== open);
    const content = contentOf(record.content, {own: this.own});
    const failed = isFailure(record);
    let blocks: Json = content.blocks.length === 0 ? `` : compact(content);
    // Bash says the code of what failed in its first line; what another agent says of it stays below.
    const {exitCode} = record;
    if (open.kind === `shell` && exitCode !== undefined && exitCode !== 0 && !/^Exit code \d/.test(content.text)) {
      const code = `Exit code ${exitCode}`;
      blocks = typeof blocks === `string` ? (blocks === `` ? code : `${code}\n${blocks}`) : [{type: `text`, text: code}, ...blocks as Array<Json>];
    }
    // The API refuses an error that says nothing.
    if (failed && blocks === ``)
      blocks = `Error`;

    for (const use of open.uses)
      this.chain.toolResult(use, blocks, failed, {
        ...shown(shownResult(use.shown, record, content)),
        ...record.denied || record.interrupted ? {toolDenialKind: `user-rejected`, ...record.denied ? {toolDenialBeforeRun: true} : {}} : {},
      });
    if (state.group !== null)
      state.group.answered = true;
    return content.reduced;
  }

  private compaction(record: CompactionRecord): Outcome {
    const {state} = this;
    this.closeCalls(MISSING_RESULT);
    if (this.dialect.plain === true) {
      this.chain.add(`user`, {message: userMessage(summaryText(record.summary))});
      state.group = null;
      this.chain.turnEnd();
      return [`the whole history before it is there as well`];
    }
    const keep: Array<string> = [];
    const missing: Array<number> = [];
    for (const seq of record.keep ?? []) {
      const ids = this.chain.idsOf(seq);
      if (ids === undefined)
        missing.push(seq);
      else
        keep.push(...ids);
    }

    const summary = this.chain.afterNext();
    this.chain.add(`system`, {
      subtype: `compact_boundary`, content: `Conversation compacted`, isMeta: false, level: `info`,
      ...state.last === null ? {} : {logicalParentUuid: state.last},
      compactMetadata: {
        trigger: record.trigger ?? `auto`,
        ...record.tokensBefore === undefined ? {} : {preTokens: record.tokensBefore},
        ...keep.length === 0 ? {} : {
          preservedSegment: {headUuid: keep[0]!, anchorUuid: summary, tailUuid: keep.at(-1)!},
          preservedMessages: {anchorUuid: summary, uuids: keep, allUuids: keep},
        },
      },
    }, null);
    this.chain.add(`user`, {message: userMessage(summaryText(record.summary)), isVisibleInTranscriptOnly: true, isCompactSummary: true});
    state.group = null;
    this.chain.turnEnd();

    if (missing.length > 0)
      state.settling = {seq: record.seq, missing: missing.slice(0, 1_000)};
    return [];
  }

  private interrupt({during, text}: InterruptRecord): Outcome {
    const {state} = this;
    const said = interruptText(during, text);
    this.closeCalls(said);
    this.chain.add(`user`, {message: userMessage([{type: `text`, text: said}])});
    state.group = null;
    state.turn = false;
    this.chain.turnEnd();
    return [];
  }

  private named({title, origin}: TitleRecord): Outcome {
    const custom = origin === `custom`;
    const text = titleOf(title);
    if (text === ``)
      return {dropped: `empty`};
    if (custom || !this.state.title?.custom) {
      this.state.title = {text, custom};
      this.chain.named();
    }
    return [];
  }

  private note({visible, what, text}: NoteRecord): Outcome {
    if (!visible)
      return {dropped: `context that each agent makes for itself`};
    if (text === undefined || text.trim() === ``)
      return {dropped: `empty`};

    if (this.dialect.plain === true && OWN_TAGS.test(text))
      return {dropped: `its importer leaves out what Claude Code says to itself`};

    this.interject();
    // What a hook of Claude Code adds for the model stands in such tags.
    const content = this.own && what.startsWith(`hook_`) ? `<system-reminder>\n${text}\n</system-reminder>` : text;
    this.chain.add(`user`, {message: userMessage(content), ...SHOWN_NOTES.has(what) || this.dialect.plain === true ? {} : {isMeta: true}});
    return [];
  }

  /** One block of an answer. */
  private assistant(record: ReplyRecord | ReasoningRecord | CallRecord, block: JsonObject, {stop, fields = {}}: {stop: string | null; fields?: JsonObject}) {
    const {state} = this;
    if (state.last === null)
      this.chain.add(`user`, {message: userMessage(`(continued from ${this.target.header.agent.id})`), isMeta: true});

    // An answer with calls that wait must not be followed by another one before their results: the API refuses that,
    // and Claude Code 2.1.330 would put an error in the place of each.
    const {group} = state;
    const same = group !== null && (state.open.length > 0 || (record.message === undefined ? group.source === undefined && !group.answered : group.source === shortened(record.message)));
    if (!same) {
      const id = `msg_${deriveId(`message`, this.target.id, record.seq).replaceAll(`-`, ``).slice(0, 24)}`;
      state.group = {id, ...record.message === undefined ? {} : {source: shortened(record.message)}, answered: false};
    }
    this.chain.add(`assistant`, {message: assistantMessage(state.group!.id, block, stop), ...fields});
    state.turn = true;
  }

  /** Something is said beside an answer. Results may still follow: Claude Code puts them before it (2.1.330). */
  private interject() {
    if (this.state.group !== null && this.state.open.length === 0)
      this.state.group.answered = true;
  }

  private closeCalls(text: string) {
    for (const open of [...this.state.open])
      this.closeCall(open, text);
  }

  private closeCall(open: OpenCall, text: string) {
    const {state} = this;
    for (const use of open.uses)
      this.chain.toolResult(use, text, true, {toolUseResult: `Error: ${text}`});
    this.chain.restart();
    state.open = state.open.filter(other => other !== open);
    state.closed = [...state.closed, open.call].slice(-CLOSED_CALLS);
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

function shown(value: Json | undefined): JsonObject {
  return value === undefined ? {} : {toolUseResult: value};
}

function sizeOf(uses: OpenCall[`uses`]) {
  return uses.reduce((sum, {shown}) => sum + (shown === null ? 0 : stringify(shown).length), 0);
}

/** Ids of a source's answers stand in bounded state. */
function shortened(id: string) {
  return id.length <= 64 ? id : deriveId(`message`, id);
}
