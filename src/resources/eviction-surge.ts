import { isStateful } from './failover.ts';
import type { Pod, ReplicaSet } from './kinds.ts';
import { annotations, podConditions } from './names.ts';
import { isPodLost, isPodReady, podCondition } from './pod-facts.ts';

/** It was asked to go, and goes when another one does its work: pod condition `flotilla.dev/Leaving`, docs/adr/0035. */
export function isPodLeaving(pod: Pod): boolean {
  return podCondition(pod, podConditions.leaving)?.status === 'True';
}

/**
 * How many pods of a set may be there beside those that it wants while pods that leave are replaced: as many as its deployment's
 * strategy allows beside a rollout. 0: its pods go first and are replaced then.
 */
export function evictionSurge({ metadata }: ReplicaSet): number {
  const number = (key: string) => Number(metadata.annotations?.[key] ?? Number.NaN);
  const surge = number(annotations.deploymentMaxReplicas) - number(annotations.deploymentDesiredReplicas);
  return Number.isNaN(surge) ? 0 : Math.max(0, surge);
}

/** An eviction that is asked for no more for so long is forgotten. */
export const leavingMs = 120_000;

/** Value of the annotation `flotilla.dev/evict`. */
export const stopFirst = 'stop-first';

/** Causes in the answer to an eviction that waits for a replacement; the second: no node takes that one. */
export const replacementCause = 'Replacement';
export const unplacedCause = 'ReplacementUnplaced';

/** Why it was asked to leave, as the reason of the condition: `NodeDrained` holds while its node takes no pods. */
export const leavingReasons = { drained: 'NodeDrained', evicted: 'Evicted' } as const;

/**
 * Whether another pod can do its work before it goes. `replicaSet`: what it belongs to. One with a volume is bound to the files of
 * its node; one that serves nobody needs no replacement first.
 */
export function isReplacedFirst(pod: Pod, replicaSet: ReplicaSet | undefined): boolean {
  if (!replicaSet || replicaSet.metadata.deletionTimestamp || (replicaSet.spec.replicas ?? 1) === 0) return false;
  return evictionSurge(replicaSet) > 0 && isPodReady(pod) && !isPodLost(pod) && !isStateful(pod);
}
