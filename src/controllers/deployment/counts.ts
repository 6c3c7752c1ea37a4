import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import type { RollbackRecord } from '../../resources/rollback-record.ts';
import type { Held } from './pace.ts';
import { availableOf, replicasOf, sum, wantedOf } from './rolling.ts';

/** What the status of a deployment follows from. */
export interface StatusInput {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  /** The set that is about to be made. */
  readonly created: ReplicaSet | undefined;
  /** With the newest. */
  readonly all: readonly ReplicaSet[];
  readonly nowMs: number;
  /** Why nothing is replaced now. */
  readonly held?: Held | undefined;
  /** What was taken back, if that is why it is as it is. */
  readonly rolledBack?: RollbackRecord | undefined;
}

/** How many pods there are, in the words of `Deployment.status`. */
export interface Counts {
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly unavailableReplicas: number;
}

export function countsOf(newest: ReplicaSet | undefined, all: readonly ReplicaSet[]): Counts {
  const availableReplicas = sum(all, availableOf);
  return {
    replicas: sum(all, (one) => one.status?.replicas ?? 0),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: sum(all, (one) => one.status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - availableReplicas),
  };
}

export function hasAll(counts: Counts, wanted: number): boolean {
  return counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted;
}

/** All pods are of the newest template, as many as wanted, and available. */
export function isComplete(deployment: Deployment, newest: ReplicaSet, old: readonly ReplicaSet[]): boolean {
  const isObserved = (newest.metadata.generation ?? 0) <= (newest.status?.observedGeneration ?? 0);
  return isObserved && hasAll(countsOf(newest, [newest, ...old]), wantedOf(deployment));
}
