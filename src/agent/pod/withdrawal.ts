import type { Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { isPodRouted, podCondition } from '../../resources/pod-facts.ts';

export interface WithdrawalFacts {
  /** Some server can tell this node that the pod is withdrawn. */
  readonly isServerConnected: boolean;
  /** When this agent first saw that the pod is to go, monotonic. */
  readonly deletedMs: number;
  /** When the last server was lost, monotonic; counts only while none is connected. */
  readonly disconnectedMs: number;
}

/** A container of a pod that stays is to be started anew, or its host goes down. */
export interface StepAsideFacts extends Omit<WithdrawalFacts, 'deletedMs'> {
  /** Since when it says that it is not ready, monotonic. */
  readonly sinceMs: number;
  /** It failed its probes: whoever is sent to it is not served well anyway. */
  readonly isBroken: boolean;
}

/** `true`: now. Otherwise not before somebody says so, or `untilMs`. */
export type MayStop = true | { readonly untilMs: number };

/** The leader waits 5 s for a node at most; the rest is for the leader to change and for the write. */
const patienceMs = 12_000;
/** A container that is broken is not kept for longer. */
const brokenPatienceMs = 2_000;
/** With no server: this node has withdrawn it itself, and the others know nothing. */
const aloneMs = 1_000;

/**
 * Whether a pod that is being deleted may be stopped: when the servers say that nobody sends it new connections any more. Bounded:
 * a leader that never says so must not keep it for ever.
 */
export function mayStop(pod: Pod, facts: WithdrawalFacts, nowMs: number): MayStop {
  const { metadata } = pod;
  if (metadata.deletionTimestamp === undefined || metadata.deletionGracePeriodSeconds === 0) return true;
  if (podCondition(pod, podConditions.withdrawn)?.status === 'True') return true;
  const aloneSinceMs = Math.max(facts.deletedMs, facts.disconnectedMs);
  const untilMs = Math.min(
    facts.deletedMs + patienceMs,
    facts.isServerConnected ? Number.POSITIVE_INFINITY : aloneSinceMs + aloneMs,
  );
  return nowMs >= untilMs ? true : { untilMs };
}

/**
 * Whether a container of a pod that stays may be stopped: the pod says that it is not ready, and goes on until the servers say
 * that nobody sends it new connections any more. What no service has was never routed.
 */
export function mayStepAside(pod: Pod, facts: StepAsideFacts, nowMs: number): MayStop {
  if (!isPodRouted(pod)) return true;
  const { sinceMs, isBroken, isServerConnected, disconnectedMs } = facts;
  const untilMs = Math.min(
    sinceMs + (isBroken ? brokenPatienceMs : patienceMs),
    isServerConnected ? Number.POSITIVE_INFINITY : Math.max(sinceMs, disconnectedMs) + aloneMs,
  );
  return nowMs >= untilMs ? true : { untilMs };
}
