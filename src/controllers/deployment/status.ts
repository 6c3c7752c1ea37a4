import type { DeploymentCondition } from 'kubernetes-types/apps/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { deploymentConditions } from '../../resources/names.ts';
import { type RollbackRecord, rollbackText } from '../../resources/rollback-record.ts';
import { type Conditions, withCondition } from './condition-list.ts';
import { countsOf, type StatusInput } from './counts.ts';
import { progressing, timedOutReason } from './progress.ts';
import { rollingBounds, wantedOf } from './rolling.ts';

export interface DeploymentStatusPlan {
  readonly status: NonNullable<Deployment['status']>;
  /** When the progress deadline passes, should nothing happen before. */
  readonly againAfterMs?: number;
}

/** Counts and conditions with Kubernetes' reasons: `kubectl rollout status` and `wait` read them. */
export function planStatus(input: StatusInput): DeploymentStatusPlan {
  const { deployment, newest, all, nowMs } = input;
  const counts = countsOf(newest, all);
  const { collisionCount } = deployment.status ?? {};
  const { conditions: progressed, againAfterMs } = progressing(input, counts);
  const known: Conditions = replicaFailure(progressed, all, newest, nowMs);
  const available = withCondition(known, availability(deployment, counts.availableReplicas), nowMs);
  const conditions = ownConditions(available, input);
  const times = [againAfterMs, input.held && Math.max(0, input.held.untilMs - nowMs)].filter(
    (one) => one !== undefined,
  );
  return {
    status: {
      observedGeneration: deployment.metadata.generation ?? 0,
      ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
      ...(collisionCount === undefined ? {} : { collisionCount }),
      conditions: [...conditions],
    },
    ...(times.length === 0 ? {} : { againAfterMs: Math.min(...times) }),
  };
}

/** Ours are there only while they are true: a Deployment that asks for nothing of ours shows nothing of ours. */
function ownConditions(conditions: Conditions, { held, rolledBack, nowMs }: StatusInput): Conditions {
  const { updateHeld, rolledBack: type } = deploymentConditions;
  const others = conditions.filter((one) => one.type !== updateHeld && one.type !== type);
  const wanted = [
    ...(held ? [{ type: updateHeld, status: 'True', reason: held.reason, message: held.message }] : []),
    ...(rolledBack ? [{ type, status: 'True', ...rolledBackWords(rolledBack) }] : []),
  ];
  const lastUpdateTime = formatTime(nowMs);
  const written = wanted.map((next) => {
    const old = conditions.find((one) => one.type === next.type);
    const isSame = old?.reason === next.reason && old.message === next.message;
    return isSame ? old : { ...next, lastUpdateTime, lastTransitionTime: old?.lastTransitionTime ?? lastUpdateTime };
  });
  return [...others, ...written];
}

function rolledBackWords(record: RollbackRecord): { reason: string; message: string } {
  return { reason: record.by === 'abort' ? 'Aborted' : timedOutReason, message: rollbackText(record) };
}

function availability(deployment: Deployment, available: number): DeploymentCondition {
  const needed = wantedOf(deployment) - rollingBounds(deployment).maxUnavailable;
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

const failureType = 'ReplicaFailure';

/** Pods that cannot even be created: of the newest set, else of any. */
function replicaFailure(
  conditions: Conditions,
  all: readonly ReplicaSet[],
  newest: ReplicaSet | undefined,
  nowMs: number,
): Conditions {
  const failureOf = (one: ReplicaSet | undefined) =>
    one?.status?.conditions?.find(({ type, status }) => type === failureType && status === 'True');
  const failure = failureOf(newest) ?? all.map(failureOf).find((one) => one !== undefined);
  if (!failure) return conditions.filter((one) => one.type !== failureType);
  const { status, reason = '', message = '' } = failure;
  return withCondition(conditions, { type: failureType, status, reason, message }, nowMs);
}
