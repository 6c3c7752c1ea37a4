import { isNodeReady, isNodeSuspect } from '../resources/failover.ts';
import type { Node, Pod } from '../resources/kinds.ts';
import { longRunning, podRequests } from '../resources/pod-facts.ts';
import { cpuMillisOf, memoryBytesOf } from '../resources/quantity.ts';
import type { HostPort, PodDemand } from './node-state.ts';
import type { NodeFacts } from './snapshot.ts';

/** Pods a node runs when it does not say. */
const defaultPods = 250;

/** What of a pod matters for placement. */
export function podDemand(pod: Pod): PodDemand {
  const namespace = pod.metadata.namespace ?? '';
  const { cpuMillis, memoryBytes } = podRequests(pod);
  const hostPorts = hostPortsOf(pod);
  const nodeSelector = pod.spec.nodeSelector ?? {};
  const tolerations = pod.spec.tolerations ?? [];
  const volumes = volumesOf(pod, namespace);
  const controller = pod.metadata.ownerReferences?.find((one) => one.controller === true);
  return {
    key: `${namespace}/${pod.metadata.name}`,
    uid: pod.metadata.uid ?? '',
    shape: JSON.stringify([cpuMillis, memoryBytes, hostPorts, nodeSelector, tolerations, volumes]),
    cpuMillis,
    memoryBytes,
    hostPorts,
    nodeSelector,
    tolerations,
    volumes,
    replicaGroup: controller?.uid ?? '',
    serviceGroup: controller ? serviceGroupOf(pod, namespace) : '',
  };
}

/** What of a node matters for placement, without its load. */
export function nodeFacts(node: Node): NodeFacts {
  const room = node.status?.allocatable ?? node.status?.capacity ?? {};
  const podSlots = Number(room.pods ?? defaultPods);
  return {
    isReady: isNodeReady(node) && !isNodeSuspect(node),
    isCordoned: node.spec.unschedulable === true || node.metadata.deletionTimestamp !== undefined,
    taints: (node.spec.taints ?? []).filter((taint) => taint.effect !== 'PreferNoSchedule'),
    labels: node.metadata.labels ?? {},
    allocatable: { cpuMillis: cpuMillisOf(room.cpu), memoryBytes: memoryBytesOf(room.memory), pods: podSlots },
  };
}

function hostPortsOf(pod: Pod): HostPort[] {
  const isOnHost = pod.spec.hostNetwork === true;
  return longRunning(pod).flatMap((container) =>
    (container.ports ?? []).flatMap((port) => {
      const number = port.hostPort ?? (isOnHost ? port.containerPort : undefined);
      if (!number) return [];
      const hostIP = port.hostIP === '0.0.0.0' || port.hostIP === '::' ? '' : (port.hostIP ?? '');
      return { key: `${number}/${port.protocol ?? 'TCP'}`, hostIP };
    }),
  );
}

function volumesOf(pod: Pod, namespace: string): string[] {
  const names = (pod.spec.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
  return [...new Set(names)].map((name) => `${namespace}/${name}`);
}

/** All templates of one deployment share their labels but for the template's hash. */
function serviceGroupOf(pod: Pod, namespace: string): string {
  const labels = Object.entries(pod.metadata.labels ?? {})
    .filter(([key]) => key !== 'pod-template-hash')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return labels.length === 0 ? '' : `${namespace}?${labels.map(([key, value]) => `${key}=${value}`).join(',')}`;
}
