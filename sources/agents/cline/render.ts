import {deriveId}              from '../../interchange/index.ts';
import type {Json, JsonObject} from '../../interchange/index.ts';
import {isObject, numberAt, stringAt} from '../values.ts';

type Line = {round: number; at: string; seq: number; time: number; block: JsonObject};
export type Rendered = {id: string; cwd: string; created: string; messages: Array<JsonObject>; prompt: string};

const SUMMARY = `The conversation before this was compacted. This is its summary; go on from it.\n`;

/** The messages of Cline's document, from the lines of our journal. Every call has its result, right behind the answer that made it. */
export function render(journal: string): Rendered {
  let head: JsonObject = {};
  let lines: Array<Line> = [];
  for (const text of journal.split(`\n`)) {
    if (text === ``)
      continue;
    const value = JSON.parse(text) as Json;
    if (!isObject(value))
      continue;
    if (value.type === `session`)
      head = value;
    else if (typeof value.compaction === `string`)
      lines = compacted(lines, value);
    else if (isObject(value.block))
      lines.push(value as unknown as Line);
  }

  const id = stringAt(head, `id`) ?? ``;
  const messages = messagesOf(id, lines);
  const first = lines.find(line => line.at === `prompt` && line.block.type === `text`);
  return {id, cwd: stringAt(head, `cwd`) ?? ``, created: stringAt(head, `created`) ?? ``, messages, prompt: String(first?.block.text ?? ``).replace(/<\/?user_input[^>]*>/g, ``)};
}

/** Kept blocks stand behind the summary; a call or result that lost its other half goes. */
function compacted(lines: Array<Line>, value: JsonObject): Array<Line> {
  const keep = new Set(Array.isArray(value.keep) ? value.keep : []);
  const kept = lines.filter(line => keep.has(line.seq));
  const calls = new Set(kept.flatMap(({block}) => block.type === `tool_use` ? [block.id] : []));
  const summary: Line = {
    round: -1, at: `prompt`, seq: numberAt(value, `seq`) ?? 0, time: numberAt(value, `time`) ?? 0, block: {type: `text`, text: `${SUMMARY}${String(value.compaction)}`},
  };
  return [summary, ...kept.filter(({block}) => block.type !== `tool_result` || calls.has(block.tool_use_id!))];
}

function messagesOf(id: string, lines: Array<Line>): Array<JsonObject> {
  const rounds = new Map<number, Array<Line>>();
  for (const line of lines)
    rounds.set(line.round, [...rounds.get(line.round) ?? [], line]);

  const messages: Array<JsonObject> = [];
  const add = (role: string, some: Array<Line>) => {
    if (some.length > 0)
      messages.push({id: deriveId(`message`, id, role, some[0]!.seq, some[0]!.round, messages.length), role, content: some.map(({block}) => block), ts: some[0]!.time});
  };
  for (const round of rounds.values()) {
    const said = round.filter(({at}) => at === `say`);
    const results = round.filter(({at}) => at === `result`);
    const answered = new Set(results.map(({block}) => block.tool_use_id));
    const open = said.filter(({block}) => block.type === `tool_use` && !answered.has(block.id!));
    add(`user`, round.filter(({at}) => at === `prompt`));
    add(`assistant`, said);
    for (const result of results)
      add(`user`, [result]);
    for (const {block, ...line} of open)
      add(`user`, [{...line, block: {type: `tool_result`, tool_use_id: block.id!, name: block.name!, content: `[No result was recorded for this call.]`, is_error: true}}]);
    add(`user`, round.filter(({at}) => at === `after`));
  }
  return messages;
}
