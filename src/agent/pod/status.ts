import type { ContainerState, ContainerStatus, PodCondition, PodStatus } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import { formatTime, setCondition } from '../../resources/conditions.ts';
import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished, podPhase, qosClassOf } from '../../resources/pod-facts.ts';
import type { Refusal } from './admission.ts';
import { attemptOf, crashDelayMs, hasEnded, isAlive, isRestarted } from './plan.ts';

export interface PodStatusInput {
  readonly pod: Pod;
  readonly containers: readonly ContainerObservation[];
  readonly refusal?: Refusal;
  /** Why the container is not created or started: `ErrImagePull`, `CreateContainerConfigError` … */
  readonly waiting?: { readonly reason: string; readonly message: string };
  readonly podAddresses: readonly string[];
  readonly hostAddresses: readonly string[];
  readonly isProbedReady: boolean;
  /** Its postStart handler has ended, and its startup probe has succeeded. */
  readonly isStarted: boolean;
  /** Last words of containers that ended, by container id. */
  readonly messages: ReadonlyMap<string, string>;
  readonly crashes: number;
  /** Highest attempt ever created; -1: none. */
  readonly lastAttempt: number;
  readonly wallMs: number;
}

/** The conditions that the agent writes; others of the pod belong to others and are left alone. */
const ourConditions = ['Initialized', 'Ready', 'ContainersReady'];
const killedExitCode = 137;

/** What the agent says about a pod: only the fields that it owns, so that it can be merged into the stored status. */
export function renderPodStatus(input: PodStatusInput): PodStatus {
  const { pod, refusal, hostAddresses, wallMs } = input;
  const [hostIP] = hostAddresses;
  const podAddresses = pod.spec.hostNetwork ? hostAddresses.slice(0, 1) : input.podAddresses;
  const containerStatus = renderContainerStatus(input);
  const phase = phaseOf(input, containerStatus);
  const isReady = containerStatus.ready === true && phase === 'Running';
  return {
    phase,
    conditions: renderConditions(pod, containerStatus, isReady, phase, wallMs),
    // A refused pod has no container, not even one to come.
    containerStatuses: refusal ? [] : [containerStatus],
    qosClass: qosClassOf(pod),
    startTime: pod.status?.startTime ?? formatTime(wallMs),
    ...(refusal ? { reason: refusal.reason, message: refusal.message } : {}),
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: hostAddresses.map((ip) => ({ ip })) }),
    ...(podAddresses[0] === undefined ? {} : { podIP: podAddresses[0], podIPs: podAddresses.map((ip) => ({ ip })) }),
  } as PodStatus;
}

export function newestOf(containers: readonly ContainerObservation[]): ContainerObservation | undefined {
  return [...containers].sort((a, b) => attemptOf(b) - attemptOf(a))[0];
}

function phaseOf(input: PodStatusInput, status: ContainerStatus): string {
  const { pod, refusal, lastAttempt } = input;
  if (refusal) return 'Failed';
  // States only move forward: a finished pod stays finished.
  if (isPodFinished(pod)) return podPhase(pod);
  const { terminated } = status.state ?? {};
  const isEnding = pod.metadata.deletionTimestamp !== undefined;
  if (terminated && (isEnding || !isRestarted(pod, newestOf(input.containers)))) {
    return terminated.exitCode === 0 ? 'Succeeded' : 'Failed';
  }
  const hasRun = status.state?.running !== undefined || terminated !== undefined || status.lastState !== undefined;
  return hasRun || lastAttempt > 0 || podPhase(pod) === 'Running' ? 'Running' : 'Pending';
}

function renderConditions(
  pod: Pod,
  status: ContainerStatus,
  isReady: boolean,
  phase: string,
  wallMs: number,
): PodCondition[] {
  const isFinished = phase === 'Succeeded' || phase === 'Failed';
  const why = isReady
    ? {}
    : isFinished
      ? { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
      : { reason: 'ContainersNotReady', message: `containers with unready status: [${status.name}]` };
  const word = isReady ? 'True' : 'False';
  let conditions: PodCondition[] = pod.status?.conditions ?? [];
  conditions = setCondition(conditions, { type: 'Initialized', status: 'True' }, wallMs);
  conditions = setCondition(conditions, { type: 'Ready', status: word, ...why }, wallMs);
  conditions = setCondition(conditions, { type: 'ContainersReady', status: word, ...why }, wallMs);
  return conditions.filter(({ type }) => ourConditions.includes(type));
}

function renderContainerStatus(input: PodStatusInput): ContainerStatus {
  const { pod, containers, lastAttempt } = input;
  const newest = newestOf(containers);
  const container = pod.spec.containers[0];
  const isRunning = newest !== undefined && isAlive(newest);
  const lastEnded = containers
    .filter((one) => hasEnded(one) && one.id !== newest?.id)
    .sort((a, b) => attemptOf(b) - attemptOf(a))[0];
  const state = renderState(input, newest);
  const ended = lastEnded ?? (state.waiting && newest && hasEnded(newest) ? newest : undefined);
  const before = pod.status?.containerStatuses?.[0];
  const lastState = ended ? { terminated: terminatedOf(ended, input) } : isRunning ? before?.lastState : undefined;
  return {
    name: container?.name ?? '',
    image: newest?.image ?? container?.image ?? '',
    imageID: newest?.imageId ?? '',
    ready: isRunning && input.isProbedReady,
    started: isRunning && input.isStarted,
    restartCount: Math.max(0, lastAttempt),
    state,
    ...(lastState && Object.keys(lastState).length > 0 ? { lastState } : {}),
    ...(newest ? { containerID: `docker://${newest.id}` } : {}),
  };
}

function renderState(input: PodStatusInput, newest: ContainerObservation | undefined): ContainerState {
  const { pod, waiting, lastAttempt } = input;
  const creating: ContainerState = { waiting: waiting ?? { reason: 'ContainerCreating' } };
  if (!newest) {
    if (lastAttempt < 0 || isRestarted(pod, undefined)) return creating;
    return {
      terminated: {
        exitCode: killedExitCode,
        reason: 'ContainerStatusUnknown',
        message: 'the container was removed outside of Flotilla',
      },
    };
  }
  if (isAlive(newest)) return { running: { startedAt: secondsOf(newest.startedAt ?? newest.createdAt) } };
  if (!hasEnded(newest)) return creating;
  const isEnding = pod.metadata.deletionTimestamp !== undefined || isPodFinished(pod) || input.refusal !== undefined;
  if (isEnding || !isRestarted(pod, newest)) return { terminated: terminatedOf(newest, input) };
  if (waiting) return { waiting };
  if (newest.error) return { waiting: { reason: 'RunContainerError', message: newest.error } };
  const delayMs = crashDelayMs(input.crashes);
  if (delayMs === 0) return { terminated: terminatedOf(newest, input) };
  const { namespace, name } = pod.metadata;
  const message = `back-off ${delayMs / 1000}s restarting failed container=${pod.spec.containers[0]?.name} pod=${namespace}/${name}`;
  return { waiting: { reason: 'CrashLoopBackOff', message } };
}

function terminatedOf(
  container: ContainerObservation,
  { messages }: PodStatusInput,
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
