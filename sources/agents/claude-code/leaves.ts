import type {JsonObject}         from '../../interchange/index.ts';

import type {Tree}               from './tree.ts';
import {stringAt}                from '../values.ts';

const NONE = `00000000-0000-0000-0000-000000000000`;

type Leaf = {at: number; exact: boolean};
export type LeavesState = {wanted: Leaf | null; said: Leaf | null};

/**
 * Which end Claude Code would resume (`last-prompt`), and which one the records say. With the newest record N and the
 * last `last-prompt` L: N when L is unknown or an ancestor of N, else L. An explicit L counts always, but only until
 * the next line of the chain, of whatever kind; then it is one like the others (2.1.330, tried with 12 hand-made files).
 */
export class Leaves {
  private wanted: Leaf | null = null;
  private said: Leaf | null = null;

  constructor(private readonly tree: Tree) {}

  /** True when the records may have to say something. */
  see(line: JsonObject): boolean {
    const uuid = stringAt(line, `leafUuid`);
    const node = uuid === undefined || uuid === NONE ? undefined : this.tree.get(uuid);
    if (node === undefined || node.at === -1) {
      this.wanted = null;
    } else {
      const at = node.batch.message === undefined ? node.at : Math.max(node.at, node.batch.core);
      this.wanted = {at, exact: line.explicit === true};
    }
    return this.wanted !== null || this.said !== null;
  }

  /** A line of the chain follows. True when the records may have to say something. */
  loosen(): boolean {
    if (this.wanted === null || !this.wanted.exact)
      return false;
    this.wanted = {...this.wanted, exact: false};
    return true;
  }

  /** `newest`: the last record of the stream; `tip`: the last one with content. */
  correction(newest: number, tip: number): {at: number; exact?: true} | undefined {
    if (this.wanted === null && this.said === null)
      return undefined;

    const wanted = this.resolve(this.wanted, newest);
    if (wanted === this.resolve(this.said, newest))
      return undefined;

    if (wanted === -1) {
      if (tip === -1)
        return undefined;
      this.said = {at: tip, exact: false};
    } else {
      this.said = this.wanted!;
    }
    return this.said.exact ? {at: this.said.at, exact: true} : {at: this.said.at};
  }

  /** -1: the newest record. */
  private resolve(leaf: Leaf | null, newest: number) {
    if (leaf === null || (!leaf.exact && this.tree.descends(newest, leaf.at)))
      return -1;
    return leaf.at;
  }

  save(): LeavesState {
    return {wanted: this.wanted, said: this.said};
  }

  restore(state: LeavesState) {
    this.wanted = state.wanted;
    this.said = state.said;
  }
}
