import {MISSING_RESULT}        from '../../../interchange/index.ts';
import type {JsonObject}       from '../../../interchange/index.ts';
import {clip}                  from '../text.ts';

import {idOf}                  from './ids.ts';
import {parseLine}             from './lines.ts';
import type {JournalPart, Line} from './lines.ts';
import type {Model}            from './settings.ts';
import type {Variant}          from './variant.ts';

type MessageLine = Line & {type: `message`};
type PartLine = Line & {type: `part`};
type ResultLine = Line & {type: `result`};

type Placed = {message: MessageLine; parts: Array<PartLine>; /** Byte in the journal up to which it was last added to. */ touched: number};

/** A journal as its lines tell it. */
export type Journal = {
  session: Line & {type: `session`};
  messages: Array<Placed>;
  results: Map<string, ResultLine>;
  /** Bytes of whole lines. */
  size: number;
  prompt?: string;
};

/** Null where it does not begin as ours do. Lines that are no lines of ours, or the same once more, are passed over. */
export function readJournal(bytes: Buffer): Journal | null {
  let journal: Journal | null = null;
  const byId = new Map<string, Placed>();
  for (let start = 0, end = bytes.indexOf(10); end !== -1; start = end + 1, end = bytes.indexOf(10, start)) {
    const line = parseLine(bytes.toString(`utf8`, start, end));
    if (journal === null) {
      if (line?.type !== `session`)
        return null;
      journal = {session: line, messages: [], results: new Map(), size: 0};
    } else if (line !== null) {
      add(journal, byId, line, end + 1);
    }
    journal.size = end + 1;
  }
  return journal;
}

function add(journal: Journal, byId: Map<string, Placed>, line: Line, touched: number) {
  switch (line.type) {
    case `message`: {
      if (byId.has(line.id))
        return;
      const placed = {message: line, parts: [], touched};
      journal.messages.push(placed);
      byId.set(line.id, placed);
      return;
    }
    case `part`: {
      const placed = byId.get(line.message);
      if (placed === undefined || byId.has(line.id))
        return;
      placed.parts.push(line);
      placed.touched = touched;
      byId.set(line.id, placed);
      if (journal.prompt === undefined && placed.message.role === `user` && line.part.type === `text` && line.part.synthetic === undefined)
        journal.prompt = line.part.text;
      return;
    }
    case `result`: {
      const placed = byId.get(line.id);
      if (placed !== undefined && !journal.results.has(line.id)) {
        journal.results.set(line.id, line);
        placed.touched = touched;
      }
      return;
    }
    case `keep`:
      journal.messages.push(...copies(journal, line, touched));
  }
}

/** What a compaction keeps stands once more after it: as the agent's own do, in places between two numbers. */
function copies(journal: Journal, {at, time, seqs}: Line & {type: `keep`}, touched: number): Array<Placed> {
  const keep = new Set(seqs);
  const {id: session} = journal.session;
  let index = 0;
  const next = (kind: `msg` | `prt`) => between(idOf(kind, session, at), index++);
  const parent = journal.messages.findLast(({message}) => message.role === `user`)?.message.id;
  return journal.messages.flatMap(({message, parts}) => {
    const kept = parts.filter(({seq, part}) => keep.has(seq) && part.type !== `compaction`);
    if (kept.length === 0 || message.summary)
      return [];
    const id = next(`msg`);
    return [{
      message: {...message, id, time, ...message.role === `assistant` && parent !== undefined ? {parent} : {}},
      parts: kept.map(line => {
        const copy = {...line, id: next(`prt`), message: id, part: line.part.type === `text` && message.role === `user` ? {...line.part, synthetic: true as const} : line.part};
        const result = journal.results.get(line.id);
        if (result !== undefined)
          journal.results.set(copy.id, {...result, id: copy.id});
        return copy;
      }),
      touched,
    }];
  });
}

/** The id with the first characters of its tail replaced by a number, so that ids made of one keep the numbers' order. */
function between(id: string, number: number): string {
  const digits = `0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz`;
  let text = ``;
  for (let rest = number; text.length < 4; rest = Math.floor(rest / 62))
    text = digits[rest % 62] + text;
  return `${id.slice(0, 16)}${text}${id.slice(20)}`;
}

export type ImportOptions = {
  variant: Variant;
  cwd: string;
  title: string;
  model: Model | undefined;
  /** Milliseconds. No time in the file is later: a message from the future makes the agent call its model for ever. */
  now: number;
  updated: number | undefined;
  /** Only what stands after this byte of the journal. */
  from: number;
};

/** Calls that have no result yet. */
export function openCalls({messages, results}: Journal): Array<string> {
  return messages.flatMap(({parts}) => parts.flatMap(({id, part}) => part.type === `tool` && !results.has(id) ? [id] : []));
}

/** The file that `import` takes, in pieces. */
export function * importFile(journal: Journal, options: ImportOptions): Generator<string> {
  const {session} = journal;
  const {cwd, title, model, now, updated, from, variant} = options;
  const created = Math.min(session.created || journal.messages[0]?.message.time || now, now);
  const info = {
    id: session.id, slug: `session-sync`, projectID: `global`, directory: cwd, title, version: variant.proven, agent: variant.profile,
    ...model === undefined ? {} : {model: {id: model.modelID, providerID: model.providerID}},
    metadata: {sessionSync: {agent: session.agent, session: session.session}},
    time: {created, updated: Math.max(created, Math.min(updated ?? journal.messages.at(-1)?.message.time ?? created, now))},
  };
  yield `{"info":${JSON.stringify(info)},"messages":[`;
  let first = true;
  for (const placed of journal.messages) {
    if (placed.touched <= from)
      continue;
    const parts = placed.parts.map(line => partOf(line, placed, journal, now));
    yield `${first ? `` : `,`}${JSON.stringify({info: messageOf(placed, options, session.id), parts})}`;
    first = false;
  }
  yield `]}`;
}

export const NO_MODEL: Model = {providerID: `session-sync`, modelID: `unknown`};

function messageOf({message, parts}: Placed, {variant, cwd, model = NO_MODEL, now}: ImportOptions, sessionID: string): JsonObject {
  const {id, role, summary, parent} = message;
  const created = Math.min(message.time, now);
  if (role === `user`)
    return {id, sessionID, role, time: {created}, agent: variant.profile, model};

  const profile = summary ? `compaction` : variant.profile;
  return {
    id, sessionID, role, time: {created, completed: created}, parentID: parent ?? id, ...model, mode: profile, agent: profile, path: {cwd, root: cwd},
    // Numbers of the source would have the agent compact the history before its first answer.
    cost: 0, tokens: {input: 0, output: 0, reasoning: 0, cache: {read: 0, write: 0}},
    finish: parts.some(({part}) => part.type === `tool`) ? `tool-calls` : `stop`,
    ...summary ? {summary} : {},
  };
}

function partOf({id, part, message: messageID}: PartLine, {message}: Placed, journal: Journal, now: number): JsonObject {
  const time = Math.min(message.time, now);
  const base = {id, sessionID: journal.session.id, messageID};
  switch (part.type) {
    case `text`:
    case `reasoning`:
      return {...base, ...part, ...message.role === `assistant` ? {time: {start: time, end: time}} : {}};
    case `file`:
    case `compaction`:
      return {...base, ...part};
    case `tool`:
      return {...base, type: `tool`, callID: part.callID, tool: part.tool, state: stateOf(part, journal.results.get(id), base, time, now)};
  }
}

function stateOf({tool, input, title}: JournalPart & {type: `tool`}, result: ResultLine | undefined, ids: JsonObject, start: number, now: number): JsonObject {
  const time = {start, end: Math.max(start, Math.min(result?.time ?? start, now))};
  // Not `pending`: nothing runs any more that could complete it.
  if (result === undefined)
    return {status: `error`, input, error: MISSING_RESULT, time};
  if (result.error !== undefined)
    return {status: `error`, input, error: result.error, time};

  const output = result.output ?? ``;
  const attachments = result.files?.map(({id, mime, url}) => ({...ids, id, type: `file`, mime, url}));
  return {
    status: `completed`, input, output, title, time,
    // What the terminal shows of its own tools.
    metadata: {
      truncated: false,
      ...tool === `bash` ? {output: clip(output, 10_000), exit: result.exit ?? null} : {},
      ...tool === `todowrite` && Array.isArray(input.todos) ? {todos: input.todos} : {},
      ...result.diff === undefined ? {} : {diff: result.diff},
    },
    ...attachments === undefined ? {} : {attachments},
  };
}
