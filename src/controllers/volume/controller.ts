import type { WorkResult } from '../../lib/work-queue.ts';
import { nodes as nodeKind, volumes as volumeKind } from '../../resources/kinds.ts';
import { finalizers } from '../../resources/names.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { keyOf, refOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { planVolume } from './plan.ts';

/** Lets volumes go whose data no agent can remove. Writes: Volume.metadata.finalizers, its own one. */
export function startVolumeController(context: ControllerContext): RunningController {
  const { client, log } = context;
  const volumes = context.informers.of(volumeKind);
  const nodes = context.informers.of(nodeKind);
  const queue = startReconciler({ name: 'volume', context, reconcile, concurrency: 1 });
  volumes.onChange((key, object) => {
    if (object?.metadata.deletionTimestamp) queue.add(key);
  });
  nodes.onChange((_key, object) => {
    if (object) return;
    for (const volume of volumes.list()) if (volume.metadata.deletionTimestamp) queue.add(keyOf(volume));
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const volume = volumes.get(key);
    if (!volume) return;
    for (const step of planVolume(volume, (name) => nodes.get(name) !== undefined)) {
      const { resourceVersion, finalizers: held = [] } = volume.metadata;
      const left = held.filter((one) => one !== finalizers.volumeData);
      const body = { metadata: { finalizers: left, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
      await client.patch(volumeKind, refOf(volume), { type: 'merge', body }, { signal });
      log.info('volume released', {
        namespace: volume.metadata.namespace,
        volume: volume.metadata.name,
        why: step.why,
      });
    }
  }

  return { stop: () => queue.stop() };
}
