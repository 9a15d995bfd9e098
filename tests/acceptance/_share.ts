import {linearize, sinceCompaction}   from '../../sources/interchange/index.ts';
import type {NeutralRecord}           from '../../sources/interchange/index.ts';

import type {Heard}                   from './_heard.ts';

export type Counted = `prompts` | `texts` | `calls` | `results`;
/** How many of a session's prompts, texts, calls and results a model was told, of how many; and in words what it was not. */
export type Share = {[kind in Counted]: {told: number; of: number}} & {missing: Array<string>};

export type CallRecord = NeutralRecord & {kind: `call`};

/** Tools whose success each agent reports in its own words; that there is a result at all is what counts then. */
export const OWN_WORDS: ReadonlySet<string> = new Set([`edit`, `write`, `plan`]);

/**
 * How much of a session reached a model: everything since its last compaction, in order and once. Prompts and texts by
 * their words (an agent may add its own around them), calls by every string in their arguments, results line by line.
 */
export function share(records: Array<NeutralRecord>, heard: Array<Heard>): Share {
  const result: Share = {prompts: {told: 0, of: 0}, texts: {told: 0, of: 0}, calls: {told: 0, of: 0}, results: {told: 0, of: 0}, missing: []};
  const used = new Set<Heard>();
  const calls = new Map<string, {call: CallRecord; place: number; id: string; others?: Array<string>}>();
  let at = 0;

  const find = (from: number, matches: (item: Heard) => boolean) => heard.findIndex((item, index) => index >= from && !used.has(item) && matches(item));
  /** Some agents know no call with several edits, and get one for each. */
  const takeEdit = (record: CallRecord & {tool: `edit`}, edit: {old: string; new: string}, from: number): Heard & {kind: `call`} | null => {
    const index = find(Math.max(0, from - 8), item => item.kind === `call` && sameCall({...record, args: {path: record.args.path, edits: [edit]}}, item));
    if (index === -1)
      return null;
    used.add(heard[index]!);
    return heard[index] as Heard & {kind: `call`};
  };
  const count = (kind: Counted, found: boolean, what: string) => {
    result[kind].of += 1;
    if (found)
      result[kind].told += 1;
    else
      result.missing.push(what);
  };
  const text = (kind: Counted, value: string, in_: ReadonlyArray<Heard[`kind`]>) => {
    const wanted = plain(value);
    if (wanted === ``)
      return;
    // Several prompts that follow one another may have become one message: it is searched, but not used up.
    const index = heard.findIndex((item, place) => place >= Math.max(0, at - 1) && in_.includes(item.kind) && `text` in item && plain(item.text).includes(wanted));
    if (index !== -1)
      at = Math.max(at, index + 1);
    count(kind, index !== -1, `${kind} ${excerpt(wanted)}`);
  };

  for (const record of sinceCompaction(linearize(records))) {
    switch (record.kind) {
      case `compaction`: text(`prompts`, record.summary, [`prompt`, `reply`]); break;
      case `prompt`:
        for (const part of record.content)
          if (part.type === `text`)
            text(`prompts`, part.text, [`prompt`]);
        break;
      case `note`:
        if (record.visible === true && record.text !== undefined)
          text(`prompts`, record.text, [`prompt`]);
        break;
      case `reply`: text(`texts`, record.text, [`reply`]); break;
      case `call`: {
        // Calls that were asked for at once may come in another order.
        const index = find(Math.max(0, at - 8), item => item.kind === `call` && sameCall(record, item));
        const several = index === -1 && record.tool === `edit` ? record.args.edits.map(edit => takeEdit(record, edit, at)) : [];
        if (several.length > 1 && several.every(one => one !== null)) {
          count(`calls`, true, ``);
          calls.set(record.call, {call: record, place: heard.indexOf(several[0]!), id: several[0]!.id, others: several.slice(1).map(one => one!.id)});
          at = Math.max(at, heard.indexOf(several.at(-1)!) + 1);
          break;
        }
        count(`calls`, index !== -1, `call ${record.name} ${excerpt(JSON.stringify(record.args ?? record.input))}`);
        if (index !== -1) {
          used.add(heard[index]!);
          calls.set(record.call, {call: record, place: index, id: (heard[index] as Heard & {kind: `call`}).id});
          at = Math.max(at, index + 1);
        }
        break;
      }
      case `result`: {
        const asked = calls.get(record.call);
        const index = asked === undefined ? -1 : find(asked.place + 1, item => item.kind === `result` && item.id === asked.id);
        const found = heard[index] as Heard & {kind: `result`} | undefined;
        const told = found !== undefined && (record.error !== true && OWN_WORDS.has(asked!.call.tool) || sameOutput(record, found.text));
        count(`results`, told, `result of ${asked?.call.name ?? record.call}: ${excerpt(textOf(record))}${found === undefined ? `` : ` reads ${excerpt(found.text)}`}`);
        if (found !== undefined)
          used.add(found);
        for (const item of heard)
          if (item.kind === `result` && asked?.others?.includes(item.id))
            used.add(item);
        break;
      }
    }
  }
  const doubled = heard.filter(item => (item.kind === `call` || item.kind === `result`) && !used.has(item));
  if (doubled.length > 0 && result.missing.length === 0)
    result.missing.push(...doubled.map(item => `told, and not in the session: ${excerpt(JSON.stringify(item))}`));
  return result;
}

/** `100` or the share in per cent, rounded down so that 100 means all. */
export function percent({told, of}: {told: number; of: number}): number {
  return of === 0 ? 100 : Math.floor(100 * told / of);
}

export function sameCall(record: CallRecord, item: Heard & {kind: `call`}): boolean {
  const there = strings(item.input).join(`\n`);
  const wanted = record.args === undefined ? strings(record.input) : argumentsOf(record);
  return wanted.flatMap(value => value.split(`\n`)).every(line => {
    const clean = line.trim();
    // A path may be named relative to the project, or inside a patch.
    return there.includes(clean) || clean.includes(`/`) && !clean.includes(` `) && there.includes(clean.split(`/`).at(-1)!);
  });
}

/** What a call says, in whichever tool's arguments. */
function argumentsOf(record: CallRecord): Array<string> {
  switch (record.tool) {
    case `shell`:  return [record.args.command];
    case `read`:   return [record.args.path];
    case `edit`:   return [record.args.path, ...record.args.edits.flatMap(edit => [...changed(edit.old, edit.new), ...changed(edit.new, edit.old)])];
    case `write`:  return [record.args.path, record.args.content];
    case `search`: return [record.args.pattern];
    case `fetch`:  return [record.args.url ?? record.args.query ?? ``];
    case `plan`:   return record.args.items?.map(item => item.step) ?? [record.args.text ?? ``];
    case `agent`:  return [record.args.prompt];
    case `mcp`:    return strings(record.args.arguments);
    default:       return strings(record.input);
  }
}

/** Lines that are in one text and not in the other: a patch may leave out what stays. */
function changed(text: string, other: string): Array<string> {
  const there = new Set(other.split(`\n`));
  return text.split(`\n`).filter(line => !there.has(line));
}

function strings(value: unknown): Array<string> {
  if (typeof value === `string`)
    return [value];
  return typeof value === `object` && value !== null ? Object.values(value).flatMap(strings) : [];
}

function textOf(record: NeutralRecord & {kind: `result`}): string {
  return record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
}

/** Every line, in order; of an output that the target cuts, its begin and its end. */
export function sameOutput(record: NeutralRecord & {kind: `result`}, told: string): boolean {
  const lines = outputLines(textOf(record));
  const there = outputLines(told);
  if (lines.length > 200 && /truncated|omitted|cut|masked|cleared|left out \d+ bytes/i.test(told))
    return inOrder(lines.slice(0, 5), there) && inOrder(lines.slice(-5), there);
  return inOrder(lines, there);
}

function inOrder(lines: Array<string>, there: Array<string>): boolean {
  let at = 0;
  for (const line of lines) {
    const index = there.findIndex((candidate, place) => place >= at && candidate.includes(line));
    if (index === -1)
      return false;
    at = index + (there[index] === line ? 1 : 0);
  }
  return true;
}

/** Lines without the numbers that a read tool puts before them, and without what wraps an error. */
function outputLines(text: string): Array<string> {
  return text.split(`\n`).map(line => line.replace(/^\s*\d+[\t→:|]\s?/, ``).replace(/<\/?tool_use_error>/g, ``).trim()).filter(line => line !== ``);
}

export function plain(text: string): string {
  return text.replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, ``).replace(/\u200b/g, ``).replace(/[ \t\r]+$/gm, ``).trim();
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}…` : text);
}
