import type {Heard} from './_heard.ts';

/** Names of one machine and what they are called in a comparison: `[[/home/alice/shop, <root>], …]`. */
export type Names = Array<[from: string, to: string]>;

export type Difference = {
  /** What the source's model was told and the target's was not, in words, in order. */
  missing: Array<string>;
  /** What the target's model was told and the source's was not: doubled or made up. */
  extra: Array<string>;
};

/** Notes of the agents to themselves (Claude Code 2.1.330, Codex 0.169.0); no words of a person or a model. */
const HARNESS = /^\s*(<turn_aborted>|<local-command-caveat>|<local-command-stdout>|<command-name>|\[Request interrupted by user|No response requested\.$)/;

/** Arguments that only colour how a call is shown, by tool; Codex has no place for them on its own tools. */
const SHOWN_ONLY: {[tool: string]: Array<string>} = {
  Bash: [`description`],
  Grep: [`output_mode`],
};

/** Tools whose success is reported in each agent's own words. A failure is compared like any other result. */
const EDITS = new Set([`Edit`, `Write`, `MultiEdit`, `NotebookEdit`]);

/** Codex cuts what is longer in the middle (0.169.0: 47,000 bytes passed, 49,000 did not). */
const OUTPUT_LIMIT = 47_000;

/**
 * Is everything that `source` was told also in what `target` was told, in the same order and once? Prompts and replies
 * word for word, calls by every string in their arguments, results line by line, images by their bytes. Reasoning is
 * left out: it cannot be taken to another provider.
 */
export function compare(source: Array<Heard>, target: Array<Heard>, {sourceNames = [], targetNames = []}: {sourceNames?: Names; targetNames?: Names} = {}): Difference {
  const a = source.filter(counts).map(item => rename(item, sourceNames));
  const b = target.filter(counts).map(item => rename(item, targetNames));
  const missing: Array<string> = [];
  const used = new Set<Heard>();

  // Where each prompt, reply and call of the source was found, by its index there.
  const places = new Map<number, number>();
  const calls = new Map<string, {index: number; call: Heard & {kind: `call`}}>();
  const anchors: Array<number> = [];
  let at = 0;
  for (const [place, item] of a.entries()) {
    anchors.push(at);
    if (item.kind === `result` || item.kind === `image`)
      continue;
    const index = b.findIndex((candidate, index) => index >= at && !used.has(candidate) && same(item, candidate));
    if (index === -1) {
      missing.push(describe(item));
      continue;
    }
    used.add(b[index]!);
    places.set(place, index);
    if (item.kind === `call`)
      calls.set(item.id, {index, call: item});
    at = index + 1;
  }

  for (const [index, item] of a.entries()) {
    if (item.kind === `image`) {
      if (!takeImage(b, used, item.data, anchors[index]!))
        missing.push(describe(item));
      continue;
    }
    if (item.kind !== `result`)
      continue;
    const found = calls.get(item.id);
    if (found === undefined) {
      missing.push(`${describe(item)} (its call is missing)`);
      continue;
    }
    const id = (b[found.index] as Heard & {kind: `call`}).id;
    const result = b.findIndex((candidate, index) => index > found.index && candidate.kind === `result` && candidate.id === id && !used.has(candidate));
    if (result === -1) {
      missing.push(describe(item));
      continue;
    }
    const candidate = b[result] as Heard & {kind: `result`};
    used.add(candidate);
    if (!(EDITS.has(found.call.name) && !item.error) && !sameOutput(item.text, candidate.text))
      missing.push(`${describe(item)} (the result of ${found.call.name} reads ${excerpt(candidate.text)})`);
    for (const data of item.images)
      if (!candidate.images.includes(data) && !takeImage(b, used, data, result))
        missing.push(`image in the result of ${found.call.name}`);
    // What was said after it must not stand before it.
    const next = a.findIndex((later, place) => place > index && (later.kind === `prompt` || later.kind === `reply`) && places.has(place));
    if (next !== -1 && places.get(next)! < result)
      missing.push(`${describe(item)} (stands after ${describe(a[next]!)})`);
  }
  return {missing, extra: b.filter(item => !used.has(item)).map(describe)};
}

function counts(item: Heard): boolean {
  if (item.kind === `reasoning`)
    return false;
  return item.kind !== `prompt` && item.kind !== `reply` || plain(item.text) !== `` && !HARNESS.test(item.text);
}

function same(source: Heard, target: Heard): boolean {
  switch (source.kind) {
    case `prompt`:
    case `reply`: return target.kind === source.kind && within(plain(source.text), plain(target.text));
    case `call`: return target.kind === `call` && sameCall(source, target);
    default: return false;
  }
}

/** The text itself, or as whole lines within what the target adds to it. */
function within(text: string, target: string): boolean {
  return `\n${target}\n`.includes(`\n${text}\n`);
}

function sameCall(source: Heard & {kind: `call`}, target: Heard & {kind: `call`}): boolean {
  const there = strings(target.input).join(`\n`);
  return strings(source.input, SHOWN_ONLY[source.name]).flatMap(text => text.split(`\n`)).every(line => {
    // A patch names files relative to the project, and puts a mark before every line.
    const relative = EDITS.has(source.name) && line.startsWith(`<root>/`) && `${there}\n`.includes(` File: ${line.slice(`<root>/`.length)}\n`);
    return relative || there.includes(line.trim());
  });
}

function strings(value: unknown, without: Array<string> = []): Array<string> {
  if (typeof value === `string`)
    return [value];
  if (typeof value !== `object` || value === null)
    return [];
  return Object.entries(value).flatMap(([key, item]) => without.includes(key) ? [] : strings(item));
}

/** Every line, in order; of an output that is too long for Codex its beginning and its end. */
function sameOutput(source: string, target: string): boolean {
  const lines = outputLines(source);
  const there = outputLines(target);
  if (Buffer.byteLength(source) > OUTPUT_LIMIT && /tokens truncated/.test(target))
    return inOrder(lines.slice(0, 20), there) && inOrder(lines.slice(-20), there);
  return inOrder(lines, there);
}

function inOrder(lines: Array<string>, there: Array<string>): boolean {
  let at = 0;
  for (const line of lines) {
    const index = there.indexOf(line, at);
    if (index === -1)
      return false;
    at = index + 1;
  }
  return true;
}

/** Lines without the numbers that Read puts before them, and without what wraps an error. */
function outputLines(text: string): Array<string> {
  return text.split(`\n`).map(line => line.replace(/^\s*\d+[\t→]/, ``).replace(/<\/?tool_use_error>/g, ``).trim()).filter(line => line !== ``);
}

function takeImage(items: Array<Heard>, used: Set<Heard>, data: string, from: number): boolean {
  const image = items.find((item, index) => index >= from && item.kind === `image` && item.data === data && !used.has(item));
  if (image !== undefined)
    used.add(image);
  return image !== undefined;
}

function plain(text: string): string {
  return text.replace(/<system-reminder>[\s\S]*?<\/system-reminder>/g, ``).replace(/[ \t]+$/gm, ``).trim();
}

function rename<T>(value: T, names: Names): T {
  // Longest first: the project lies in the home.
  const ordered = [...names].sort((a, b) => b[0].length - a[0].length);
  const text = ordered.reduce((text, [from, to]) => text.replaceAll(JSON.stringify(from).slice(1, -1), to), JSON.stringify(value));
  return JSON.parse(text) as T;
}

function describe(item: Heard): string {
  switch (item.kind) {
    case `call`: return `call ${item.name} ${excerpt(JSON.stringify(item.input))}`;
    case `result`: return `result ${excerpt(item.text)}`;
    case `image`: return `image of ${item.data.length} characters`;
    default: return `${item.kind} ${excerpt(item.text)}`;
  }
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}…` : text);
}
