import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { Client } from '../../client/client.ts';
import { type Informer, startInformer } from '../../client/informer.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { WorkQueue } from '../../lib/work-queue.ts';
import { type Volume, volumes } from '../../resources/kinds.ts';
import { finalizers, hostLabels } from '../../resources/names.ts';
import { engineVolumeName } from '../pod/volume-plan.ts';

export interface VolumeKeeperOptions {
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly grid: string;
  readonly nodeName: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

const timeoutMs = 10_000;

/**
 * The named volumes of this node: made and reported `Bound` as soon as the Volume object is placed here; removed with
 * their data when the object is being deleted, before it goes. Never because an object is absent: a server that lost its
 * memory must not cost data.
 */
export function startVolumeKeeper(options: VolumeKeeperOptions): { stop(): Promise<void> } {
  const { client, runtime, grid, nodeName, log, clock = systemClock } = options;
  const queue = new WorkQueue({
    work: async (key) => {
      const volume = informer.get(key);
      if (volume?.metadata.deletionTimestamp) await release(volume);
      else if (volume && volume.status?.phase !== 'Bound') await bind(volume);
    },
    backoff: { initialMs: 500, maxMs: 30_000 },
    clock,
    onError: (key, error, failures) => log.warn('volume failed, trying again', { volume: key, failures, error }),
  });

  /** Fails, and is tried again, while a container uses it. */
  const release = async (volume: Volume): Promise<void> => {
    const { namespace = 'default', name, resourceVersion, finalizers: held = [] } = volume.metadata;
    if (!held.includes(finalizers.volumeData)) return;
    await runtime.removeVolume(engineVolumeName(grid, namespace, name));
    const left = held.filter((one) => one !== finalizers.volumeData);
    const body = { metadata: { finalizers: left, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
    await client.patch(
      volumes,
      { namespace, name },
      { type: 'merge', body },
      { signal: AbortSignal.timeout(timeoutMs) },
    );
    log.info('volume removed', { namespace, volume: name });
  };

  const bind = async (volume: Volume): Promise<void> => {
    const { namespace = 'default', name } = volume.metadata;
    await runtime.ensureVolume(engineVolumeName(grid, namespace, name), {
      [hostLabels.grid]: grid,
      [hostLabels.volumeNamespace]: namespace,
      [hostLabels.volumeName]: name,
    });
    const patch = { type: 'merge', subresource: 'status', body: { status: { phase: 'Bound' } } } as const;
    await client.patch(volumes, { namespace, name }, patch, { signal: AbortSignal.timeout(timeoutMs) });
  };

  const informer: Informer<Volume> = startInformer({
    client,
    kind: volumes,
    fieldSelector: `spec.nodeName=${nodeName}`,
    onChange: (key) => queue.add(key),
    log,
  });

  return {
    async stop() {
      await informer.stop();
      await queue.stop();
    },
  };
}
