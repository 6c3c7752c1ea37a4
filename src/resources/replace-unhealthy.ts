import { type FailoverAfter, parseFailoverAfter } from './failover.ts';
import type { Pod } from './kinds.ts';
import { annotations, labels } from './names.ts';

/** Of instances of stacks; other pods are only restarted, as in Kubernetes, unless they say otherwise. */
export const defaultReplaceUnhealthyMs = 300_000;

/** How long a pod may be not ready on a node that is fine until another one takes its place. */
export function replaceUnhealthyAfter(pod: Pod): FailoverAfter {
  const own = parseFailoverAfter(pod.metadata.annotations?.[annotations.replaceUnhealthyAfter] ?? '');
  if (own !== undefined) return own;
  return pod.metadata.labels?.[labels.stack] === undefined ? 'never' : defaultReplaceUnhealthyMs;
}
