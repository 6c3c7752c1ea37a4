import type { PodDisruptionBudgetStatus } from 'kubernetes-types/policy/v1.js';
import { setCondition } from '../../resources/conditions.ts';
import { disruptionAllowedCondition } from '../../resources/disruption.ts';
import type { Pod, PodDisruptionBudget } from '../../resources/kinds.ts';
import { isPodFinished, isPodTerminating } from '../../resources/pod-facts.ts';
import { isServing } from '../pod-facts.ts';

export interface DisruptionObservation {
  readonly budget: PodDisruptionBudget;
  /** Those that its selector names. */
  readonly pods: readonly Pod[];
  /** How many pods the controllers of these pods want, each controller once; pods without one count nothing. */
  readonly scale: number;
  readonly nowMs: number;
}

export interface DisruptionPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** When a granted eviction that nobody carried out is forgotten. */
  readonly againAfterMs?: number;
}

/** A granted eviction whose pod does not go within this time did not happen. */
const grantMs = 120_000;

/** How many pods may go now: those that are well, less those that must stay, less those whose going is not seen yet. */
export function planDisruption({ budget, pods, scale, nowMs }: DisruptionObservation): DisruptionPlan {
  const counted = pods.filter((pod) => !isPodFinished(pod));
  const { expectedPods, desiredHealthy } = wantedOf(budget, counted.length, scale);
  const granted = openGrants(budget, counted, nowMs);
  const currentHealthy = counted.filter(
    (pod) => !isPodTerminating(pod) && isServing(pod) && granted[pod.metadata.name] === undefined,
  ).length;
  const spare = currentHealthy - desiredHealthy;
  const disruptionsAllowed = expectedPods <= 0 || spare <= 0 ? 0 : spare;
  const condition = disruptionAllowedCondition(disruptionsAllowed);
  const { generation } = budget.metadata;
  const conditions = setCondition(budget.status?.conditions, condition, nowMs).map((one) =>
    generation === undefined || one.type !== condition.type ? one : { ...one, observedGeneration: generation },
  );
  const status: PodDisruptionBudgetStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(Object.keys(granted).length === 0 ? {} : { disruptedPods: granted }),
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions,
  };
  const ends = Object.values(granted).map((time) => Date.parse(time) + grantMs - nowMs);
  return { status, ...(ends.length === 0 ? {} : { againAfterMs: Math.max(0, Math.min(...ends)) }) };
}

/** Shares are of what controllers want, rounded up; a plain `minAvailable` needs no controller. */
function wantedOf(
  { spec }: PodDisruptionBudget,
  podCount: number,
  scale: number,
): { readonly expectedPods: number; readonly desiredHealthy: number } {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable !== undefined) {
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - countOf(maxUnavailable, scale)) };
  }
  if (minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  if (typeof minAvailable === 'number') return { expectedPods: podCount, desiredHealthy: minAvailable };
  return { expectedPods: scale, desiredHealthy: countOf(minAvailable, scale) };
}

function countOf(value: number | string, of: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number(value.replace('%', '')) * of) / 100);
}

/** Evictions that were granted and whose pods stand there as if nothing was. */
function openGrants(budget: PodDisruptionBudget, pods: readonly Pod[], nowMs: number): Record<string, string> {
  const staying = new Set(pods.filter((pod) => !isPodTerminating(pod)).map((pod) => pod.metadata.name));
  const entries = Object.entries(budget.status?.disruptedPods ?? {});
  return Object.fromEntries(entries.filter(([name, time]) => staying.has(name) && Date.parse(time) + grantMs > nowMs));
}
