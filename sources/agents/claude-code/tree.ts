import {NeedsFullRead} from '../types.ts';

import {shortKey}      from '../values.ts';

/** Chain nodes that bounded state reaches back. A session of one process refers a few dozen back at most. */
export const WINDOW = 1000;
const FORKS = 500;

/**
 * Content that belongs together and is followed as a whole: one model answer with the results of its calls, or one
 * prompt. A line whose parent is anywhere in the tip's batch continues it: results name the line of their call as
 * parent, and the next answer descends from only one of them.
 */
export type Batch = {
  id: number;
  /** `seq` of its last record, also of what was said while it ran; -1: nothing yet. */
  last: number;
  /** `seq` of its last own record. */
  core: number;
  /** The batch whose calls may still be open here. */
  root: Batch;
  message?: string;
};

export type Node = {
  /** `seq` of the record that stands for it: its own last one, or that of its nearest ancestor with content. */
  at: number;
  /** `seq` of its own first record; -1: it has none. */
  from: number;
  batch: Batch;
  order: number;
};

export type TreeState = {
  batches: Array<[id: number, last: number, core: number, root: number, message?: string]>;
  nodes: Array<[uuid: string, at: number, batch: number, from?: number]>;
  forks: Array<[start: number, parent: number]>;
  next: number;
  order: number;
  cutNodes: boolean;
  cutForks: boolean;
};

/** The chain of a transcript: which records its uuids stand for, and how the stream's branches hang together. */
export class Tree {
  private readonly nodes = new Map<string, Node>();
  private forks: Array<[start: number, parent: number]> = [];
  private next = 1;
  private order = 0;
  private cutNodes = false;
  private cutForks = false;
  readonly root: Batch = makeBatch(0, -1);

  constructor(private readonly unbounded: boolean) {}

  /** The node of a uuid; undefined where the transcript has none so far. */
  get(uuid: string): Node | undefined {
    const node = this.nodes.get(shortKey(uuid));
    if (node === undefined && this.cutNodes)
      throw new NeedsFullRead(`A line refers further back than the state reaches`);
    return node;
  }

  /** The same for a recent one only: whatever the bounds, the answer is the same. */
  recent(uuid: string): Node | undefined {
    const node = this.nodes.get(shortKey(uuid));
    return node !== undefined && node.order > this.order - WINDOW ? node : undefined;
  }

  add(uuid: string, at: number, from: number, batch: Batch) {
    const key = shortKey(uuid);
    const known = this.recent(key);
    if (known !== undefined) {
      this.nodes.set(key, {at, from, batch, order: known.order});
      return;
    }

    this.nodes.delete(key);
    this.nodes.set(key, {at, from, batch, order: ++this.order});
    // Many at once: a Map whose first entries go one by one has to step over their places each time.
    if (!this.unbounded && this.nodes.size >= 2 * WINDOW) {
      for (const [old, node] of this.nodes) {
        if (node.order > this.order - WINDOW)
          break;
        this.nodes.delete(old);
      }
      this.cutNodes = true;
    }
  }

  batch(root?: Batch, message?: string): Batch {
    const batch = makeBatch(this.next++, -1);
    if (root !== undefined)
      batch.root = root;
    if (message !== undefined)
      batch.message = message;
    return batch;
  }

  isEmpty() {
    return this.order === 0;
  }

  fork(start: number, parent: number) {
    this.forks.push([start, parent]);
    if (!this.unbounded && this.forks.length > FORKS) {
      this.forks.shift();
      this.cutForks = true;
    }
  }

  /** Is record `ancestor` on the way from record `from` to the root (or `from` itself)? */
  descends(from: number, ancestor: number): boolean {
    let index = this.forks.length - 1;
    let at = from;
    while (at >= ancestor) {
      while (index >= 0 && this.forks[index]![0] > at)
        index--;
      if (index < 0) {
        if (this.cutForks)
          throw new NeedsFullRead(`A branch lies further back than the state reaches`);
        return true;
      }

      const [start, parent] = this.forks[index]!;
      if (ancestor >= start)
        return true;
      at = parent;
    }
    return false;
  }

  /** Nodes with records of their own between two `seq`, as far as they are known. */
  * between(first: number, last: number): Generator<Node> {
    for (const node of this.nodes.values())
      if (node.from >= first && node.at <= last)
        yield node;
  }

  /** `kept`: batches that something beside the nodes refers to. */
  save(kept: Array<Batch>): TreeState {
    const batches = new Map<number, Batch>();
    const keep = (batch: Batch) => {
      batches.set(batch.id, batch);
      batches.set(batch.root.id, batch.root);
    };
    kept.forEach(keep);

    const nodes: TreeState[`nodes`] = [];
    for (const [uuid, node] of this.nodes) {
      if (node.order <= this.order - WINDOW)
        continue;
      keep(node.batch);
      nodes.push(node.from === -1 ? [uuid, node.at, node.batch.id] : [uuid, node.at, node.batch.id, node.from]);
    }

    return {
      batches: [...batches.values()].map(({id, last, core, root, message}) => message === undefined ? [id, last, core, root.id] : [id, last, core, root.id, message]),
      nodes,
      forks: this.forks.slice(-FORKS),
      next: this.next,
      order: this.order,
      cutNodes: this.cutNodes || this.nodes.size > nodes.length,
      cutForks: this.cutForks || this.forks.length > FORKS,
    };
  }

  /** Takes what `save` gave; returns the batches by their ids. */
  restore(state: TreeState): Map<number, Batch> {
    const batches = new Map<number, Batch>([[0, this.root]]);
    for (const [id, last, core, , message] of state.batches) {
      const batch = id === 0 ? this.root : makeBatch(id, last);
      batch.last = last;
      batch.core = core;
      if (message !== undefined)
        batch.message = message;
      batches.set(id, batch);
    }
    for (const [id, , , root] of state.batches)
      batches.get(id)!.root = batches.get(root)!;

    this.order = state.order - state.nodes.length;
    for (const [uuid, at, batch, from] of state.nodes)
      this.add(uuid, at, from ?? -1, batches.get(batch)!);
    this.forks = state.forks.map(([start, parent]) => [start, parent]);
    this.next = state.next;
    this.cutNodes = state.cutNodes;
    this.cutForks = state.cutForks;
    return batches;
  }
}

function makeBatch(id: number, last: number): Batch {
  const batch = {id, last, core: last} as Batch;
  batch.root = batch;
  return batch;
}
