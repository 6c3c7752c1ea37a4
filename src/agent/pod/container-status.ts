import type { ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import { formatTime } from '../../resources/conditions.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podContainer } from '../../resources/pod-containers.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import type { Refusal } from './admission.ts';
import { crashDelayMs, hasEnded, hasSucceeded, isAlive, isRestarted, newestFirst } from './container-facts.ts';
import type { PodProgress } from './pod-progress.ts';

/** Of one container of a pod, by its name. */
export interface ContainerFacts {
  /** Why it is not created or started: `ErrImagePull`, `CreateContainerConfigError` … */
  readonly waiting?: { readonly reason: string; readonly message: string };
  readonly isProbedReady: boolean;
  /** Its postStart handler has ended, and its startup probe has succeeded. */
  readonly isStarted: boolean;
  readonly crashes: number;
  /** Highest attempt ever created; -1: none. */
  readonly lastAttempt: number;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly name: string;
  readonly containers: readonly ContainerObservation[];
  readonly refusal?: Refusal;
  readonly factsOf: (name: string) => ContainerFacts;
  readonly messages: ReadonlyMap<string, string>;
  readonly progress: PodProgress;
}

const killedExitCode = 137;

export function renderContainerStatus(input: ContainerStatusInput): ContainerStatus {
  const { pod, name, factsOf } = input;
  const facts = factsOf(name);
  const containers = newestFirst(input.containers, name);
  const [newest] = containers;
  const spec = podContainer(pod, name);
  const isRunning = newest !== undefined && isAlive(newest);
  const lastEnded = containers.find((one) => hasEnded(one) && one.id !== newest?.id);
  const state = renderState(input, newest);
  const ended = lastEnded ?? (state.waiting && newest && hasEnded(newest) ? newest : undefined);
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const before = all.find((one) => one.name === name);
  const lastState = ended ? { terminated: terminatedOf(ended, input) } : isRunning ? before?.lastState : undefined;
  const isDone = spec?.role === 'init' && state.terminated?.exitCode === 0;
  return {
    name,
    image: newest?.image ?? spec?.container.image ?? '',
    imageID: newest?.imageId ?? '',
    ready: isDone || (spec?.role !== 'init' && isRunning && facts.isProbedReady),
    started: isRunning && facts.isStarted,
    restartCount: Math.max(0, facts.lastAttempt),
    state,
    ...(lastState && Object.keys(lastState).length > 0 ? { lastState } : {}),
    ...(newest ? { containerID: `docker://${newest.id}` } : {}),
  };
}

function renderState(input: ContainerStatusInput, newest: ContainerObservation | undefined): ContainerState {
  const { pod, name, progress, refusal } = input;
  const { waiting, lastAttempt, crashes } = input.factsOf(name);
  const hasInits = (pod.spec.initContainers?.length ?? 0) > 0;
  const reason = hasInits && !progress.isInitialized ? 'PodInitializing' : 'ContainerCreating';
  const creating: ContainerState = { waiting: waiting ?? { reason } };
  const isInit = podContainer(pod, name)?.role === 'init';
  if (!newest) {
    if (lastAttempt < 0 || isRestarted(pod, name, undefined)) return creating;
    return {
      terminated: {
        // The work of an init container that was removed afterwards is done all the same.
        exitCode: isInit && progress.isInitialized ? 0 : killedExitCode,
        reason: isInit && progress.isInitialized ? 'Completed' : 'ContainerStatusUnknown',
        message: 'the container was removed outside of Flotilla',
      },
    };
  }
  if (isAlive(newest)) return { running: { startedAt: secondsOf(newest.startedAt ?? newest.createdAt) } };
  if (!hasEnded(newest)) return creating;
  const isEnding =
    pod.metadata.deletionTimestamp !== undefined || isPodFinished(pod) || refusal !== undefined || progress.isOver;
  const isCurrent = progress.isInitialized || progress.inside(name)[0]?.id === newest.id;
  // Its pause container is gone: it is run once more.
  if (isInit && !isEnding && !isCurrent) return creating;
  const isDone = isInit && (progress.isInitialized || hasSucceeded(newest));
  if (isEnding || isDone || !isRestarted(pod, name, newest)) return { terminated: terminatedOf(newest, input) };
  if (waiting) return { waiting };
  if (newest.error) return { waiting: { reason: 'RunContainerError', message: newest.error } };
  const delayMs = crashDelayMs(crashes);
  if (delayMs === 0) return { terminated: terminatedOf(newest, input) };
  const { namespace, name: podName } = pod.metadata;
  const message = `back-off ${delayMs / 1000}s restarting failed container=${name} pod=${namespace}/${podName}`;
  return { waiting: { reason: 'CrashLoopBackOff', message } };
}

function terminatedOf(
  container: ContainerObservation,
  { messages }: Pick<ContainerStatusInput, 'messages'>,
): NonNullable<ContainerState['terminated']> {
  const message = container.error || messages.get(container.id);
  const exitCode = container.exitCode ?? killedExitCode;
  const reason = container.wasOomKilled
    ? 'OOMKilled'
    : container.error
      ? 'StartError'
      : exitCode === 0
        ? 'Completed'
        : 'Error';
  return {
    exitCode,
    reason,
    containerID: `docker://${container.id}`,
    ...(message ? { message } : {}),
    ...(exitCode > 128 && exitCode < 160 ? { signal: exitCode - 128 } : {}),
    ...(container.startedAt ? { startedAt: secondsOf(container.startedAt) } : {}),
    ...(container.finishedAt ? { finishedAt: secondsOf(container.finishedAt) } : {}),
  };
}

/** The engine gives nanoseconds, Kubernetes takes seconds. */
function secondsOf(time: string): string {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : formatTime(ms);
}
