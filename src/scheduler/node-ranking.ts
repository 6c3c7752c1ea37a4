import type { NodeState } from './node-state.ts';

/** Smaller is better; the first number that differs decides. */
export type Rank = readonly number[];

/** Undefined: the node is left out. */
export type RankOf = (node: NodeState) => Rank | undefined;

interface Entry {
  readonly node: NodeState;
  rank: Rank;
  at: number;
}

/**
 * Nodes in the order of their rank, equal ones by name: a binary heap that knows where each node stands, so that one
 * changed node costs log n, and the best one nothing.
 */
export class NodeRanking {
  readonly #rankOf: RankOf;
  readonly #heap: Entry[] = [];
  readonly #entries = new Map<NodeState, Entry>();

  constructor(rankOf: RankOf, nodes: Iterable<NodeState>) {
    this.#rankOf = rankOf;
    for (const node of nodes) {
      const rank = rankOf(node);
      if (rank) this.#push(node, rank);
    }
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }

  get size(): number {
    return this.#heap.length;
  }

  get best(): NodeState | undefined {
    return this.#heap[0]?.node;
  }

  nodes(): Iterable<NodeState> {
    return this.#entries.keys();
  }

  /** The node is another than it was: it came, went, or its load changed. */
  update(node: NodeState): void {
    const entry = this.#entries.get(node);
    const rank = this.#rankOf(node);
    if (!rank) {
      if (entry) this.#remove(entry);
    } else if (!entry) {
      this.#push(node, rank);
      this.#rise(this.#heap.length - 1);
    } else {
      entry.rank = rank;
      this.#settle(entry.at);
    }
  }

  /** The first of the best `limit` nodes, best first, that will do. */
  first(limit: number, isWanted: (node: NodeState) => boolean): NodeState | undefined {
    // A node of the heap is worse than its parent: the next best is always among the children of those seen.
    const open: number[] = this.#heap.length > 0 ? [0] : [];
    for (let seen = 0; seen < limit; seen += 1) {
      const at = open.pop();
      if (at === undefined) return undefined;
      const { node } = this.#heap[at]!;
      if (isWanted(node)) return node;
      this.#open(open, 2 * at + 1);
      this.#open(open, 2 * at + 2);
    }
    return undefined;
  }

  /** Keeps `open` sorted, the best at its end; it is never longer than the nodes looked at. */
  #open(open: number[], at: number): void {
    if (at >= this.#heap.length) return;
    let place = open.length;
    while (place > 0 && this.#isBefore(open[place - 1]!, at)) place -= 1;
    open.splice(place, 0, at);
  }

  #push(node: NodeState, rank: Rank): void {
    const entry = { node, rank, at: this.#heap.length };
    this.#heap.push(entry);
    this.#entries.set(node, entry);
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.node);
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#heap[entry.at] = last;
    last.at = entry.at;
    this.#settle(last.at);
  }

  #settle(at: number): void {
    if (!this.#rise(at)) this.#sink(at);
  }

  #rise(from: number): boolean {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
    return at !== from;
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      if (left >= this.#heap.length) return;
      const child = right < this.#heap.length && this.#isBefore(right, left) ? right : left;
      if (!this.#isBefore(child, at)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #isBefore(left: number, right: number): boolean {
    return compareEntries(this.#heap[left]!, this.#heap[right]!) < 0;
  }

  #swap(left: number, right: number): void {
    const [a, b] = [this.#heap[left]!, this.#heap[right]!];
    this.#heap[left] = b;
    this.#heap[right] = a;
    b.at = left;
    a.at = right;
  }
}

function compareEntries(a: Entry, b: Entry): number {
  for (let at = 0; at < a.rank.length; at += 1) {
    const difference = a.rank[at]! - b.rank[at]!;
    if (difference !== 0) return difference;
  }
  return a.node.name < b.node.name ? -1 : 1;
}
