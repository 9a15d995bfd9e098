/** Lines that are remembered; a compaction keeps some of the last few hundred at most. */
const LINES = 1_000;
/** So many lines may be taken out of what a compaction keeps. */
const MOST_EDITS = 300;

/** A line that the model sees, by its number, with the records in it. `of`: for a result, the line of its call. */
export type Span = {line: number; seqs: Array<number>; of?: number};

/** What a compaction keeps: everything from line `first` on but for `without`. `lost`: records of it are out of reach. */
export type Kept = {first: number | null; without: Array<number>; lost: boolean};

/** Which records stand in which of the last lines. */
export class Spans {
  constructor(private readonly spans: Array<Span>) {}

  add(span: Span) {
    this.spans.push(span);
    if (this.spans.length > LINES)
      this.spans.shift();
  }

  /** The last line is not on the way to what follows. */
  drop() {
    this.spans.pop();
  }

  /** Pi keeps a stretch up to the compaction; what lies within and is not kept has to be taken out of it one by one. */
  keep(seqs: Array<number>): Kept {
    const wanted = new Set(seqs);
    const kept = new Set<number>();
    for (const {line, seqs: own, of} of this.spans)
      if (of === undefined ? own.some(seq => wanted.has(seq)) : kept.has(of))
        kept.add(line);

    let lines = [...kept].sort((a, b) => a - b);
    let without = this.gaps(lines);
    let lost = this.spans.length === LINES && seqs.some(seq => seq < (this.spans[0]!.seqs[0] ?? 0));
    while (without.length > MOST_EDITS) {
      lost = true;
      lines = lines.filter(line => line > without[0]!);
      const rest = new Set(lines);
      lines = lines.filter(line => {
        const of = this.spans.find(span => span.line === line)?.of;
        return of === undefined || rest.has(of);
      });
      without = this.gaps(lines);
    }
    return {first: lines[0] ?? null, without, lost};
  }

  save(): Array<Span> {
    return this.spans.map(span => ({...span, seqs: [...span.seqs]}));
  }

  private gaps(lines: Array<number>): Array<number> {
    const [first] = lines;
    const inside = new Set(lines);
    return first === undefined ? [] : this.spans.filter(({line}) => line > first && !inside.has(line)).map(({line}) => line);
  }
}
