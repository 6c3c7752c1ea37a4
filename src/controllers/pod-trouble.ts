import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from '../resources/kinds.ts';
import { isPodFinished, isPodLost, podCondition } from '../resources/pod-facts.ts';

export interface Trouble {
  /** One word for programs: `ImagePullFailed`, `CrashLoop`, `Unschedulable`, `Failed`, `NotReady`, `Starting` … */
  readonly reason: string;
  /** One sentence for people, naming the instance. */
  readonly message: string;
  /** Will not go away by waiting a little. */
  readonly isStuck: boolean;
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
  const before =
    container && (container.restartCount ?? 0) > 0
      ? `, after ${container.restartCount} restart${container.restartCount === 1 ? '' : 's'}`
      : '';
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
