import type { Container, PodCondition } from 'kubernetes-types/core/v1.js';
import { formatTime } from './conditions.ts';
import type { Pod } from './kinds.ts';
import { podConditions } from './names.ts';
import { cpuMillisOf, memoryBytesOf } from './quantity.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

export function podPhase(pod: Pod): PodPhase {
  return (pod.status?.phase as PodPhase | undefined) ?? 'Pending';
}

/** Succeeded or Failed: no container of it will run again. */
export function isPodFinished(pod: Pod): boolean {
  const phase = podPhase(pod);
  return phase === 'Succeeded' || phase === 'Failed';
}

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((one) => one.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** Every node has been told of its endpoints, and may send it connections. */
export function isPodRouted(pod: Pod): boolean {
  return podCondition(pod, podConditions.routed)?.status === 'True';
}

/** Its node has been silent for too long; it is not counted, and may come back. */
export function isPodLost(pod: Pod): boolean {
  return podCondition(pod, podConditions.nodeLost)?.status === 'True';
}

/**
 * The status patch (strategic) that says why a running pod is about to be deleted, in Kubernetes' words: who sees it end knows
 * that it did not fail by itself.
 */
export function disruptionPatch(reason: string, message: string, nowMs: number): object {
  const lastTransitionTime = formatTime(nowMs);
  return {
    status: { conditions: [{ type: 'DisruptionTarget', status: 'True', reason, message, lastTransitionTime }] },
  };
}

export function isPodTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

export interface PodRequests {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
}

/**
 * What the scheduler sets aside for a pod, as Kubernetes: the most that it needs at any time. That is the sum of its app containers
 * and sidecars, or an init container with the sidecars before it, whichever is more.
 */
export function podRequests(pod: Pick<Pod, 'spec'>): PodRequests {
  const none = { cpuMillis: 0, memoryBytes: 0 };
  const apps = pod.spec.containers.map(containerRequests).reduce(add, none);
  let sidecars = none;
  let peak = none;
  for (const container of pod.spec.initContainers ?? []) {
    const own = containerRequests(container);
    if (container.restartPolicy === 'Always') sidecars = add(sidecars, own);
    peak = most(peak, container.restartPolicy === 'Always' ? sidecars : add(sidecars, own));
  }
  return most(peak, add(apps, sidecars));
}

function containerRequests({ resources }: Container): PodRequests {
  const { requests, limits } = resources ?? {};
  return {
    cpuMillis: cpuMillisOf(requests?.cpu ?? limits?.cpu),
    memoryBytes: memoryBytesOf(requests?.memory ?? limits?.memory),
  };
}

function add(a: PodRequests, b: PodRequests): PodRequests {
  return { cpuMillis: a.cpuMillis + b.cpuMillis, memoryBytes: a.memoryBytes + b.memoryBytes };
}

function most(a: PodRequests, b: PodRequests): PodRequests {
  return { cpuMillis: Math.max(a.cpuMillis, b.cpuMillis), memoryBytes: Math.max(a.memoryBytes, b.memoryBytes) };
}

/** Its containers that hold ports of the node all along: not init containers, which are through when the others begin. */
export function longRunning({ spec }: Pick<Pod, 'spec'>): readonly Container[] {
  return [...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'), ...spec.containers];
}

/** Kubernetes' class: Guaranteed when all limits equal all requests, BestEffort without any, otherwise Burstable. */
export function qosClassOf(pod: { readonly spec?: Partial<Pod['spec']> }): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  // Asked before the pod is validated: it may lack both.
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const all = containers.map((container) => container.resources ?? {});
  if (all.every(({ limits = {}, requests = {} }) => Object.keys({ ...limits, ...requests }).length === 0)) {
    return 'BestEffort';
  }
  const isGuaranteed = all.every(({ limits, requests }) =>
    (['cpu', 'memory'] as const).every(
      (name) => limits?.[name] !== undefined && (requests?.[name] ?? limits[name]) === limits[name],
    ),
  );
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
}
