import { suspectAfterMs } from '../../resources/failover.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { podCondition } from '../../resources/pod-facts.ts';
import { createdAtMs, isServing } from '../pod-facts.ts';

/** Kubernetes' own annotation, by whoever knows better: pods of a lower number go first. Default 0. */
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

export interface RankOptions {
  readonly nowMs: number;
  /** Only the first so many; default: all. */
  readonly count?: number;
  /** Its node is silent, does not follow what is routed, or is being emptied. */
  readonly isInDoubt: (pod: Pod) => boolean;
}

/**
 * First to go: not placed, not ready, cheaper by annotation, on a node in doubt, stand-in for one that has come back, much younger, more
 * of its kind on the node, younger. "Much" = by powers of two of the age: what stands in for pods of a lost host goes when they return,
 * while pods made together are thinned out evenly.
 */
export function rankForDeletion(pods: readonly Pod[], options: RankOptions): Pod[] {
  const { count = pods.length } = options;
  const perNode = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const returned = pods.filter(
    (pod) => podCondition(pod, podConditions.nodeLost)?.status === 'False' && isServing(pod),
  );
  const oldestReturnedMs = Math.min(...returned.map(createdAtMs));
  const left = pods.map((pod) => ({ pod, rank: rankOf(pod, options, oldestReturnedMs) }));
  const ranked: Pod[] = [];
  // One at a time: each deletion changes how many share a node.
  while (left.length > 0 && ranked.length < count) {
    let first = 0;
    for (let at = 1; at < left.length; at += 1) {
      if (goesBefore(left[at]!, left[first]!, perNode)) first = at;
    }
    const [taken] = left.splice(first, 1);
    const node = taken!.pod.spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 1) - 1);
    ranked.push(taken!.pod);
  }
  return ranked;
}

interface Rank {
  /** 0 not placed, 1 not ready, 2 ready. */
  readonly state: number;
  readonly cost: number;
  readonly isInDoubt: boolean;
  /** Made after one that was lost and is back: probably in its place. */
  readonly isStandIn: boolean;
  readonly ageClass: number;
  readonly createdMs: number;
}

function rankOf(pod: Pod, { nowMs, isInDoubt }: RankOptions, oldestReturnedMs: number): Rank {
  const createdMs = createdAtMs(pod);
  const ageSeconds = Number.isFinite(createdMs) ? Math.max(0, (nowMs - createdMs) / 1000) : 0;
  return {
    state: !pod.spec.nodeName ? 0 : isServing(pod) ? 2 : 1,
    cost: costOf(pod),
    isInDoubt: isInDoubt(pod),
    isStandIn: createdMs - oldestReturnedMs >= suspectAfterMs,
    ageClass: Math.floor(Math.log2(ageSeconds + 1)),
    createdMs,
  };
}

/** What is no number of 32 bits counts as 0, as in Kubernetes. */
function costOf({ metadata }: Pod): number {
  const text = metadata.annotations?.[deletionCost] ?? '';
  const cost = /^-?(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : 0;
  return Math.abs(cost) <= 2 ** 31 - 1 ? cost : 0;
}

type Ranked = { readonly pod: Pod; readonly rank: Rank };

function goesBefore(a: Ranked, b: Ranked, perNode: ReadonlyMap<string, number>): boolean {
  if (a.rank.state !== b.rank.state) return a.rank.state < b.rank.state;
  if (a.rank.cost !== b.rank.cost) return a.rank.cost < b.rank.cost;
  if (a.rank.isInDoubt !== b.rank.isInDoubt) return a.rank.isInDoubt;
  if (a.rank.isStandIn !== b.rank.isStandIn) return a.rank.isStandIn;
  if (a.rank.ageClass !== b.rank.ageClass) return a.rank.ageClass < b.rank.ageClass;
  const [ofA, ofB] = [perNode.get(a.pod.spec.nodeName ?? '') ?? 0, perNode.get(b.pod.spec.nodeName ?? '') ?? 0];
  if (ofA !== ofB) return ofA > ofB;
  if (a.rank.createdMs !== b.rank.createdMs) return a.rank.createdMs > b.rank.createdMs;
  return a.pod.metadata.name > b.pod.metadata.name;
}
