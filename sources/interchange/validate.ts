import * as t                            from 'typanion';

import type {Json, NeutralRecord, Repair} from './types.ts';

const opt = t.isOptional;
const str = t.isString();
const int = t.cascade(t.isNumber(), t.isInteger());
const bool = t.isBoolean();

const isPart = t.isOneOf([
  t.isPartial({type: t.isLiteral(`text`), text: str}),
  t.isPartial({type: t.isLiteral(`image`), mediaType: str, data: opt(str), attachment: opt(t.cascade(str, t.matchesRegExp(/^[0-9a-f]{64}$/))), bytes: opt(int)}),
  t.isPartial({type: t.isLiteral(`other`), name: str}),
]);
const isPlanItem = t.isPartial({step: str, status: t.isEnum([`pending`, `in_progress`, `completed`])});
const isPatch = t.isPartial({path: str, change: t.isEnum([`add`, `update`, `delete`]), diff: opt(str), content: opt(str)});

const base = {
  seq: int,
  parent: opt(int),
  id: opt(str),
  time: opt(t.cascade(str, t.matchesRegExp(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/))),
  head: opt(t.isPartial({branch: opt(str), commit: opt(str)})),
  cwd: opt(str),
};

const args = {
  shell: t.isPartial({command: str, workdir: opt(str)}),
  read: t.isPartial({path: str}),
  edit: t.isPartial({path: str, edits: t.isArray(t.isPartial({old: str, new: str, all: opt(bool)}))}),
  write: t.isPartial({path: str, content: str}),
  search: t.isPartial({pattern: str, path: opt(str), glob: opt(str), mode: t.isEnum([`content`, `files`])}),
  fetch: t.isPartial({url: opt(str), query: opt(str), prompt: opt(str)}),
  plan: t.isPartial({items: opt(t.isArray(isPlanItem)), text: opt(str)}),
  agent: t.isPartial({prompt: str, description: opt(str), role: opt(str)}),
  mcp: t.isPartial({server: str, tool: str}),
};

const kinds: {[kind: string]: t.AnyStrictValidator} = {
  prompt: t.isPartial({...base, content: t.isArray(isPart), midTurn: opt(bool)}),
  reply: t.isPartial({...base, text: str, message: opt(str), model: opt(str), final: opt(bool), partial: opt(bool), error: opt(bool)}),
  reasoning: t.isPartial({...base, text: str, message: opt(str), signature: opt(str), provider: opt(str)}),
  call: t.isPartial({...base, call: str, name: str, message: opt(str), model: opt(str), tool: str}),
  result: t.isPartial({
    ...base, call: str, content: t.isArray(isPart), error: opt(bool), exitCode: opt(int), interrupted: opt(bool), denied: opt(bool), healed: opt(bool),
    full: opt(t.isPartial({path: str, bytes: opt(int)})), patch: opt(t.isArray(isPatch)), stream: opt(str),
  }),
  plan: t.isPartial({...base, items: opt(t.isArray(isPlanItem)), text: opt(str)}),
  compaction: t.isPartial({...base, summary: str, keep: opt(t.isArray(int))}),
  branch: t.isPartial({...base, reason: opt(str)}),
  leaf: t.isPartial({...base, at: int, exact: opt(bool)}),
  interrupt: t.isPartial({...base, during: t.isEnum([`reply`, `tool`]), text: opt(str)}),
  title: t.isPartial({...base, title: str, origin: t.isEnum([`custom`, `generated`])}),
  model: t.isPartial({...base, model: str}),
  note: t.isPartial({...base, what: str, visible: opt(bool), text: opt(str), bytes: opt(int)}),
};

/**
 * A record out of a store that somebody else may have written, checked at place `seq`. `null`: not a record that can be
 * used, with the reason. Never throws.
 */
export function validateRecord(value: Json | undefined, seq: number): {record: NeutralRecord} | {record: null; reason: string} {
  if (value === null || typeof value !== `object` || Array.isArray(value))
    return {record: null, reason: `not an object`};

  const kind = value.kind;
  const check = typeof kind === `string` && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (check === undefined)
    return {record: null, reason: `unknown kind`};

  const errors: Array<string> = [];
  if (!check(value, {errors}))
    return {record: null, reason: errors[0]?.trim() ?? `wrong shape`};

  const record = value as unknown as NeutralRecord;
  if (record.seq !== seq)
    return {record: null, reason: `out of order`};
  if (record.parent !== undefined && (record.parent >= seq || record.parent < -1))
    return {record: null, reason: `its parent comes later`};

  // Arguments of a shape that its kind does not have are still native arguments.
  if (record.kind === `call`) {
    const validator = Object.hasOwn(args, record.tool) ? args[record.tool as keyof typeof args] : undefined;
    if (validator ? !validator(record.args) : record.tool !== `ask` && record.tool !== `other`)
      return {record: {...record, tool: `other`, args: undefined} as NeutralRecord};
  }
  return {record};
}

/** A record that keeps the place of one that could not be used, so that the numbers of the others stay right. */
export function placeholder(seq: number, reason: string): NeutralRecord {
  return {seq, kind: `note`, what: `unreadable: ${reason.slice(0, 200)}`};
}

/** Folds repairs of one code into one with a count, so that a broken file does not make an endless list. */
export function foldRepairs(repairs: Array<Repair>): Array<Repair> {
  const folded = new Map<string, Repair>();
  for (const repair of repairs) {
    const known = folded.get(repair.code);
    if (known)
      known.count = (known.count ?? 1) + (repair.count ?? 1);
    else
      folded.set(repair.code, {...repair, count: repair.count ?? 1});
  }
  return [...folded.values()];
}
