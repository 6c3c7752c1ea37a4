import type { Pod, PodDisruptionBudget } from './kinds.ts';
import { isEmptySelector, matchesSelector } from './selectors.ts';

/** Whether a budget is about a pod of its namespace: an empty selector is about all of them, an absent one about none. */
export function isBudgetOf({ spec }: PodDisruptionBudget, pod: Pod): boolean {
  const { selector } = spec;
  return selector !== undefined && (isEmptySelector(selector) || matchesSelector(selector, pod.metadata.labels));
}

/** It is not ready and does not count as healthy: whether nothing is lost with it, since enough others are. */
export function mayGoUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** Of a budget's status: by how many evictions it allows. */
export function disruptionAllowedCondition(disruptionsAllowed: number) {
  return disruptionsAllowed > 0
    ? { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', message: '' }
    : { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', message: '' };
}
