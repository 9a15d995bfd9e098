/** The response items of one record, as JSON texts. */
export type Entry = {seq: number; items: Array<string>};

const RECORDS    = 128;
const CHARACTERS = 256 * 1024;

/**
 * What the model was last sent, record by record: a compaction keeps some of the records right before it, and Codex wants
 * their items written out once more. A record without items is remembered as well: it is not missing. Bounded in number
 * and size, so that it can be saved with the writer's state. What a compaction repeats is not cut again by Codex.
 */
export class Ring {
  private size: number;

  constructor(private readonly entries: Array<Entry> = []) {
    this.size = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  }

  add(seq: number, items: Array<string>) {
    // One huge record must not push out all that came before it.
    const entry = {seq, items};
    if (sizeOf(entry) > CHARACTERS / 2)
      return;

    this.entries.push(entry);
    this.size += sizeOf(entry);
    while (this.entries.length > RECORDS || this.size > CHARACTERS)
      this.size -= sizeOf(this.entries.shift()!);
  }

  get(seq: number): Array<string> | undefined {
    return this.entries.find(entry => entry.seq === seq)?.items;
  }

  save(): Array<Entry> {
    return this.entries.map(({seq, items}) => ({seq, items: [...items]}));
  }
}

function sizeOf(entry: Entry) {
  return entry.items.reduce((sum, item) => sum + item.length, 0);
}
