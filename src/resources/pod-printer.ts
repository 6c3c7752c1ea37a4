import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import { ageOf } from './define-kind.ts';
import type { Pod } from './kinds.ts';
import { isPodFinished, isPodLost, isPodReady, isPodTerminating } from './pod-facts.ts';

/** What `kubectl get pods` shows as STATUS: the most telling reason, not the phase. */
export function podStatusWord(pod: Pod): string {
  const word = podReason(pod);
  if (isPodTerminating(pod) && !isPodFinished(pod))
    return pod.status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return isPodLost(pod) && !isPodFinished(pod) ? 'NodeLost' : word;
}

function podReason(pod: Pod): string {
  let word = pod.status?.reason || pod.status?.phase || 'Pending';
  let hasRunning = false;
  for (const status of pod.status?.containerStatuses?.toReversed() ?? []) {
    word = containerReason(status) ?? word;
    hasRunning ||= status.ready && status.state?.running !== undefined;
  }
  if (word === 'Completed' && hasRunning) return isPodReady(pod) ? 'Running' : 'NotReady';
  return word;
}

function containerReason({ state }: ContainerStatus): string | undefined {
  if (state?.waiting?.reason) return state.waiting.reason;
  if (!state?.terminated) return undefined;
  const { reason, signal, exitCode } = state.terminated;
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

/** `1/1` */
export function podReadyCount(pod: Pod): string {
  const ready = pod.status?.containerStatuses?.filter((one) => one.ready && one.state?.running !== undefined) ?? [];
  return `${ready.length}/${pod.spec.containers.length}`;
}

/** `0`, `3 (5m ago)` */
export function podRestarts(pod: Pod, nowMs: number): string {
  let count = 0;
  let last: string | undefined;
  for (const status of pod.status?.containerStatuses ?? []) {
    count += status.restartCount;
    const finished = status.lastState?.terminated?.finishedAt;
    if (finished !== undefined && (last === undefined || Date.parse(finished) > Date.parse(last))) last = finished;
  }
  return count > 0 && last !== undefined ? `${count} (${ageOf(last, nowMs)} ago)` : String(count);
}
