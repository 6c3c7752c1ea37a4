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
  /** Readiness changed, or the startup probe has succeeded. */
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

const wordOf = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

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
    if (result.isUnknown) return schedule(record, mine, kind, probe, nextProbeMs(before, kind, probe));
    const after = countProbe(before, kind, probe, result.isSuccess);
    record.probe = after;
    if (!result.isSuccess) tell(record, kind, result);
    if (after.isReady !== before.isReady || after.isStarted !== before.isStarted) options.onReadiness(record);
    if (after.isDead) {
      record.unhealthy = { containerId: mine.containerId, ...graceOf(probe) };
      options.onDead(record);
      if (kind !== 'readiness') return;
    }
    if (kind === 'startup' && after.isStarted) return begin(record, mine, () => 0);
    schedule(record, mine, kind, probe, nextProbeMs(after, kind, probe));
  };

  const tell = (record: PodRecord, kind: ProbeKind, result: ProbeResult) => {
    if (!record.pod) return;
    services.events.record(record.pod, 'Warning', 'Unhealthy', `${wordOf[kind]} probe failed: ${result.message}`);
  };

  /** The startup probe alone, or, once it has succeeded, the other two. */
  const begin = (record: PodRecord, mine: Tracked, delayOf: (probe: Probe) => number): void => {
    const probes = record.pod?.spec.containers[0];
    const kinds = record.probe?.isStarted ? (['readiness', 'liveness'] as const) : (['startup'] as const);
    for (const kind of kinds) {
      const probe = probes?.[`${kind}Probe`];
      if (probe) schedule(record, mine, kind, probe, delayOf(probe));
    }
  };

  return {
    track(record) {
      const container = record.newest;
      if (!container || !isAlive(container) || !record.pod || record.isHookPending(container.id)) {
        forget(record.uid);
        return;
      }
      if (tracked.get(record.uid)?.containerId === container.id) return;
      forget(record.uid);
      const { readinessProbe, startupProbe } = record.pod.spec.containers[0] ?? {};
      const has = { readiness: readinessProbe !== undefined, startup: startupProbe !== undefined };
      const told = record.pod.status?.containerStatuses?.[0];
      const before = told?.containerID === `docker://${container.id}` ? told : undefined;
      record.probe =
        before?.started === true
          ? adoptProbeState(container.id, has, before.ready)
          : startProbeState(container.id, has);
      const mine: Tracked = { containerId: container.id, cancels: new Set() };
      tracked.set(record.uid, mine);
      const ranMs = clock.wallMs() - Date.parse(container.startedAt ?? container.createdAt);
      begin(record, mine, (probe) => Math.max(0, (probe.initialDelaySeconds ?? 0) * 1_000 - Math.max(0, ranMs)));
    },
    forget,
    stop() {
      for (const uid of [...tracked.keys()]) forget(uid);
    },
  };
}

function graceOf({ terminationGracePeriodSeconds }: Probe): { readonly graceSeconds?: number } {
  return terminationGracePeriodSeconds === undefined ? {} : { graceSeconds: terminationGracePeriodSeconds };
}
