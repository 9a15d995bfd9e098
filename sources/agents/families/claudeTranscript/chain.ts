import {deriveId}                      from '../../../interchange/index.ts';
import type {Json, JsonObject}         from '../../../interchange/index.ts';
import type {WriterTarget}             from '../../types.ts';

import {chainFields, line, timeOf, userMessage} from './lines.ts';
import type {State}                    from './state.ts';

/** Records back that a compaction can keep. */
const RING = 1_000;

/** The lines of a transcript, each the child of the one before. Their ids say of which record they are, and which part of it. */
export class Chain {
  private lines: Array<string> = [];
  private seq: number | `end` = -1;
  private part = 0;
  /** First of the lines that this record became; those before it belong to calls that were closed for it. */
  private from: number | undefined;

  constructor(private readonly target: WriterTarget, private readonly dialect: {version: string; bookkeeping: boolean}, private readonly state: State) {}

  /** What follows is of this record. */
  begin(seq: number | `end`) {
    this.seq = seq;
    this.part = 0;
    this.from = undefined;
  }

  /** What was added so far belongs to an earlier record. */
  restart() {
    this.from = undefined;
  }

  add(type: string, fields: JsonObject, parent: string | null = this.state.last) {
    const {state} = this;
    this.from ??= this.part;
    const uuid = this.uuid(this.seq, this.part++);
    this.lines.push(line({
      parentUuid: parent, isSidechain: false, type, uuid, ...fields,
      ...chainFields({target: this.target, version: this.dialect.version, time: timeOf(state.time, this.target.header), branch: state.branch}),
    }));
    state.last = uuid;
  }

  human(content: Json) {
    this.add(`user`, {message: userMessage(content), origin: {kind: `human`}, promptSource: `typed`});
  }

  toolResult({id, line}: {id: string; line: string}, content: Json, failed: boolean, fields: JsonObject) {
    this.add(`user`, {
      message: userMessage([{type: `tool_result`, tool_use_id: id, content, ...failed ? {is_error: true} : {}}]),
      ...fields, sourceToolAssistantUUID: line,
    });
  }

  /** Id of the line after the next one. */
  afterNext() {
    return this.uuid(this.seq, this.part + 1);
  }

  /** A record without lines is remembered as well: it is not missing. */
  remember(seq: number) {
    const {ring} = this.state;
    ring.push([seq, this.from ?? this.part, this.part]);
    if (ring.length > RING)
      ring.shift();
  }

  /** Ids of the lines that a record became; undefined where it lies too far back. */
  idsOf(seq: number): Array<string> | undefined {
    const entry = this.state.ring.find(([known]) => known === seq);
    if (entry === undefined)
      return undefined;
    const [, from, to] = entry;
    return Array.from({length: to - from}, (_, index) => this.uuid(seq, from + index));
  }

  /** The session has another title. */
  named() {
    if (this.dialect.bookkeeping)
      this.lines.push(this.titleLine());
  }

  /**
   * The list reads a title only at the begin and the end of a file; and which end of the conversation is the live one
   * must be said again, in case the agent named another when it looked at the session and closed it (2.1.330).
   */
  turnEnd() {
    if (!this.dialect.bookkeeping || this.state.last === null)
      return;
    this.lines.push(this.titleLine(), line({type: `last-prompt`, leafUuid: this.state.last, sessionId: this.target.id}));
  }

  /** The lines since the last flush. */
  flush(): string {
    const text = this.lines.join(``);
    this.lines = [];
    return text;
  }

  /** `ai-title`, so that a name that the person gives it in Claude Code counts for more. */
  private titleLine() {
    const {title, label} = this.state;
    return line({type: `ai-title`, aiTitle: title?.text ?? label ?? `(continued from ${this.target.header.agent.id})`, sessionId: this.target.id});
  }

  private uuid(seq: number | `end`, part: number) {
    return deriveId(`line`, this.target.id, seq, part);
  }
}
