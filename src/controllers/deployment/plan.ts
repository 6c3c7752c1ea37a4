import type { Deployment, Pod, ReplicaSet } from '../../resources/kinds.ts';
import { isPodFinished, isPodLost } from '../../resources/pod-facts.ts';
import { byAge, inherited, newestSet, replicaSetFor, revisionOf } from './replica-set-for.ts';
import { planSizes, replicasOf, rollingBounds } from './rolling.ts';
import { type DeploymentStatusPlan, planStatus } from './status.ts';

export type DeploymentStep =
  | { readonly type: 'createReplicaSet'; readonly replicaSet: ReplicaSet }
  | { readonly type: 'scaleReplicaSet'; readonly replicaSet: ReplicaSet; readonly replicas: number }
  /** Revision and change cause follow the deployment. */
  | {
      readonly type: 'annotateReplicaSet';
      readonly replicaSet: ReplicaSet;
      readonly annotations: Record<string, string>;
    }
  | { readonly type: 'deleteReplicaSet'; readonly replicaSet: ReplicaSet }
  /** Writes the deployment's own revision annotation. */
  | { readonly type: 'annotateDeployment'; readonly revision: number };

export interface DeploymentObservation {
  readonly deployment: Deployment;
  /** ReplicaSets whose controller it is. */
  readonly owned: readonly ReplicaSet[];
  /** Pods of those ReplicaSets: Recreate waits until the old ones are gone. */
  readonly podsOf: (replicaSet: ReplicaSet) => readonly Pod[];
  readonly nowMs: number;
}

export interface DeploymentPlan extends DeploymentStatusPlan {
  readonly steps: readonly DeploymentStep[];
}

/** What to change now for the deployment to come nearer to its template; nothing when it is there or has to wait. */
export function planDeployment(observed: DeploymentObservation): DeploymentPlan {
  const { deployment } = observed;
  const owned = observed.owned.filter((one) => !one.metadata.deletionTimestamp).sort(byAge);
  const newest = newestSet(deployment, owned);
  const old = owned.filter((one) => one !== newest);
  const status = planStatus({ deployment, newest, all: owned, nowMs: observed.nowMs });
  if (deployment.metadata.deletionTimestamp) return { ...status, steps: [] };
  if (deployment.spec.paused) return { ...status, steps: pausedSteps(deployment, owned) };
  const steps = [
    ...revisionSteps(deployment, newest, old),
    ...(deployment.spec.strategy?.type === 'Recreate'
      ? recreateSteps(observed, newest, old)
      : rollingSteps(deployment, newest, old)),
    ...(newest ? historySteps(deployment, old) : []),
  ];
  return { ...status, steps };
}

function wantedOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

function rollingSteps(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentStep[] {
  const wanted = wantedOf(deployment);
  const bounds = rollingBounds(deployment);
  if (!newest) {
    const room = wanted + bounds.maxSurge - old.reduce((total, one) => total + replicasOf(one), 0);
    const first = Math.max(0, Math.min(wanted, room));
    return [{ type: 'createReplicaSet', replicaSet: replicaSetFor(deployment, first, nextRevision(old)) }];
  }
  const sizes = planSizes({ wanted, bounds, newest, old });
  return scaleSteps([newest, ...old], sizes);
}

function recreateSteps(
  observed: DeploymentObservation,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentStep[] {
  const { deployment } = observed;
  const toStop = old.filter((one) => replicasOf(one) > 0);
  if (toStop.length > 0) return toStop.map((replicaSet) => ({ type: 'scaleReplicaSet', replicaSet, replicas: 0 }));
  // A pod on a lost node may never go: waiting for it would take the service down with the node.
  const isThere = (pod: Pod) => !isPodFinished(pod) && !isPodLost(pod);
  if (old.some((one) => observed.podsOf(one).some(isThere))) return [];
  const wanted = wantedOf(deployment);
  if (!newest) return [{ type: 'createReplicaSet', replicaSet: replicaSetFor(deployment, wanted, nextRevision(old)) }];
  return replicasOf(newest) === wanted ? [] : [{ type: 'scaleReplicaSet', replicaSet: newest, replicas: wanted }];
}

/** While paused nothing rolls; `scale` still works on the set that has the pods. */
function pausedSteps(deployment: Deployment, owned: readonly ReplicaSet[]): DeploymentStep[] {
  const withPods = owned.filter((one) => replicasOf(one) > 0);
  const only = withPods.length === 1 ? withPods[0] : withPods.length === 0 ? owned.at(-1) : undefined;
  if (!only || replicasOf(only) === wantedOf(deployment)) return [];
  return [{ type: 'scaleReplicaSet', replicaSet: only, replicas: wantedOf(deployment) }];
}

function scaleSteps(sets: readonly ReplicaSet[], sizes: ReadonlyMap<string, number>): DeploymentStep[] {
  return sets.flatMap((replicaSet) => {
    const replicas = sizes.get(replicaSet.metadata.name);
    return replicas === undefined ? [] : [{ type: 'scaleReplicaSet' as const, replicaSet, replicas }];
  });
}

function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1;
}

/** A template that comes back (undo) is the newest revision again. */
function revisionSteps(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentStep[] {
  const revision = newest ? Math.max(revisionOf(newest), nextRevision(old)) : nextRevision(old);
  const steps: DeploymentStep[] = [];
  if (newest) {
    const annotations = inherited(deployment, revision);
    const shown = newest.metadata.annotations ?? {};
    if (Object.entries(annotations).some(([key, value]) => shown[key] !== value)) {
      steps.push({ type: 'annotateReplicaSet', replicaSet: newest, annotations });
    }
  }
  if (deployment.metadata.annotations?.['deployment.kubernetes.io/revision'] !== String(revision)) {
    steps.push({ type: 'annotateDeployment', revision });
  }
  return steps;
}

function historySteps(deployment: Deployment, old: readonly ReplicaSet[]): DeploymentStep[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const idle = old.filter((one) => replicasOf(one) === 0 && (one.status?.replicas ?? 0) === 0);
  return idle
    .sort((a, b) => revisionOf(b) - revisionOf(a))
    .slice(limit)
    .map((replicaSet) => ({ type: 'deleteReplicaSet', replicaSet }));
}
