import { type Deployment, deployments, type ReplicaSet } from '../../resources/kinds.ts';
import { matchesSelector } from '../../resources/selectors.ts';
import { controllerRef } from '../owners.ts';

export interface ClaimInput {
  readonly deployment: Deployment;
  /** ReplicaSets whose controller it is. */
  readonly owned: readonly ReplicaSet[];
  /** ReplicaSets of the namespace without a controller. */
  readonly orphans: readonly ReplicaSet[];
}

/** ReplicaSets to take in and to let go of, as they are to be written. */
export interface Claims {
  readonly adopted: readonly ReplicaSet[];
  readonly released: readonly ReplicaSet[];
}

/** Whoever matches the selector and belongs to nobody is taken in; whoever no longer matches is let go of. */
export function planClaims({ deployment, owned, orphans }: ClaimInput): Claims {
  const matches = (one: ReplicaSet) => matchesSelector(deployment.spec.selector, one.metadata.labels);
  if (deployment.metadata.deletionTimestamp) return { adopted: [], released: [] };
  const isThere = (one: ReplicaSet) => one.metadata.deletionTimestamp === undefined;
  return {
    adopted: orphans
      .filter((one) => isThere(one) && matches(one))
      .map((one) => withOwners(one, [...others(one, deployment), controllerRef(deployments, deployment)])),
    released: owned.filter((one) => !matches(one)).map((one) => withOwners(one, others(one, deployment))),
  };
}

type Owners = NonNullable<ReplicaSet['metadata']['ownerReferences']>;

function others(one: ReplicaSet, deployment: Deployment): Owners {
  return (one.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== deployment.metadata.uid);
}

function withOwners(one: ReplicaSet, ownerReferences: Owners): ReplicaSet {
  return { ...one, metadata: { ...one.metadata, ownerReferences } };
}
