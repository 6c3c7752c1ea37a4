import { Explanation } from './explain.ts';
import { refuse } from './filters.ts';
import type { NodeState, PodDemand } from './node-state.ts';
import { assumePod, type Snapshot, volumeOwner } from './snapshot.ts';

export type Placement =
  | {
      readonly placed: true;
      readonly pod: PodDemand;
      readonly nodeName: string;
      /** Volumes that this placement gives to the node: write their owner before the pod is bound. */
      readonly volumesToOwn: readonly string[];
    }
  | {
      readonly placed: false;
      readonly pod: PodDemand;
      /** One sentence with counts. */
      readonly reason: string;
    };

/**
 * Places pods in the given order, each with all earlier ones counted in. What it decided is assumed in `snapshot`; what
 * fits nowhere is explained once per shape, however many pods have it: within one call nodes only get fuller.
 */
export function place(pods: readonly PodDemand[], snapshot: Snapshot): Placement[] {
  const impossible = new Map<string, string>();
  return pods.map((pod) => {
    const known = impossible.get(pod.shape);
    if (known !== undefined) return { placed: false, pod, reason: known };
    const missing = pod.volumes.find((key) => volumeOwner(snapshot, key) === undefined);
    const node = missing === undefined ? findNode(pod, snapshot) : undefined;
    if (!node) {
      const reason =
        missing === undefined
          ? explain(pod, snapshot)
          : `its volume ${missing.slice(missing.indexOf('/') + 1)} does not exist`;
      impossible.set(pod.shape, reason);
      return { placed: false, pod, reason };
    }
    const volumesToOwn = pod.volumes.filter((key) => volumeOwner(snapshot, key) === '');
    assumePod(snapshot, pod, node.name);
    return { placed: true, pod, nodeName: node.name, volumesToOwn };
  });
}

function findNode(pod: PodDemand, snapshot: Snapshot): NodeState | undefined {
  const fixed = pinnedNode(pod, snapshot);
  if (fixed === undefined) return snapshot.index.bestFor(pod);
  const node = snapshot.nodes.get(fixed);
  return node && !refuse(node, pod, (key) => volumeOwner(snapshot, key)) ? node : undefined;
}

/** The only node that can hold all its volumes; undefined when none of them has an owner. */
function pinnedNode(pod: PodDemand, snapshot: Snapshot): string | undefined {
  for (const key of pod.volumes) {
    const owner = volumeOwner(snapshot, key);
    if (owner) return owner;
  }
  return undefined;
}

function explain(pod: PodDemand, snapshot: Snapshot): string {
  const explanation = new Explanation();
  for (const node of snapshot.nodes.values()) {
    const refusal = refuse(node, pod, (key) => volumeOwner(snapshot, key));
    if (refusal) explanation.add(refusal);
  }
  return explanation.sentence();
}
