import type {FidelityItem, FidelityReport, NeutralRecord} from './types.ts';

/**
 * Counts what became of each record on its way to an agent. Only what was not kept is itemised; the same reason for the
 * same kind is one item with a count and the first place it happened.
 */
export class Fidelity {
  private readonly counts = {kept: 0, reduced: 0, dropped: 0};
  private readonly items: Map<string, FidelityItem>;

  constructor(from?: FidelityReport) {
    this.items = new Map((from?.items ?? []).map(item => [keyOf(item), {...item}]));
    if (from)
      Object.assign(this.counts, {kept: from.kept, reduced: from.reduced, dropped: from.dropped});
  }

  kept() {
    this.counts.kept += 1;
  }

  reduced(record: Pick<NeutralRecord, `kind` | `seq`>, reason: string) {
    this.counts.reduced += 1;
    this.add({seq: record.seq, kind: record.kind, outcome: `reduced`, reason});
  }

  dropped(record: Pick<NeutralRecord, `kind` | `seq`>, reason: string) {
    this.counts.dropped += 1;
    this.add({seq: record.seq, kind: record.kind, outcome: `dropped`, reason});
  }

  report(): FidelityReport {
    return {...this.counts, items: [...this.items.values()].map(item => ({...item}))};
  }

  private add(item: FidelityItem) {
    const known = this.items.get(keyOf(item));
    if (known)
      known.count = (known.count ?? 1) + 1;
    else
      this.items.set(keyOf(item), {...item, count: 1});
  }
}

function keyOf(item: FidelityItem) {
  return `${item.outcome}/${item.kind}/${item.reason ?? ``}`;
}

/** Kinds that no person has written or asked for: each agent has its own. Listed one by one, but not worth a line of `status`. */
const CONTEXT: ReadonlySet<string> = new Set([`note`, `model`]);

/** `3 reasoning reduced (shown only), 1 prompt dropped (…)`: what was not kept, for one line of `status`. Empty when all was. */
export function summarise(report: FidelityReport): string {
  return report.items
    .filter(item => item.outcome !== `kept` && !CONTEXT.has(item.kind))
    .map(item => `${item.count ?? 1} ${item.kind} ${item.outcome}${item.reason ? ` (${item.reason})` : ``}`)
    .join(`, `);
}
