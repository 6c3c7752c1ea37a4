import type { ContainerState, ContainerStatus } from 'kubernetes-types/core/v1.js';
import { ageOf } from './define-kind.ts';
import type { Pod } from './kinds.ts';
import { isPodFinished, isPodLost, isPodReady, isPodTerminating, longRunning, podCondition } from './pod-facts.ts';

/** What `kubectl get pods` shows as STATUS: the most telling reason, not the phase. */
export function podStatusWord(pod: Pod): string {
  const word = podReason(pod);
  if (isPodTerminating(pod) && pod.status?.reason === 'NodeLost') return 'Unknown';
  if (isPodFinished(pod)) return word;
  if (isPodTerminating(pod)) return 'Terminating';
  return isPodLost(pod) ? 'NodeLost' : word;
}

function podReason(pod: Pod): string {
  let word = pod.status?.reason || pod.status?.phase || 'Pending';
  if (podCondition(pod, 'PodScheduled')?.reason === 'SchedulingGated') word = 'SchedulingGated';
  const init = initReason(pod);
  if (init !== undefined) return init;
  let hasRunning = false;
  for (const status of pod.status?.containerStatuses?.toReversed() ?? []) {
    word = stateReason(status.state) ?? word;
    hasRunning ||= isServing(status);
  }
  if (word === 'Completed' && hasRunning) return isPodReady(pod) ? 'Running' : 'NotReady';
  return word;
}

/** `Init:1/3`, `Init:CrashLoopBackOff`; undefined once the init containers are through. */
function initReason(pod: Pod): string | undefined {
  if (podCondition(pod, 'Initialized')?.status === 'True') return undefined;
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, { name, state, started }] of statuses.entries()) {
    const spec = pod.spec.initContainers?.find((one) => one.name === name);
    if (state?.terminated?.exitCode === 0) continue;
    if (spec?.restartPolicy === 'Always' && started) continue;
    const reason = state?.waiting?.reason === 'PodInitializing' ? undefined : stateReason(state);
    return `Init:${reason ?? `${index}/${pod.spec.initContainers?.length ?? 0}`}`;
  }
  return undefined;
}

function stateReason(state: ContainerState | undefined): string | undefined {
  if (state?.waiting?.reason) return state.waiting.reason;
  if (!state?.terminated) return undefined;
  const { reason, signal, exitCode } = state.terminated;
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

function isServing(status: ContainerStatus): boolean {
  return status.ready && status.state?.running !== undefined;
}

/** `1/1`, sidecars counted. */
export function podReadyCount(pod: Pod): string {
  const sidecars = sidecarStatuses(pod).filter(({ ready, started }) => ready && started);
  const apps = pod.status?.containerStatuses?.filter(isServing) ?? [];
  return `${sidecars.length + apps.length}/${longRunning(pod).length}`;
}

/** `0`, `3 (5m ago)`; while a pod is initialised those of its init containers, later of what runs on. */
export function podRestarts(pod: Pod, nowMs: number): string {
  let count = 0;
  let last: string | undefined;
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const counted =
    initReason(pod) === undefined ? [...sidecarStatuses(pod), ...containerStatuses] : initContainerStatuses;
  for (const status of counted) {
    count += status.restartCount;
    const finished = status.lastState?.terminated?.finishedAt;
    if (finished !== undefined && (last === undefined || Date.parse(finished) > Date.parse(last))) last = finished;
  }
  return count > 0 && last !== undefined ? `${count} (${ageOf(last, nowMs)} ago)` : String(count);
}

function sidecarStatuses({ spec, status }: Pod): readonly ContainerStatus[] {
  const isSidecar = (name: string) =>
    spec.initContainers?.some((one) => one.name === name && one.restartPolicy === 'Always');
  return status?.initContainerStatuses?.filter(({ name }) => isSidecar(name)) ?? [];
}

/** `1/2` of the readiness gates hold; `<none>` without any. */
export function podGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const held = gates.filter((gate) => podCondition(pod, gate.conditionType)?.status === 'True');
  return `${held.length}/${gates.length}`;
}
