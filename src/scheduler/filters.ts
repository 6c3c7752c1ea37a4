import type { Taint, Toleration } from 'kubernetes-types/core/v1.js';
import { hasPortFree, type NodeState, type PodDemand } from './node-state.ts';

/** Why a node cannot run a pod: equal texts are counted together. Both forms follow the number of nodes. */
export interface Refusal {
  readonly one: string;
  readonly many: string;
}

/** Owner node of a Volume ('' = none yet); undefined: there is no such Volume. */
export type VolumeOwner = (volumeKey: string) => string | undefined;

/** The first reason, cheapest checks and most useful sentences first; undefined: it fits. */
export function refuse(node: NodeState, pod: PodDemand, ownerOf: VolumeOwner): Refusal | undefined {
  if (!node.isReady) return { one: 'is not ready', many: 'are not ready' };
  if (node.isCordoned) return { one: 'is cordoned', many: 'are cordoned' };
  return (
    refuseLabels(node, pod) ?? refuseTaints(node, pod) ?? refuseVolumes(node, pod, ownerOf) ?? refuseRoom(node, pod)
  );
}

function refuseLabels(node: NodeState, pod: PodDemand): Refusal | undefined {
  for (const [key, value] of Object.entries(pod.nodeSelector)) {
    if (node.labels[key] !== value) {
      return { one: `lacks the label ${key}=${value}`, many: `lack the label ${key}=${value}` };
    }
  }
  return undefined;
}

function refuseTaints(node: NodeState, pod: PodDemand): Refusal | undefined {
  for (const taint of node.taints) {
    if (taint.effect === 'PreferNoSchedule' || pod.tolerations.some((one) => tolerates(one, taint))) continue;
    const text = `${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect}`;
    return {
      one: `has the taint ${text}, which it does not tolerate`,
      many: `have the taint ${text}, which it does not tolerate`,
    };
  }
  return undefined;
}

/** Kubernetes' rule: an empty key with Exists tolerates everything; an empty effect matches all effects. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  const isExists = toleration.operator === 'Exists';
  if (!toleration.key) return isExists;
  if (toleration.key !== taint.key) return false;
  return isExists || (toleration.value ?? '') === (taint.value ?? '');
}

function refuseVolumes(node: NodeState, pod: PodDemand, ownerOf: VolumeOwner): Refusal | undefined {
  for (const key of pod.volumes) {
    const owner = ownerOf(key);
    if (owner && owner !== node.name) {
      const why = `its volume ${nameOf(key)}, which is on ${owner}`;
      return { one: `does not hold ${why}`, many: `do not hold ${why}` };
    }
  }
  return undefined;
}

function refuseRoom(node: NodeState, pod: PodDemand): Refusal | undefined {
  const { allocatable, used } = node;
  if (pod.memoryBytes > 0 && used.memoryBytes + pod.memoryBytes > allocatable.memoryBytes) {
    return less(`${bytesText(pod.memoryBytes)} memory`);
  }
  if (pod.cpuMillis > 0 && used.cpuMillis + pod.cpuMillis > allocatable.cpuMillis) {
    return less(`${pod.cpuMillis % 1000 === 0 ? pod.cpuMillis / 1000 : `${pod.cpuMillis}m`} cpu`);
  }
  if (used.pods + 1 > allocatable.pods) {
    return {
      one: `runs as many pods as it may (${allocatable.pods})`,
      many: `run as many pods as they may (${allocatable.pods})`,
    };
  }
  for (const port of pod.hostPorts) {
    if (!hasPortFree(node, port)) {
      const text = `host port ${port.hostIP ? `${port.hostIP}:` : ''}${port.key} in use`;
      return { one: `has ${text}`, many: `have ${text}` };
    }
  }
  return undefined;
}

function less(what: string): Refusal {
  return { one: `has less than ${what} left`, many: `have less than ${what} left` };
}

const units = ['Ki', 'Mi', 'Gi', 'Ti'] as const;

function bytesText(bytes: number): string {
  let value = bytes;
  let unit = '';
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}B`;
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}
