import type { Probe } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { type PodContainer, podContainers } from '../../resources/pod-containers.ts';
import { isAlive } from './container-facts.ts';
import { type PodRecord, toldStatus } from './pod-record.ts';
import type { PodServices } from './pod-services.ts';
import { adoptProbeState, countProbe, nextProbeMs, type ProbeKind, startProbeState } from './probe-state.ts';
import { type ProbeResult, runProbe } from './prober.ts';

/** Probes of all running containers; results go into the records. */
export interface PodProbes {
  /** Begins probing containers that run, ends it for those that do not. */
  track(record: PodRecord): void;
  /** The API tells for the first time what it was told last; what was known so far came from disk. */
  recall(record: PodRecord): void;
  forget(uid: string): void;
  stop(): void;
}

export interface PodProbesOptions {
  readonly services: PodServices;
  /** Readiness changed, or a startup probe has succeeded. */
  readonly onReadiness: (record: PodRecord) => void;
  /** A container must be started anew. */
  readonly onDead: (record: PodRecord) => void;
  /** For tests. */
  readonly run?: typeof runProbe;
}

/** The probing of one running container. */
interface Tracked {
  readonly containerId: string;
  readonly container: PodContainer['container'];
  /** Wall clock. */
  readonly startedMs: number;
  readonly cancels: Set<() => void>;
}

const wordOf = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

export function createPodProbes(options: PodProbesOptions): PodProbes {
  const { services, run = runProbe } = options;
  const { clock } = services;
  /** By pod, then by container id. */
  const tracked = new Map<string, Map<string, Tracked>>();
  let isStopped = false;

  const end = ({ cancels }: Tracked) => {
    for (const cancel of cancels) cancel();
  };
  const isTracked = (record: PodRecord, mine: Tracked) => tracked.get(record.uid)?.get(mine.containerId) === mine;

  const schedule = (record: PodRecord, mine: Tracked, kind: ProbeKind, probe: Probe, afterMs: number): void => {
    const cancel = clock.after(afterMs, () => {
      mine.cancels.delete(cancel);
      void probeOnce(record, mine, kind, probe);
    });
    mine.cancels.add(cancel);
  };

  const probeOnce = async (record: PodRecord, mine: Tracked, kind: ProbeKind, probe: Probe): Promise<void> => {
    const { container, containerId } = mine;
    const address = record.address ?? services.hostAddresses()[0] ?? '127.0.0.1';
    const result = await run(probe, { container, containerId, address }, services.runtime);
    const before = record.probes.get(containerId);
    if (!isTracked(record, mine) || !before || (kind === 'startup' && before.isStarted)) return;
    if (result.isUnknown) return schedule(record, mine, kind, probe, nextProbeMs(before, kind, probe));
    const after = countProbe(before, kind, probe, result.isSuccess);
    record.probes.set(containerId, after);
    if (!result.isSuccess) tell(record, kind, result);
    if (after.isReady !== before.isReady || after.isStarted !== before.isStarted) options.onReadiness(record);
    if (after.isDead) {
      record.unhealthy.set(containerId, graceOf(probe));
      options.onDead(record);
      if (kind !== 'readiness') return;
    }
    if (kind === 'startup' && after.isStarted) return begin(record, mine);
    schedule(record, mine, kind, probe, nextProbeMs(after, kind, probe));
  };

  const tell = (record: PodRecord, kind: ProbeKind, result: ProbeResult) => {
    if (!record.pod) return;
    services.events.record(record.pod, 'Warning', 'Unhealthy', `${wordOf[kind]} probe failed: ${result.message}`);
  };

  /** The startup probe alone, or, once it has succeeded, the other two. */
  const begin = (record: PodRecord, mine: Tracked): void => {
    const isStarted = record.probes.get(mine.containerId)?.isStarted;
    const kinds = isStarted ? (['readiness', 'liveness'] as const) : (['startup'] as const);
    for (const kind of kinds) {
      const probe = mine.container[`${kind}Probe`];
      if (probe) schedule(record, mine, kind, probe, delayOf(probe, mine));
    }
  };

  /** Counted from the start of the container, as in Kubernetes, also after its startup probe. */
  const delayOf = ({ initialDelaySeconds = 0 }: Probe, { startedMs }: Tracked): number =>
    Math.max(0, initialDelaySeconds * 1_000 - Math.max(0, clock.wallMs() - startedMs));

  const trackOne = (record: PodRecord, pod: Pod, mine: Tracked, observed: ContainerObservation): void => {
    const { container, containerId } = mine;
    const has = { readiness: container.readinessProbe !== undefined, startup: container.startupProbe !== undefined };
    const told = toldStatus(pod, observed);
    const fresh = startProbeState(containerId, has);
    record.probes.set(
      containerId,
      told?.started === true ? adoptProbeState(fresh, container.readinessProbe, told.ready) : fresh,
    );
    begin(record, mine);
  };

  const forget = (uid: string) => {
    for (const mine of tracked.get(uid)?.values() ?? []) end(mine);
    tracked.delete(uid);
  };

  return {
    track(record) {
      const { pod, uid } = record;
      if (isStopped) return; // what was found out stays as it was told
      if (!pod) return forget(uid);
      const before = tracked.get(uid) ?? new Map<string, Tracked>();
      const now = new Map<string, Tracked>();
      tracked.set(uid, now);
      for (const { container } of podContainers(pod)) {
        const observed = record.newest(container.name);
        if (!observed || !isAlive(observed) || record.isHookPending(observed.id)) continue;
        const known = before.get(observed.id);
        const startedMs = Date.parse(observed.startedAt ?? observed.createdAt);
        const mine = known ?? { containerId: observed.id, container, startedMs, cancels: new Set() };
        now.set(observed.id, mine);
        if (!known) trackOne(record, pod, mine, observed);
      }
      for (const [id, mine] of before) if (!now.has(id)) end(mine);
      if (now.size === 0) tracked.delete(uid);
    },
    recall(record) {
      for (const mine of tracked.get(record.uid)?.values() ?? []) {
        const { container, containerId } = mine;
        const before = record.probes.get(containerId);
        const observed = record.containers.get(containerId);
        const told = record.pod && observed && toldStatus(record.pod, observed);
        if (!before || !told?.started) continue;
        record.probes.set(containerId, adoptProbeState(before, container.readinessProbe, told.ready));
        if (before.isStarted) continue;
        end(mine);
        mine.cancels.clear();
        begin(record, mine);
      }
    },
    forget,
    stop() {
      isStopped = true;
      for (const uid of [...tracked.keys()]) forget(uid);
    },
  };
}

function graceOf({ terminationGracePeriodSeconds }: Probe): { readonly graceSeconds?: number } {
  return terminationGracePeriodSeconds === undefined ? {} : { graceSeconds: terminationGracePeriodSeconds };
}
