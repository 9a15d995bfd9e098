import {MISSING_RESULT}                           from '../../interchange/index.ts';
import type {JsonObject, NeutralRecord, Unplaced} from '../../interchange/index.ts';
import {Ledger}                                   from '../families/ledger.ts';
import type {LedgerState}                         from '../families/ledger.ts';
import type {SourceLine}                          from '../types.ts';

import {Calls}                                    from './calls.ts';
import type {CallsState, OpenCall}                from './calls.ts';
import {Links}                                    from './links.ts';
import type {LinksState, Place}                   from './links.ts';

/** A line of the chain; its uuid and time go to the records that it gives. */
export type Line = {value: JsonObject; source: SourceLine; uuid: string; time: string | undefined; isNew: boolean};

type Said = {cwd: string | null; branch: string | null; model: string | null};

export type StreamState = {seq: number; links: LinksState; calls: CallsState; ledger: LedgerState; branched: number; said: Said};

const NOTHING: Array<NeutralRecord> = [];

/** The records of one file as they grow: their numbers, how they hang together, and the calls that wait for results. */
export class Stream {
  readonly links: Links;
  readonly calls = new Calls();
  readonly ledger = new Ledger();
  /** What the records have said so far; the next one says what changed. */
  said: Said = {cwd: null, branch: null, model: null};

  private seq = 0;
  /** The last branch record: what came after it is on the live branch for sure. */
  private branched = -1;
  private out = NOTHING;

  constructor(unbounded: boolean) {
    this.links = new Links(unbounded);
  }

  /** The records since the last call. */
  take(): Array<NeutralRecord> {
    const {out} = this;
    this.out = NOTHING;
    return out;
  }

  /** Goes where a line belongs, which is the live end from then on: on from the tip, or to a new branch. */
  follow({value, source, uuid}: Pick<Line, `value` | `source` | `uuid`>): {isNew: boolean} {
    const {links} = this;
    const known = links.recent(uuid);
    if (known !== undefined) {
      // A further piece of a message: Qwen Code puts it beside the others, and the end is where that message stands.
      if (known.at <= this.branched && known !== links.tip) {
        this.goTo(known, `other branch`);
        links.set(uuid, links.tip);
      }
      return {isNew: false};
    }

    const parent = value.parentUuid as string | null;
    let place = parent === null ? links.root : links.get(parent);
    if (place === undefined) {
      // Qwen Code goes no further back than to a line whose parent is not there.
      place = links.root;
      this.ledger.repair(`unknown-parent`, `A line whose parent is not there begins the conversation anew`, source.offset);
    }
    if (place.at !== links.tip.at)
      this.goTo(place, place.at === -1 ? `second root` : `rewound`);
    links.set(uuid, links.tip);
    return {isNew: true};
  }

  /** Leaves what came after a place. */
  goTo({at}: Place, reason: string) {
    this.calls.leave(at);
    this.branched = this.emit({kind: `branch`, parent: at, reason}, undefined);
    this.links.tip = {at: this.branched};
  }

  /** A record of the line that was followed last. Returns its number. */
  own(line: Line, record: Unplaced): number {
    const {links} = this;
    const seq = this.emit(record, line);
    // Its first one is a place of its own; what follows a line that gets further pieces goes on from these.
    if (line.isNew || links.tip === links.root) {
      links.tip = {at: seq};
      links.set(line.uuid, links.tip);
      line.isNew = false;
    } else {
      links.tip.at = seq;
    }
    return seq;
  }

  /** A record that is no part of the conversation: whatever follows the line before it goes on from here as well. */
  aside(line: Line, record: Unplaced) {
    this.own({...line, isNew: false}, record);
  }

  /** Answers calls that nothing can answer any more, before what follows them. */
  heal(line: Line) {
    for (const open of [...this.calls.all()])
      this.healOne(open, line);
  }

  healOne(open: OpenCall, line: Line) {
    const seq = this.emit({kind: `result`, call: open.call, content: [{type: `text`, text: MISSING_RESULT}], error: true, healed: true}, {...line, uuid: ``});
    this.links.tip = {at: seq};
    this.calls.close(open, true);
    this.ledger.repair(`missing-result`, `A call without result got an empty one`, line.source.offset);
  }

  /** Numbers a record. `line`: the one that it comes from, for its id, time and surroundings. */
  emit(fields: Unplaced, line: Line | undefined): number {
    const seq = this.seq++;
    const record = {seq, ...fields} as NeutralRecord;
    if (line !== undefined) {
      if (line.uuid !== ``)
        record.id = line.uuid;
      if (line.time !== undefined)
        record.time = line.time;

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
    return {seq: this.seq, links: this.links.save(), calls: this.calls.save(), ledger: this.ledger.save(), branched: this.branched, said: {...this.said}};
  }

  restore(state: StreamState) {
    this.seq = state.seq;
    this.links.restore(state.links);
    this.calls.restore(state.calls);
    this.ledger.restore(state.ledger);
    this.branched = state.branched;
    this.said = {...state.said};
  }
}
