import type {CallRecord, Json, JsonObject, NeutralRecord, Part, ResultRecord, Unplaced} from '../../interchange/index.ts';
import {isObject, isoTime, numberAt, objectAt, shortKey, stringAt}      from '../values.ts';
import {Recorder}                                                       from '../families/recorder.ts';
import type {Origin}                                                    from '../families/recorder.ts';
import {NeedsFullRead}                                                  from '../types.ts';
import type {ReaderFacts, RecordReader, SessionFile, SourceLine}        from '../types.ts';

import {Assets, Points}                                                 from './memory.ts';
import {imageOf, resultFields}                                          from './results.ts';
import {REWOUND}                                                        from './stream.ts';
import {Surroundings}                                                   from './surroundings.ts';
import {toolOf}                                                         from './tools.ts';

/** To be raised whenever the same lines give other records, or the state another shape. */
const VERSION = 1;
/** Prompts that a compaction repeats; sub-agents and shell commands that wait for what belongs to them. */
const MOST_PROMPTS = 500;
const MOST_WAITING = 100;
/** What Copilot tells its model of a call that was cut off (1.0.102). */
const INTERRUPTED = `The execution of this tool, or a previous tool was interrupted.`;

type State = {
  v: number;
  recorder: Json;
  surroundings: Json;
  assets: Json;
  points: Json;
  /** `seq` of the newest record of the branch that lives. */
  tip: number;
  model: string | null;
  title: string | null;
  ended: boolean;
  prompts: Array<number>;
  /** First record after a compaction has begun in the background: what comes until it is done is kept. */
  compacting: number | null;
  agents: Array<[call: string, agent: string]>;
  commands: Array<[call: string, command: string]>;
};

/** See `SourceAdapter.openReader`. With a `state` of another version, the reader's first `push` asks for a full read. */
export function openReader(file: Pick<SessionFile, `name` | `stream`>, state?: Json, {unbounded = false}: {unbounded?: boolean} = {}): RecordReader {
  const saved = state as unknown as State | undefined | null;
  if (saved && saved.v !== VERSION)
    return {
      push() {
        throw new NeedsFullRead(`The reader's state is of another version`);
      },
      save: () => state!,
      facts: () => ({counts: {}, ignored: {}, repairs: [], idle: false}),
    };
  return new Reader(file.stream !== undefined && file.stream !== `main`, unbounded, saved ?? undefined);
}

class Reader implements RecordReader {
  private readonly recorder: Recorder;
  private readonly surroundings: Surroundings;
  private readonly assets: Assets;
  private readonly points: Points;
  private readonly state: Omit<State, `v` | `recorder` | `surroundings` | `assets` | `points`>;

  constructor(private readonly sub: boolean, unbounded: boolean, saved?: State) {
    const {recorder, surroundings, assets, points, v: _, ...state} = structuredClone(saved) ?? {} as Partial<State>;
    this.recorder = new Recorder(recorder as never);
    this.surroundings = new Surroundings(surroundings as never);
    this.assets = new Assets(unbounded, assets as never);
    this.points = new Points(unbounded, points as never);
    this.state = {tip: -1, model: null, title: null, ended: false, prompts: [], compacting: null, agents: [], commands: [], ...state};
  }

  push(line: SourceLine): Array<NeutralRecord> {
    const {value} = line;
    if (!isObject(value)) {
      // Copilot skips blank and broken lines as well.
      if (value !== undefined || line.length > line.text.length + 2 || line.text.trim() !== ``)
        this.recorder.repair(`bad-line`, `A line that is no JSON object was left out`, line.offset);
      return [];
    }

    // What a sub-agent did stands between the lines of the conversation; its own stream has it.
    const type = stringAt(value, `type`);
    if (!this.sub && typeof value.agentId === `string` && type?.startsWith(`subagent.`) !== true) {
      this.recorder.ignore(`sub-agent`);
      return [];
    }

    const id = stringAt(value, `id`);
    const time = isoTime(value.timestamp);
    const origin: Origin = {...id === undefined ? {} : {id}, ...time === undefined ? {} : {time}};
    this.assets.next();
    if (id !== undefined && type !== REWOUND)
      this.points.add(id, this.state.tip);
    this.event(type, objectAt(value, `data`) ?? {}, origin, line.offset, value);
    return this.recorder.take();
  }

  save(): Json {
    const state: State = {
      v: VERSION, recorder: this.recorder.save() as unknown as Json, surroundings: this.surroundings.save() as unknown as Json,
      assets: this.assets.save(), points: this.points.save(), ...structuredClone(this.state),
    };
    return state as unknown as Json;
  }

  facts(): ReaderFacts {
    const {title, model, ended} = this.state;
    return {
      ...this.recorder.facts(),
      ...this.surroundings.facts(),
      ...title === null ? {} : {title},
      ...model === null ? {} : {model},
      idle: ended && !this.recorder.hasOpenCalls,
    };
  }

  private event(type: string | undefined, data: JsonObject, origin: Origin, at: number, value: JsonObject) {
    switch (type) {
      case `session.start`:
      case `session.resume`:
      case `session.context_changed`:
        this.surroundings.see(data);
        break;
      case `session.model_change`: this.model(stringAt(data, `newModel`), origin); break;
      case `session.title_changed`: this.title(stringAt(data, `title`), origin); break;
      case `session.binary_asset`: this.assets.add(data); break;
      case `session.compaction_start`: this.state.compacting = this.recorder.seq; break;
      case `session.compaction_complete`: this.compaction(data, origin); break;
      case `session.context_cleared`: this.branch(-1, `cleared`); break;
      case `session.error`: this.emit({kind: `note`, what: `error`, bytes: JSON.stringify(data).length}, origin); break;
      case REWOUND: this.rewind(data, at); break;
      case `user.message`: this.user(data, origin); break;
      case `assistant.message`: this.assistant(data, origin, at); break;
      case `assistant.turn_start`: this.state.ended = false; break;
      case `tool.user_requested`: this.command(data); break;
      case `tool.execution_complete`: this.result(data, origin, at); break;
      case `system.notification`: this.note(`notification/${shortKey(stringAt(objectAt(data, `kind`), `type`) ?? `unknown`)}`, stringAt(data, `content`), origin); break;
      case `skill.context_delivered`: this.note(`skill`, stringAt(data, `content`), origin); break;
      case `subagent.started`: this.subAgent(data, stringAt(value, `agentId`)); break;
      case `abort`: {
        const during = this.recorder.hasOpenCalls ? `tool` : `reply`;
        this.heal(origin);
        this.emit({kind: `interrupt`, during}, origin);
        this.state.ended = true;
        break;
      }
      default:
        this.recorder.ignore(type);
    }
  }

  private user(data: JsonObject, origin: Origin) {
    const text = stringAt(data, `content`) ?? ``;
    const content: Array<Part> = text === `` ? [] : [{type: `text`, text}];
    for (const item of Array.isArray(data.attachments) ? data.attachments : [])
      if (isObject(item))
        content.push(this.attachment(item));
    if (content.length === 0) {
      this.recorder.ignore(`user.message/empty`);
      return;
    }

    const source = stringAt(data, `source`);
    if (!this.sub && (source !== undefined && source !== `user` || data.isAutopilotContinuation === true)) {
      this.note(shortKey(source ?? `autopilot`), text, origin);
      return;
    }

    const midTurn = data.delivery === `steering` && !this.state.ended;
    if (!midTurn)
      this.heal(origin);
    const seq = this.emit({kind: `prompt`, content, ...midTurn ? {midTurn} : {}}, origin);
    this.state.prompts = [...this.state.prompts, seq].slice(-MOST_PROMPTS);
    this.state.ended = false;
  }

  private attachment(item: JsonObject): Part {
    const type = stringAt(item, `type`) ?? `unknown`;
    const image = (stringAt(item, `mimeType`) ?? ``).startsWith(`image/`) && (item.data !== undefined || item.assetId !== undefined);
    return image ? imageOf(item, id => this.assets.get(id)) : {type: `other`, name: `attachment/${shortKey(type)}`, value: item};
  }

  private assistant(data: JsonObject, origin: Origin, at: number) {
    const native = stringAt(data, `apiCallId`) || stringAt(data, `messageId`);
    const model = stringAt(data, `model`);
    this.model(model, origin);
    const message = native === undefined ? {} : {message: shortKey(native)};
    const group = {...message, ...model === undefined ? {} : {model: shortKey(model, 200)}};

    const requests = (Array.isArray(data.toolRequests) ? data.toolRequests : []).filter(isObject);
    const reasoning = stringAt(data, `reasoningText`);
    if (reasoning)
      this.emit({kind: `reasoning`, text: reasoning, ...message}, origin);

    const text = stringAt(data, `content`);
    const more = (numberAt(data, `chunkIndex`) ?? 0) + 1 < (numberAt(data, `chunkCount`) ?? 0);
    const final = requests.length === 0 && !more;
    if (text)
      this.emit({kind: `reply`, text, ...group, ...final ? {final} : {}}, origin);
    this.state.ended = final;

    for (const request of requests) {
      const name = stringAt(request, `name`) || `unknown`;
      const call = this.recorder.open(request.toolCallId, name, at);
      const input = request.arguments ?? null;
      this.emit({kind: `call`, call, name, ...group, ...toolOf(name, input, request), input} as Unplaced<CallRecord>, origin);
    }
  }

  private result(data: JsonObject, origin: Origin, at: number) {
    if (data.isUserRequested === true) {
      this.shellMode(data, origin);
      return;
    }
    const open = this.recorder.answer(data.toolCallId, at);
    if (open === null)
      return;
    const agent = take(this.state.agents, shortKey(String(data.toolCallId)));
    this.emit({
      kind: `result`, call: open.call, ...resultFields(data, id => this.assets.get(id)), ...agent === undefined ? {} : {stream: `sub-${agent}`},
    } as Unplaced<ResultRecord>, origin);
  }

  /** The text that Copilot gives its model for a command that the person ran with `!` (1.0.102). */
  private shellMode(data: JsonObject, origin: Origin) {
    const command = take(this.state.commands, shortKey(String(data.toolCallId))) ?? ``;
    const {exitCode, content} = resultFields(data, () => null);
    const [part] = content;
    const output = part?.type === `text` ? part.text : ``;
    this.note(`shell-mode`, `<user_shell_command_output>\nThe user executed a shell command directly in their terminal${exitCode === undefined ? `` : ` (exit code ${exitCode})`}.\n\nCommand:\n${command}\n\nOutput:\n${output}\n</user_shell_command_output>`, origin);
  }

  private command(data: JsonObject) {
    const command = stringAt(objectAt(data, `arguments`), `command`);
    if (command !== undefined)
      remember(this.state.commands, shortKey(String(data.toolCallId)), command.slice(0, 10_000));
  }

  private subAgent(data: JsonObject, agent: string | undefined) {
    if (agent !== undefined && /^[A-Za-z0-9][A-Za-z0-9-]{0,39}$/.test(agent))
      remember(this.state.agents, shortKey(String(data.toolCallId)), agent);
  }

  private note(what: string, text: string | undefined, origin: Origin) {
    if (text)
      this.emit({kind: `note`, what, visible: true, text}, origin);
  }

  private model(model: string | undefined, origin: Origin) {
    if (model === undefined || model === `` || model === this.state.model || model.length > 200)
      return;
    this.state.model = model;
    this.emit({kind: `model`, model}, origin);
  }

  private title(title: string | undefined, origin: Origin) {
    const text = title?.trim().slice(0, 300);
    if (!text || text === this.state.title)
      return;
    this.state.title = text;
    this.emit({kind: `title`, title: text, origin: `generated`}, origin);
  }

  /** The model sees the person's prompts once more, the summary, and what came while it was made (1.0.102). */
  private compaction(data: JsonObject, origin: Origin) {
    const {compacting, prompts} = this.state;
    this.state.compacting = null;
    const summary = stringAt(data, `summaryContent`);
    if (data.success !== true || summary === undefined)
      return;

    const {seq} = this.recorder;
    const between = compacting === null || seq - compacting > MOST_PROMPTS ? [] : Array.from({length: seq - compacting}, (_, index) => compacting + index);
    const keep = [...new Set([...prompts, ...between])].sort((a, b) => a - b);
    const trigger = stringAt(data, `trigger`);
    const tokens = numberAt(data, `preCompactionTokens`);
    this.emit({
      kind: `compaction`, summary,
      ...trigger === undefined ? {} : {trigger: trigger === `manual` ? `manual` : `auto`},
      ...keep.length === 0 ? {} : {keep},
      ...tokens !== undefined && Number.isSafeInteger(tokens) ? {tokensBefore: tokens} : {},
    }, origin);
  }

  private rewind(data: JsonObject, at: number) {
    const tip = this.points.get(stringAt(data, `upTo`) ?? ``);
    if (tip === undefined)
      this.recorder.repair(`unknown-rewind`, `A rewind to a line that is not there was left out`, at);
    else
      this.branch(tip, `rewound`);
  }

  private branch(parent: number, reason: string) {
    this.recorder.abandonCalls();
    this.state.compacting = null;
    this.state.prompts = this.state.prompts.filter(seq => seq <= parent);
    this.state.ended = true;
    this.state.tip = this.recorder.emit({kind: `branch`, parent, reason});
  }

  private heal(origin: Origin) {
    const before = this.recorder.seq;
    this.recorder.healAll(origin.time === undefined ? {} : {time: origin.time}, INTERRUPTED);
    if (this.recorder.seq > before)
      this.state.tip = this.recorder.seq - 1;
  }

  private emit(record: Unplaced, origin: Origin): number {
    this.state.tip = this.recorder.emit({...record, ...this.surroundings.changed()}, origin);
    return this.state.tip;
  }
}

function remember(list: Array<[string, string]>, key: string, value: string) {
  list.push([key, value]);
  if (list.length > MOST_WAITING)
    list.shift();
}

function take(list: Array<[string, string]>, key: string): string | undefined {
  const index = list.findIndex(([one]) => one === key);
  return index === -1 ? undefined : list.splice(index, 1)[0]![1];
}
