import type { EndpointSlice, Pod } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { isPodFinished, isPodReady, isPodRouted, isPodTerminating } from '../../resources/pod-facts.ts';
import {
  type FirstSight,
  type FollowingStep,
  isUsable,
  type NodeWatermark,
  newestRevision,
  planFollowing,
} from './following.ts';

export interface RoutingObservation {
  readonly pod: Pod;
  /** Names of the Service objects that select it. */
  readonly services: readonly string[];
  /** That name it. */
  readonly slices: readonly EndpointSlice[];
  /** Of all slices of its namespace: one that does not name it any more may have done so a moment ago. */
  readonly newestRevision: () => number;
  readonly nodes: readonly NodeWatermark[];
  /** When its endpoints were first seen in all of its services as it is now, ready or not, and the newest slice then. */
  readonly first: FirstSight | undefined;
  readonly nowMs: number;
}

export type RoutingStep =
  /** There is nothing to say, or not yet: a change calls again. */
  { readonly type: 'none' } | FollowingStep;

/**
 * Whether every node sends a pod that is ready its share of new connections, and none any to one that is not ready any more: its
 * agent waits for that before it starts a container anew.
 */
export function planRouting(observed: RoutingObservation): RoutingStep {
  const { pod, services, nodes, nowMs } = observed;
  const isRouted = isPodRouted(pod);
  if (!pod.spec.nodeName || isPodTerminating(pod) || isPodFinished(pod)) return { type: 'none' };
  const usable = observed.slices.filter((slice) => isUsable(slice, pod));
  if (!isPodReady(pod)) {
    if (!isRouted || usable.length > 0) return { type: 'none' };
    return planFollowing(nodes, observed.first ?? { atMs: nowMs, revision: observed.newestRevision() }, nowMs);
  }
  if (isRouted || services.length === 0) return { type: 'none' };
  const told = new Set(usable.map(({ metadata }) => metadata.labels?.[labels.serviceName]));
  if (!services.every((name) => told.has(name))) return { type: 'none' };
  return planFollowing(nodes, observed.first ?? { atMs: nowMs, revision: newestRevision(usable) }, nowMs);
}
