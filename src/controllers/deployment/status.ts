import type { DeploymentCondition } from 'kubernetes-types/apps/v1.js';
import { formatTime, setCondition } from '../../resources/conditions.ts';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { availableOf, replicasOf, rollingBounds } from './rolling.ts';

export interface DeploymentStatusPlan {
  readonly status: NonNullable<Deployment['status']>;
  /** When the progress deadline passes, should nothing happen before. */
  readonly againAfterMs?: number;
}

interface StatusInput {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  /** With the newest. */
  readonly all: readonly ReplicaSet[];
  readonly nowMs: number;
}

/** Counts and conditions with Kubernetes' reasons: `kubectl rollout status` and `wait` read them. */
export function planStatus(input: StatusInput): DeploymentStatusPlan {
  const { deployment, newest, all, nowMs } = input;
  const sum = (of: (one: ReplicaSet) => number) => all.reduce((total, one) => total + of(one), 0);
  const available = sum(availableOf);
  const ready = sum((one) => one.status?.readyReplicas ?? 0);
  const replicas = sum((one) => one.status?.replicas ?? 0);
  const updated = newest?.status?.replicas ?? 0;
  const unavailable = Math.max(0, sum(replicasOf) - available);
  const { collisionCount } = deployment.status ?? {};
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(replicas > 0 ? { replicas } : {}),
    ...(updated > 0 ? { updatedReplicas: updated } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    ...(unavailable > 0 ? { unavailableReplicas: unavailable } : {}),
  };
  const progress = progressOf(input, { available, ready, updated, replicas });
  let conditions = setCondition(deployment.status?.conditions, availability(deployment, available), nowMs);
  conditions = setCondition(conditions, progress.condition, nowMs);
  return {
    status: {
      ...counts,
      conditions: keepUpdateTimes(deployment.status?.conditions, conditions, progress.hasMoved, nowMs),
    },
    ...(progress.againAfterMs === undefined ? {} : { againAfterMs: progress.againAfterMs }),
  };
}

function availability(deployment: Deployment, available: number): DeploymentCondition {
  const needed = (deployment.spec.replicas ?? 1) - rollingBounds(deployment).maxUnavailable;
  return available >= needed
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

interface Counts {
  readonly available: number;
  readonly ready: number;
  readonly updated: number;
  readonly replicas: number;
}

interface Progress {
  readonly condition: DeploymentCondition;
  readonly hasMoved: boolean;
  readonly againAfterMs?: number;
}

const type = 'Progressing';

function progressOf({ deployment, newest, nowMs }: StatusInput, now: Counts): Progress {
  const known = deployment.status?.conditions?.find((one) => one.type === type);
  const name = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (deployment.spec.paused) {
    return still(type, 'Unknown', 'DeploymentPaused', 'Deployment is paused', known);
  }
  const wanted = deployment.spec.replicas ?? 1;
  const isComplete =
    newest !== undefined && now.updated === wanted && now.replicas === wanted && now.available === wanted;
  if (isComplete) {
    return still(type, 'True', 'NewReplicaSetAvailable', `${name} has successfully progressed.`, known);
  }
  const isSameRound = known?.message?.startsWith(name) === true && known.reason !== 'NewReplicaSetAvailable';
  const before = deployment.status ?? {};
  const hasMoved =
    !isSameRound ||
    now.updated > (before.updatedReplicas ?? 0) ||
    now.ready > (before.readyReplicas ?? 0) ||
    now.available > (before.availableReplicas ?? 0) ||
    now.replicas - now.updated < (before.replicas ?? 0) - (before.updatedReplicas ?? 0);
  if (hasMoved) {
    const condition = { type, status: 'True', reason: 'ReplicaSetUpdated', message: `${name} is progressing.` };
    return { condition, hasMoved: true, againAfterMs: deadlineMs(deployment) + 1000 };
  }
  const leftMs = Date.parse(known?.lastUpdateTime ?? formatTime(nowMs)) + deadlineMs(deployment) - nowMs;
  if (leftMs <= 0) return still(type, 'False', 'ProgressDeadlineExceeded', `${name} has timed out progressing.`, known);
  const status = known?.status === 'False' ? 'False' : 'True';
  const condition = { type, status, reason: known?.reason ?? 'ReplicaSetUpdated', message: known?.message ?? '' };
  return { condition, hasMoved: false, againAfterMs: leftMs + 1000 };
}

/** A state without a clock running: it has moved when its reason or sentence is new. */
function still(
  kind: string,
  status: string,
  reason: string,
  message: string,
  known: DeploymentCondition | undefined,
): Progress {
  return {
    condition: { type: kind, status, reason, message },
    hasMoved: known?.reason !== reason || known.message !== message,
  };
}

/** `kubectl` prints lastUpdateTime; a condition that says the same keeps its own, or each status would be a new one. */
function keepUpdateTimes(
  before: readonly DeploymentCondition[] | undefined,
  after: readonly DeploymentCondition[],
  hasMoved: boolean,
  nowMs: number,
): DeploymentCondition[] {
  return after.map((one) => {
    const known = before?.find((other) => other.type === one.type);
    const isSame = known?.status === one.status && known.reason === one.reason && known.message === one.message;
    const isFresh = one.type === type ? hasMoved : !isSame;
    return { ...one, lastUpdateTime: isFresh ? formatTime(nowMs) : (known?.lastUpdateTime ?? formatTime(nowMs)) };
  });
}

function deadlineMs(deployment: Deployment): number {
  return (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
}
