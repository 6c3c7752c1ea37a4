import type { Probe } from 'kubernetes-types/core/v1.js';

/** What the probes of one running container have found so far. Times are monotonic. */
export interface ProbeState {
  readonly containerId: string;
  readonly isReady: boolean;
  /** The liveness probe failed as often as it may. */
  readonly isDead: boolean;
  readonly readiness: ProbeCount;
  readonly liveness: ProbeCount;
}

export interface ProbeCount {
  readonly successes: number;
  readonly failures: number;
  readonly hasSucceeded: boolean;
}

export type ProbeKind = 'readiness' | 'liveness';

/** While a pod has not been ready yet it is asked every second: routing must not wait for a long period. */
const firstPeriodMs = 1_000;

const nothing: ProbeCount = { successes: 0, failures: 0, hasSucceeded: false };

/** A container without a readiness probe is ready as soon as it runs. */
export function startProbeState(containerId: string, hasReadinessProbe: boolean): ProbeState {
  return { containerId, isReady: !hasReadinessProbe, isDead: false, readiness: nothing, liveness: nothing };
}

/** What an agent before this one found holds until the probe says otherwise: its restart must not take a pod out of routing. */
export function adoptProbeState(containerId: string): ProbeState {
  const succeeded = { ...nothing, successes: 1, hasSucceeded: true };
  return { containerId, isReady: true, isDead: false, readiness: succeeded, liveness: nothing };
}

/** Counts one result; thresholds as Kubernetes has them. */
export function countProbe(state: ProbeState, kind: ProbeKind, probe: Probe, isSuccess: boolean): ProbeState {
  const before = state[kind];
  const count: ProbeCount = isSuccess
    ? { successes: before.successes + 1, failures: 0, hasSucceeded: true }
    : { successes: 0, failures: before.failures + 1, hasSucceeded: before.hasSucceeded };
  const counted = { ...state, [kind]: count };
  if (kind === 'liveness') return { ...counted, isDead: count.failures >= (probe.failureThreshold ?? 3) };
  if (isSuccess) return { ...counted, isReady: state.isReady || count.successes >= (probe.successThreshold ?? 1) };
  return { ...counted, isReady: state.isReady && count.failures < (probe.failureThreshold ?? 3) };
}

/** How long to wait before the next probe. */
export function nextProbeMs(state: ProbeState, kind: ProbeKind, probe: Probe): number {
  const periodMs = (probe.periodSeconds ?? 10) * 1_000;
  return kind === 'readiness' && !state.readiness.hasSucceeded ? Math.min(firstPeriodMs, periodMs) : periodMs;
}
