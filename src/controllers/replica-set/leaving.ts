import { evictionSurge, isPodLeaving } from '../../resources/eviction-surge.ts';
import type { Pod, ReplicaSet } from '../../resources/kinds.ts';

export interface LeavingPlan {
  /** Pods to make; negative: so many of `staying` are too many. */
  readonly missing: number;
  /** Asked to leave, and their work is done by others: they may go. Those that serve nobody first. */
  readonly replaced: readonly Pod[];
  readonly staying: readonly Pod[];
  /** Why pods are made though none is missing; for people. */
  readonly why?: string;
}

/**
 * Who was asked to leave does its work until another pod does it. While some leave, there are as many more as the deployment's
 * strategy allows; of those that are available, never fewer stay than are wanted.
 */
export function planLeaving(replicaSet: ReplicaSet, active: readonly Pod[], available: ReadonlySet<Pod>): LeavingPlan {
  const wanted = replicaSet.spec.replicas ?? 1;
  const leaving = active.filter(isPodLeaving);
  if (leaving.length === 0) return { missing: wanted - active.length, replaced: [], staying: active };
  const staying = active.filter((pod) => !isPodLeaving(pod));
  const works = staying.filter((pod) => available.has(pod)).length;
  const kept = Math.max(0, wanted - works);
  const ranked = [...leaving.filter((pod) => !available.has(pod)), ...leaving.filter((pod) => available.has(pod))];
  const replaced = ranked.slice(0, Math.max(0, leaving.length - kept));
  // One at least: a set whose strategy was changed meanwhile must not be stuck with pods that leave.
  const most = wanted + Math.max(1, evictionSurge(replicaSet));
  const missing = wanted - staying.length;
  return {
    missing: missing > 0 ? Math.max(0, Math.min(missing, most - active.length)) : missing,
    replaced,
    staying,
    why: `${leaving.length} of its pods ${leaving.length === 1 ? 'is' : 'are'} to leave: ${nodesOf(leaving)}`,
  };
}

function nodesOf(pods: readonly Pod[]): string {
  const names = [...new Set(pods.map(({ spec }) => spec.nodeName ?? 'no node'))].sort();
  return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}
