// The condition Progressing: what a rollout did last, and whether it got stuck.
import type { Deployment } from '../../resources/kinds.ts';
import { type Conditions, withCondition } from './condition-list.ts';
import { type Counts, hasAll, type StatusInput } from './counts.ts';
import { maxInt32 } from './revisions.ts';
import { wantedOf } from './rolling.ts';

const type = 'Progressing';
const reasons = {
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  updated: 'ReplicaSetUpdated',
  done: 'NewReplicaSetAvailable',
  timedOut: 'ProgressDeadlineExceeded',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
} as const;

export interface Progress {
  readonly conditions: Conditions;
  /** When the deadline will have passed. */
  readonly againAfterMs?: number;
}

export function progressing(input: StatusInput, counts: Counts): Progress {
  const { deployment, nowMs } = input;
  const before: Conditions = deployment.status?.conditions ?? [];
  const deadlineSeconds = deployment.spec.progressDeadlineSeconds ?? 600;
  if (deadlineSeconds === maxInt32) return { conditions: before.filter((one) => one.type !== type) };
  const begun = pausing(deployment, noticed(before, input), nowMs);
  if (deployment.spec.paused) return { conditions: begun };
  const conditions = judged(begun, input, counts, deadlineSeconds * 1000);
  const condition = progressOf(conditions);
  if (!condition || condition.reason === reasons.done || condition.reason === reasons.timedOut) return { conditions };
  const leftMs = deadlineMs(condition.lastUpdateTime, nowMs) + deadlineSeconds * 1000 - nowMs;
  return { conditions, againAfterMs: Math.max(0, leftMs) + 1000 };
}

function progressOf(conditions: Conditions) {
  return conditions.find((one) => one.type === type);
}

function deadlineMs(lastUpdateTime: string | undefined, nowMs: number): number {
  return lastUpdateTime === undefined ? nowMs : Date.parse(lastUpdateTime);
}

/** A set made for the template begins a new round, with the whole deadline before it. */
function noticed(conditions: Conditions, { created, newest, nowMs }: StatusInput): Conditions {
  if (created) {
    const message = `Created new replica set "${created.metadata.name}"`;
    return withCondition(conditions, { type, status: 'True', reason: reasons.created, message }, nowMs, {
      isMoved: true,
    });
  }
  if (!newest || progressOf(conditions)) return conditions;
  const message = `Found new replica set "${newest.metadata.name}"`;
  return withCondition(conditions, { type, status: 'True', reason: reasons.found, message }, nowMs);
}

function pausing(deployment: Deployment, conditions: Conditions, nowMs: number): Conditions {
  const reason = progressOf(conditions)?.reason;
  // That it got stuck is worth more to know than that it is paused now.
  if (reason === reasons.timedOut) return conditions;
  if (deployment.spec.paused && reason !== reasons.paused) {
    const message = 'Deployment is paused';
    return withCondition(conditions, { type, status: 'Unknown', reason: reasons.paused, message }, nowMs);
  }
  if (deployment.spec.paused || reason !== reasons.paused) return conditions;
  const message = 'Deployment is resumed';
  return withCondition(conditions, { type, status: 'Unknown', reason: reasons.resumed, message }, nowMs);
}

function judged(conditions: Conditions, input: StatusInput, counts: Counts, limitMs: number): Conditions {
  const { deployment, newest, nowMs } = input;
  const shown = progressOf(conditions);
  const name = newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  // Through, and only its size changes: that is no rollout.
  if (shown?.reason === reasons.done && counts.replicas === counts.updatedReplicas) return conditions;
  if (newest && hasAll(counts, wantedOf(deployment))) {
    const message = `${name} has successfully progressed.`;
    return withCondition(conditions, { type, status: 'True', reason: reasons.done, message }, nowMs);
  }
  if (hasProgressed(deployment, counts)) {
    const message = `${name} is progressing.`;
    const next = { type, status: 'True', reason: reasons.updated, message };
    return withCondition(conditions, next, nowMs, { isMoved: true });
  }
  const sinceMs = deadlineMs(shown?.lastUpdateTime, nowMs);
  if (!shown || shown.reason === reasons.done || sinceMs + limitMs >= nowMs) return conditions;
  const message = `${name} has timed out progressing.`;
  return withCondition(conditions, { type, status: 'False', reason: reasons.timedOut, message }, nowMs);
}

function hasProgressed(deployment: Deployment, now: Counts): boolean {
  const { updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0, replicas = 0 } = deployment.status ?? {};
  return (
    now.updatedReplicas > updatedReplicas ||
    now.readyReplicas > readyReplicas ||
    now.availableReplicas > availableReplicas ||
    now.replicas - now.updatedReplicas < replicas - updatedReplicas
  );
}
