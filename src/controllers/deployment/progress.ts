// The condition Progressing: what a rollout did last, and whether it got stuck.
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { deploymentConditions } from '../../resources/names.ts';
import { type Conditions, type NewCondition, withCondition } from './condition-list.ts';
import { type Counts, hasAll, type StatusInput } from './counts.ts';
import { maxInt32 } from './revisions.ts';
import { isFollowed } from './rollback.ts';
import { wantedOf } from './rolling.ts';

const type = 'Progressing';
/** Kubernetes' word: `kubectl rollout status` ends with it. */
export const timedOutReason = 'ProgressDeadlineExceeded';
const reasons = {
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  updated: 'ReplicaSetUpdated',
  done: 'NewReplicaSetAvailable',
  timedOut: timedOutReason,
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
  const begun = released(pausing(deployment, noticed(before, input), nowMs), input);
  if (deployment.spec.paused) return { conditions: begun };
  // Waiting is no lack of progress; what moves meanwhile is noted.
  if (input.held?.isIdle) return { conditions: hasProgressed(deployment, counts) ? moved(begun, input) : begun };
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
function noticed(conditions: Conditions, { deployment, created, newest, nowMs }: StatusInput): Conditions {
  if (created) {
    const message = `Created new replica set "${created.metadata.name}"`;
    return withCondition(conditions, { type, status: 'True', reason: reasons.created, message }, nowMs, {
      isMoved: true,
    });
  }
  const shown = progressOf(conditions);
  if (!newest || (shown && !isOfAnother(shown, deployment, newest))) return conditions;
  const message = `Found new replica set "${newest.metadata.name}"`;
  return withCondition(conditions, { type, status: 'True', reason: reasons.found, message }, nowMs, { isMoved: true });
}

/**
 * Kubernetes goes on counting when a template comes back whose set is there still, and so it stays for its own Deployments. What
 * may be taken back needs a deadline of its own.
 */
function isOfAnother({ reason, message = '' }: NewCondition, deployment: Deployment, newest: ReplicaSet): boolean {
  const isAbout = reason !== reasons.paused && reason !== reasons.resumed;
  return isFollowed(deployment) && isAbout && !message.includes(`"${newest.metadata.name}"`);
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

/** After waiting for its turn a rollout has the whole deadline before it. */
function released(conditions: Conditions, input: StatusInput): Conditions {
  const wasHeld = conditions.some((one) => one.type === deploymentConditions.updateHeld);
  return wasHeld && !input.held && !input.created ? moved(conditions, input) : conditions;
}

function moved(conditions: Conditions, { deployment, newest, nowMs }: StatusInput): Conditions {
  const message = `${nameOf(deployment, newest)} is progressing.`;
  return withCondition(conditions, { type, status: 'True', reason: reasons.updated, message }, nowMs, {
    isMoved: true,
  });
}

function nameOf(deployment: StatusInput['deployment'], newest: StatusInput['newest']): string {
  return newest ? `ReplicaSet "${newest.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
}

function judged(conditions: Conditions, input: StatusInput, counts: Counts, limitMs: number): Conditions {
  const { deployment, newest, nowMs } = input;
  const shown = progressOf(conditions);
  const name = nameOf(deployment, newest);
  // Through, and only its size changes: that is no rollout.
  if (shown?.reason === reasons.done && counts.replicas === counts.updatedReplicas) return conditions;
  if (newest && hasAll(counts, wantedOf(deployment))) {
    const message = `${name} has successfully progressed.`;
    return withCondition(conditions, { type, status: 'True', reason: reasons.done, message }, nowMs);
  }
  if (hasProgressed(deployment, counts)) return moved(conditions, input);
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
