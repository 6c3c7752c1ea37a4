import { isPodLeaving, isReplacedFirst, leavingMs, leavingReasons } from '../../resources/eviction-surge.ts';
import type { Node, Pod, ReplicaSet } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodReady, isPodTerminating, podCondition } from '../../resources/pod-facts.ts';

export interface LeavingObservation {
  readonly pod: Pod;
  readonly node: Node | undefined;
  readonly replicaSet: ReplicaSet | undefined;
  readonly nowMs: number;
}

export type LeavingStep =
  | { readonly type: 'none' }
  | { readonly type: 'wait'; readonly againAfterMs: number }
  /** It stays after all. */
  | { readonly type: 'takeBack'; readonly reason: string; readonly message: string };

/** Whether a pod is still to leave: as long as somebody asks, and, of a drained node, until that takes pods again. */
export function planLeft({ pod, node, replicaSet, nowMs }: LeavingObservation): LeavingStep {
  if (!isPodLeaving(pod) || isPodTerminating(pod) || isPodFinished(pod)) return { type: 'none' };
  const { reason, lastProbeTime, lastTransitionTime } = podCondition(pod, podConditions.leaving) ?? {};
  if (reason === leavingReasons.drained && node && node.spec.unschedulable !== true) {
    return { type: 'takeBack', reason: 'NodeUsable', message: `its node ${node.metadata.name} takes pods again` };
  }
  if (isPodReady(pod) && !isReplacedFirst(pod, replicaSet)) {
    return { type: 'takeBack', reason: 'NotReplaced', message: 'no other pod can do its work first' };
  }
  const asked = lastProbeTime ?? lastTransitionTime;
  const leftMs = (asked === undefined ? 0 : Date.parse(asked)) + leavingMs - nowMs;
  if (leftMs > 0) return { type: 'wait', againAfterMs: leftMs };
  return { type: 'takeBack', reason: 'NotAsked', message: `nobody has asked for ${leavingMs / 1_000} s` };
}
