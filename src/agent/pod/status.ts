import type { ContainerStatus, PodCondition, PodStatus } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import { formatTime, setCondition } from '../../resources/conditions.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import { isPodFinished, podPhase, qosClassOf } from '../../resources/pod-facts.ts';
import type { Refusal } from './admission.ts';
import { isAlive, nameOf } from './container-facts.ts';
import { type ContainerFacts, renderContainerStatus } from './container-status.ts';
import { pauseName } from './pause.ts';
import { podProgress } from './pod-progress.ts';

export interface PodStatusInput {
  readonly pod: Pod;
  readonly containers: readonly ContainerObservation[];
  readonly refusal?: Refusal;
  readonly podAddresses: readonly string[];
  readonly hostAddresses: readonly string[];
  /** What the agent knows of the container of this name. */
  readonly factsOf: (name: string) => ContainerFacts;
  /** Last words of containers that ended, by container id. */
  readonly messages: ReadonlyMap<string, string>;
  readonly wallMs: number;
}

/** What the conditions and the phase are made from. */
interface Seen {
  readonly inits: readonly ContainerStatus[];
  readonly sidecars: readonly ContainerStatus[];
  readonly apps: readonly ContainerStatus[];
  readonly isInitialized: boolean;
}

/** The conditions that the agent writes; others of the pod belong to others and are left alone. */
const ourConditions = ['Initialized', 'Ready', 'ContainersReady'];

/** What the agent says about a pod: only the fields that it owns, so that it can be merged into the stored status. */
export function renderPodStatus(input: PodStatusInput): PodStatus {
  const { pod, containers, refusal, hostAddresses, wallMs } = input;
  const [hostIP] = hostAddresses;
  const podAddresses = pod.spec.hostNetwork ? hostAddresses.slice(0, 1) : input.podAddresses;
  const progress = podProgress(pod, containers, (name) => input.factsOf(name).lastAttempt);
  const statusOf = (name: string) => renderContainerStatus({ ...input, name, progress });
  const all = podContainers(pod).map(({ role, container }) => ({ role, status: statusOf(container.name) }));
  const ofRole = (...roles: string[]) => all.filter(({ role }) => roles.includes(role)).map(({ status }) => status);
  const seen: Seen = {
    ...{ inits: ofRole('init', 'sidecar'), sidecars: ofRole('sidecar'), apps: ofRole('app') },
    isInitialized: progress.isInitialized,
  };
  const phase = phaseOf(input, seen, progress.isOver, progress.hasFailedInit);
  // A refused pod has no container, not even one to come.
  const told = (statuses: readonly ContainerStatus[]) => (refusal ? [] : [...statuses]);
  return {
    phase,
    conditions: renderConditions(pod, seen, phase, wallMs),
    ...(seen.inits.length > 0 ? { initContainerStatuses: told(seen.inits) } : {}),
    containerStatuses: told(seen.apps),
    qosClass: qosClassOf(pod),
    startTime: pod.status?.startTime ?? formatTime(wallMs),
    ...(refusal ? { reason: refusal.reason, message: refusal.message } : {}),
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: hostAddresses.map((ip) => ({ ip })) }),
    ...(podAddresses[0] === undefined ? {} : { podIP: podAddresses[0], podIPs: podAddresses.map((ip) => ({ ip })) }),
  } as PodStatus;
}

function phaseOf(
  { pod, refusal, containers, factsOf }: PodStatusInput,
  seen: Seen,
  isOver: boolean,
  hasFailed: boolean,
) {
  if (refusal) return 'Failed';
  // States only move forward: a finished pod stays finished.
  if (isPodFinished(pod)) return podPhase(pod);
  const isEnding = pod.metadata.deletionTimestamp !== undefined;
  const ends = seen.apps.flatMap(({ state }) => state?.terminated ?? []);
  const isAnyAlive = containers.some((one) => isAlive(one) && nameOf(one) !== pauseName);
  // Kubernetes calls a pod finished when its last container has stopped, sidecars too.
  if ((isOver || (isEnding && ends.length === seen.apps.length)) && !isAnyAlive) {
    return !hasFailed && ends.every(({ exitCode }) => exitCode === 0) ? 'Succeeded' : 'Failed';
  }
  if (podPhase(pod) === 'Running') return 'Running';
  const hasRun = ({ name, state, lastState }: ContainerStatus) =>
    state?.running !== undefined ||
    state?.terminated !== undefined ||
    lastState !== undefined ||
    factsOf(name).lastAttempt > 0;
  return seen.isInitialized && seen.apps.every(hasRun) ? 'Running' : 'Pending';
}

function renderConditions(pod: Pod, seen: Seen, phase: string, wallMs: number): PodCondition[] {
  const isFinished = phase === 'Succeeded' || phase === 'Failed';
  const isRunning = phase === 'Running' || phase === 'Pending';
  const unready = [...seen.sidecars, ...seen.apps].filter(({ ready }) => !ready);
  const isReady = isRunning && unready.length === 0;
  const ended = { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' };
  const because = (reason: string, words: string, of: readonly ContainerStatus[]) => ({
    reason,
    message: `containers with ${words} status: [${of.map(({ name }) => name).join(' ')}]`,
  });
  const notReady = isReady ? {} : isFinished ? ended : because('ContainersNotReady', 'unready', unready);
  const isInitialized = seen.isInitialized || phase === 'Succeeded';
  const isIncomplete = (one: ContainerStatus) => (seen.sidecars.includes(one) ? one.started !== true : !one.ready);
  const notInitialized = isInitialized
    ? {}
    : because('ContainersNotInitialized', 'incomplete', seen.inits.filter(isIncomplete));
  const word = isReady ? 'True' : 'False';
  let conditions: PodCondition[] = pod.status?.conditions ?? [];
  const set = (type: string, status: string, why: object) => {
    conditions = setCondition(conditions, { type, status, ...why }, wallMs);
  };
  set('Initialized', isInitialized ? 'True' : 'False', notInitialized);
  set('Ready', word, notReady);
  set('ContainersReady', word, notReady);
  return conditions.filter(({ type }) => ourConditions.includes(type));
}
