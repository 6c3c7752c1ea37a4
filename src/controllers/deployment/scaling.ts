import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { byAge } from './replica-set-for.ts';
import { availableOf, replicasOf, rollingBounds, sum, wantedOf } from './rolling.ts';

/** Whether `spec.replicas` changed since a set that has pods was sized last. */
export function isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((one) => {
    const desired = one.metadata.annotations?.[annotations.deploymentDesiredReplicas];
    return replicasOf(one) > 0 && desired !== undefined && desired !== String(wantedOf(deployment));
  });
}

/**
 * Sizes after a change of `spec.replicas`, by name. One set with pods takes all of it; in the middle of a rollout each
 * set gets its share, in Kubernetes' proportions, so that a scaled deployment does not wait for a template that may be
 * broken. Never more than wanted + maxSurge in all.
 */
export function scaledSizes(
  deployment: Deployment,
  newest: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Map<string, number> {
  const wanted = wantedOf(deployment);
  const all = [...(newest ? [newest] : []), ...old];
  const active = all.filter((one) => replicasOf(one) > 0);
  if (active.length < 2) {
    const only = active[0] ?? newest ?? [...old].sort(byAge).at(-1);
    return new Map(only ? [[only.metadata.name, wanted]] : []);
  }
  if (newest && replicasOf(newest) === wanted && availableOf(newest) >= wanted) {
    return new Map(active.map((one) => [one.metadata.name, one === newest ? wanted : 0]));
  }
  return keepPromise(deployment, active, shareOut(deployment, active));
}

function shareOut(deployment: Deployment, active: readonly ReplicaSet[]): Map<string, number> {
  const wanted = wantedOf(deployment);
  const most = wanted === 0 ? 0 : wanted + rollingBounds(deployment).maxSurge;
  const toAdd = most - sum(active, replicasOf);
  // What growing leaves over goes to the larger, then the newer; what shrinking takes, from the larger, then the older.
  const age = (a: ReplicaSet, b: ReplicaSet) => (toAdd > 0 ? byAge(b, a) : byAge(a, b));
  const ranked = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || age(a, b));
  const sizes = new Map<string, number>();
  let left = toAdd;
  for (const one of ranked) {
    const share = shareOf(deployment, one, most);
    const added = toAdd > 0 ? Math.min(share, left) : toAdd < 0 ? Math.max(share, left) : 0;
    left -= added;
    sizes.set(one.metadata.name, replicasOf(one) + added);
  }
  const first = ranked[0]?.metadata.name ?? '';
  sizes.set(first, Math.max(0, (sizes.get(first) ?? 0) + left));
  return sizes;
}

/** By how much the set would change if all kept their part of the most that was allowed when it was sized. */
function shareOf(deployment: Deployment, one: ReplicaSet, most: number): number {
  const before = Number(one.metadata.annotations?.[annotations.deploymentMaxReplicas]);
  const base = before > 0 ? before : (deployment.status?.replicas ?? 0);
  return base > 0 ? Math.round((replicasOf(one) * most) / base) - replicasOf(one) : 0;
}

/**
 * Rounding may take away more available pods than the strategy promises to keep: as far as it can be helped, the sets
 * whose pods serve nobody give way.
 */
function keepPromise(
  deployment: Deployment,
  active: readonly ReplicaSet[],
  sizes: Map<string, number>,
): Map<string, number> {
  const sizeOf = (one: ReplicaSet) => sizes.get(one.metadata.name) ?? 0;
  const serving = (one: ReplicaSet) => Math.min(availableOf(one), replicasOf(one));
  const promised = Math.min(sum(active, serving), wantedOf(deployment) - rollingBounds(deployment).maxUnavailable);
  const kept = () => sum(active, (one) => Math.min(serving(one), sizeOf(one)));
  for (let missing = promised - kept(); missing > 0; missing = promised - kept()) {
    const short = active.find((one) => sizeOf(one) < serving(one));
    const idle = active.find((one) => sizeOf(one) > serving(one));
    if (!short || !idle) break;
    const moved = Math.min(missing, serving(short) - sizeOf(short), sizeOf(idle) - serving(idle));
    sizes.set(short.metadata.name, sizeOf(short) + moved);
    sizes.set(idle.metadata.name, sizeOf(idle) - moved);
  }
  return sizes;
}
