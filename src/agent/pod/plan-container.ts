import type { Container } from 'kubernetes-types/core/v1.js';
import { type ContainerObservation, pauseImage } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podContainer } from '../../resources/pod-containers.ts';
import {
  attemptOf,
  crashDelayMs,
  graceSecondsOf,
  isAlive,
  isOutdated,
  isRestarted,
  newestFirst,
  ranLong,
} from './container-facts.ts';
import { hasPause, pauseName } from './pause.ts';
import { planResume, planStops } from './plan-stops.ts';
import { memberOf, type PodLocal } from './pod-local.ts';
import type { PodStep, PullPolicy, StopReason } from './step.ts';

export interface ContainerPlanInput {
  readonly pod: Pod;
  /** Of the container that is to run. */
  readonly name: string;
  /** All of the pod. */
  readonly containers: readonly ContainerObservation[];
  readonly local: PodLocal;
  readonly nowMs: number;
  /** It lived with a pause container that is gone: it counts as stopped by us, and what it did must be done again. */
  readonly isStale?: (container: ContainerObservation) => boolean;
}

/** What keeps one container of a pod running, or brings it to its end. */
export function planContainer(input: ContainerPlanInput): readonly PodStep[] {
  const { pod, name, local, nowMs, isStale } = input;
  const { problem, lastAttempt, crashes } = memberOf(local, name);
  const [newest, ...older] = newestFirst(input.containers, name);
  const surplus = older.filter(isAlive);
  if (surplus.length > 0) return stop(input, surplus, 'surplus');
  if (!newest) {
    if (lastAttempt < 0) return planStart(input, 0, 0);
    // It was removed behind our back; an init container's work has to be done, whatever the policy.
    const isWanted = podContainer(pod, name)?.role === 'init' || isRestarted(pod, name, undefined);
    return isWanted ? planStart(input, lastAttempt + 1, crashes + 1) : [];
  }
  if (isStale?.(newest)) return planAgain(input, newest);
  if (newest.state === 'created') {
    if (!problem) return [...admit(local), { type: 'start', container: name, attempt: attemptOf(newest) }];
    if (nowMs < problem.retryAtMs) return [waitForProblem(problem)];
    // Its start failed. What it was made for may be gone, such as a file in memory after a reboot: it is made anew.
    return [{ type: 'remove', containerId: newest.id }, ...planStart(input, attemptOf(newest), crashes)];
  }
  if (isAlive(newest)) {
    const unhealthy = local.unhealthy.get(newest.id);
    if (unhealthy || isOutdated(pod, newest)) {
      const why = unhealthy ? 'unhealthy' : 'outdated';
      return [...admit(local), ...(planAside(input, newest) ?? stop(input, [newest], why, unhealthy?.graceSeconds))];
    }
    return [...admit(local), ...planResume(newest), ...planHook(newest, local)];
  }
  if (newest.state === 'removing') return [{ type: 'wait', why: 'stopping' }];
  if (!isRestarted(pod, name, newest)) return [];
  if (isOutdated(pod, newest)) return planStart(input, attemptOf(newest) + 1, 0);
  if (local.endedWithHost.has(newest.id)) return planStart(input, attemptOf(newest) + 1, crashes);
  const counted = ranLong(newest) ? 0 : crashes;
  const dueMs = (local.endedAtMs.get(newest.id) ?? 0) + crashDelayMs(counted);
  if (nowMs < dueMs) return [{ type: 'wait', untilMs: dueMs, why: 'crash-loop' }];
  return planStart(input, attemptOf(newest) + 1, counted + 1);
}

/** The pod stays, and is not ready from now on: the container serves until nobody is sent to it. */
function planAside({ local }: ContainerPlanInput, { id }: ContainerObservation): readonly PodStep[] | undefined {
  const mayStop = local.mayStepAside.get(id) ?? true;
  if (mayStop === true || local.stopping.has(id)) return undefined;
  return [{ type: 'wait', why: 'withdrawal', untilMs: mayStop.untilMs }];
}

/** After its pause container: no crash of its own. */
function planAgain(input: ContainerPlanInput, newest: ContainerObservation): readonly PodStep[] {
  const { pod, name, local } = input;
  const { crashes } = memberOf(local, name);
  if (isAlive(newest)) return stop(input, [newest], 'pause-ended');
  if (newest.state === 'removing') return [{ type: 'wait', why: 'stopping' }];
  if (newest.state === 'created') {
    return [{ type: 'remove', containerId: newest.id }, ...planStart(input, attemptOf(newest), crashes)];
  }
  const isWanted = podContainer(pod, name)?.role === 'init' || isRestarted(pod, name, newest);
  return isWanted ? planStart(input, attemptOf(newest) + 1, crashes) : [];
}

function planStart(input: ContainerPlanInput, attempt: number, crashes: number): readonly PodStep[] {
  const { pod, name, local, nowMs } = input;
  const { problem, image, isNewImage } = memberOf(local, name);
  const isPause = name === pauseName;
  const wanted = podContainer(pod, name)?.container;
  if (!wanted && !isPause) return [];
  if (problem && nowMs < problem.retryAtMs) return [...admit(local), waitForProblem(problem)];
  if (image === 'pulling') return [{ type: 'wait', why: 'image' }];
  const steps: PodStep[] = [...admit(local)];
  if (image === 'unknown') {
    const isFirst = attempt === 0 || isNewImage === true;
    const policy = wanted ? pullPolicyOf(wanted, isFirst) : 'BuiltIn';
    steps.push({ type: 'ensure-image', container: name, image: wanted?.image ?? pauseImage, policy });
  }
  // A pod's address is its pause container's, where there is one.
  if (pod.spec.hostNetwork !== true && (isPause || !hasPause(pod))) {
    if (!local.isNetworkReady) return [...steps, { type: 'wait', why: 'network' }];
    if (!local.hasAddress) steps.push({ type: 'assign-address' });
  }
  steps.push(
    { type: 'prepare', container: name },
    { type: 'create', container: name, attempt, crashes },
    { type: 'start', container: name, attempt },
  );
  return steps;
}

function stop(
  { pod, local, nowMs }: ContainerPlanInput,
  alive: readonly ContainerObservation[],
  why: StopReason,
  graceSeconds = graceSecondsOf(pod),
): readonly PodStep[] {
  return planStops({ alive, local, nowMs, why, graceSeconds });
}

function planHook({ id }: ContainerObservation, { hooksPending }: PodLocal): readonly PodStep[] {
  return hooksPending.has(id) ? [{ type: 'post-start', containerId: id }] : [];
}

/** `Always` holds once a pod and image: a restart must not depend on the registry being up. */
function pullPolicyOf(container: Container, isFirst: boolean): PullPolicy {
  if (container.imagePullPolicy === 'Never') return 'Never';
  return container.imagePullPolicy === 'Always' && isFirst ? 'Always' : 'IfNotPresent';
}

export function admit(local: PodLocal): readonly PodStep[] {
  return local.admission === 'unknown' ? [{ type: 'admit' }] : [];
}

function waitForProblem(problem: { readonly retryAtMs: number }): PodStep {
  return { type: 'wait', untilMs: problem.retryAtMs, why: 'problem' };
}
