import { formatTime, setCondition } from '../../resources/conditions.ts';
import { disruptionAllowedCondition, isBudgetOf } from '../../resources/disruption.ts';
import type { Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { isPodFinished, isPodReady, isPodTerminating, podPhase } from '../../resources/pod-facts.ts';

/** What an eviction does next. */
export type EvictionStep =
  /** `isUnchanged`: only while the pod is as it was seen: no budget has been asked, because of what it is. */
  | { readonly type: 'delete'; readonly isUnchanged: boolean }
  /** Takes one disruption out of the budget first; the status to write, based on the budget that was seen. */
  | { readonly type: 'spend'; readonly budget: PodDisruptionBudget }
  /** Another try may succeed; at once or after so many seconds. */
  | { readonly type: 'wait'; readonly cause: string; readonly retryAfterSeconds: number }
  /** No try can. */
  | { readonly type: 'refuse'; readonly code: 403 | 500; readonly budgetName: string; readonly why: string };

export interface EvictionObservation {
  readonly pod: Pod;
  /** Those of the pod's namespace. */
  readonly budgets: readonly PodDisruptionBudget[];
  readonly nowMs: number;
}

/** Evictions that the controller has not seen yet; so many mean that it is not running. */
const maxDisruptedPods = 2_000;
const processingRetrySeconds = 10;

/** The budget of a pod is asked once; what does not run, or is going already, needs none. */
export function planEviction({ pod, budgets, nowMs }: EvictionObservation): EvictionStep {
  const isGoing = isPodFinished(pod) || isPodTerminating(pod);
  if (isGoing || podPhase(pod) === 'Pending') return { type: 'delete', isUnchanged: !isGoing };
  const matching = budgets.filter((budget) => isBudgetOf(budget, pod));
  const [budget] = matching;
  if (!budget) return { type: 'delete', isUnchanged: false };
  if (matching.length > 1) {
    const why = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    return { type: 'refuse', code: 500, budgetName: budget.metadata.name, why };
  }
  if (!isPodReady(pod) && mayGoUnready(budget)) return { type: 'delete', isUnchanged: true };
  return spendOne(budget, pod.metadata.name, nowMs);
}

/** It does not count as healthy, so that nothing is lost with it while enough others are. */
function mayGoUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

function spendOne(budget: PodDisruptionBudget, podName: string, nowMs: number): EvictionStep {
  const { metadata, status } = budget;
  const { name, generation = 0 } = metadata;
  const processing = `The disruption budget ${name} is still being processed by the server.`;
  if (!status || (status.observedGeneration ?? 0) < generation) {
    return { type: 'wait', cause: processing, retryAfterSeconds: processingRetrySeconds };
  }
  const { disruptionsAllowed = 0, disruptedPods = {}, desiredHealthy = 0, currentHealthy = 0 } = status;
  const refuse = (why: string) => ({ type: 'refuse', code: 403, budgetName: name, why }) as const;
  if (disruptionsAllowed < 0) return refuse('pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > maxDisruptedPods) {
    return refuse('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (disruptionsAllowed === 0) {
    const cause = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
    return { type: 'wait', cause, retryAfterSeconds: 0 };
  }
  const left = disruptionsAllowed - 1;
  const next = {
    ...status,
    disruptionsAllowed: left,
    disruptedPods: { ...disruptedPods, [podName]: formatTime(nowMs) },
    conditions: setCondition(status.conditions, disruptionAllowedCondition(left), nowMs),
  };
  return { type: 'spend', budget: { ...budget, status: next } };
}
