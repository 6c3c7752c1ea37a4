import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { WorkQueue, type WorkResult } from '../../lib/work-queue.ts';
import { podContainers } from '../../resources/pod-containers.ts';
import type { PodFiles } from '../disk/pod-files.ts';
import { isAlive } from './container-facts.ts';
import type { PodRecord } from './pod-record.ts';
import { mountedKeysOf, type ReferenceReader } from './references.ts';
import { planVolumes } from './volume-plan.ts';

/**
 * Keeps the files of running pods true: ConfigMaps and Secrets that change, labels that change, tokens that end. A file
 * mounted by subPath stays as it was when its container was created, as in Kubernetes.
 */
export interface VolumeRefresher {
  /** Called whenever something about a pod may have changed. */
  track(record: PodRecord): void;
  forget(uid: string): void;
  /** A ConfigMap or Secret changed. */
  changed(key: string): void;
  stop(): Promise<void>;
}

export interface VolumeRefresherOptions {
  readonly grid: string;
  readonly references: Pick<ReferenceReader, 'read' | 'follow'>;
  readonly files: Pick<PodFiles, 'refresh' | 'directories'>;
  /** What is mounted there may be missing for a pod that waits: it is worth another try. */
  readonly wake: (uid: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Tracked {
  readonly record: PodRecord;
  /** What files hold of the pod itself. */
  facts: string;
}

const atOnce = 4;

export function createVolumeRefresher(options: VolumeRefresherOptions): VolumeRefresher {
  const { grid, references, files, clock, log } = options;
  const tracked = new Map<string, Tracked>();
  let isFollowPlanned = false;

  const queue = new WorkQueue({
    work: (uid) => refresh(uid),
    concurrency: atOnce,
    backoff: { initialMs: 500, maxMs: 30_000 },
    onError: (uid, error, failures) => {
      if (failures === 1) log.warn('files of pod not refreshed, trying again', { uid, error });
    },
    clock,
  });

  const refresh = async (uid: string): Promise<WorkResult> => {
    const record = tracked.get(uid)?.record;
    const pod = record?.pod;
    if (!record || !pod) return undefined;
    const read = await references.read(pod);
    if (!isRefreshable(record)) return undefined;
    const planned = planVolumes(
      pod,
      podContainers(pod).map(({ container }) => container),
      grid,
      files.directories(uid),
      read,
    );
    // What is missing now was there before: the old files stay.
    await files.refresh(uid, planned.volumes);
    return read.renewAtMs === undefined
      ? undefined
      : { againAfterMs: Math.max(1, read.renewAtMs - clock.monotonicMs()) };
  };

  /** Once for many pods that come or go together. */
  const planFollow = (): void => {
    if (isFollowPlanned) return;
    isFollowPlanned = true;
    queueMicrotask(() => {
      isFollowPlanned = false;
      references.follow([...tracked.values()].flatMap(({ record }) => (record.pod ? [record.pod] : [])));
    });
  };

  return {
    track(record) {
      const { pod, uid } = record;
      if (!pod || !record.isDesired || !hasRefreshedFiles(record)) {
        if (tracked.delete(uid)) planFollow();
        return;
      }
      const facts = JSON.stringify([pod.metadata.labels, pod.metadata.annotations, isRefreshable(record)]);
      const before = tracked.get(uid);
      if (before?.facts === facts) return;
      if (!before) planFollow();
      tracked.set(uid, { record, facts });
      queue.add(uid);
    },
    forget(uid) {
      if (tracked.delete(uid)) planFollow();
    },
    changed(key) {
      for (const [uid, { record }] of tracked) {
        if (!record.pod || !mountedKeysOf(record.pod).includes(key)) continue;
        queue.add(uid);
        options.wake(uid);
      }
    },
    async stop() {
      await queue.stop();
      tracked.clear();
    },
  };
}

function hasRefreshedFiles({ pod }: PodRecord): boolean {
  return (pod?.spec.volumes ?? []).some(
    ({ configMap, secret, projected, downwardAPI }) => configMap ?? secret ?? projected ?? downwardAPI,
  );
}

/** Before a container exists its files are written by the `prepare` step. */
function isRefreshable(record: PodRecord): boolean {
  const isRunning = [...record.containers.values()].some(isAlive);
  return record.hasFiles && isRunning && record.pod?.metadata.deletionTimestamp === undefined;
}
