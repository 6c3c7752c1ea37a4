import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import type { Pod, ReplicaSet } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodLost, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';
import { createdAtMs, isActive, readySinceMs } from '../pod-facts.ts';
import { podName } from '../pod-name.ts';
import { planLeaving } from './leaving.ts';
import { rankForDeletion } from './rank-for-deletion.ts';

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
  /** Whoever may be sent to it is, if it is ready: no service has it, or all nodes follow. */
  readonly isRouted: (pod: Pod) => boolean;
  /** Its node is silent, does not follow what is routed, or is being emptied. */
  readonly isInDoubt: (pod: Pod) => boolean;
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
/** A node that does not follow is waited for 5 s; the rest is for the leader to change. After that nobody holds up a rollout. */
const routingPatienceMs = 15_000;
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
  const { status, availableAfterMs, available } = statusOf(observed, mine);
  const leaving = planLeaving(replicaSet, active, available);
  const { missing } = leaving;
  const waitMs = missing > 0 ? failureBackoffMs(mine, nowMs) : 0;
  const unplaced = active.filter((pod) => !pod.spec.nodeName);
  const room = Math.max(0, Math.min(burst, maxUnplaced - unplaced.length));
  const why = lossOf(mine) ?? leaving.why;
  if (missing > 0 && waitMs === 0) steps.push(...creations(observed, Math.min(missing, room), why));
  for (const pod of leaving.replaced.slice(0, burst)) {
    steps.push({ type: 'deletePod', pod, why: 'it was asked to leave, and is replaced' });
  }
  if (missing < 0) steps.push(...deletions(leaving.staying, Math.min(-missing, burst), observed));
  if (replicaSet.spec.replicas === 0) {
    const lost = mine.filter((pod) => isPodLost(pod) && !observed.isBeingDeleted(pod));
    steps.push(...lost.map((pod) => ({ type: 'deletePod' as const, pod, why: 'scaled to 0' })));
  }
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

function deletions(active: readonly Pod[], count: number, observed: ReplicaSetObservation): ReplicaSetStep[] {
  const { nowMs, isInDoubt } = observed;
  const isReturn = active.some((pod) => podCondition(pod, podConditions.nodeLost)?.status === 'False');
  const why = isReturn ? 'surplus, since pods of a lost node are back' : 'surplus';
  return rankForDeletion(active, { nowMs, count, isInDoubt }).map((pod) => ({ type: 'deletePod', pod, why }));
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
  const available = new Set<Pod>();
  let availableAfterMs = 0;
  for (const pod of active) {
    const sinceMs = readySinceMs(pod);
    if (sinceMs === undefined) continue;
    ready += 1;
    const untilMs = Math.max(
      ...[minReadyMs, observed.isRouted(pod) ? 0 : routingPatienceMs].map((ms) => (ms === 0 ? 0 : sinceMs + ms)),
    );
    if (untilMs <= nowMs) available.add(pod);
    else availableAfterMs = Math.min(availableAfterMs || Number.POSITIVE_INFINITY, untilMs - nowMs);
  }
  const isFullyLabeled = (pod: Pod) => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value);
  const status: NonNullable<ReplicaSet['status']> = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter(isFullyLabeled).length,
    readyReplicas: ready,
    availableReplicas: available.size,
    observedGeneration: replicaSet.metadata.generation ?? 0,
    ...(replicaSet.status?.conditions ? { conditions: replicaSet.status.conditions } : {}),
  };
  return { status, availableAfterMs, available };
}
