import {shortKey}      from '../values.ts';
import {NeedsFullRead} from '../types.ts';

/** Lines that bounded state reaches back. A session of one process refers to the last few at most. */
const WINDOW = 1000;

/** Where a line stands: `at` is the `seq` of the last record up to it, -1 before the first. Lines without records share one. */
export type Place = {at: number};

export type LinksState = {
  places: Array<number>;
  nodes: Array<[uuid: string, place: number, order: number]>;
  tip: number;
  order: number;
  cut: boolean;
};

/** The chain of a session: where each line stands, by its uuid. */
export class Links {
  readonly root: Place = {at: -1};
  /** Where the last line stands, which is the live end. */
  tip: Place = this.root;

  private readonly nodes = new Map<string, {place: Place; order: number}>();
  private order = 0;
  private cut = false;

  constructor(private readonly unbounded: boolean) {}

  /** Where the line of a uuid stands; undefined where the session has none such so far. */
  get(uuid: string): Place | undefined {
    const node = this.nodes.get(shortKey(uuid));
    if (node === undefined && this.cut)
      throw new NeedsFullRead(`A line refers further back than the state reaches`);
    return node?.place;
  }

  /** The same for a recent line only: whatever the bounds, the answer is the same. */
  recent(uuid: string): Place | undefined {
    const node = this.nodes.get(shortKey(uuid));
    return node !== undefined && node.order > this.order - WINDOW ? node.place : undefined;
  }

  set(uuid: string, place: Place) {
    const key = shortKey(uuid);
    this.nodes.delete(key);
    this.nodes.set(key, {place, order: ++this.order});
    // Many at once: a Map whose first entries go one by one has to step over their places each time.
    if (this.unbounded || this.nodes.size < 2 * WINDOW)
      return;
    for (const [old, {order}] of this.nodes) {
      if (order > this.order - WINDOW)
        break;
      this.nodes.delete(old);
    }
    this.cut = true;
  }

  save(): LinksState {
    const places = new Map<Place, number>([[this.root, 0]]);
    const index = (place: Place) => {
      const known = places.get(place) ?? places.size;
      places.set(place, known);
      return known;
    };
    const tip = index(this.tip);
    const recent = [...this.nodes].filter(([, {order}]) => order > this.order - WINDOW);
    const nodes = recent.map(([uuid, {place, order}]): LinksState[`nodes`][number] => [uuid, index(place), order]);
    return {places: [...places.keys()].map(({at}) => at), nodes, tip, order: this.order, cut: this.cut || recent.length < this.nodes.size};
  }

  restore(state: LinksState) {
    const places = state.places.map((at, index): Place => index === 0 ? this.root : {at});
    for (const [uuid, place, order] of state.nodes)
      this.nodes.set(uuid, {place: places[place]!, order});
    this.tip = places[state.tip]!;
    this.order = state.order;
    this.cut = state.cut;
  }
}
