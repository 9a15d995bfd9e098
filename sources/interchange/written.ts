import type {CallRecord, FilePatch, NeutralRecord} from './types.ts';

/** What a record does to one file: its `path` as the source wrote it, and whole lines. */
export type Written = {
  path: string;
  added: Array<string>;
  removed: Array<string>;
  /** `added` is the whole file, whatever of it was there before. */
  whole?: boolean;
  /** Of a text that was put in place of another one: its outer lines, which may be only a part of what is a line then. */
  parts?: Array<LinePart>;
};

/** `is`: how the line that it became a part of goes on from there. */
export type LinePart = {text: string; is: `within` | `end` | `begin`};

/** More lines than this of one text are no work of a model. */
const MOST_LINES = 20_000;

/** The changes of files that a call asks for, or that a result reports. */
export function writtenBy(record: NeutralRecord): Array<Written> {
  if (record.kind === `call`)
    return byCall(record);
  return record.kind === `result` && record.error !== true && record.denied !== true ? (record.patch ?? []).map(byPatch) : [];
}

function byCall(record: CallRecord): Array<Written> {
  if (record.tool === `write`)
    return [{path: record.args.path, added: linesOf(record.args.content), removed: [], whole: true}];
  if (record.tool !== `edit`)
    return [];
  const {path, edits} = record.args;
  return [{
    path, added: edits.flatMap(edit => without(linesOf(edit.new), linesOf(edit.old))),
    removed: edits.flatMap(edit => without(linesOf(edit.old), linesOf(edit.new))),
    parts: edits.flatMap(edit => partsOf(edit.new, edit.old)),
  }];
}

function partsOf(text: string, former: string): Array<LinePart> {
  const lines = text.split(/\r?\n/, MOST_LINES);
  const known = new Set(linesOf(former));
  const outer: Array<LinePart> = lines.length === 1 ? [{text, is: `within`}] : [{text: lines[0]!, is: `end`}, {text: lines.at(-1)!, is: `begin`}];
  return outer.filter(part => part.text.trim() !== `` && !known.has(part.text));
}

function byPatch({path, change, diff, content}: FilePatch): Written {
  if (diff === undefined)
    return {path, added: change === `delete` ? [] : linesOf(content ?? ``), removed: change === `delete` ? linesOf(content ?? ``) : [], ...change === `delete` ? {} : {whole: true}};
  const lines = linesOf(diff);
  return {path, added: marked(lines, `+`), removed: marked(lines, `-`)};
}

function marked(lines: Array<string>, mark: `+` | `-`) {
  return lines.filter(line => line.startsWith(mark)).map(line => line.slice(1));
}

/** The lines of `all` that are not in `others`, each as often as it is there more often. */
function without(all: Array<string>, others: Array<string>) {
  const counts = new Map<string, number>();
  for (const line of others)
    counts.set(line, (counts.get(line) ?? 0) + 1);
  return all.filter(line => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

/** Lines of a text, without their ends. */
export function linesOf(text: string): Array<string> {
  const lines = text.split(/\r?\n/, MOST_LINES);
  if (lines.at(-1) === ``)
    lines.pop();
  return lines;
}
