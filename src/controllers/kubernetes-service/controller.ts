import type { WorkResult } from '../../lib/work-queue.ts';
import { apiServiceAddress } from '../../resources/grid-network.ts';
import { services as serviceKind, endpointSlices as sliceKind } from '../../resources/kinds.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import { apiServiceName, apiServiceNamespace, managedBy, managedByLabel, planApiService } from './plan.ts';

/** Servers come and go without an object that changes. */
const lookEveryMs = 10_000;
const key = `${apiServiceNamespace}/${apiServiceName}`;

/** Keeps the Service object `kubernetes` and its EndpointSlices: where the API is. */
export function startKubernetesService(context: ControllerContext, cluster: ClusterFacts): RunningController {
  const services = context.informers.of(serviceKind);
  const slices = context.informers.of(sliceKind);
  const writer = createObjectWriter(context.client);
  const queue = startReconciler({ name: 'kubernetes-service', context, reconcile, concurrency: 1 });
  slices.index('apiServers', (slice) => (slice.metadata.labels?.[managedByLabel] === managedBy ? [managedBy] : []));
  services.onChange((changed) => {
    if (changed === key) queue.add(key);
  });
  slices.onChange((_key, object, old) => {
    if ((object ?? old)?.metadata.labels?.[managedByLabel] === managedBy) queue.add(key);
  });
  queue.add(key);

  async function reconcile(_key: string, signal: AbortSignal): Promise<WorkResult> {
    const observed = {
      service: services.get(key),
      clusterIP: apiServiceAddress(await context.gridSettings.network()),
      slices: slices.byIndex('apiServers', managedBy),
      servers: cluster.servers(),
    };
    for (const step of planApiService(observed)) {
      if (step.type === 'deleteService') await writer.remove(services, step.service, { signal });
      else if (step.type === 'createService') await writer.create(services, step.service, signal);
      else if (step.type === 'createSlice') await writer.create(slices, step.slice, signal);
      else if (step.type === 'updateSlice') await writer.update(slices, step.slice, signal);
      else await writer.remove(slices, step.slice, { signal });
    }
    return { againAfterMs: lookEveryMs };
  }

  return { stop: () => queue.stop() };
}
