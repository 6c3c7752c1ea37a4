import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import { suspectAfterMs } from '../../resources/failover.ts';
import type { Pod, ReplicaSet } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodLost, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';
import { createdAtMs, isActive, isServing, readySinceMs } from '../pod-facts.ts';
import { podName } from '../pod-name.ts';

export type ReplicaSetStep =
  | {
      readonly type: 'createPod';
      readonly name: string;
      readonly ordinal: number;
      readonly template: PodTemplateSpec;
      /** Why now, if it is not simply missing; for people. */
      readonly why?: string;
    }
  | { readonly type: 'deletePod'; readonly pod: Pod; readonly why: string }
  /** Takes in a pod that matches and belongs to nobody. */
  | { readonly type: 'adoptPod'; readonly pod: Pod }
  /** Lets go of a pod whose labels were edited. */
  | { readonly type: 'releasePod'; readonly pod: Pod };

export interface ReplicaSetObservation {
  readonly replicaSet: ReplicaSet;
  /** Pods whose controller it is; those being deleted without showing it yet are marked by `isBeingDeleted`. */
  readonly owned: readonly Pod[];
  /** Pods of the namespace that match the selector and have no controller. */
  readonly orphans: readonly Pod[];
  readonly matches: (pod: Pod) => boolean;
  readonly isBeingDeleted: (pod: Pod) => boolean;
  /** Smallest ordinal that no pod of it has ever had, as far as is known. */
  readonly nextOrdinal: number;
  /** Wall clock: compared with times in objects. */
  readonly nowMs: number;
}

export interface ReplicaSetPlan {
  readonly steps: readonly ReplicaSetStep[];
  readonly status: NonNullable<ReplicaSet['status']>;
  /** Time alone will change the answer (minReadySeconds, back-off after failed pods). */
  readonly againAfterMs?: number;
  /** Why pods are missing and none is made, for people; a pod that is placed changes it. */
  readonly held?: string;
}

/** Most pods created or deleted by one reconcile; the rest follows in the next, so that nobody else starves. */
export const burst = 250;
/** Pods of one replica set that may wait for a node: more of them would help nobody, and fill the store. */
export const maxUnplaced = 500;
/** Finished pods kept to look at; older ones go. */
const finishedKept = 5;

export function planReplicaSet(observed: ReplicaSetObservation): ReplicaSetPlan {
  const { replicaSet, nowMs } = observed;
  if (replicaSet.metadata.deletionTimestamp) return { steps: [], status: statusOf(observed, observed.owned).status };
  const released = observed.owned.filter((pod) => !observed.matches(pod) && !observed.isBeingDeleted(pod));
  const adopted = observed.orphans.filter((pod) => isActive(pod) && !observed.isBeingDeleted(pod));
  const mine = [...observed.owned.filter((pod) => observed.matches(pod)), ...adopted];
  const active = mine.filter((pod) => isActive(pod) && !observed.isBeingDeleted(pod));
  const steps: ReplicaSetStep[] = [
    ...released.map((pod) => ({ type: 'releasePod' as const, pod })),
    ...adopted.map((pod) => ({ type: 'adoptPod' as const, pod })),
    ...staleFinished(mine, observed),
  ];
  const missing = (replicaSet.spec.replicas ?? 1) - active.length;
  const waitMs = missing > 0 ? failureBackoffMs(mine, nowMs) : 0;
  const unplaced = active.filter((pod) => !pod.spec.nodeName);
  const room = Math.max(0, Math.min(burst, maxUnplaced - unplaced.length));
  if (missing > 0 && waitMs === 0) steps.push(...creations(observed, Math.min(missing, room), lossOf(mine)));
  if (missing < 0) steps.push(...deletions(active, Math.min(-missing, burst), nowMs));
  if (replicaSet.spec.replicas === 0) {
    const lost = mine.filter((pod) => isPodLost(pod) && !observed.isBeingDeleted(pod));
    steps.push(...lost.map((pod) => ({ type: 'deletePod' as const, pod, why: 'scaled to 0' })));
  }
  const { status, availableAfterMs } = statusOf(observed, mine);
  const times = [waitMs, availableAfterMs].filter((ms) => ms > 0);
  const held = missing > 0 && room === 0 ? whyHeld(unplaced) : undefined;
  return {
    steps,
    status,
    ...(times.length > 0 ? { againAfterMs: Math.min(...times) } : {}),
    ...(held === undefined ? {} : { held }),
  };
}

/** Undefined while the scheduler has merely not come to them. The sentence has no counts: told again, it is the same one. */
function whyHeld(unplaced: readonly Pod[]): string | undefined {
  const stuck = unplaced.find((pod) => podCondition(pod, 'PodScheduled')?.status === 'False');
  if (!stuck) return undefined;
  return `${maxUnplaced} of its pods wait for a node; no more are made until some are placed: add nodes, or ask for fewer replicas`;
}

/** `2 of its pods are on nodes that are lost: h1` */
function lossOf(mine: readonly Pod[]): string | undefined {
  const lost = mine.filter((pod) => isPodLost(pod) && !isPodTerminating(pod));
  if (lost.length === 0) return undefined;
  const names = [...new Set(lost.map((pod) => pod.spec.nodeName ?? ''))].sort().slice(0, 5);
  return `${lost.length} of its pods ${lost.length === 1 ? 'is' : 'are'} on nodes that are lost: ${names.join(', ')}`;
}

function creations(observed: ReplicaSetObservation, count: number, why: string | undefined): ReplicaSetStep[] {
  const { replicaSet } = observed;
  return Array.from({ length: count }, (_, at) => {
    const ordinal = observed.nextOrdinal + at;
    const name = podName(replicaSet.metadata.name, replicaSet.metadata.uid ?? '', ordinal);
    const template = replicaSet.spec.template ?? {};
    return { type: 'createPod', name, ordinal, template, ...(why === undefined ? {} : { why }) };
  });
}

function deletions(active: readonly Pod[], count: number, nowMs: number): ReplicaSetStep[] {
  const isReturn = active.some((pod) => podCondition(pod, podConditions.nodeLost)?.status === 'False');
  const why = isReturn ? 'surplus, since pods of a lost node are back' : 'surplus';
  return rankForDeletion(active, nowMs, count).map((pod) => ({ type: 'deletePod', pod, why }));
}

/**
 * First to go: not placed, not ready, stand-in for one that has come back, much younger, more of its kind on the node, younger. "Much" = by powers of two of
 * the age: what stands in for pods of a lost host goes when they return, while pods made together are thinned out evenly.
 */
export function rankForDeletion(pods: readonly Pod[], nowMs: number, count = pods.length): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const returned = pods.filter(
    (pod) => podCondition(pod, podConditions.nodeLost)?.status === 'False' && isServing(pod),
  );
  const oldestReturnedMs = Math.min(...returned.map(createdAtMs));
  const left = pods.map((pod) => ({ pod, rank: rankOf(pod, nowMs, oldestReturnedMs) }));
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
  /** Made after one that was lost and is back: probably in its place. */
  readonly isStandIn: boolean;
  readonly ageClass: number;
  readonly createdMs: number;
}

function rankOf(pod: Pod, nowMs: number, oldestReturnedMs: number): Rank {
  const createdMs = createdAtMs(pod);
  const ageSeconds = Number.isFinite(createdMs) ? Math.max(0, (nowMs - createdMs) / 1000) : 0;
  return {
    state: !pod.spec.nodeName ? 0 : isServing(pod) ? 2 : 1,
    isStandIn: createdMs - oldestReturnedMs >= suspectAfterMs,
    ageClass: Math.floor(Math.log2(ageSeconds + 1)),
    createdMs,
  };
}

type Ranked = { readonly pod: Pod; readonly rank: Rank };

function goesBefore(a: Ranked, b: Ranked, perNode: ReadonlyMap<string, number>): boolean {
  if (a.rank.state !== b.rank.state) return a.rank.state < b.rank.state;
  if (a.rank.isStandIn !== b.rank.isStandIn) return a.rank.isStandIn;
  if (a.rank.ageClass !== b.rank.ageClass) return a.rank.ageClass < b.rank.ageClass;
  const [ofA, ofB] = [perNode.get(a.pod.spec.nodeName ?? '') ?? 0, perNode.get(b.pod.spec.nodeName ?? '') ?? 0];
  if (ofA !== ofB) return ofA > ofB;
  if (a.rank.createdMs !== b.rank.createdMs) return a.rank.createdMs > b.rank.createdMs;
  return a.pod.metadata.name > b.pod.metadata.name;
}

/** A pod that ended for good (refused by its node, evicted) is replaced, ever more slowly while that goes on. */
function failureBackoffMs(mine: readonly Pod[], nowMs: number): number {
  const failed = mine.filter((pod) => pod.status?.phase === 'Failed');
  if (failed.length === 0) return 0;
  const newestMs = Math.max(...failed.map(createdAtMs));
  const delayMs = Math.min(60_000, 1000 * 2 ** Math.min(failed.length - 1, 6));
  return Math.max(0, newestMs + delayMs - nowMs);
}

function staleFinished(mine: readonly Pod[], observed: ReplicaSetObservation): ReplicaSetStep[] {
  const finished = mine.filter((pod) => isPodFinished(pod) && !observed.isBeingDeleted(pod));
  return finished
    .sort((a, b) => createdAtMs(b) - createdAtMs(a))
    .slice(finishedKept)
    .map((pod) => ({ type: 'deletePod', pod, why: 'ended long ago' }));
}

function statusOf(observed: ReplicaSetObservation, mine: readonly Pod[]) {
  const { replicaSet, nowMs } = observed;
  const active = mine.filter((pod) => isActive(pod) && !observed.isBeingDeleted(pod));
  const minReadyMs = (replicaSet.spec.minReadySeconds ?? 0) * 1000;
  const templateLabels = Object.entries(replicaSet.spec.template?.metadata?.labels ?? {});
  let ready = 0;
  let available = 0;
  let availableAfterMs = 0;
  for (const pod of active) {
    const sinceMs = readySinceMs(pod);
    if (sinceMs === undefined) continue;
    ready += 1;
    const waitMs = minReadyMs === 0 ? 0 : sinceMs + minReadyMs - nowMs;
    if (waitMs <= 0) available += 1;
    else availableAfterMs = availableAfterMs === 0 ? waitMs : Math.min(availableAfterMs, waitMs);
  }
  const isFullyLabeled = (pod: Pod) => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value);
  const status: NonNullable<ReplicaSet['status']> = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(isFullyLabeled).length,
    readyReplicas: ready,
    availableReplicas: available,
    observedGeneration: replicaSet.metadata.generation ?? 0,
    ...(replicaSet.status?.conditions ? { conditions: replicaSet.status.conditions } : {}),
  };
  return { status, availableAfterMs };
}
