import type { Node, Pod } from '../../resources/kinds.ts';
import { isPodFinished, longRunning, podRequests } from '../../resources/pod-facts.ts';
import { cpuMillisOf, memoryBytesOf } from '../../resources/quantity.ts';

/** Why a pod is not run here: Kubernetes' words for reason and message. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/**
 * Checks once more what the scheduler decided, with the node's own eyes: `others` are the pods admitted here already.
 * A refused pod becomes Failed; its ReplicaSet makes another one.
 */
export function admitPod(
  pod: Pod,
  others: Iterable<Pod>,
  node: Pick<Node, 'metadata' | 'status'>,
): Refusal | undefined {
  const running = [...others].filter((one) => !isPodFinished(one) && one.metadata.uid !== pod.metadata.uid);
  const allocatable = node.status?.allocatable ?? {};
  const used = running.map(podRequests);
  const wanted = podRequests(pod);
  const sum = (pick: (one: { cpuMillis: number; memoryBytes: number }) => number) =>
    used.reduce((total, one) => total + pick(one), 0);
  const checks = [
    { name: 'cpu', has: cpuMillisOf(allocatable.cpu), used: sum((one) => one.cpuMillis), wants: wanted.cpuMillis },
    {
      name: 'memory',
      has: memoryBytesOf(allocatable.memory),
      used: sum((one) => one.memoryBytes),
      wants: wanted.memoryBytes,
    },
    { name: 'pods', has: Number(allocatable.pods ?? 110), used: running.length, wants: 1 },
  ];
  for (const check of checks) {
    if (check.wants === 0 || check.used + check.wants <= check.has) continue;
    return {
      reason: `OutOf${check.name}`,
      message: `Node didn't have enough resource: ${check.name}, requested: ${check.wants}, used: ${check.used}, capacity: ${check.has}`,
    };
  }
  return refuseByPorts(pod, running) ?? refuseBySelector(pod, node);
}

function refuseByPorts(pod: Pod, running: readonly Pod[]): Refusal | undefined {
  const wanted = hostPortsOf(pod);
  for (const other of running) {
    const taken = hostPortsOf(other).find((port) => wanted.some((one) => collide(one, port)));
    if (!taken) continue;
    const holder = `${other.metadata.namespace}/${other.metadata.name}`;
    return {
      reason: 'NodePorts',
      message: `Node didn't have a free host port: ${taken.port}/${taken.protocol} is used by pod ${holder}`,
    };
  }
  return undefined;
}

interface HostPort {
  readonly port: number;
  readonly protocol: string;
  readonly address: string;
}

function hostPortsOf(pod: Pod): HostPort[] {
  return longRunning(pod).flatMap((container) =>
    (container.ports ?? []).flatMap((port) => {
      const number = port.hostPort || (pod.spec.hostNetwork ? port.containerPort : 0);
      return number ? [{ port: number, protocol: port.protocol ?? 'TCP', address: port.hostIP ?? '' }] : [];
    }),
  );
}

function collide(left: HostPort, right: HostPort): boolean {
  const isAny = (address: string) => address === '' || address === '0.0.0.0';
  const isSameAddress = isAny(left.address) || isAny(right.address) || left.address === right.address;
  return left.port === right.port && left.protocol === right.protocol && isSameAddress;
}

function refuseBySelector(pod: Pod, node: Pick<Node, 'metadata'>): Refusal | undefined {
  const labels = node.metadata.labels ?? {};
  const missing = Object.entries(pod.spec.nodeSelector ?? {}).find(([key, value]) => labels[key] !== value);
  if (!missing) return undefined;
  return { reason: 'NodeAffinity', message: `Node does not have label ${missing[0]}=${missing[1]}` };
}
