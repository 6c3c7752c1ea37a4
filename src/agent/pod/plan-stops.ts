import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import { isAlive, nameOf } from './container-facts.ts';
import { pauseName } from './pause.ts';
import type { PodLocal } from './pod-local.ts';
import type { PodStep, StopReason } from './step.ts';

export interface StopInput {
  readonly local: PodLocal;
  readonly nowMs: number;
  readonly why: StopReason;
  readonly graceSeconds: number;
}

/** All of a pod. */
export interface EndInput extends StopInput {
  /** Undefined: it is not known any more which of its containers are sidecars. */
  readonly pod?: Pod;
  readonly containers: readonly ContainerObservation[];
  readonly hasObject?: boolean;
}

/** Two stops whose ends differ by less are the same one. */
const sameDeadlineMs = 1_000;
/** As Kubernetes: for sidecars, even when the others have used up the grace period. */
const minSidecarSeconds = 2;

/** A stop that runs already is given a nearer end when the grace period became shorter, else it is waited for. */
export function planStops(input: StopInput & { readonly alive: readonly ContainerObservation[] }): readonly PodStep[] {
  const { alive, local, nowMs, why, graceSeconds } = input;
  return alive.flatMap((container): readonly PodStep[] => {
    const deadlineMs = local.stopping.get(container.id)?.deadlineMs;
    const isUnderWay = deadlineMs !== undefined && deadlineMs <= nowMs + graceSeconds * 1_000 + sameDeadlineMs;
    if (isUnderWay) return [{ type: 'wait', why: 'stopping' }];
    return [...planResume(container), { type: 'stop', containerId: container.id, graceSeconds, why }];
  });
}

/**
 * The containers of a pod that ends: app and init containers together, then sidecars, the last one first, within what is left of
 * the one grace period; then the pause container, which none of them needs any more.
 */
export function planOrderedStops(input: EndInput): readonly PodStep[] {
  const alive = input.containers.filter(isAlive);
  const isSidecar = sidecarsOf(input.pod);
  const first = alive.filter((one) => nameOf(one) !== pauseName && !isSidecar.includes(nameOf(one)));
  if (first.length > 0) return planStops({ ...input, alive: first });
  for (const name of isSidecar) {
    const own = alive.filter((one) => nameOf(one) === name);
    if (own.length > 0) return planStops({ ...input, alive: own, graceSeconds: secondsLeft(input) });
  }
  return planStops({ ...input, alive, graceSeconds: 0 });
}

/**
 * The host is going down: what runs leaves routing, then it stops, and nothing starts. The pod stays, and begins again with the
 * host.
 */
export function planHostEnd(input: Omit<EndInput, 'why'>, hostEndsAtMs: number): readonly PodStep[] {
  const { containers, local, nowMs, graceSeconds } = input;
  const alive = containers.filter((one) => isAlive(one) && nameOf(one) !== pauseName);
  const isStopping = local.stopping.size > 0;
  const leftMs = hostEndsAtMs - nowMs;
  const waits = alive.flatMap(({ id }) => {
    const may = local.mayStepAside.get(id) ?? true;
    return may === true ? [] : [may.untilMs];
  });
  // Of the time that is left the most is for stopping.
  const untilMs = Math.min(...waits, hostEndsAtMs - graceSeconds * 1_000);
  if (!isStopping && waits.length > 0 && nowMs < untilMs) return [{ type: 'wait', why: 'withdrawal', untilMs }];
  const seconds = Math.max(1, Math.min(graceSeconds, Math.floor(leftMs / 1_000)));
  return planOrderedStops({ ...input, why: 'host', graceSeconds: seconds });
}

export function planEnd(input: EndInput): readonly PodStep[] {
  const { containers, local, hasObject } = input;
  if (containers.some((one) => isAlive(one) && nameOf(one) !== pauseName)) return planOrderedStops(input);
  const isPulling = [...local.members.values()].some(({ image }) => image === 'pulling');
  return [
    ...containers.map(({ id }): PodStep => ({ type: 'remove', containerId: id })),
    ...(local.hasResources || isPulling ? [{ type: 'release' } as const] : []),
    ...(hasObject ? [{ type: 'delete-object' } as const] : []),
  ];
}

export function planResume({ id, state }: ContainerObservation): readonly PodStep[] {
  return state === 'paused' ? [{ type: 'resume', containerId: id }] : [];
}

/** In the order in which they stop. */
function sidecarsOf(pod: Pod | undefined): readonly string[] {
  const all = pod ? podContainers(pod) : [];
  return all.flatMap(({ role, container }) => (role === 'sidecar' ? [container.name] : [])).reverse();
}

function secondsLeft({ local, nowMs, graceSeconds }: EndInput): number {
  if (local.endingSinceMs === undefined) return graceSeconds;
  const left = Math.ceil(graceSeconds - (nowMs - local.endingSinceMs) / 1_000);
  return Math.min(graceSeconds, Math.max(minSidecarSeconds, left));
}
