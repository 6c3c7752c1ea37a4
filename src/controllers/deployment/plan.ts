import type { Deployment, Pod, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isPodFinished, isPodLost } from '../../resources/pod-facts.ts';
import { isComplete } from './counts.ts';
import { type Pace, planPace } from './pace.ts';
import { timedOutReason } from './progress.ts';
import { byAge, newestSet, replicaSetFor } from './replica-set-for.ts';
import { forgettable, nextRevision, staleAnnotations, wantedRevision } from './revisions.ts';
import { isFollowed, planRollback, type Rollback, recordInForce, spentAnnotations } from './rollback.ts';
import { planSizes, replicasOf, rollingBounds, sizeAnnotations, sum, wantedOf } from './rolling.ts';
import { isScaling, scaledSizes } from './scaling.ts';
import { type DeploymentStatusPlan, planStatus } from './status.ts';

export type DeploymentStep =
  | { readonly type: 'createReplicaSet'; readonly replicaSet: ReplicaSet }
  | { readonly type: 'changeReplicaSet'; readonly replicaSet: ReplicaSet; readonly change: ReplicaSetChange }
  | { readonly type: 'deleteReplicaSet'; readonly replicaSet: ReplicaSet }
  /** Writes the deployment's own revision annotation. */
  | { readonly type: 'annotateDeployment'; readonly revision: bigint }
  /** Takes annotations away that have had their effect. */
  | { readonly type: 'forgetAnnotations'; readonly keys: readonly string[] }
  /** Writes the template of `to` into the deployment, and why. */
  | ({ readonly type: 'rollBack' } & Rollback);

/** All that is written of one set, in one write. */
export interface ReplicaSetChange {
  readonly replicas?: number;
  /** Added to those it has. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly minReadySeconds?: number;
}

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

/** What is there, sorted out. */
interface Sets {
  readonly deployment: Deployment;
  /** The set of the deployment's own template. */
  readonly newest: ReplicaSet | undefined;
  /** Of former templates, oldest first. */
  readonly old: readonly ReplicaSet[];
  readonly pace: Pace;
}

/** What to change now for the deployment to come nearer to its template; nothing when it is there or has to wait. */
export function planDeployment(observed: DeploymentObservation): DeploymentPlan {
  const { deployment, nowMs } = observed;
  const owned = observed.owned.filter((one) => !one.metadata.deletionTimestamp).sort(byAge);
  const newest = newestSet(deployment, owned);
  const old = owned.filter((one) => one !== newest);
  const rolledBack = recordInForce(deployment, newest);
  const pace = planPace({ deployment, newest, old, isGoingBack: rolledBack !== undefined, nowMs });
  const sets: Sets = { deployment, newest, old, pace };
  const steps = deployment.metadata.deletionTimestamp ? [] : stepsOf(observed, sets);
  const created = steps.find((step) => step.type === 'createReplicaSet')?.replicaSet;
  const status = planStatus({ deployment, newest, created, all: owned, nowMs, held: pace.held, rolledBack });
  const rollback = deployment.metadata.deletionTimestamp
    ? undefined
    : planRollback({ deployment, newest, old, isTimedOut: isTimedOut(status) });
  // All else follows from the template, which is about to be another one.
  return { ...status, steps: rollback ? [{ type: 'rollBack', ...rollback }] : steps };
}

function isTimedOut({ status }: DeploymentStatusPlan): boolean {
  return status.conditions?.some((one) => one.type === 'Progressing' && one.reason === timedOutReason) ?? false;
}

function stepsOf(observed: DeploymentObservation, sets: Sets): DeploymentStep[] {
  const { deployment, newest, old } = sets;
  const { steps = [], sizes = new Map() } = sizing(observed, sets);
  const spent = spentAnnotations(sets);
  const forget: DeploymentStep[] = spent.length > 0 ? [{ type: 'forgetAnnotations', keys: spent }] : [];
  return [
    ...forget,
    ...revisionSteps(sets),
    ...steps,
    ...changes(sets, sizes),
    ...historySteps(deployment, newest, old),
  ];
}

interface Sizing {
  readonly steps?: readonly DeploymentStep[];
  /** By name of the set. */
  readonly sizes?: ReadonlyMap<string, number>;
}

function sizing(observed: DeploymentObservation, sets: Sets): Sizing {
  const { deployment, newest, old } = sets;
  const isRecreate = deployment.spec.strategy?.type === 'Recreate';
  const all = [...(newest ? [newest] : []), ...old];
  const isShared = !isRecreate || all.filter((one) => replicasOf(one) > 0).length < 2;
  // While paused nothing rolls; `scale` still works.
  if (deployment.spec.paused) return isShared ? { sizes: scaledSizesIfNeeded(sets, all) } : {};
  if (isShared && isScaling(deployment, all)) return { sizes: scaledSizes(deployment, newest, old) };
  return isRecreate ? recreating(observed, sets) : rolling(sets);
}

function scaledSizesIfNeeded({ deployment, newest, old }: Sets, all: readonly ReplicaSet[]): Map<string, number> {
  const isOne = all.filter((one) => replicasOf(one) > 0).length < 2;
  return isOne || isScaling(deployment, all) ? scaledSizes(deployment, newest, old) : new Map();
}

function rolling({ deployment, newest, old, pace }: Sets): Sizing {
  const wanted = wantedOf(deployment);
  const bounds = rollingBounds(deployment);
  if (newest) return { sizes: planSizes({ wanted, bounds, newest, old, limit: pace.limit }) };
  if (pace.held) return {};
  const first = Math.max(0, Math.min(pace.limit ?? wanted, wanted + bounds.maxSurge - sum(old, replicasOf)));
  return { steps: [creation(deployment, first, old)] };
}

function recreating(observed: DeploymentObservation, { deployment, newest, old, pace }: Sets): Sizing {
  if (pace.held) return {};
  const toStop = old.filter((one) => replicasOf(one) > 0);
  if (toStop.length > 0) return { sizes: new Map(toStop.map((one) => [one.metadata.name, 0])) };
  // A pod on a lost node may never go: waiting for it would take the service down with the node.
  const isThere = (pod: Pod) => !isPodFinished(pod) && !isPodLost(pod);
  if (old.some((one) => observed.podsOf(one).some(isThere))) return {};
  const wanted = wantedOf(deployment);
  return newest ? { sizes: new Map([[newest.metadata.name, wanted]]) } : { steps: [creation(deployment, wanted, old)] };
}

function creation(deployment: Deployment, replicas: number, old: readonly ReplicaSet[]): DeploymentStep {
  return { type: 'createReplicaSet', replicaSet: replicaSetFor(deployment, replicas, nextRevision(old)) };
}

/** One write for each set that is to be another size, or whose annotations are behind; the newest first. */
function changes({ deployment, newest, old }: Sets, sizes: ReadonlyMap<string, number>): DeploymentStep[] {
  const revision = wantedRevision(newest, old);
  return [...(newest ? [newest] : []), ...old].flatMap((replicaSet): DeploymentStep[] => {
    const replicas = sizes.get(replicaSet.metadata.name);
    const wanted = {
      ...(replicaSet === newest ? staleAnnotations(deployment, newest, revision) : {}),
      ...(replicas === undefined ? {} : sizeAnnotations(deployment)),
      ...(replicaSet === newest && isFollowed(deployment) && isComplete(deployment, newest, old)
        ? { [annotations.rolledOut]: newest.metadata.name }
        : {}),
    };
    const shown = replicaSet.metadata.annotations ?? {};
    const stale = Object.entries(wanted).filter(([key, value]) => shown[key] !== value);
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    const isOther = replicaSet === newest && (newest.spec.minReadySeconds ?? 0) !== minReadySeconds;
    const change: ReplicaSetChange = {
      ...(replicas === undefined || replicas === replicasOf(replicaSet) ? {} : { replicas }),
      ...(stale.length > 0 ? { annotations: Object.fromEntries(stale) } : {}),
      ...(isOther ? { minReadySeconds } : {}),
    };
    return Object.keys(change).length > 0 ? [{ type: 'changeReplicaSet', replicaSet, change }] : [];
  });
}

/** A paused deployment without a set for its template keeps the revision that it has. */
function revisionSteps({ deployment, newest, old }: Sets): DeploymentStep[] {
  if (!newest && deployment.spec.paused) return [];
  const revision = wantedRevision(newest, old);
  const shown = deployment.metadata.annotations?.[annotations.deploymentRevision];
  return shown === String(revision) ? [] : [{ type: 'annotateDeployment', revision }];
}

/** Only a rollout that is through, or that stands still, forgets what it could go back to. */
function historySteps(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentStep[] {
  if (!deployment.spec.paused && !(newest && isComplete(deployment, newest, old))) return [];
  return forgettable(deployment, old).map((replicaSet) => ({ type: 'deleteReplicaSet', replicaSet }));
}
