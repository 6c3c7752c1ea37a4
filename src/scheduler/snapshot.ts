import { NodeIndex } from './node-index.ts';
import { countPod, type NodeState, type PodDemand } from './node-state.ts';

/**
 * The cluster as placement sees it: a mutable structure fed by deltas (`applyNode`, `applyPod`, `applyVolume`). `place`
 * also writes what it decided into it (an *assumed* pod), so that the next decision counts it before the API has
 * confirmed it; `applyPod` with the observed pod replaces the assumption, `forgetPod` takes it back.
 *
 * Every change of a node is told to the index that finds the best node without looking at all of them.
 */
export interface Snapshot {
  readonly nodes: Map<string, NodeState>;
  /** Pods that occupy a node, also one that has no Node object (yet). */
  readonly pods: Map<string, { readonly demand: PodDemand; readonly nodeName: string }>;
  readonly podsByNode: Map<string, Map<string, PodDemand>>;
  /** Volume key → owner node, '' while nobody has used it. */
  readonly volumes: Map<string, string>;
  /** Owners decided here and not yet confirmed by `applyVolume`. */
  readonly assumedVolumes: Map<string, string>;
  readonly index: NodeIndex;
}

export function createSnapshot(): Snapshot {
  const nodes = new Map<string, NodeState>();
  return {
    nodes,
    pods: new Map(),
    podsByNode: new Map(),
    volumes: new Map(),
    assumedVolumes: new Map(),
    index: new NodeIndex(nodes),
  };
}

/** The facts of a Node object, without its load. */
export type NodeFacts = Pick<NodeState, 'isReady' | 'isCordoned' | 'taints' | 'labels' | 'allocatable'>;

/** Undefined: the node is gone. */
export function applyNode(snapshot: Snapshot, name: string, facts: NodeFacts | undefined): void {
  const known = snapshot.nodes.get(name);
  if (!facts) {
    if (!known) return;
    snapshot.nodes.delete(name);
    known.isGone = true;
    snapshot.index.changed(known);
    return;
  }
  if (known) {
    Object.assign(known, facts);
    snapshot.index.changed(known);
    return;
  }
  const node: NodeState = {
    name,
    ...facts,
    used: { cpuMillis: 0, memoryBytes: 0, pods: 0 },
    hostPorts: new Map(),
    groups: new Map(),
    isGone: false,
  };
  for (const demand of snapshot.podsByNode.get(name)?.values() ?? []) countPod(node, demand, 1);
  snapshot.nodes.set(name, node);
  snapshot.index.changed(node);
}

/** A pod that occupies `nodeName`: bound and not finished. Replaces an assumption about the same key. */
export function applyPod(snapshot: Snapshot, demand: PodDemand, nodeName: string): void {
  const known = snapshot.pods.get(demand.key);
  if (known && known.nodeName === nodeName && known.demand.uid === demand.uid && known.demand.shape === demand.shape)
    return;
  forgetPod(snapshot, demand.key);
  snapshot.pods.set(demand.key, { demand, nodeName });
  let onNode = snapshot.podsByNode.get(nodeName);
  if (!onNode) {
    onNode = new Map();
    snapshot.podsByNode.set(nodeName, onNode);
  }
  onNode.set(demand.key, demand);
  const node = snapshot.nodes.get(nodeName);
  if (!node) return;
  countPod(node, demand, 1);
  snapshot.index.changed(node);
}

/** The pod is gone, has ended, or could not be bound. */
export function forgetPod(snapshot: Snapshot, key: string): void {
  const known = snapshot.pods.get(key);
  if (!known) return;
  snapshot.pods.delete(key);
  const onNode = snapshot.podsByNode.get(known.nodeName);
  onNode?.delete(key);
  if (onNode?.size === 0) snapshot.podsByNode.delete(known.nodeName);
  const node = snapshot.nodes.get(known.nodeName);
  if (!node) return;
  countPod(node, known.demand, -1);
  snapshot.index.changed(node);
}

/** `owner`: '' while no node has it; undefined: the Volume object is gone. */
export function applyVolume(snapshot: Snapshot, key: string, owner: string | undefined): void {
  if (owner === undefined) {
    snapshot.volumes.delete(key);
    snapshot.assumedVolumes.delete(key);
    return;
  }
  snapshot.volumes.set(key, owner);
  if (owner !== '') snapshot.assumedVolumes.delete(key);
}

export function volumeOwner(snapshot: Snapshot, key: string): string | undefined {
  return snapshot.assumedVolumes.get(key) ?? snapshot.volumes.get(key);
}

/** Counts a decision in before it is written. */
export function assumePod(snapshot: Snapshot, demand: PodDemand, nodeName: string): void {
  applyPod(snapshot, demand, nodeName);
  for (const key of demand.volumes) {
    if (volumeOwner(snapshot, key) === '') snapshot.assumedVolumes.set(key, nodeName);
  }
}

/** The volume's owner could not be written: the next pod that uses it may choose again. */
export function forgetVolumeOwner(snapshot: Snapshot, key: string): void {
  snapshot.assumedVolumes.delete(key);
}
