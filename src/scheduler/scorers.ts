import { type NodeState, type PodDemand, usedShare } from './node-state.ts';

/** 0 (worst) to 1 (best). */
export type Scorer = (node: NodeState, pod: PodDemand) => number;

/** The fewer of its own replicas a node has, the better. */
export const spreadReplicas: Scorer = (node, pod) => 1 / (1 + countOf(node, pod.replicaGroup));

/** Then those of other deployment revisions of the same service: they are about to leave, or may come back. */
export const spreadService: Scorer = (node, pod) => 1 / (1 + countOf(node, pod.serviceGroup));

export const leastAllocated: Scorer = (node) => 1 - usedShare(node);

/** In order of weight: a later one decides only between equals of all earlier ones, so that spread always wins. */
export const scorers: readonly Scorer[] = [spreadReplicas, spreadService, leastAllocated];

/** > 0 when `a` is the better node; equal nodes go by name, so that the same snapshot gives the same answer. */
export function compareNodes(a: NodeState, b: NodeState, pod: PodDemand): number {
  for (const score of scorers) {
    const difference = score(a, pod) - score(b, pod);
    if (difference !== 0) return difference;
  }
  return a.name < b.name ? 1 : -1;
}

/** No node can be better spread than this one. */
export function isSpreadPerfect(node: NodeState, pod: PodDemand): boolean {
  return countOf(node, pod.replicaGroup) === 0 && countOf(node, pod.serviceGroup) === 0;
}

function countOf(node: NodeState, group: string): number {
  return group === '' ? 0 : (node.groups.get(group) ?? 0);
}
