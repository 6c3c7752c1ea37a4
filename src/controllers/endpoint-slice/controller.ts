import type { WorkResult } from '../../lib/work-queue.ts';
import { isNodeHeld } from '../../resources/failover.ts';
import {
  type Node,
  nodes as nodeKind,
  type Pod,
  pods as podKind,
  services as serviceKind,
  endpointSlices as sliceKind,
} from '../../resources/kinds.ts';
import { labels, nodeConditions } from '../../resources/names.ts';
import { isNetworkBehind } from '../../resources/network-behind.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { keyOf } from '../owners.ts';
import { startReconciler } from '../reconciler.ts';
import { isSame } from '../same.ts';
import { hasSelector, selectsPod } from '../service-selection.ts';
import { managedBy, managedByLabel, type NodeTrust, planEndpointSlices } from './plan.ts';

/**
 * Writes who is behind each Service object, at once: names in DNS follow it, and a pod that stops must be out of it
 * before it ends. No debounce: a key that is being written runs once more afterwards, so changes that come together share
 * the second write.
 */
export function startEndpointSliceController(context: ControllerContext): RunningController {
  const services = context.informers.of(serviceKind);
  const pods = context.informers.of(podKind);
  const slices = context.informers.of(sliceKind);
  const nodes = context.informers.of(nodeKind);
  const writer = createObjectWriter(context.client);
  const serviceKeyOf = (namespace: string | undefined, name: string) => `${namespace ?? ''}/${name}`;
  services.index('namespace', (service) => [service.metadata.namespace ?? '']);
  pods.index('node', (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  pods.index('namespace', (pod) => [pod.metadata.namespace ?? '']);
  slices.index('service', (slice) => [
    serviceKeyOf(slice.metadata.namespace, slice.metadata.labels?.[labels.serviceName] ?? ''),
  ]);

  const queue = startReconciler({ name: 'endpoint-slice', context, reconcile, concurrency: 8 });
  services.onChange((key) => queue.add(key));
  slices.onChange((_key, object, old) => {
    const slice = object ?? old;
    const name = slice?.metadata.labels?.[labels.serviceName];
    if (slice && name) queue.add(serviceKeyOf(slice.metadata.namespace, name));
  });
  pods.onChange((_key, object, old) => {
    if (object && old && !isRelevantChange(old, object)) return;
    for (const pod of old && object && isSame(old.metadata.labels, object.metadata.labels) ? [object] : [object, old]) {
      if (pod) queueServicesOf(pod);
    }
  });

  nodes.onChange((key, object, old) => {
    if (trustOf(object) === trustOf(old)) return;
    for (const pod of pods.byIndex('node', key)) queueServicesOf(pod);
  });

  function queueServicesOf(pod: Pod): void {
    for (const service of services.byIndex('namespace', pod.metadata.namespace ?? '')) {
      if (selectsPod(service, pod)) queue.add(keyOf(service));
    }
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const service = services.get(key);
    if (!service || !hasSelector(service)) return;
    const steps = planEndpointSlices({
      service,
      pods: pods.byIndex('namespace', service.metadata.namespace ?? '').filter((pod) => selectsPod(service, pod)),
      trustIn: (nodeName) => trustOf(nodes.get(nodeName)),
      slices: slices.byIndex('service', key).filter((one) => one.metadata.labels?.[managedByLabel] === managedBy),
    });
    for (const step of steps) {
      if (step.type === 'createSlice') await writer.create(slices, step.slice, signal);
      else if (step.type === 'updateSlice') await writer.update(slices, step.slice, signal);
      else await writer.remove(slices, step.slice, { signal });
    }
  }

  return { stop: () => queue.stop() };
}

/** A doubted node is not suspect: it may be the servers that are cut off. */
function trustOf(node: Node | undefined): NodeTrust {
  if (!node) return 'sound';
  if (isNodeHeld(node)) return 'held';
  const isTrue = (type: string) => node.status?.conditions?.some((one) => one.type === type && one.status === 'True');
  // One whose names and service addresses do not follow leaves routing where others serve.
  return isTrue(nodeConditions.suspect) || isNetworkBehind(node) ? 'suspect' : 'sound';
}

/** Restart counts and the like change no endpoint. */
function isRelevantChange(old: Pod, fresh: Pod): boolean {
  return (
    old.metadata.uid !== fresh.metadata.uid ||
    old.metadata.deletionTimestamp !== fresh.metadata.deletionTimestamp ||
    old.spec.nodeName !== fresh.spec.nodeName ||
    old.status?.phase !== fresh.status?.phase ||
    !isSame(old.status?.podIPs, fresh.status?.podIPs) ||
    !isSame(old.status?.conditions, fresh.status?.conditions) ||
    !isSame(old.metadata.labels, fresh.metadata.labels)
  );
}
