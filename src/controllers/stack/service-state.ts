import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished, isPodLost, podCondition } from '../../resources/pod-facts.ts';
import { isActive, isServing } from '../pod-facts.ts';

/** How far a service of a stack has come; counts are of its newest template only. */
export interface ServiceState {
  readonly instances: number;
  readonly updated: number;
  readonly ready: number;
  /** One of its pods runs, or ran to its end. */
  readonly isStarted: boolean;
  readonly isHealthy: boolean;
  /** All of its pods ended well; only services that may end ever are. */
  readonly isCompleted: boolean;
  /** Why it is not there yet. */
  readonly trouble?: Trouble;
}

export interface Trouble {
  /** One word for programs: `ImagePullFailed`, `CrashLoop`, `Unschedulable`, `Failed`, `NotReady`, `Starting` … */
  readonly reason: string;
  /** One sentence for people, naming the instance. */
  readonly message: string;
  /** Will not go away by waiting a little. */
  readonly isStuck: boolean;
}

export interface ServicePods {
  readonly instances: number;
  /** Pods of the newest template; none while it has not been written. */
  readonly newest: readonly Pod[];
  /** It may end: `restart: no` or `on-failure`. */
  readonly mayEnd: boolean;
  /** Pods of earlier templates that are still there. */
  readonly olderCount: number;
}

export function serviceState({ instances, newest, mayEnd, olderCount }: ServicePods): ServiceState {
  const counted = mayEnd ? newest.filter((pod) => !pod.metadata.deletionTimestamp) : newest.filter(isActive);
  const hasSucceeded = (pod: Pod) => pod.status?.phase === 'Succeeded';
  const isThere = (pod: Pod) => isServing(pod) || (mayEnd && hasSucceeded(pod));
  const ready = counted.filter(isThere).length;
  const trouble =
    troubleOf(
      newest.filter((pod) => !isThere(pod)),
      mayEnd,
    ) ?? missing({ instances, ready, olderCount });
  return {
    instances,
    updated: counted.length,
    ready,
    isStarted: counted.some((pod) => pod.status?.phase === 'Running' || hasSucceeded(pod)),
    isHealthy: ready >= instances,
    isCompleted: mayEnd && counted.length >= instances && counted.every(hasSucceeded),
    ...(trouble && (ready < instances || trouble.reason === 'RollingOver') ? { trouble } : {}),
  };
}

function missing({
  instances,
  ready,
  olderCount,
}: {
  instances: number;
  ready: number;
  olderCount: number;
}): Trouble | undefined {
  if (ready < instances) {
    return { reason: 'Starting', message: `${ready} of ${instances} instances are ready`, isStuck: false };
  }
  if (olderCount > 0) {
    const text =
      olderCount === 1 ? '1 instance of the earlier version is' : `${olderCount} instances of the earlier version are`;
    return { reason: 'RollingOver', message: `${text} still there`, isStuck: false };
  }
  return undefined;
}

/** The worst of them speaks for all. */
function troubleOf(pods: readonly Pod[], mayEnd: boolean): Trouble | undefined {
  const all = pods.flatMap((pod) => podTrouble(pod, mayEnd) ?? []);
  return all.find((one) => one.isStuck) ?? all[0];
}

/** What keeps a pod from being ready, in its own words. */
export function podTrouble(pod: Pod, mayEnd: boolean): Trouble | undefined {
  const { name } = pod.metadata;
  if (pod.metadata.deletionTimestamp) return undefined;
  if (isPodLost(pod)) return stuck('NodeLost', `instance ${name} is on ${pod.spec.nodeName}, which is silent`);
  const scheduled = podCondition(pod, 'PodScheduled');
  if (!pod.spec.nodeName) {
    if (scheduled?.status === 'False')
      return stuck('Unschedulable', `instance ${name} has no node: ${scheduled.message ?? ''}`);
    return { reason: 'Starting', message: `instance ${name} waits for a node`, isStuck: false };
  }
  const container = pod.status?.containerStatuses?.[0];
  if (pod.status?.phase === 'Failed') return stuck('Failed', `instance ${name} ${failureText(pod, container)}`);
  const waiting = container?.state?.waiting;
  if (waiting?.reason && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    return waitingTrouble(name, waiting.reason, waiting.message, container);
  }
  if (container?.lastState?.terminated && !container.state?.running) {
    return stuck('CrashLoop', `instance ${name} ${endText(container.lastState.terminated)}`);
  }
  if (pod.status?.phase !== 'Running') {
    const doing = waiting?.message ? `: ${waiting.message}` : '';
    return {
      reason: 'Starting',
      message: `instance ${name} is being started on ${pod.spec.nodeName}${doing}`,
      isStuck: false,
    };
  }
  if (isPodFinished(pod) || mayEnd)
    return { reason: 'Running', message: `instance ${name} is running`, isStuck: false };
  const why = podCondition(pod, 'Ready')?.message;
  const before = container && (container.restartCount ?? 0) > 0 ? `, after ${container.restartCount} restarts` : '';
  return {
    reason: 'NotReady',
    message: `instance ${name} runs and is not ready${before}${why ? `: ${why}` : ''}`,
    isStuck: before !== '',
  };
}

function waitingTrouble(
  name: string,
  reason: string,
  message: string | undefined,
  container: ContainerStatus | undefined,
): Trouble {
  if (/image/i.test(reason) || reason === 'ErrPull') {
    return stuck('ImagePullFailed', `instance ${name} cannot get its image: ${message ?? container?.image ?? reason}`);
  }
  if (reason === 'CrashLoopBackOff') {
    const ended = container?.lastState?.terminated;
    const text = ended ? endText(ended) : (message ?? 'keeps ending');
    return stuck(
      'CrashLoop',
      `instance ${name} ${text} and is restarted (${container?.restartCount ?? 0} times so far)`,
    );
  }
  if (reason === 'Pulling') {
    return {
      reason: 'Pulling',
      message: `instance ${name} is pulling its image${message ? `: ${message}` : ''}`,
      isStuck: false,
    };
  }
  return stuck(reason, `instance ${name} cannot start: ${message ?? reason}`);
}

function failureText(pod: Pod, container: ContainerStatus | undefined): string {
  const ended = container?.state?.terminated ?? container?.lastState?.terminated;
  if (ended) return endText(ended);
  return `failed: ${pod.status?.message ?? pod.status?.reason ?? 'no reason given'}`;
}

function endText(ended: NonNullable<NonNullable<ContainerStatus['state']>['terminated']>): string {
  if (ended.reason === 'OOMKilled') return 'used more memory than its limit and was killed';
  const own = ended.message ? `: ${ended.message}` : '';
  return `ended with exit code ${ended.exitCode}${own}`;
}

function stuck(reason: string, message: string): Trouble {
  return { reason, message, isStuck: true };
}
