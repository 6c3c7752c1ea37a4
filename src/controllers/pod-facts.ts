import type { Pod } from '../resources/kinds.ts';
import { podConditions } from '../resources/names.ts';

/** Questions about a pod that several controllers ask; each answer is about one observed object. */

export function podCondition(pod: Pod, type: string): { status: string; reason?: string; message?: string; lastTransitionTime?: string } | undefined {
  return pod.status?.conditions?.find((one) => one.type === type);
}

export function isTerminating(object: { metadata: { deletionTimestamp?: string } }): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** All its containers ended and none will be started again. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Its node has been silent for `failover.after`; it may still run, and come back. */
export function isNodeLost(pod: Pod): boolean {
  return podCondition(pod, podConditions.nodeLost)?.status === 'True';
}

/** Counts towards the replicas of its controller. */
export function isActive(pod: Pod): boolean {
  return !isTerminating(pod) && !isFinished(pod) && !isNodeLost(pod);
}

/** As its agent says, and the agent can still be believed. */
export function isReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True' && !isNodeLost(pod);
}

/** When it became ready, in wall milliseconds; undefined when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  if (!isReady(pod)) return undefined;
  const since = podCondition(pod, 'Ready')?.lastTransitionTime;
  return since === undefined ? 0 : Date.parse(since);
}

export function createdAtMs(object: { metadata: { creationTimestamp?: string } }): number {
  const created = object.metadata.creationTimestamp;
  return created === undefined ? Number.POSITIVE_INFINITY : Date.parse(created);
}
