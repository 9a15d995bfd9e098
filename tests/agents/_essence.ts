import type {NeutralRecord, RecordKind} from '../../sources/interchange/index.ts';

/** Kinds whose loss must be named in a fidelity report. */
export const ESSENTIAL = [`prompt`, `reply`, `call`, `result`] as const satisfies Array<RecordKind>;
export type Essential = typeof ESSENTIAL[number];

/** What a person would call the same record, whatever agent it has been through; null where there is nothing in it. */
export function essenceOf(record: NeutralRecord): string | null {
  switch (record.kind) {
    case `prompt`: return orNull(plain(record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`)));
    case `reply`: return orNull(plain(record.text));
    case `call`: return callEssence(record);
    case `result`: return plain(record.content.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`));
    default: return null;
  }
}

function callEssence(record: NeutralRecord & {kind: `call`}): string {
  switch (record.tool) {
    case `shell`:  return `shell ${plain(record.args.command)}`;
    case `read`:   return `read ${plain(record.args.path)}`;
    case `edit`:   return `edit ${plain(record.args.path)}`;
    case `write`:  return `write ${plain(record.args.path)}`;
    case `search`: return `search ${plain(record.args.pattern)}`;
    case `fetch`:  return `fetch ${plain(record.args.url ?? record.args.query ?? ``)}`;
    case `plan`:   return `plan ${(record.args.items ?? []).map(item => plain(item.step)).join(`; `)}${plain(record.args.text ?? ``)}`;
    case `agent`:  return `agent ${plain(record.args.prompt)}`;
    case `mcp`:    return `mcp ${record.args.server}/${record.args.tool} ${JSON.stringify(record.args.arguments)}`;
    default:       return `${record.name} ${JSON.stringify(record.input)}`;
  }
}

function plain(text: string) {
  return text.toWellFormed().replace(/\u200b/g, ``).replace(/\r\n?/g, `\n`).trim();
}

function orNull(text: string) {
  return text === `` ? null : text;
}

/**
 * How many records of each kind are in one history and not, in the same order, in the other (by the longest common
 * subsequence: no other way to match them loses fewer); the first of them in words.
 */
export function lost(records: Array<NeutralRecord>, back: Array<NeutralRecord>): {[kind in Essential]: {count: number; first?: string}} {
  const of = (some: Array<NeutralRecord>, kind: Essential) => some.flatMap(record => record.kind === kind ? [essenceOf(record)] : []).filter(essence => essence !== null);
  return Object.fromEntries(ESSENTIAL.map(kind => {
    const unmatched = missingFrom(of(records, kind), of(back, kind));
    return [kind, {count: unmatched.length, ...unmatched.length > 0 ? {first: unmatched[0]} : {}}];
  })) as {[kind in Essential]: {count: number; first?: string}};
}

function missingFrom(wanted: Array<string>, there: Array<string>): Array<string> {
  // longest[i][j]: length of the longest common subsequence of what follows i and what follows j.
  const longest = Array.from({length: wanted.length + 1}, () => new Uint32Array(there.length + 1));
  for (let i = wanted.length - 1; i >= 0; i--)
    for (let j = there.length - 1; j >= 0; j--)
      longest[i]![j] = wanted[i] === there[j] ? longest[i + 1]![j + 1]! + 1 : Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!);

  const missing: Array<string> = [];
  for (let i = 0, j = 0; i < wanted.length;) {
    if (j < there.length && wanted[i] === there[j]) {
      i += 1;
      j += 1;
    } else if (j < there.length && longest[i]![j + 1]! >= longest[i + 1]![j]!) {
      j += 1;
    } else {
      missing.push(wanted[i]!);
      i += 1;
    }
  }
  return missing;
}
