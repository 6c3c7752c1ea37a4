import type { Probe } from 'kubernetes-types/core/v1.js';

/** What the probes of one running container have found so far. Times are monotonic. */
export interface ProbeState {
  readonly containerId: string;
  /** The startup probe has succeeded, or there is none: the other two may ask. */
  readonly isStarted: boolean;
  readonly isReady: boolean;
  /** The startup or liveness probe failed as often as it may. */
  readonly isDead: boolean;
  readonly hasReadinessProbe: boolean;
  readonly startup: ProbeCount;
  readonly readiness: ProbeCount;
  readonly liveness: ProbeCount;
}

export interface ProbeCount {
  readonly successes: number;
  readonly failures: number;
  readonly hasSucceeded: boolean;
}

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

/** While a pod has not been ready yet it is asked every second: routing must not wait for a long period. */
const firstPeriodMs = 1_000;

const nothing: ProbeCount = { successes: 0, failures: 0, hasSucceeded: false };
const succeeded: ProbeCount = { successes: 1, failures: 0, hasSucceeded: true };

export interface Probed {
  readonly readiness: boolean;
  readonly startup: boolean;
}

/** A container without these probes is ready as soon as it runs. */
export function startProbeState(containerId: string, has: Probed): ProbeState {
  const counts = { startup: nothing, readiness: nothing, liveness: nothing };
  const isReady = !has.readiness && !has.startup;
  return {
    ...{ containerId, isReady, isStarted: !has.startup, isDead: false, hasReadinessProbe: has.readiness, ...counts },
  };
}

/**
 * What an agent before this one found holds until the probe says otherwise: its restart must not take a pod out of
 * routing, nor begin with the startup probe again. Probes of its own that have failed often enough by then are believed.
 */
export function adoptProbeState(state: ProbeState, readiness: Probe | undefined, wasReady: boolean): ProbeState {
  const adopted = { ...state, isStarted: true, startup: succeeded };
  if (state.readiness.failures >= (readiness?.failureThreshold ?? 3)) return adopted;
  if (wasReady) return { ...adopted, isReady: true, readiness: { ...state.readiness, hasSucceeded: true } };
  return { ...adopted, isReady: state.isReady || !state.hasReadinessProbe };
}

/** Counts one result; thresholds as Kubernetes has them. */
export function countProbe(state: ProbeState, kind: ProbeKind, probe: Probe, isSuccess: boolean): ProbeState {
  const before = state[kind];
  const count: ProbeCount = isSuccess
    ? { successes: before.successes + 1, failures: 0, hasSucceeded: true }
    : { successes: 0, failures: before.failures + 1, hasSucceeded: before.hasSucceeded };
  const counted = { ...state, [kind]: count };
  if (kind === 'startup' && isSuccess) return { ...counted, isStarted: true, isReady: !state.hasReadinessProbe };
  if (kind !== 'readiness') return { ...counted, isDead: count.failures >= (probe.failureThreshold ?? 3) };
  if (isSuccess) return { ...counted, isReady: state.isReady || count.successes >= (probe.successThreshold ?? 1) };
  return { ...counted, isReady: state.isReady && count.failures < (probe.failureThreshold ?? 3) };
}

/** How long to wait before the next probe. The startup probe keeps its period: its failures are what is allowed. */
export function nextProbeMs(state: ProbeState, kind: ProbeKind, probe: Probe): number {
  const periodMs = (probe.periodSeconds ?? 10) * 1_000;
  return kind === 'readiness' && !state.readiness.hasSucceeded ? Math.min(firstPeriodMs, periodMs) : periodMs;
}
