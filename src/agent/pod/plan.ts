import type { Container } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import type { PodStep, PullPolicy, StopReason } from './step.ts';

/** What the agent knows of a pod besides the API object and the engine's containers. Times are monotonic. */
export interface PodLocal {
  readonly admission: 'unknown' | 'admitted' | 'refused';
  readonly image: 'unknown' | 'pulling' | 'present';
  /** The pod asked for another one before. */
  readonly isNewImage?: boolean;
  readonly isNetworkReady: boolean;
  readonly hasAddress: boolean;
  /** It has an address, directories or files. */
  readonly hasResources: boolean;
  /** The last try failed: none before `retryAtMs`. */
  readonly problem?: { readonly retryAtMs: number };
  /** Ends in a row without a long run between them, the last one not counted. */
  readonly crashes: number;
  /** When the agent saw a container's end first, by container id. */
  readonly endedAtMs: ReadonlyMap<string, number>;
  /** A container that ended because its host did: no crash. */
  readonly endedWithHostId?: string;
  readonly stopping?: { readonly containerId: string; readonly deadlineMs: number };
  /** A container whose liveness or startup probe, or postStart handler, failed; with a grace period of its own. */
  readonly unhealthy?: { readonly containerId: string; readonly graceSeconds?: number };
  /** A container that has just started and whose postStart handler has not begun. */
  readonly hookPendingId?: string;
  /** The highest attempt ever created; -1: none. */
  readonly lastAttempt: number;
  /** For the time when the pod object is gone. */
  readonly graceSeconds: number;
}

/** A run of this length makes the engine forget earlier crashes. */
export const longRunMs = 600_000;
const maxCrashDelayMs = 300_000;
const defaultGraceSeconds = 30;
/** Two stops whose ends differ by less are the same one. */
const sameDeadlineMs = 1_000;

/**
 * What to do next for one pod. Never two running containers of a pod: the older one is stopped before a new one is
 * created. `desired` undefined: the pod is not wanted here.
 */
export function planPod(
  desired: Pod | undefined,
  observed: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
): PodStep[] {
  const containers = [...observed].sort((a, b) => attemptOf(b) - attemptOf(a));
  if (!desired) return planEnd(containers, local, nowMs, 'not-wanted', local.graceSeconds, false);
  if (desired.metadata.deletionTimestamp !== undefined) {
    return planEnd(containers, local, nowMs, 'deleted', graceSecondsOf(desired), true);
  }
  const alive = containers.filter(isAlive);
  if (local.admission === 'refused' || isPodFinished(desired)) {
    return [...planStops(alive, local, nowMs, 'finished', graceSecondsOf(desired)), ...planTrim(containers)];
  }
  return [...planTrim(containers), ...planRun(desired, containers, local, nowMs)];
}

/** 0, then 1 s, 2 s, 4 s … 5 min: the first restart is at once, a crash loop slows down faster than it can hurt. */
export function crashDelayMs(crashes: number): number {
  return crashes <= 0 ? 0 : Math.min(maxCrashDelayMs, 1_000 * 2 ** Math.min(crashes - 1, 20));
}

export function attemptOf(container: ContainerObservation): number {
  return Number(container.labels[hostLabels.attempt] ?? 0);
}

/** It has a process, or may have one. */
export function isAlive(container: ContainerObservation): boolean {
  return container.state === 'running' || container.state === 'paused' || container.state === 'restarting';
}

export function hasEnded(container: ContainerObservation): boolean {
  return container.state === 'exited' || container.state === 'dead';
}

/** It was made from an image that the pod no longer asks for. Containers of before this was written down are not judged. */
export function isOutdated(pod: Pod, container: ContainerObservation): boolean {
  const image = container.labels[hostLabels.image];
  return image !== undefined && image !== (pod.spec.containers[0]?.image ?? '');
}

/** Whether a container that ended so runs again. Another image is run whatever the policy, as Kubernetes has it. */
export function isRestarted(pod: Pod, container: ContainerObservation | undefined): boolean {
  if (container && isOutdated(pod, container)) return true;
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (policy === 'Always') return true;
  // A container that vanished did not end well.
  return policy === 'OnFailure' && container?.exitCode !== 0;
}

export function graceSecondsOf(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
}

function planRun(
  pod: Pod,
  containers: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
): readonly PodStep[] {
  const [newest, ...older] = containers;
  const surplus = older.filter(isAlive);
  if (surplus.length > 0) return planStops(surplus, local, nowMs, 'surplus', graceSecondsOf(pod));
  if (!newest) {
    if (local.lastAttempt < 0) return planStart(pod, 0, 0, local, nowMs);
    // It was removed behind our back.
    return isRestarted(pod, undefined) ? planStart(pod, local.lastAttempt + 1, local.crashes + 1, local, nowMs) : [];
  }
  if (newest.state === 'created') {
    if (!local.problem) return [...admit(local), { type: 'start', attempt: attemptOf(newest) }];
    if (nowMs < local.problem.retryAtMs) return [waitForProblem(local.problem)];
    // Its start failed. What it was made for may be gone, such as a file in memory after a reboot: it is made anew.
    const remake = planStart(pod, attemptOf(newest), local.crashes, local, nowMs);
    return [{ type: 'remove', containerId: newest.id }, ...remake];
  }
  if (isAlive(newest)) {
    const { unhealthy } = local;
    if (unhealthy?.containerId === newest.id) {
      const graceSeconds = unhealthy.graceSeconds ?? graceSecondsOf(pod);
      return [...admit(local), ...planStops([newest], local, nowMs, 'unhealthy', graceSeconds)];
    }
    if (isOutdated(pod, newest)) {
      return [...admit(local), ...planStops([newest], local, nowMs, 'outdated', graceSecondsOf(pod))];
    }
    return [...admit(local), ...planResume(newest), ...planHook(newest, local)];
  }
  if (newest.state === 'removing') return [{ type: 'wait', why: 'stopping' }];
  if (!isRestarted(pod, newest)) return [];
  if (isOutdated(pod, newest)) return planStart(pod, attemptOf(newest) + 1, 0, local, nowMs);
  if (local.endedWithHostId === newest.id) return planStart(pod, attemptOf(newest) + 1, local.crashes, local, nowMs);
  const crashes = ranLong(newest) ? 0 : local.crashes;
  const dueMs = (local.endedAtMs.get(newest.id) ?? 0) + crashDelayMs(crashes);
  if (nowMs < dueMs) return [{ type: 'wait', untilMs: dueMs, why: 'crash-loop' }];
  return planStart(pod, attemptOf(newest) + 1, crashes + 1, local, nowMs);
}

function planStart(pod: Pod, attempt: number, crashes: number, local: PodLocal, nowMs: number): PodStep[] {
  const container = pod.spec.containers[0];
  if (!container) return [];
  if (local.problem && nowMs < local.problem.retryAtMs) return [...admit(local), waitForProblem(local.problem)];
  if (local.image === 'pulling') return [{ type: 'wait', why: 'image' }];
  const steps: PodStep[] = [...admit(local)];
  const image = container.image ?? '';
  if (local.image === 'unknown') {
    const isFirst = attempt === 0 || local.isNewImage === true;
    steps.push({ type: 'ensure-image', image, policy: pullPolicyOf(container, isFirst) });
  }
  if (pod.spec.hostNetwork !== true) {
    if (!local.isNetworkReady) return [...steps, { type: 'wait', why: 'network' }];
    if (!local.hasAddress) steps.push({ type: 'assign-address' });
  }
  steps.push({ type: 'prepare' }, { type: 'create', attempt, crashes }, { type: 'start', attempt });
  return steps;
}

function planEnd(
  containers: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
  why: StopReason,
  graceSeconds: number,
  hasObject: boolean,
): PodStep[] {
  const stops = planStops(containers.filter(isAlive), local, nowMs, why, graceSeconds);
  if (stops.length > 0) return stops;
  return [
    ...containers.map(({ id }): PodStep => ({ type: 'remove', containerId: id })),
    ...(local.hasResources || local.image === 'pulling' ? [{ type: 'release' } as const] : []),
    ...(hasObject ? [{ type: 'delete-object' } as const] : []),
  ];
}

/** A stop that runs already is given a nearer end when the grace period became shorter, else it is waited for. */
function planStops(
  alive: readonly ContainerObservation[],
  local: PodLocal,
  nowMs: number,
  why: StopReason,
  graceSeconds: number,
): PodStep[] {
  return alive.flatMap((container): PodStep[] => {
    const { id } = container;
    const { stopping } = local;
    const isUnderWay =
      stopping?.containerId === id && stopping.deadlineMs <= nowMs + graceSeconds * 1_000 + sameDeadlineMs;
    if (isUnderWay) return [{ type: 'wait', why: 'stopping' }];
    return [...planResume(container), { type: 'stop', containerId: id, graceSeconds, why }];
  });
}

function planHook({ id }: ContainerObservation, { hookPendingId }: PodLocal): PodStep[] {
  return hookPendingId === id ? [{ type: 'post-start', containerId: id }] : [];
}

function planResume({ id, state }: ContainerObservation): PodStep[] {
  return state === 'paused' ? [{ type: 'resume', containerId: id }] : [];
}

/** Only the last one that ended is kept, for its log (`--previous`). */
function planTrim(containers: readonly ContainerObservation[]): PodStep[] {
  const ended = containers.filter(hasEnded);
  return ended.slice(1).map(({ id }) => ({ type: 'remove', containerId: id }));
}

/** `Always` holds once a pod and image: a restart must not depend on the registry being up. */
function pullPolicyOf(container: Container, isFirst: boolean): PullPolicy {
  if (container.imagePullPolicy === 'Never') return 'Never';
  return container.imagePullPolicy === 'Always' && isFirst ? 'Always' : 'IfNotPresent';
}

function admit(local: PodLocal): PodStep[] {
  return local.admission === 'unknown' ? [{ type: 'admit' }] : [];
}

function waitForProblem(problem: { readonly retryAtMs: number }): PodStep {
  return { type: 'wait', untilMs: problem.retryAtMs, why: 'problem' };
}

function ranLong(container: ContainerObservation): boolean {
  if (container.startedAt === undefined || container.finishedAt === undefined) return false;
  return Date.parse(container.finishedAt) - Date.parse(container.startedAt) >= longRunMs;
}
