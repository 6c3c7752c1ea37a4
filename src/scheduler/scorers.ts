import { type NodeState, type PodDemand, usedShare } from './node-state.ts';

/** 0 (best) and up. */
export type Cost = (node: NodeState, pod: PodDemand) => number;

/** The fewer of its own replicas a node has, the better. */
export const ownReplicas: Cost = (node, pod) => countOf(node, pod.replicaGroup);

/** Then those of other deployment revisions of the same service: they are about to leave, or may come back. */
export const serviceReplicas: Cost = (node, pod) => countOf(node, pod.serviceGroup);

/** Then how full it is, 0 to 1. */
export const allocated: Cost = (node) => usedShare(node);

/**
 * In order of weight: a later one decides only between equals of all earlier ones, so that spread always wins. Equal
 * nodes go by name, so that the same snapshot gives the same answer.
 */
export const costs: readonly Cost[] = [ownReplicas, serviceReplicas, allocated];

/** No node can be better spread than this one. */
export function isSpreadPerfect(node: NodeState, pod: PodDemand): boolean {
  return countOf(node, pod.replicaGroup) === 0 && countOf(node, pod.serviceGroup) === 0;
}

function countOf(node: NodeState, group: string): number {
  return group === '' ? 0 : (node.groups.get(group) ?? 0);
}
