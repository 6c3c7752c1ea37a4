import type { PodCondition } from 'kubernetes-types/core/v1.js';
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

/** What the scheduler sets aside for a pod: the sum of its containers' requests. */
export function podRequests(pod: Pick<Pod, 'spec'>): { readonly cpuMillis: number; readonly memoryBytes: number } {
  let cpuMillis = 0;
  let memoryBytes = 0;
  for (const container of pod.spec.containers) {
    const { requests, limits } = container.resources ?? {};
    cpuMillis += cpuMillisOf(requests?.cpu ?? limits?.cpu);
    memoryBytes += memoryBytesOf(requests?.memory ?? limits?.memory);
  }
  return { cpuMillis, memoryBytes };
}

/** Kubernetes' class: Guaranteed when all limits equal all requests, BestEffort without any, otherwise Burstable. */
export function qosClassOf(pod: { readonly spec?: Partial<Pod['spec']> }): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  // Asked before the pod is validated: it may lack both.
  const all = (pod.spec?.containers ?? []).map((container) => container.resources ?? {});
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
