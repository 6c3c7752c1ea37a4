// Which node is the best for a pod, without looking at all of them. Three rankings, from the one that serves all pods to
// the one that serves one ReplicaSet; each is made when the one before did not find a node among its best few, and is
// brought up to date when it is asked by the nodes that changed since. The answer is always that of a full scan.
import { refuse } from './filters.ts';
import { NodeRanking, type Rank } from './node-ranking.ts';
import { type NodeState, type PodDemand, usedShare } from './node-state.ts';
import { costs, isSpreadPerfect } from './scorers.ts';

/** So many of the best nodes are tried before a finer ranking is made. */
const triedFirst = 48;
/** Rankings kept of each sort; the one that was not asked for longest goes first. */
const keptRankings = 16;
/** Changes remembered; a ranking that is further behind is made anew. */
const minRememberedChanges = 1_024;

interface Kept {
  readonly ranking: NodeRanking;
  /** Number of changes it has seen. */
  seen: number;
}

export class NodeIndex {
  readonly #nodes: ReadonlyMap<string, NodeState>;
  /** Changed nodes, the newest last. */
  #changes: NodeState[] = [];
  /** Number of the first change in `#changes`. */
  #first = 0;
  readonly #ofAll = new Map<string, Kept>();
  /** Nodes on which a pod of that shape fits, the emptiest first. */
  readonly #ofShape = new Map<string, Kept>();
  /** The same nodes, best spread first. */
  readonly #ofClass = new Map<string, Kept>();

  constructor(nodes: ReadonlyMap<string, NodeState>) {
    this.#nodes = nodes;
  }

  /** Changes kept for rankings that have not seen them. */
  get remembered(): number {
    return this.#changes.length;
  }

  /** Called after every change of a node, also when it came or went. */
  changed(node: NodeState): void {
    this.#changes.push(node);
    const most = Math.max(minRememberedChanges, 2 * this.#nodes.size);
    if (this.#changes.length <= 2 * most) return;
    this.#first += this.#changes.length - most;
    this.#changes = this.#changes.slice(-most);
  }

  /** Undefined: it fits nowhere. For pods none of whose volumes has an owner yet. */
  bestFor(pod: PodDemand): NodeState | undefined {
    const ofAll = this.#ranking(this.#ofAll, '', () => new NodeRanking(byUse, this.#nodes.values()));
    const quick = ofAll.first(triedFirst, (node) => isSpreadPerfect(node, pod) && fits(node, pod));
    if (quick) return quick;

    const rankOfShape = (node: NodeState) => (fits(node, pod) ? byUse(node) : undefined);
    const make = () => new NodeRanking(rankOfShape, this.#nodes.values());
    const ofShape = this.#ranking(this.#ofShape, pod.shape, make);
    const near = ofShape.first(triedFirst, (node) => isSpreadPerfect(node, pod));
    if (near || ofShape.size === 0) return near;

    const rankOfClass = (node: NodeState) => (fits(node, pod) ? costs.map((cost) => cost(node, pod)) : undefined);
    const key = JSON.stringify([pod.shape, pod.replicaGroup, pod.serviceGroup]);
    return this.#ranking(this.#ofClass, key, () => new NodeRanking(rankOfClass, ofShape.nodes())).best;
  }

  #ranking(all: Map<string, Kept>, key: string, make: () => NodeRanking): NodeRanking {
    const end = this.#first + this.#changes.length;
    let kept = all.get(key);
    all.delete(key);
    if (!kept || kept.seen < this.#first || end - kept.seen > this.#nodes.size) {
      kept = { ranking: make(), seen: end };
    } else {
      for (let at = kept.seen; at < end; at += 1) kept.ranking.update(this.#changes[at - this.#first]!);
      kept.seen = end;
    }
    all.set(key, kept);
    if (all.size > keptRankings) all.delete(all.keys().next().value ?? '');
    return kept.ranking;
  }
}

const noOwner = () => '';

function fits(node: NodeState, pod: PodDemand): boolean {
  return !node.isGone && refuse(node, pod, noOwner) === undefined;
}

function byUse(node: NodeState): Rank | undefined {
  return node.isGone || !node.isReady || node.isCordoned ? undefined : [usedShare(node)];
}
