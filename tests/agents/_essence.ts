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

/** How many records of each kind are in one history and not, in this order, in the other; the first of them in words. */
export function lost(records: Array<NeutralRecord>, back: Array<NeutralRecord>): {[kind in Essential]: {count: number; first?: string}} {
  return Object.fromEntries(ESSENTIAL.map(kind => {
    const there = back.filter(record => record.kind === kind).map(essenceOf);
    let at = 0;
    let count = 0;
    let first: string | undefined;
    for (const record of records) {
      const wanted = record.kind === kind ? essenceOf(record) : null;
      if (wanted === null)
        continue;
      const index = there.findIndex((essence, place) => place >= at && essence === wanted);
      if (index === -1) {
        count += 1;
        first ??= wanted;
      } else {
        at = index + 1;
      }
    }
    return [kind, {count, ...first !== undefined ? {first} : {}}];
  })) as {[kind in Essential]: {count: number; first?: string}};
}
