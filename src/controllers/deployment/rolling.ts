import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';

/** How many pods may be there above, and missing below, the wanted number while a deployment rolls. */
export interface RollingBounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Kubernetes' rule: surge rounds up, unavailable rounds down, and both 0 would never move. Recreate has neither. */
export function rollingBounds(deployment: Deployment): RollingBounds {
  const wanted = wantedOf(deployment);
  if (deployment.spec.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const maxSurge = portion(rolling?.maxSurge ?? '25%', wanted, Math.ceil);
  const maxUnavailable = Math.min(wanted, portion(rolling?.maxUnavailable ?? '25%', wanted, Math.floor));
  return maxSurge === 0 && maxUnavailable === 0
    ? { maxSurge: 0, maxUnavailable: Math.min(1, wanted) }
    : { maxSurge, maxUnavailable };
}

function portion(value: number | string, of: number, round: (x: number) => number): number {
  if (typeof value === 'number') return value;
  const percent = Number.parseFloat(value);
  if (value.endsWith('%')) return round((percent * of) / 100);
  return Number.isFinite(percent) ? percent : 0;
}

export function wantedOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

/** What is remembered of the deployment on each set that it sizes: the next change of its size is shared out by them. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const wanted = wantedOf(deployment);
  return {
    [annotations.deploymentDesiredReplicas]: String(wanted),
    [annotations.deploymentMaxReplicas]: String(wanted + rollingBounds(deployment).maxSurge),
  };
}

export function replicasOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 0;
}

export function availableOf(replicaSet: ReplicaSet): number {
  return replicaSet.status?.availableReplicas ?? 0;
}

export interface RollingInput {
  readonly wanted: number;
  readonly bounds: RollingBounds;
  readonly newest: ReplicaSet;
  /** Oldest first; may include sets at 0. */
  readonly old: readonly ReplicaSet[];
  /** The newest may be so large now, and the old ones give way to no more than that. Default: `wanted`. */
  readonly limit?: number | undefined;
}

/**
 * The next sizes, by name. Never more than wanted + maxSurge in all, and never an available pod taken away while fewer
 * than wanted − maxUnavailable would be left.
 */
export function planSizes(input: RollingInput): Map<string, number> {
  const { wanted, bounds, newest, old } = input;
  const sizes = new Map<string, number>();
  const total = replicasOf(newest) + sum(old, replicasOf);
  if (replicasOf(newest) !== wanted) {
    const room = wanted + bounds.maxSurge - total;
    const grown = Math.min(limitOf(input), replicasOf(newest) + Math.max(0, room));
    const next = replicasOf(newest) > wanted ? wanted : grown;
    if (next !== replicasOf(newest)) sizes.set(newest.metadata.name, next);
  }
  const toRemove = removable(input);
  for (const [name, size] of shrink(old, toRemove)) sizes.set(name, size);
  return sizes;
}

/** What is there already stays. */
function limitOf({ wanted, newest, limit = wanted }: RollingInput): number {
  return Math.min(wanted, Math.max(limit, replicasOf(newest)));
}

/** How many old pods may go now, with what the newest still has to bring counted as missing. */
function removable(input: RollingInput): { any: number; available: number } {
  const { wanted, bounds, newest, old } = input;
  const minAvailable = wanted - bounds.maxUnavailable;
  const newestSize = Math.min(replicasOf(newest), wanted);
  const newestMissing = Math.max(0, newestSize - availableOf(newest));
  const total = newestSize + sum(old, replicasOf);
  const available =
    Math.min(availableOf(newest), newestSize) + sum(old, (one) => Math.min(availableOf(one), replicasOf(one)));
  return {
    any: Math.max(0, Math.min(total - minAvailable - newestMissing, sum(old, replicasOf) - wanted + limitOf(input))),
    available: Math.max(0, available - minAvailable),
  };
}

/** Pods that serve nobody first, then available ones; oldest template first. */
function shrink(old: readonly ReplicaSet[], limit: { any: number; available: number }): Map<string, number> {
  const sizes = new Map<string, number>();
  let left = limit.any;
  for (const one of old) {
    const idle = Math.max(0, replicasOf(one) - availableOf(one));
    const taken = Math.min(idle, left);
    left -= taken;
    if (taken > 0) sizes.set(one.metadata.name, replicasOf(one) - taken);
  }
  let availableLeft = Math.min(left, limit.available);
  for (const one of old) {
    const size = sizes.get(one.metadata.name) ?? replicasOf(one);
    const taken = Math.min(size, availableOf(one), availableLeft);
    availableLeft -= taken;
    if (taken > 0) sizes.set(one.metadata.name, size - taken);
  }
  return sizes;
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
