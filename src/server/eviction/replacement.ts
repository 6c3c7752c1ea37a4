import { isPodLeaving, isReplacedFirst } from '../../resources/eviction-surge.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Pod, pods, type ReplicaSet, replicaSets } from '../../resources/kinds.ts';
import { isPodFinished, isPodReady, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';
import type { WatchCache } from '../cache/watch-cache.ts';

/** What the replacement of a pod waits for. */
export interface Replacement {
  /** In a few words. */
  readonly waitsFor: string;
  /** No node takes it. */
  readonly isUnplaced: boolean;
}

/** So long no node took the replacement: the pod goes first then, as far as its budget allows. A drain must come to an end. */
const unplacedPatienceMs = 300_000;

/** Undefined: it is not replaced before it goes. */
export function replacementOf(cache: WatchCache, grid: string, pod: Pod, nowMs: number): Replacement | undefined {
  const owner = pod.metadata.ownerReferences?.find((one) => one.controller && one.kind === 'ReplicaSet');
  const { namespace } = pod.metadata;
  const found = owner && cache.get(grid, replicaSets as Kind, namespace, owner.name)?.object;
  const replicaSet = found?.metadata.uid === owner?.uid ? (found as ReplicaSet | undefined) : undefined;
  if (!isReplacedFirst(pod, replicaSet)) return undefined;
  const all = (cache.list(grid, pods as Kind, { namespace }) ?? []).map(({ object }) => object as Pod);
  const others = all.filter((one) => one.metadata.ownerReferences?.some(({ uid }) => uid === owner?.uid));
  return describeReplacement(others, nowMs);
}

/** `others`: all pods of its set. */
export function describeReplacement(others: readonly Pod[], nowMs: number): Replacement | undefined {
  const staying = others.filter((one) => !isPodTerminating(one) && !isPodFinished(one) && !isPodLeaving(one));
  const waiting = staying.find((one) => !isPodReady(one));
  const waits = (waitsFor: string, isUnplaced = false) => ({ waitsFor, isUnplaced });
  if (!waiting) return waits('it is about to be made, or to be sent its first connections');
  const { name } = waiting.metadata;
  const scheduled = podCondition(waiting, 'PodScheduled');
  if (scheduled?.status === 'False') {
    if (nowMs - Date.parse(scheduled.lastTransitionTime ?? '') >= unplacedPatienceMs) return undefined;
    return waits(`${name} waits for a node: ${scheduled.message ?? scheduled.reason ?? ''}`, true);
  }
  const states = [...(waiting.status?.initContainerStatuses ?? []), ...(waiting.status?.containerStatuses ?? [])];
  const reason = states.flatMap(({ state }) => state?.waiting ?? []).find((one) => one.reason !== 'PodInitializing');
  if (reason) return waits(`${name} does not run yet: ${[reason.reason, reason.message].filter(Boolean).join(', ')}`);
  return waits(`${name} is not ready yet`);
}
