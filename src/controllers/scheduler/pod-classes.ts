import type { Pod } from '../../resources/kinds.ts';
import { isPodFinished, isPodTerminating } from '../../resources/pod-facts.ts';

/** What the scheduler has to do with a pod. */
export type PodClass =
  /** Takes up room on its node. */
  | 'placed'
  /** Wants a node. */
  | 'waiting'
  /** Neither: ended, going without ever having had a node, or somebody else's to place. */
  | 'ignored';

export function classOf(pod: Pod | undefined): PodClass {
  if (!pod || isPodFinished(pod)) return 'ignored';
  if (pod.spec.nodeName) return 'placed';
  if (isPodTerminating(pod) || (pod.spec.schedulingGates ?? []).length > 0) return 'ignored';
  const { schedulerName } = pod.spec;
  return schedulerName === undefined || schedulerName === '' || schedulerName === 'default-scheduler'
    ? 'waiting'
    : 'ignored';
}
