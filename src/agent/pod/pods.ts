import type { PodStatus } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Histogram, Metrics } from '../../lib/metrics.ts';
import { WorkQueue, type WorkResult } from '../../lib/work-queue.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import { isPodRouted } from '../../resources/pod-facts.ts';
import { hasEnded } from './container-facts.ts';
import { hasPause } from './pause.ts';
import { planPod } from './plan.ts';
import { createPodProbes } from './pod-probes.ts';
import { PodRecord } from './pod-record.ts';
import { renderPodReport } from './pod-report.ts';
import { mayStop, type PodServices, type StepContext } from './pod-services.ts';
import { createStatusWriter, type PodReport } from './status-writer.ts';
import { describeStep, type PodStep } from './step.ts';
import { runStep } from './steps/run-step.ts';
import { readMessage } from './termination-message.ts';
import { createVolumeRefresher } from './volume-refresher.ts';

/** All pods of this node: from what is desired and what the engine shows to steps, one flight a pod. */
export interface Pods {
  /** Assigned to this node, new or changed. */
  upsert(pod: Pod): void;
  /** No longer assigned; with its last state. */
  drop(pod: Pod): void;
  /** The list of a server has been seen in full: what nobody wants may be stopped from now on. */
  markSynced(): void;
  /** Everything that the engine has, asked for at `askedAtMs` (monotonic). */
  resync(containers: readonly ContainerObservation[], askedAtMs: number): void;
  /** One container may have changed. */
  look(containerId: string): void;
  /** A ConfigMap or Secret that pods mount has changed. */
  referenceChanged(key: string): void;
  /** Something that all may wait for has changed. */
  wakeAll(): void;
  /** The host goes down then (monotonic): nothing starts any more, and what runs leaves routing and stops. */
  endWithHost(atMs: number): void;
  find(namespace: string, name: string): PodRecord | undefined;
  records(): Iterable<PodRecord>;
  stop(): Promise<void>;
}

export interface PodsOptions {
  readonly services: PodServices;
  readonly metrics: Metrics;
  /** Pods that left an address or files behind, by uid, as found at start. */
  readonly leftovers: ReadonlySet<string>;
  /** The set of desired pods changed. */
  readonly onChange?: () => void;
}

const podsAtOnce = 16;
const looksAtOnce = 8;
/** A plan that has not come to rest after so many rounds for each container waits a little: a bug must not burn the host. */
const maxRounds = 20;

export function startPods(options: PodsOptions): Pods {
  const { services } = options;
  const { clock, log, runtime } = services;
  const records = new Map<string, PodRecord>();
  const reconciles = options.metrics.counter('flotilla_agent_reconciles_total', 'Plans made for pods, by result.');
  const durations = options.metrics.histogram('flotilla_agent_step_seconds', 'Duration of the steps of pods.');
  const routed = options.metrics.histogram(
    'flotilla_agent_routed_seconds',
    'From a pod that is ready until the API says that all nodes follow.',
  );
  options.metrics.gauge('flotilla_agent_pods', 'Pods that the agent knows.', () => records.size);
  let isSynced = false;
  let hasEngineState = false;
  let hostEndsAtMs: number | undefined;

  const queue = new WorkQueue({
    work: (uid) => work(uid),
    concurrency: podsAtOnce,
    backoff: { initialMs: 200, maxMs: 10_000 },
    onError: (uid, error, failures) => {
      const record = records.get(uid);
      const metadata = record?.pod?.metadata;
      reconciles.add({ result: 'error' });
      if (record) tellTrouble(record, messageOf(error), failures);
      log.warn('pod step failed', { pod: metadata?.name, namespace: metadata?.namespace, uid, failures, error });
    },
  });
  const writer = createStatusWriter({ client: services.client, clock, log, render });
  const probes = createPodProbes({
    services,
    onReadiness: (record) => {
      tell(record);
      // What comes after a sidecar waits until it has started.
      if (record.pod && hasPause(record.pod)) queue.add(record.uid);
    },
    onDead: (record) => queue.add(record.uid),
  });

  const refresher = createVolumeRefresher({
    ...{ grid: services.grid, references: services.references, files: services.files, clock, log },
    wake: (uid) => {
      const record = records.get(uid);
      for (const member of record?.members() ?? []) {
        if (member.problem?.kind === 'CreateContainerConfigError') member.problem = undefined;
      }
      queue.add(uid);
    },
  });
  /** One inspection a container at a time, until one is answered: a change that was told of is never lost. */
  const looks = new WorkQueue({
    work: async (containerId) => {
      const askedAtMs = clock.monotonicMs();
      const container = await runtime.inspect(containerId);
      const record = container
        ? observe(container, askedAtMs)
        : [...records.values()].find((one) => one.containers.has(containerId));
      if (!record) return;
      if (!container) record.forget(containerId);
      queue.add(record.uid);
    },
    concurrency: looksAtOnce,
    backoff: { initialMs: 200, maxMs: 5_000 },
    onError: (containerId, error, failures) => {
      const container = containerId.slice(0, 12);
      if (failures === 1) log.warn('container not inspected, trying again', { container, error: messageOf(error) });
    },
  });

  async function work(uid: string): Promise<WorkResult> {
    const record = records.get(uid);
    if (!record || !hasEngineState) return;
    const rounds = maxRounds * (record.pod ? podContainers(record.pod).length : 1);
    for (let round = 0; round < rounds; round++) {
      if (!record.isDesired && !isSynced) return;
      if (record.containers.size > 0 && record.admission === 'unknown') record.admission = 'admitted';
      const nowMs = clock.monotonicMs();
      const desired = record.isDesired ? record.pod : undefined;
      // Whether a container has started is part of the plan, also when an agent before this one found it out.
      if (record.isDesired) probes.track(record);
      const aside = services.mayStepAside ? record.mayStepAside(services.mayStepAside, nowMs) : new Map();
      const local = record.local(services.network.isReady, desired ? mayStop(services, desired) : true, aside);
      const steps = planPod(desired, [...record.containers.values()], local, nowMs);
      reconciles.add({ result: 'ok' });
      await runSteps(record, steps);
      await readLastWords(record);
      record.trouble = undefined;
      report(record);
      if (!record.isDesired && record.containers.size === 0 && record.address === undefined && !record.hasFiles) {
        return forget(record);
      }
      const [step] = steps;
      if (!step) return;
      // Beside other steps it is planned once more: what they did may have more to follow.
      if (step.type === 'wait') {
        return step.untilMs === undefined ? undefined : { againAfterMs: Math.max(1, step.untilMs - nowMs) };
      }
    }
    log.warn('pod does not come to rest', { uid, pod: record.pod?.metadata.name });
    return { againAfterMs: 1_000 };
  }

  async function runSteps(record: PodRecord, steps: readonly PodStep[]): Promise<void> {
    const context: StepContext = {
      ...services,
      record,
      pod: record.pod,
      wake: (afterMs) => (afterMs === undefined ? queue.add(record.uid) : queue.addAfter(record.uid, afterMs)),
    };
    for (const step of steps) {
      const outcome = await timed(step, durations, () => runStep(step, context));
      log.debug('pod step', { uid: record.uid, pod: record.pod?.metadata.name, step: describeStep(step), outcome });
      if (outcome === 'stop') return;
    }
  }

  async function readLastWords(record: PodRecord): Promise<void> {
    for (const container of record.containers.values()) {
      if (!hasEnded(container) || record.messages.has(container.id)) continue;
      // An engine that is away keeps them for the next time.
      const message = await readMessage(record, container, services).catch(() => undefined);
      if (message !== undefined) record.messages.set(container.id, message);
    }
  }

  function tellTrouble(record: PodRecord, message: string, failures: number): void {
    record.trouble = message;
    if (failures === 1 && record.pod) services.events.record(record.pod, 'Warning', 'FailedSync', message);
    report(record);
  }

  function report(record: PodRecord): void {
    probes.track(record);
    refresher.track(record);
    tell(record);
  }

  /** Not before the API has said what it was told last: what is on disk may be older, and would take back what was true. */
  function tell(record: PodRecord): void {
    if (record.isDesired && isSynced) writer.update(record.uid);
  }

  function forget(record: PodRecord): void {
    probes.forget(record.uid);
    refresher.forget(record.uid);
    writer.forget(record.uid);
    records.delete(record.uid);
  }

  function render(uid: string, written: PodStatus | undefined): PodReport | undefined {
    const record = records.get(uid);
    if (!record?.pod || !record.isDesired) return undefined;
    const report = renderPodReport(record, record.pod, written, services.hostAddresses(), clock.wallMs());
    const ready = report.status.conditions?.find(({ type }) => type === 'Ready');
    record.noteReady(ready?.status === 'True', clock.monotonicMs());
    return report;
  }

  /** Seconds of a pod's start in which only some clients found it. */
  function measureRouted(record: PodRecord, pod: Pod): void {
    const { unroutedSinceMs } = record;
    if (unroutedSinceMs === undefined || !isPodRouted(pod)) return;
    record.unroutedSinceMs = undefined;
    routed.observe((clock.monotonicMs() - unroutedSinceMs) / 1_000);
  }

  function recordOf(uid: string): PodRecord {
    let record = records.get(uid);
    if (!record) {
      record = new PodRecord(uid);
      record.hostEndsAtMs = hostEndsAtMs;
      record.hasFiles = options.leftovers.has(uid);
      record.address = services.network.pool?.of(uid);
      records.set(uid, record);
    }
    return record;
  }

  function observe(container: ContainerObservation, askedAtMs: number): PodRecord | undefined {
    const uid = container.labels[hostLabels.podUid];
    if (!uid || !isOurs(container)) return undefined;
    const record = recordOf(uid);
    record.observe(container, clock.monotonicMs(), askedAtMs);
    adoptAddress(record);
    return record;
  }

  /** What a container has on the wire counts, even when the file with the assignments was lost. */
  function adoptAddress(record: PodRecord): void {
    const { pool } = services.network;
    if (!pool || record.address !== undefined) return;
    const address = pool.of(record.uid) ?? record.wired?.addresses.find((one) => pool.has(one));
    if (address !== undefined && pool.reserve(record.uid, address)) record.address = address;
  }

  function isOurs(container: ContainerObservation): boolean {
    const { labels } = container;
    return labels[hostLabels.node] === services.nodeName && labels[hostLabels.grid] === services.grid;
  }

  return {
    upsert(pod) {
      const uid = pod.metadata.uid;
      if (!uid) return;
      const record = recordOf(uid);
      record.recall(pod);
      record.take(pod);
      if (!isSynced) probes.recall(record);
      measureRouted(record, pod);
      record.isDesired = true;
      writer.told(uid, pod);
      queue.add(uid);
      options.onChange?.();
    },
    drop(pod) {
      const record = records.get(pod.metadata.uid ?? '');
      if (!record) return;
      record.pod = pod;
      record.isDesired = false;
      queue.add(record.uid);
      options.onChange?.();
    },
    markSynced() {
      isSynced = true;
      for (const uid of options.leftovers) recordOf(uid);
      for (const uid of records.keys()) queue.add(uid);
    },
    resync(containers, askedAtMs) {
      hasEngineState = true;
      const seen = new Set(containers.map(({ id }) => id));
      for (const container of containers) observe(container, askedAtMs);
      for (const record of records.values()) {
        for (const id of [...record.containers.keys()]) if (!seen.has(id)) record.miss(id, askedAtMs);
        queue.add(record.uid);
      }
    },
    look: (containerId) => looks.add(containerId),
    referenceChanged: (key) => refresher.changed(key),
    wakeAll() {
      for (const record of records.values()) {
        adoptAddress(record);
        queue.add(record.uid);
      }
    },
    endWithHost(atMs) {
      hostEndsAtMs = atMs;
      for (const record of records.values()) {
        record.hostEndsAtMs = atMs;
        queue.add(record.uid);
      }
    },
    find: (namespace, name) =>
      [...records.values()].find(
        (one) => one.isDesired && one.pod?.metadata.name === name && one.pod.metadata.namespace === namespace,
      ),
    records: () => records.values(),
    async stop() {
      probes.stop();
      await Promise.all([queue.stop(), looks.stop(), refresher.stop()]);
      await writer.stop();
    },
  };
}

async function timed<T>(step: PodStep, durations: Histogram, run: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  try {
    return await run();
  } finally {
    durations.observe((performance.now() - startMs) / 1_000, { step: step.type });
  }
}
