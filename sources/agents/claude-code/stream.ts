import {MISSING_RESULT}                                     from '../../interchange/index.ts';
import type {JsonObject, NeutralRecord, Unplaced}           from '../../interchange/index.ts';
import type {SourceLine}                                    from '../types.ts';

import {Calls}                                              from './calls.ts';
import type {CallsState, OpenCall}                          from './calls.ts';
import {keptRecords}                                        from './compact.ts';
import {Leaves}                                             from './leaves.ts';
import type {LeavesState}                                   from './leaves.ts';
import {Ledger}                                             from '../families/ledger.ts';
import type {LedgerState}                                   from '../families/ledger.ts';
import {Tree}                                               from './tree.ts';
import type {Batch, TreeState}                              from './tree.ts';
import {numberAt, objectAt, stringAt}                       from '../values.ts';

/** A line of the chain; its uuid and time go to the records that it gives. */
export type Place = {value: JsonObject; line: SourceLine; id: string | undefined; time: string | undefined};

type Position = {batch: Batch; at: number};
type Boundary = {keep: Array<number> | null; trigger: `manual` | `auto` | null; tokens: number | null};
type Said = {cwd: string | null; branch: string | null; model: string | null};

export type StreamState = {
  seq: number;
  tree: TreeState;
  tip: number;
  calls: CallsState;
  ledger: LedgerState;
  leaves: LeavesState;
  boundary: (Boundary & {batch: number}) | null;
  said: Said;
};

const NOTHING: Array<NeutralRecord> = [];

/** The records of one file as they grow: their numbers, their tree, and what one record owes to those before it. */
export class Stream {
  readonly tree: Tree;
  readonly calls = new Calls();
  readonly ledger = new Ledger();
  readonly leaves: Leaves;
  /** Where the newest record with content stands. */
  tip: Batch;
  /** Number of the next record. */
  seq = 0;
  /** What the records have said so far; the next one says what changed. */
  said: Said = {cwd: null, branch: null, model: null};

  private boundary: (Boundary & {batch: Batch}) | null = null;
  private out = NOTHING;
  private unsettled = false;

  constructor(unbounded: boolean) {
    this.tree = new Tree(unbounded);
    this.leaves = new Leaves(this.tree);
    this.tip = this.tree.root;
  }

  /** The records since the last call. */
  take(): Array<NeutralRecord> {
    if (this.unsettled) {
      this.unsettled = false;
      this.settleLeaf();
    }
    const {out} = this;
    this.out = NOTHING;
    return out;
  }

  /** A line of the chain begins. Returns where it stands. */
  begin(value: JsonObject, line: SourceLine, id: string | undefined): Place {
    if (this.leaves.loosen())
      this.unsettled = true;
    return {value, line, id, time: this.ledger.see(value)};
  }

  /** Batch and `seq` that a line follows. `open`: the call that it answers, known even when its line is out of reach. */
  parentOf({value, line}: Place, open?: OpenCall): Position {
    const parent = value.parentUuid;
    if (typeof parent === `string`) {
      if (open !== undefined && this.tree.recent(parent) === undefined)
        return {batch: open.batch, at: open.seq};
      const node = this.tree.get(parent);
      if (node !== undefined)
        return node;
      this.ledger.repair(`unknown-parent`, `A line whose parent is not there follows the line before it`, line.offset);
    } else if (parent === null || this.tree.isEmpty()) {
      return {batch: this.tree.root, at: -1};
    } else {
      this.ledger.repair(`no-parent`, `A line without parent follows the line before it`, line.offset);
    }
    return {batch: this.tip, at: this.tip.last};
  }

  /** Goes where a line with content belongs: on from the tip, or to a new branch. */
  follow(place: Place, reason: string, {message, open}: {message?: string; open?: OpenCall} = {}) {
    const parent = this.parentOf(place, open);
    const {tip} = this;
    const sameMessage = message !== undefined && message === tip.root.message;
    if (parent.batch !== tip && !sameMessage && open?.batch !== tip.root)
      this.forkTo(parent, reason);
    if (this.boundary?.batch === this.tip)
      this.compact(place, ``);
  }

  private forkTo({batch, at}: Position, reason: string): number {
    const parent = at <= batch.core ? batch.core : batch.last;
    this.tree.fork(this.seq, parent);
    this.emit({kind: `branch`, parent, reason: parent === -1 ? `second root` : reason}, undefined);
    this.tip = batch;
    this.unsettled = true;
    return parent;
  }

  /** Begins a batch after the tip. */
  newBatch(message?: string) {
    // A note or an interruption does not end the wait for results.
    const {root, last} = this.tip;
    this.tip = this.tree.batch(this.calls.hasOpen(root) ? root : undefined, message);
    this.tip.last = last;
  }

  /** Answers calls that nothing can answer any more, before what follows them. */
  heal(place: Place) {
    for (const open of this.calls.openIn(this.tip.root))
      this.healOne(open, place);
  }

  healOne(open: OpenCall, place: Place) {
    const seq = this.emit({
      kind: `result`, call: open.call, content: [{type: `text`, text: MISSING_RESULT}], error: true, healed: true,
    }, {...place, id: undefined});
    open.batch.core = open.batch.last = this.tip.last = seq;
    this.calls.close(open, seq, true);
    this.ledger.repair(`missing-result`, `A call without result got an empty one`, place.line.offset);
  }

  /** Remembers what a line became. `from`: its first own record, -1 for none. */
  node({id}: Place, from: number, at: number) {
    if (id !== undefined)
      this.tree.add(id, at, from, this.tip);
  }

  /** A line without content, kept as a note. */
  note(place: Place, what: string) {
    const parent = this.parentOf(place);
    this.emit({kind: `note`, what, bytes: place.line.length}, place);
    this.pass(place, parent);
  }

  /** A line that is only counted. */
  ignore(place: Place, type: string) {
    this.ledger.ignore(type);
    this.pass(place, this.parentOf(place));
  }

  /** Lines without content are followed through, so that their children find their place. */
  private pass({id}: Place, {batch, at}: Position) {
    if (id !== undefined)
      this.tree.add(id, at, -1, batch);
  }

  /** A record that begins or continues the tip's batch. Returns its number. */
  own(place: Place, record: Unplaced): number {
    const seq = this.emit(record, place);
    this.tip.last = this.tip.core = seq;
    return seq;
  }

  /** Something that was said while an answer was being worked on: part of what is there, results may still follow. */
  aside(place: Place, record: Unplaced) {
    this.follow(place, `other branch`);
    if (this.tip === this.tree.root)
      this.newBatch();
    const at = this.tip.last = this.emit(record, place);
    this.node(place, at, at);
  }

  /**
   * A compaction begins, after the line that it names or the tip. Its own batch stands for it until the summary comes,
   * so that what lies between finds it.
   */
  beginCompaction(place: Place) {
    const metadata = objectAt(place.value, `compactMetadata`);
    const named = stringAt(metadata, `trigger`);
    const trigger = named === `manual` || named === `auto` ? named : null;
    const tokens = numberAt(metadata, `preTokens`) ?? null;
    const after = stringAt(place.value, `logicalParentUuid`);
    const position = after === undefined ? undefined : this.tree.get(after);
    let last = position !== undefined && position.batch !== this.tip ? this.forkTo(position, `other branch`) : this.tip.last;
    if (this.calls.hasOpen(this.tip.root)) {
      this.heal(place);
      last = this.tip.last;
    }

    const keep = keptRecords(metadata, this.tree, this.calls);
    this.tip = this.tree.batch();
    this.tip.last = this.tip.core = last;
    this.boundary = {keep: keep.length > 0 ? keep : null, trigger, tokens, batch: this.tip};
    if (place.id !== undefined)
      this.tree.add(place.id, last, -1, this.tip);
  }

  /** False when this line is not the summary that a boundary waits for. */
  endCompaction(place: Place, summary: string): boolean {
    const {boundary} = this;
    const parent = place.value.parentUuid;
    if (boundary === null || typeof parent !== `string` || this.tree.get(parent)?.batch !== boundary.batch)
      return false;

    if (this.tip !== boundary.batch)
      this.forkTo({batch: boundary.batch, at: boundary.batch.last}, `other branch`);
    const at = this.compact(place, summary);
    this.node(place, at, at);
    return true;
  }

  private compact(place: Place, summary: string): number {
    const {keep, trigger, tokens} = this.boundary!;
    this.boundary = null;
    return this.own(place, {
      kind: `compaction`, summary,
      ...trigger === null ? {} : {trigger},
      ...keep === null ? {} : {keep},
      ...tokens === null ? {} : {tokensBefore: tokens},
    });
  }

  /** Says which end is the live one, where the records alone would say another. */
  settleLeaf() {
    const leaf = this.leaves.correction(this.seq - 1, this.tip.last);
    if (leaf !== undefined)
      this.emit({kind: `leaf`, ...leaf}, undefined);
  }

  /** Numbers a record. `place`: the line that it comes from, for its id, time and surroundings. */
  emit(fields: Unplaced, place: Place | undefined): number {
    const seq = this.seq++;
    const record = {seq, ...fields} as NeutralRecord;
    if (place !== undefined) {
      if (place.id !== undefined)
        record.id = place.id;
      if (place.time !== undefined)
        record.time = place.time;

      const {cwd, branch} = this.ledger;
      if (cwd !== undefined && cwd !== this.said.cwd)
        record.cwd = this.said.cwd = cwd;
      if (branch !== undefined && branch !== this.said.branch)
        record.head = {branch: this.said.branch = branch};
    }

    this.ledger.count(record.kind);
    if (this.out === NOTHING)
      this.out = [];
    this.out.push(record);
    return seq;
  }

  save(): StreamState {
    const {boundary} = this;
    return {
      seq: this.seq,
      tree: this.tree.save([this.tip, ...this.calls.batches(), ...boundary ? [boundary.batch] : []]),
      tip: this.tip.id,
      calls: this.calls.save(),
      ledger: this.ledger.save(),
      leaves: this.leaves.save(),
      boundary: boundary && {...boundary, batch: boundary.batch.id},
      said: {...this.said},
    };
  }

  restore(state: StreamState) {
    const batches = this.tree.restore(state.tree);
    this.calls.restore(state.calls, batches);
    this.ledger.restore(state.ledger);
    this.leaves.restore(state.leaves);
    this.seq = state.seq;
    this.tip = batches.get(state.tip)!;
    this.boundary = state.boundary && {...state.boundary, batch: batches.get(state.boundary.batch)!};
    this.said = {...state.said};
  }
}
