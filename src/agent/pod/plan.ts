import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { graceSecondsOf, hasEnded, isAlive, nameOf, newestFirst } from './container-facts.ts';
import { hasPause, pauseName } from './pause.ts';
import { planContainer } from './plan-container.ts';
import { planGroup } from './plan-group.ts';
import { planEnd, planHostEnd, planOrderedStops } from './plan-stops.ts';
import type { PodLocal } from './pod-local.ts';
import type { PodStep } from './step.ts';

/**
 * What to do next for one pod. Never two running containers of a pod and name: the older one is stopped before a new one is
 * created. `desired` undefined: the pod is not wanted here.
 */
export function planPod(
  desired: Pod | undefined,
  observed: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
): PodStep[] {
  return settle(plan(desired, newestFirst(observed), local, nowMs));
}

function plan(
  pod: Pod | undefined,
  containers: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
): readonly PodStep[] {
  if (!pod) return planEnd({ containers, local, nowMs, why: 'not-wanted', graceSeconds: local.graceSeconds });
  const graceSeconds = graceSecondsOf(pod);
  if (pod.metadata.deletionTimestamp !== undefined) {
    return (
      planWithdrawal(containers, local) ??
      planEnd({ pod, containers, local, nowMs, why: 'deleted', graceSeconds, hasObject: true })
    );
  }
  if (local.admission === 'refused' || isPodFinished(pod)) {
    const stops = planOrderedStops({ pod, containers, local, nowMs, why: 'finished', graceSeconds });
    return [...stops, ...planTrim(containers)];
  }
  const { hostEndsAtMs } = local;
  if (hostEndsAtMs !== undefined) {
    return planHostEnd({ pod, containers, local, nowMs, graceSeconds }, hostEndsAtMs);
  }
  if (hasPause(pod)) return [...planTrim(containers), ...planGroup(pod, containers, local, nowMs)];
  const name = pod.spec.containers[0]?.name ?? '';
  return [...planTrim(containers), ...planContainer({ pod, name, containers, local, nowMs })];
}

/** It runs on until nobody is sent to it; what has stopped, or has begun to, needs no more of that. */
function planWithdrawal(
  containers: readonly ContainerObservation[],
  { mayStop, stopping }: PodLocal,
): readonly PodStep[] | undefined {
  const isServing = containers.some((one) => isAlive(one) && nameOf(one) !== pauseName);
  if (mayStop === true || stopping.size > 0 || !isServing) return undefined;
  return [{ type: 'wait', why: 'withdrawal', untilMs: mayStop.untilMs }];
}

/** Of each name only the last one that ended is kept, for its log (`--previous`). */
function planTrim(containers: readonly ContainerObservation[]): readonly PodStep[] {
  const seen = new Set<string>();
  return containers.filter(hasEnded).flatMap((container): PodStep[] => {
    if (seen.has(nameOf(container))) return [{ type: 'remove', containerId: container.id }];
    seen.add(nameOf(container));
    return [];
  });
}

/** What several containers ask for at once is done once, and what one of them waits for keeps none of the others: waits are last. */
function settle(steps: readonly PodStep[]): PodStep[] {
  const isAdmitted = steps.findIndex(({ type }) => type === 'admit');
  const waits = steps.flatMap((step) => (step.type === 'wait' ? [step] : []));
  const timed = waits.filter(({ untilMs }) => untilMs !== undefined);
  const [soonest = waits[0]] = timed.sort((a, b) => (a.untilMs ?? 0) - (b.untilMs ?? 0));
  const rest = steps.filter(({ type }, at) => type !== 'wait' && (type !== 'admit' || at === isAdmitted));
  return soonest ? [...rest, soonest] : rest;
}
