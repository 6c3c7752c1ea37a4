import type { Taint } from 'kubernetes-types/core/v1.js';
import type { Node, Pod } from '../../resources/kinds.ts';
import { nodeTaints } from '../../resources/names.ts';
import { isPodFinished, isPodTerminating } from '../../resources/pod-facts.ts';
import { tolerates } from '../../scheduler/filters.ts';

export type TaintEvictionStep =
  | { readonly type: 'evict'; readonly pod: Pod; readonly taint: string }
  /** Not yet: it tolerates the taints until then (monotonic). */
  | { readonly type: 'wait'; readonly pod: Pod; readonly untilMs: number };

/**
 * What the NoExecute taints of a node mean for its pods, as Kubernetes' taint manager has it: who tolerates none of them
 * goes now, who tolerates all of them for a time goes when the shortest is over. `sinceMs`: when the taints were first seen
 * at this pod. A lost node's taint that an operator sets is the node lifecycle controller's.
 */
export function planTaintEviction(
  node: Node,
  pods: Iterable<Pod>,
  sinceMs: (pod: Pod) => number,
  nowMs: number,
): TaintEvictionStep[] {
  const taints = noExecuteTaints(node);
  if (taints.length === 0) return [];
  const steps: TaintEvictionStep[] = [];
  for (const pod of pods) {
    if (isPodTerminating(pod) || isPodFinished(pod)) continue;
    const verdict = tolerated(pod, taints);
    if (typeof verdict === 'string') {
      steps.push({ type: 'evict', pod, taint: verdict });
      continue;
    }
    if (verdict.forMs === undefined) continue;
    const untilMs = sinceMs(pod) + verdict.forMs;
    if (untilMs <= nowMs) steps.push({ type: 'evict', pod, taint: taints.map(describe).join(', ') });
    else steps.push({ type: 'wait', pod, untilMs });
  }
  return steps;
}

export function noExecuteTaints(node: Node | undefined): readonly Taint[] {
  return (node?.spec.taints ?? []).filter(
    ({ effect, key }) => effect === 'NoExecute' && key !== nodeTaints.outOfService,
  );
}

/** The taint that it does not tolerate, or for how long it tolerates all; undefined: for ever. */
function tolerated(pod: Pod, taints: readonly Taint[]): string | { readonly forMs: number | undefined } {
  let forMs: number | undefined;
  for (const taint of taints) {
    const used = (pod.spec.tolerations ?? []).filter((one) => tolerates(one, taint));
    if (used.length === 0) return describe(taint);
    for (const { tolerationSeconds } of used) {
      if (tolerationSeconds === undefined) continue;
      forMs = Math.min(forMs ?? Number.POSITIVE_INFINITY, Math.max(0, tolerationSeconds) * 1_000);
    }
  }
  return { forMs };
}

function describe({ key, value, effect }: Taint): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}
