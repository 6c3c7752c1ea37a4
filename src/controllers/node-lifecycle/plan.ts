import type { Node, Pod } from '../../resources/kinds.ts';
import { isPodFinished, isPodLost } from '../../resources/pod-facts.ts';

export type NodeLifecycleStep =
  /** Node condition Ready becomes Unknown. */
  | { readonly type: 'markUnknown'; readonly message: string }
  /** Pod condition NodeLost becomes True. */
  | { readonly type: 'markLost'; readonly pod: Pod; readonly message: string }
  /** Pod condition NodeLost goes. */
  | { readonly type: 'unmarkLost'; readonly pod: Pod }
  /** No ping for a while; nothing is done about it yet. */
  | { readonly type: 'noteSuspect'; readonly silentMs: number };

export interface NodeObservation {
  readonly node: Node;
  /** Pods bound to it. */
  readonly pods: readonly Pod[];
  /** Monotonic; undefined: never heard by this server. */
  readonly lastHeardMs: number | undefined;
  /** Monotonic: since when this server can be trusted to hear (start of its leadership, end of its own last lag). */
  readonly listeningSinceMs: number;
  readonly nowMs: number;
  readonly failoverAfterMs: number;
}

export interface NodePlan {
  readonly steps: readonly NodeLifecycleStep[];
  /** When to look again, should no session begin or end before. */
  readonly againAfterMs: number;
}

export const suspectAfterMs = 3_000;

/**
 * Silent for `failover.after` → Unknown, and its pods are lost. Heard again *and* ready, as its agent says (which writes its
 * pods first, then its node) → its pods count again. A ping alone is not enough:
 * after a reboot the pods' statuses are from before it.
 */
export function planNode(observed: NodeObservation): NodePlan {
  const { node, pods, nowMs, failoverAfterMs, listeningSinceMs } = observed;
  const silentSinceMs = Math.max(observed.lastHeardMs ?? listeningSinceMs, listeningSinceMs);
  const silentMs = nowMs - silentSinceMs;
  const ready = node.status?.conditions?.find((one) => one.type === 'Ready');
  if (silentMs >= failoverAfterMs) {
    const seconds = Math.round(failoverAfterMs / 1000);
    const message = `no sign of life from the agent of ${node.metadata.name} for ${seconds} s`;
    const lost = pods.filter((pod) => !isPodLost(pod) && !isPodFinished(pod));
    return {
      steps: [
        ...(ready?.status === 'Unknown' ? [] : [{ type: 'markUnknown' as const, message }]),
        ...lost.map((pod) => ({ type: 'markLost' as const, pod, message })),
      ],
      againAfterMs: failoverAfterMs,
    };
  }
  const isHeard = observed.lastHeardMs !== undefined && nowMs - observed.lastHeardMs < failoverAfterMs;
  const isSpokenFor = isHeard && ready?.status === 'True';
  const back = isSpokenFor ? pods.filter(isPodLost).map((pod) => ({ type: 'unmarkLost' as const, pod })) : [];
  const suspect = isHeard && silentMs >= suspectAfterMs ? [{ type: 'noteSuspect' as const, silentMs }] : [];
  const nextMs =
    silentMs < suspectAfterMs ? Math.min(suspectAfterMs, failoverAfterMs) - silentMs : failoverAfterMs - silentMs;
  return { steps: [...back, ...suspect], againAfterMs: Math.max(1, nextMs) };
}
