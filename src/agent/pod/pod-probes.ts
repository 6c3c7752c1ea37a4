import type { Probe } from 'kubernetes-types/core/v1.js';
import { isAlive } from './plan.ts';
import type { PodRecord } from './pod-record.ts';
import type { PodServices } from './pod-services.ts';
import { adoptProbeState, countProbe, nextProbeMs, type ProbeKind, startProbeState } from './probe-state.ts';
import { type ProbeResult, runProbe } from './prober.ts';

/** Probes of all running containers; results go into the records. */
export interface PodProbes {
  /** Begins probing a container that runs, ends it for one that does not. */
  track(record: PodRecord): void;
  forget(uid: string): void;
  stop(): void;
}

export interface PodProbesOptions {
  readonly services: PodServices;
  /** Readiness changed. */
  readonly onReadiness: (record: PodRecord) => void;
  /** The container must be started anew. */
  readonly onDead: (record: PodRecord) => void;
  /** For tests. */
  readonly run?: typeof runProbe;
}

interface Tracked {
  readonly containerId: string;
  readonly cancels: Set<() => void>;
}

export function createPodProbes(options: PodProbesOptions): PodProbes {
  const { services, run = runProbe } = options;
  const { clock } = services;
  const tracked = new Map<string, Tracked>();

  const forget = (uid: string) => {
    for (const cancel of tracked.get(uid)?.cancels ?? []) cancel();
    tracked.delete(uid);
  };

  const schedule = (record: PodRecord, mine: Tracked, kind: ProbeKind, probe: Probe, afterMs: number): void => {
    const cancel = clock.after(afterMs, () => {
      mine.cancels.delete(cancel);
      void probeOnce(record, mine, kind, probe);
    });
    mine.cancels.add(cancel);
  };

  const probeOnce = async (record: PodRecord, mine: Tracked, kind: ProbeKind, probe: Probe): Promise<void> => {
    const { pod } = record;
    const address = record.address ?? services.hostAddresses()[0] ?? '127.0.0.1';
    if (!pod) return;
    const result = await run(probe, { pod, containerId: mine.containerId, address }, services.runtime);
    if (tracked.get(record.uid) !== mine || record.probe?.containerId !== mine.containerId) return;
    const before = record.probe;
    const after = countProbe(before, kind, probe, result.isSuccess);
    record.probe = after;
    if (!result.isSuccess) tell(record, kind, result);
    if (after.isReady !== before.isReady) options.onReadiness(record);
    if (after.isDead) {
      record.unhealthyId = mine.containerId;
      options.onDead(record);
      if (kind === 'liveness') return;
    }
    schedule(record, mine, kind, probe, nextProbeMs(after, kind, probe));
  };

  const tell = (record: PodRecord, kind: ProbeKind, result: ProbeResult) => {
    if (!record.pod) return;
    const word = kind === 'liveness' ? 'Liveness' : 'Readiness';
    services.events.record(record.pod, 'Warning', 'Unhealthy', `${word} probe failed: ${result.message}`);
  };

  return {
    track(record) {
      const container = record.newest;
      if (!container || !isAlive(container) || !record.pod) {
        forget(record.uid);
        return;
      }
      if (tracked.get(record.uid)?.containerId === container.id) return;
      forget(record.uid);
      const { readinessProbe, livenessProbe } = record.pod.spec.containers[0] ?? {};
      const before = record.pod.status?.containerStatuses?.[0];
      const wasReady = before?.containerID === `docker://${container.id}` && before.ready;
      record.probe = wasReady
        ? adoptProbeState(container.id)
        : startProbeState(container.id, readinessProbe !== undefined);
      const mine: Tracked = { containerId: container.id, cancels: new Set() };
      tracked.set(record.uid, mine);
      const ranMs = clock.wallMs() - Date.parse(container.startedAt ?? container.createdAt);
      const delay = (probe: Probe) => Math.max(0, (probe.initialDelaySeconds ?? 0) * 1_000 - Math.max(0, ranMs));
      if (readinessProbe) schedule(record, mine, 'readiness', readinessProbe, delay(readinessProbe));
      if (livenessProbe) schedule(record, mine, 'liveness', livenessProbe, delay(livenessProbe));
    },
    forget,
    stop() {
      for (const uid of [...tracked.keys()]) forget(uid);
    },
  };
}
