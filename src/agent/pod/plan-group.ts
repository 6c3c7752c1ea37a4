import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import { graceSecondsOf, hasSucceeded, isAlive, nameOf } from './container-facts.ts';
import { pauseName } from './pause.ts';
import { type ContainerPlanInput, planContainer } from './plan-container.ts';
import { planOrderedStops, planStops } from './plan-stops.ts';
import type { PodLocal } from './pod-local.ts';
import { memberOf } from './pod-local.ts';
import { podProgress } from './pod-progress.ts';
import type { PodStep } from './step.ts';

/**
 * A pod of several containers: the pause container, which has the address; init containers one after the other, sidecars among them
 * as soon as the one before is through; then all others. When the pause container ends, all of it begins again, as in Kubernetes:
 * what lives on would sit in a network that nobody reaches.
 */
export function planGroup(
  pod: Pod,
  containers: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
): readonly PodStep[] {
  const graceSeconds = graceSecondsOf(pod);
  const progress = podProgress(pod, containers, (name) => memberOf(local, name).lastAttempt);
  if (progress.isOver) return planOrderedStops({ pod, containers, local, nowMs, why: 'finished', graceSeconds });
  const { pause, inside } = progress;
  const pauseSteps = () => planContainer({ pod, name: pauseName, containers, local, nowMs });
  if (!pause || !isAlive(pause)) {
    const alive = containers.filter((one) => isAlive(one) && nameOf(one) !== pauseName);
    if (alive.length > 0) return planStops({ alive, local, nowMs, why: 'pause-ended', graceSeconds });
    return pauseSteps();
  }
  const isStale = (one: ContainerObservation) => one.labels[hostLabels.pause] !== pause.id;
  const stale = containers.filter((one) => isAlive(one) && nameOf(one) !== pauseName && isStale(one));
  if (stale.length > 0) return planStops({ alive: stale, local, nowMs, why: 'pause-ended', graceSeconds });
  const input: Omit<ContainerPlanInput, 'name'> = { pod, containers, local, nowMs, isStale };
  const steps: PodStep[] = [...pauseSteps()];
  const all = podContainers(pod);
  for (const [index, { role, container }] of all.entries()) {
    const { name } = container;
    const [newest] = inside(name);
    // One that vanished counts as done where a later one was begun: it was.
    const hasFollower = all.slice(index + 1).some((later) => inside(later.container.name).length > 0);
    if (role === 'init' && (progress.isInitialized || hasFollower || (newest && hasSucceeded(newest)))) continue;
    steps.push(...planContainer({ ...input, name }));
    if (role === 'init') break;
    const isStarted = newest !== undefined && local.started.has(newest.id);
    if (role === 'sidecar' && !isStarted && !hasFollower && !progress.isInitialized) break;
  }
  return steps;
}
