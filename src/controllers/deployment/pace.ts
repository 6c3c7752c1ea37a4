// How fast a rollout may go: a window of the day, and a pause after each batch. Both are opt-in annotations.
import { formatTime } from '../../resources/conditions.ts';
import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { updateRulesOf } from '../../resources/update-rules.ts';
import { formatWindow, isInWindow, windowOpensAtMs } from '../../resources/update-window.ts';
import { availableOf, replicasOf, rollingBounds, sum, wantedOf } from './rolling.ts';

export interface PaceInput {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** Back to what was good: that waits for nothing. */
  readonly isGoingBack: boolean;
  readonly nowMs: number;
}

export interface Pace {
  /** The newest set may be so large now, and the old ones give way to no more than that. Absent: as large as it likes. */
  readonly limit?: number;
  readonly held?: Held;
}

/** Why nothing is replaced now. */
export interface Held {
  readonly reason: 'OutsideWindow' | 'PauseBetweenBatches';
  readonly message: string;
  readonly untilMs: number;
  /** Nothing that was begun is waited for either: no deadline passes meanwhile. */
  readonly isIdle: boolean;
}

export function planPace(input: PaceInput): Pace {
  const { deployment, newest, old, isGoingBack, nowMs } = input;
  const { window, pauseMs } = updateRulesOf(deployment.metadata.annotations);
  const size = newest ? replicasOf(newest) : 0;
  // What replaces nothing is no update; and the last old ones go as soon as they are not needed.
  const isUpdate = sum(old, replicasOf) > 0 && size < wantedOf(deployment);
  if (!isUpdate || isGoingBack || deployment.spec.paused) return {};
  if (window && !isInWindow(window, nowMs)) {
    const untilMs = windowOpensAtMs(window, nowMs);
    const message = `waits for its window ${formatWindow(window)}, which opens at ${formatTime(untilMs)}`;
    // An old one that went just before it closed is still replaced.
    const limit = newest ? Math.max(size, wantedOf(deployment) - sum(old, replicasOf)) : 0;
    const isIdle = newest === undefined || availableOf(newest) >= limit;
    return { limit, held: { reason: 'OutsideWindow', message, untilMs, isIdle } };
  }
  return pauseMs === undefined ? {} : batch(input, size, pauseMs);
}

/** Batches end at multiples of what may change at once. */
function batch({ deployment, newest, old, nowMs }: PaceInput, size: number, pauseMs: number): Pace {
  const { maxSurge, maxUnavailable } = rollingBounds(deployment);
  const atOnce = Math.max(1, maxSurge > 0 ? maxSurge : maxUnavailable);
  const wanted = wantedOf(deployment);
  const oldSize = sum(old, replicasOf);
  // An old one that went is of the batch, though the new one in its place is not there yet.
  const end = Math.max(1, Math.ceil(Math.max(size, wanted - oldSize) / atOnce)) * atOnce;
  if (end >= wanted) return {};
  const isThrough = newest !== undefined && size === end && availableOf(newest) >= size && size + oldSize <= wanted;
  if (!isThrough) return { limit: end };
  const untilMs = lastMoveMs(deployment, nowMs) + pauseMs;
  if (nowMs >= untilMs) return { limit: end + atOnce };
  const message = `${size} of ${wanted} instances are updated; goes on at ${formatTime(untilMs)}`;
  return { limit: end, held: { reason: 'PauseBetweenBatches', message, untilMs, isIdle: true } };
}

/** When its numbers changed last; now, where nobody has noted it yet. */
function lastMoveMs(deployment: Deployment, nowMs: number): number {
  const shown = deployment.status?.conditions?.find((one) => one.type === 'Progressing')?.lastUpdateTime;
  return shown === undefined ? nowMs : Date.parse(shown);
}
