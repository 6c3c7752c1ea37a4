import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { podContainer } from '../../resources/pod-containers.ts';

/** A run of this length makes the engine forget earlier crashes. */
const longRunMs = 600_000;
const maxCrashDelayMs = 300_000;
const defaultGraceSeconds = 30;

/** 0, then 1 s, 2 s, 4 s … 5 min: the first restart is at once, a crash loop slows down faster than it can hurt. */
export function crashDelayMs(crashes: number): number {
  return crashes <= 0 ? 0 : Math.min(maxCrashDelayMs, 1_000 * 2 ** Math.min(crashes - 1, 20));
}

export function attemptOf(container: ContainerObservation): number {
  return Number(container.labels[hostLabels.attempt] ?? 0);
}

/** Its name in the pod. */
export function nameOf(container: ContainerObservation): string {
  return container.labels[hostLabels.container] ?? '';
}

/** Of one name, or of all; newest first. */
export function newestFirst(
  containers: Iterable<ContainerObservation>,
  name?: string,
): readonly ContainerObservation[] {
  const own = [...containers].filter((one) => name === undefined || nameOf(one) === name);
  return own.sort((a, b) => attemptOf(b) - attemptOf(a));
}

/** It has a process, or may have one. */
export function isAlive(container: ContainerObservation): boolean {
  return container.state === 'running' || container.state === 'paused' || container.state === 'restarting';
}

export function hasEnded(container: ContainerObservation): boolean {
  return container.state === 'exited' || container.state === 'dead';
}

export function hasSucceeded(container: ContainerObservation): boolean {
  return hasEnded(container) && container.exitCode === 0;
}

export function ranLong(container: ContainerObservation): boolean {
  if (container.startedAt === undefined || container.finishedAt === undefined) return false;
  return Date.parse(container.finishedAt) - Date.parse(container.startedAt) >= longRunMs;
}

/**
 * It was made from an image that the pod no longer asks for. Containers of before this was written down are not judged, nor is what
 * is no container of the spec.
 */
export function isOutdated(pod: Pod, container: ContainerObservation): boolean {
  const image = container.labels[hostLabels.image];
  const wanted = podContainer(pod, nameOf(container));
  return image !== undefined && wanted !== undefined && image !== (wanted.container.image ?? '');
}

/**
 * Whether a container of this name that ended so runs again; undefined: it vanished, which is no good end. Another image is run
 * whatever the policy, as Kubernetes has it; not of an init container that has done its work.
 */
export function isRestarted(pod: Pod, name: string, container: ContainerObservation | undefined): boolean {
  const role = podContainer(pod, name)?.role;
  if (role === undefined || role === 'sidecar') return true;
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (role === 'init') return container?.exitCode !== 0 && policy !== 'Never';
  if (container && isOutdated(pod, container)) return true;
  if (policy === 'Always') return true;
  return policy === 'OnFailure' && container?.exitCode !== 0;
}

export function graceSecondsOf(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
}
