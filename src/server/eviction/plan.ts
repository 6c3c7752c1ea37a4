import { formatTime, setCondition } from '../../resources/conditions.ts';
import { disruptionAllowedCondition, isBudgetOf, mayGoUnready } from '../../resources/disruption.ts';
import type { Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodFinished, isPodReady, isPodTerminating, podCondition, podPhase } from '../../resources/pod-facts.ts';
import type { Replacement } from './replacement.ts';

/** What an eviction does next. */
export type EvictionStep =
  /** `isUnchanged`: only while the pod is as it was seen: no budget has been asked, because of what it is. */
  | { readonly type: 'delete'; readonly isUnchanged: boolean }
  /** Takes one disruption out of the budget first; the status to write, based on the budget that was seen. */
  | { readonly type: 'spend'; readonly budget: PodDisruptionBudget }
  /** Another pod does its work first: says so at the pod, or says it again; until then it waits. */
  | { readonly type: 'ask'; readonly since: string; readonly cause: string; readonly isUnplaced: boolean }
  /** Another try may succeed; at once or after so many seconds. */
  | {
      readonly type: 'wait';
      readonly why: 'budget' | 'replacement' | 'unplaced';
      readonly cause: string;
      readonly retryAfterSeconds: number;
    }
  /** No try can. */
  | { readonly type: 'refuse'; readonly code: 403 | 500; readonly budgetName: string; readonly why: string };

export interface EvictionObservation {
  readonly pod: Pod;
  /** Those of the pod's namespace. */
  readonly budgets: readonly PodDisruptionBudget[];
  /** Another pod can do its work first; what keeps that one. Undefined: it goes first. */
  readonly replacement: Replacement | undefined;
  readonly nowMs: number;
}

/** Evictions that the controller has not seen yet; so many mean that it is not running. */
const maxDisruptedPods = 2_000;
const processingRetrySeconds = 10;
/** What it waits for is often there within seconds; clients of Kubernetes follow this, and try again after five by themselves. */
export const replacementRetrySeconds = 1;
/** It is said at the pod again when it is older: nobody forgets a pod that is still asked to leave. */
const sayAgainMs = 30_000;

/**
 * The budget of a pod is asked once; what does not run, or is going already, needs none. What is replaced first spends none, since
 * as many work afterwards as before; it stays while its budget has fewer than it needs.
 */
export function planEviction({ pod, budgets, replacement, nowMs }: EvictionObservation): EvictionStep {
  const isGoing = isPodFinished(pod) || isPodTerminating(pod);
  if (isGoing || podPhase(pod) === 'Pending') return { type: 'delete', isUnchanged: !isGoing };
  const matching = budgets.filter((budget) => isBudgetOf(budget, pod));
  if (replacement !== undefined) {
    const lacking = matching.find(({ status }) => (status?.desiredHealthy ?? 0) > (status?.currentHealthy ?? 0));
    return lacking ? waitForHealthy(lacking) : planReplacement(pod, replacement, nowMs);
  }
  const [budget] = matching;
  if (!budget) return { type: 'delete', isUnchanged: false };
  if (matching.length > 1) {
    const why = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    return { type: 'refuse', code: 500, budgetName: budget.metadata.name, why };
  }
  if (!isPodReady(pod) && mayGoUnready(budget)) return { type: 'delete', isUnchanged: true };
  return spendOne(budget, pod.metadata.name, nowMs);
}

function planReplacement(pod: Pod, { waitsFor, isUnplaced }: Replacement, nowMs: number): EvictionStep {
  const cause = `another instance does its work first: ${waitsFor}`;
  const said = podCondition(pod, podConditions.leaving);
  const isSaid = said?.status === 'True' && nowMs - Date.parse(said.lastProbeTime ?? '') < sayAgainMs;
  const why = isUnplaced ? 'unplaced' : 'replacement';
  if (isSaid) return { type: 'wait', why, cause, retryAfterSeconds: replacementRetrySeconds };
  const { lastTransitionTime } = said ?? {};
  const since = said?.status === 'True' && lastTransitionTime ? lastTransitionTime : formatTime(nowMs);
  return { type: 'ask', since, cause, isUnplaced };
}

function spendOne(budget: PodDisruptionBudget, podName: string, nowMs: number): EvictionStep {
  const { metadata, status } = budget;
  const { name, generation = 0 } = metadata;
  const processing = `The disruption budget ${name} is still being processed by the server.`;
  if (!status || (status.observedGeneration ?? 0) < generation) {
    return { type: 'wait', why: 'budget', cause: processing, retryAfterSeconds: processingRetrySeconds };
  }
  const { disruptionsAllowed = 0, disruptedPods = {} } = status;
  const refuse = (why: string) => ({ type: 'refuse', code: 403, budgetName: name, why }) as const;
  if (disruptionsAllowed < 0) return refuse('pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > maxDisruptedPods) {
    return refuse('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (disruptionsAllowed === 0) return waitForHealthy(budget);
  const left = disruptionsAllowed - 1;
  const next = {
    ...status,
    disruptionsAllowed: left,
    disruptedPods: { ...disruptedPods, [podName]: formatTime(nowMs) },
    conditions: setCondition(status.conditions, disruptionAllowedCondition(left), nowMs),
  };
  return { type: 'spend', budget: { ...budget, status: next } };
}

function waitForHealthy({ metadata, status }: PodDisruptionBudget): EvictionStep {
  const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
  const cause = `The disruption budget ${metadata.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  return { type: 'wait', why: 'budget', cause, retryAfterSeconds: 0 };
}
