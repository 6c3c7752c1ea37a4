import { isStateful } from '../../resources/failover.ts';
import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished, isPodTerminating } from '../../resources/pod-facts.ts';

/** How the time that a host has until it goes down is shared out. */
export interface HostEndTimes {
  /** So long others have to take over what runs here. */
  readonly replaceMs: number;
  /** Then all that is left has stopped. */
  readonly totalMs: number;
}

/** systemd waits a little longer (src/up/unit.ts). */
export const hostEndTimes: HostEndTimes = { replaceMs: 40_000, totalMs: 75_000 };
/** A pod that finds no node is given up so soon: the host is needed off, and where there is one node there is no other. */
const hopelessMs = 3_000;

/** What an eviction was answered, by pod uid. */
export interface Refused {
  /** When it was refused first because its replacement finds no node, monotonic. */
  readonly unplacedSinceMs?: number;
}

/**
 * Pods of this host that others are to take over before it goes down. What nothing makes again, and what has its files here, comes
 * back with the host.
 */
export function planEvictions(
  pods: readonly Pod[],
  refused: ReadonlyMap<string, Refused>,
  startedMs: number,
  nowMs: number,
  { replaceMs }: HostEndTimes = hostEndTimes,
): readonly Pod[] {
  if (nowMs - startedMs >= replaceMs) return [];
  return pods.filter((pod) => {
    if (isPodTerminating(pod) || isPodFinished(pod) || isStateful(pod)) return false;
    if (!pod.metadata.ownerReferences?.some(({ controller }) => controller)) return false;
    const { unplacedSinceMs } = refused.get(pod.metadata.uid ?? '') ?? {};
    return unplacedSinceMs === undefined || nowMs - unplacedSinceMs < hopelessMs;
  });
}
