import type { EndpointSlice, Pod } from '../../resources/kinds.ts';
import { isPodRouted } from '../../resources/pod-facts.ts';
import { type FirstSight, type FollowingStep, isUsable, type NodeWatermark, planFollowing } from './following.ts';

export interface WithdrawalObservation {
  /** It is being deleted. */
  readonly pod: Pod;
  /** A Service object selects it: then it is in a slice as soon as it has an address. */
  readonly isSelected: boolean;
  /** That name it. */
  readonly slices: readonly EndpointSlice[];
  /** Of all slices of its namespace: one that does not name it any more may have done so a moment ago. */
  readonly newestRevision: () => number;
  /** Nodes that are heard and tell how far they are. */
  readonly nodes: readonly NodeWatermark[];
  /** When its endpoints were first seen withdrawn, and the newest slice then. */
  readonly first: FirstSight | undefined;
  readonly nowMs: number;
}

export type WithdrawalStep =
  /** Its slices still send connections to it: their change calls again. */
  { readonly type: 'awaitSlices' } | FollowingStep;

/** Whether everybody who was told to send connections to a pod knows by now that it goes. */
export function planWithdrawal(observed: WithdrawalObservation): WithdrawalStep {
  const { pod, slices, nodes, nowMs } = observed;
  const hasAddress = (pod.status?.podIPs?.length ?? 0) > 0;
  if (observed.isSelected && hasAddress && slices.length === 0) return { type: 'awaitSlices' };
  if (slices.some((slice) => isUsable(slice, pod))) return { type: 'awaitSlices' };
  // Taken out of its services by its labels it is in no slice, and nodes may not know that yet.
  if (slices.length === 0 && !isPodRouted(pod)) {
    return { type: 'followed', revision: 0, message: 'no service has it', waitedMs: 0, lagging: [] };
  }
  return planFollowing(nodes, observed.first ?? { atMs: nowMs, revision: observed.newestRevision() }, nowMs);
}
