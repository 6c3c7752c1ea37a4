import type { Pod } from '../resources/kinds.ts';
import { isPodFinished, isPodLost, isPodReady, isPodTerminating, podCondition } from '../resources/pod-facts.ts';

/** Counts towards the replicas of its controller: neither ended, nor going, nor on a lost node. */
export function isActive(pod: Pod): boolean {
  return !isPodTerminating(pod) && !isPodFinished(pod) && !isPodLost(pod);
}

/** As its agent says, and its agent can still be believed. */
export function isServing(pod: Pod): boolean {
  return isPodReady(pod) && !isPodLost(pod);
}

/** When it became ready, in wall milliseconds; undefined when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  if (!isServing(pod)) return undefined;
  const since = podCondition(pod, 'Ready')?.lastTransitionTime;
  return since === undefined ? 0 : Date.parse(since);
}

/** Something that has no time yet is the youngest. */
export function createdAtMs(object: { metadata: { creationTimestamp?: string } }): number {
  const created = object.metadata.creationTimestamp;
  return created === undefined ? Number.POSITIVE_INFINITY : Date.parse(created);
}
