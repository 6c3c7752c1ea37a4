import type { Taint, Toleration } from 'kubernetes-types/core/v1.js';

/** Cpu in thousandths of a core, memory in bytes, pods as a count. */
export interface Amounts {
  cpuMillis: number;
  memoryBytes: number;
  pods: number;
}

/** What placement needs to know of one node; kept up to date by deltas. */
export interface NodeState {
  readonly name: string;
  isReady: boolean;
  isCordoned: boolean;
  taints: readonly Taint[];
  labels: Readonly<Record<string, string>>;
  allocatable: Amounts;
  readonly used: Amounts;
  /** `port/protocol` → the host addresses it is bound on ('' = all of them) with how often. */
  readonly hostPorts: Map<string, Map<string, number>>;
  /** Spread group → how many of its pods are here. */
  readonly groups: Map<string, number>;
  /** Removed from the snapshot; rankings that still hold it let go of it. */
  isGone: boolean;
}

/** A host port that a pod wants; `hostIP` '' stands for every address. */
export interface HostPort {
  readonly key: string;
  readonly hostIP: string;
}

/** What placement needs to know of one pod; made once by `podDemand`. */
export interface PodDemand {
  /** `<namespace>/<name>` */
  readonly key: string;
  readonly uid: string;
  /** Equal for pods that fit on exactly the same nodes. */
  readonly shape: string;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly hostPorts: readonly HostPort[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** Keys of the Volume objects it mounts. */
  readonly volumes: readonly string[];
  /** Same controller; '' when it has none. */
  readonly replicaGroup: string;
  /** Same labels whatever the template: all deployment revisions of one service. */
  readonly serviceGroup: string;
}

/** 0..1: the fuller of cpu, memory and pod slots. */
export function usedShare(node: NodeState): number {
  const share = (used: number, of: number) => (of > 0 ? used / of : 1);
  return Math.min(
    1,
    Math.max(
      share(node.used.cpuMillis, node.allocatable.cpuMillis),
      share(node.used.memoryBytes, node.allocatable.memoryBytes),
      share(node.used.pods, node.allocatable.pods),
    ),
  );
}

export function hasPortFree(node: NodeState, port: HostPort): boolean {
  const bound = node.hostPorts.get(port.key);
  if (!bound || bound.size === 0) return true;
  return port.hostIP !== '' && !bound.has('') && !bound.has(port.hostIP);
}

/** Counts a pod in (`by` 1) or out (-1). */
export function countPod(node: NodeState, demand: PodDemand, by: 1 | -1): void {
  node.used.cpuMillis += by * demand.cpuMillis;
  node.used.memoryBytes += by * demand.memoryBytes;
  node.used.pods += by;
  for (const port of demand.hostPorts) {
    let bound = node.hostPorts.get(port.key);
    if (!bound) {
      bound = new Map();
      node.hostPorts.set(port.key, bound);
    }
    bump(bound, port.hostIP, by);
    if (bound.size === 0) node.hostPorts.delete(port.key);
  }
  if (demand.replicaGroup) bump(node.groups, demand.replicaGroup, by);
  if (demand.serviceGroup) bump(node.groups, demand.serviceGroup, by);
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
