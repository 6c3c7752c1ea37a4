import { isBudgetOf, mayGoUnready } from '../../resources/disruption.ts';
import { isPodLeaving } from '../../resources/eviction-surge.ts';
import { isNodeHeld, isNodeLost, isNodeReady, isNodeSuspect, isStateful } from '../../resources/failover.ts';
import type { Node, Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { isPodReady, isPodTerminating, podCondition, podPhase } from '../../resources/pod-facts.ts';
import { replaceUnhealthyAfter } from '../../resources/replace-unhealthy.ts';
import { createdAtMs, isActive } from '../pod-facts.ts';

export interface UnhealthyObservation {
  /** All of one ReplicaSet. */
  readonly pods: readonly Pod[];
  /** How many there are to be. */
  readonly wanted: number;
  readonly nodeOf: (pod: Pod) => Node | undefined;
  /** Of the namespace. */
  readonly budgets: readonly PodDisruptionBudget[];
  readonly nowMs: number;
}

export interface UnhealthyPlan {
  /** To be deleted, so that another one takes its place; and why, for people. */
  readonly replaced?: { readonly pod: Pod; readonly why: string };
  /** When time alone changes the answer. */
  readonly againAfterMs?: number;
}

/**
 * Which instance is given up, since it has not been ready for too long though its node is fine: restarts did not help it. One of a
 * set at a time: the next one's turn comes when the one made for it is ready, or has had its own time. A budget that lacks healthy
 * pods holds it. What has a volume would come back to the same files, and is left to its restarts.
 */
export function planUnhealthy(observed: UnhealthyObservation): UnhealthyPlan {
  const { pods, nowMs } = observed;
  const active = pods.filter(isActive);
  const unready = active.filter((pod) => !isPodReady(pod));
  const judged = unready.flatMap((pod) => {
    const after = replaceUnhealthyAfter(pod);
    return after === 'never' || isStateful(pod) ? [] : [{ pod, dueMs: unreadySinceMs(pod) + after }];
  });
  if (judged.length === 0) return {};
  // A pod in its first minutes, one that goes and one that is missing are places that are being filled.
  const isBeginning = judged.some(({ pod, dueMs }) => dueMs > nowMs && !hasWorked(pod));
  const isFilling = isBeginning || pods.some(isPodTerminating) || active.length < observed.wanted;
  const due = judged.filter(({ pod, dueMs }) => dueMs <= nowMs && mayGo(observed, pod));
  const [first] = due.sort((a, b) => a.dueMs - b.dueMs || createdAtMs(a.pod) - createdAtMs(b.pod));
  const later = judged.map(({ dueMs }) => dueMs - nowMs).filter((ms) => ms > 0);
  const againAfterMs = later.length > 0 ? Math.min(...later) : recheckMs;
  if (!first || isFilling) return { againAfterMs };
  return { replaced: { pod: first.pod, why: whyOf(first.pod, observed, nowMs) }, againAfterMs };
}

/** Nodes and budgets get better by themselves. */
const recheckMs = 30_000;

function unreadySinceMs(pod: Pod): number {
  const since = podCondition(pod, 'Ready')?.lastTransitionTime;
  return since === undefined ? createdAtMs(pod) : Date.parse(since);
}

/** Its readiness was lost, and not only yet to come. */
function hasWorked(pod: Pod): boolean {
  return unreadySinceMs(pod) - createdAtMs(pod) > workedAfterMs;
}

/** Its agent says within seconds of its creation that it is not ready. */
const workedAfterMs = 60_000;

/** It runs, or has run: an image that nowhere is to be had is no better elsewhere. */
function mayGo({ nodeOf, budgets }: UnhealthyObservation, pod: Pod): boolean {
  const node = nodeOf(pod);
  if (podPhase(pod) !== 'Running' || isPodLeaving(pod) || !node) return false;
  if (!isNodeReady(node) || isNodeSuspect(node) || isNodeLost(node) || isNodeHeld(node)) return false;
  return budgets.filter((budget) => isBudgetOf(budget, pod)).every(mayGoUnready);
}

function whyOf(pod: Pod, { nodeOf }: UnhealthyObservation, nowMs: number): string {
  const minutes = Math.round((nowMs - unreadySinceMs(pod)) / 60_000);
  const time = minutes > 0 ? `${minutes} min` : `${Math.round((nowMs - unreadySinceMs(pod)) / 1_000)} s`;
  const statuses = pod.status?.containerStatuses ?? [];
  const restarts = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  const state = statuses.flatMap(({ state }) => state?.waiting?.reason ?? []).find(Boolean);
  const detail = [
    ...(state === undefined ? [] : [state]),
    ...(restarts > 0 ? [`${restarts} restarts did not help`] : []),
  ].join(', ');
  const node = nodeOf(pod)?.metadata.name ?? '';
  return `not ready for ${time} though its node ${node} is fine${detail === '' ? '' : ` (${detail})`}`;
}
