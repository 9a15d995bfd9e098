import {deriveId}                from '../../interchange/index.ts';
import type {JsonObject}         from '../../interchange/index.ts';
import {createdOf}               from '../values.ts';
import {stringify}               from '../families/text.ts';
import type {WriterTarget}       from '../types.ts';

import {PROVEN}                  from './detect.ts';
import type {State}              from './state.ts';

/**
 * The title is looked for in the last 64 KB of a file, then in the first (0.24.4). Qwen Code itself repeats it after half
 * of that; counted in characters here, of which one may take three bytes.
 */
const TITLE_EVERY = 16 << 10;

type Type = `user` | `assistant` | `tool_result` | `system`;

const PROVENANCE: {[type in Type]: string} = {user: `real_user`, assistant: `assistant_output`, tool_result: `tool_result`, system: `system`};

/** The lines of a session, each linked to the one before it: one wrong link, and the model gets only what follows. */
export class Chain {
  private text = ``;

  constructor(private readonly target: WriterTarget, private readonly state: State) {}

  /** Adds a record at the end. */
  add(type: Type, more: JsonObject) {
    if (this.state.answer !== null)
      this.state.answer.over = true;
    this.append(type, more);
  }

  /** What the model says from here on is a new answer, whatever is open. */
  cut() {
    this.state.answer = null;
  }

  /**
   * Adds a part to the model's answer, or begins one. As long as calls of it are open, what it says belongs to it: their
   * results must follow it at once, or Qwen Code takes them for lost. `open`: calls without a result. Returns the part as
   * it was written.
   */
  answer(part: JsonObject, call: string | undefined, open: Set<string>): JsonObject {
    const {state} = this;
    const last = state.answer;
    const joins = last !== null && (!last.over || last.calls.some(one => open.has(one)));
    const answer = joins ? last : {uuid: this.nextId(), parent: state.tail, calls: [], text: false, over: false};

    const isText = typeof part.text === `string` && part.thought !== true;
    // Texts of one answer are sent one after the other with nothing between.
    const written = isText && answer.text ? {...part, text: `\n\n${part.text as string}`} : part;
    const behind = joins && state.tail !== answer.uuid;
    const tail = state.tail;

    this.line(`assistant`, answer.uuid, answer.parent, {message: {role: `model`, parts: [written]}});
    state.answer = {...answer, text: answer.text || isText, calls: call === undefined ? answer.calls : [...answer.calls.filter(one => open.has(one)), call]};
    state.tail = behind ? tail : answer.uuid;
    // The last line of a file is the end of the conversation: it must not be one that stands before the results.
    if (behind)
      this.append(`system`, {});
    return written;
  }

  /** Says the session's title, so that lists find it. */
  title() {
    const {title} = this.state;
    if (title === undefined)
      return;
    this.append(`system`, {subtype: `custom_title`, systemPayload: {customTitle: title.text, titleSource: title.custom ? `manual` : `auto`}});
    this.state.sinceTitle = 0;
  }

  /** The lines since the last call. */
  take(): string {
    if (this.state.sinceTitle >= TITLE_EVERY)
      this.title();
    const {text} = this;
    this.text = ``;
    return text;
  }

  private append(type: Type, more: JsonObject) {
    const {state} = this;
    const uuid = this.nextId();
    this.line(type, uuid, state.tail, more);
    state.tail = uuid;
  }

  private nextId() {
    return deriveId(`qwen`, this.target.id, this.state.lines);
  }

  private line(type: Type, uuid: string, parentUuid: string | null, more: JsonObject) {
    const {header, id, cwd} = this.target;
    const {state} = this;
    const provenance = more.subtype === `notification` ? `system` : PROVENANCE[type];
    const line = `${stringify({
      uuid, parentUuid, sessionId: id, timestamp: state.time ?? createdOf(header.created), type, provenance, cwd, version: PROVEN,
      ...header.branch === undefined ? {} : {gitBranch: header.branch},
      ...more,
    })}\n`;
    this.text += line;
    state.lines += 1;
    state.sinceTitle += line.length;
  }
}
