/** As many messages back a session may be rewound before it has to be read from its begin. */
const MOST = 1_000;

/** First and last record of a message; `first` is -1 where it has none and stands for the one before it. */
export type Node = {first: number; last: number};

export type NodesState = {nodes: Array<[id: string, first: number, last: number]>; forgotten: boolean};

/** Which records each message of a session became, for those that refer back to it. */
export class Nodes {
  private nodes = new Map<string, Node>();
  /** Some are no longer known. */
  forgotten = false;

  constructor(private readonly unbounded: boolean) {}

  get(id: string): Node | undefined {
    return this.nodes.get(id);
  }

  /** A message that comes again is another version of it: from here on its id means this one. */
  set(id: string, node: Node) {
    this.nodes.delete(id);
    this.nodes.set(id, node);
    if (!this.unbounded && this.nodes.size > MOST) {
      this.nodes.delete(this.nodes.keys().next().value!);
      this.forgotten = true;
    }
  }

  save(): NodesState {
    return {nodes: [...this.nodes].map(([id, {first, last}]) => [id, first, last]), forgotten: this.forgotten};
  }

  restore({nodes, forgotten}: NodesState) {
    this.nodes = new Map(nodes.map(([id, first, last]) => [id, {first, last}]));
    this.forgotten = forgotten;
  }
}
