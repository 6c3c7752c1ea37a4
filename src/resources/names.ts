/** Labels, annotations, conditions and reasons that more than one part of Flotilla reads or writes. */

export const defaultGrid = 'main';
export const systemGrid = 'system';

export const labels = {
  /** On everything a stack made: the stack's name. */
  stack: 'flotilla.dev/stack',
  /** On everything a service of a stack made: the service's name. */
  service: 'flotilla.dev/service',
  podTemplateHash: 'pod-template-hash',
  /** On an EndpointSlice: the Service object it belongs to. */
  serviceName: 'kubernetes.io/service-name',
  hostname: 'kubernetes.io/hostname',
} as const;

export const annotations = {
  /** On objects that the stack controller made: hash of what it wrote last. */
  appliedHash: 'flotilla.dev/applied-hash',
  /** On pods, by whoever makes them: container ports that want a free host port, `80/TCP,53/UDP`. */
  randomHostPorts: 'flotilla.dev/random-host-ports',
  /** On pods, by the agent: JSON list of `{containerPort, hostPort, protocol}` that the engine bound. */
  boundHostPorts: 'flotilla.dev/bound-host-ports',
  /** On pods, by their ReplicaSet: it made so many before; the pod's name follows from it. */
  ordinal: 'flotilla.dev/ordinal',
  /** On pods: Compose's `user` when it is a name, which `runAsUser` cannot hold. */
  user: 'flotilla.dev/user',
  /** On a Stack that is about to be deleted: `true` when its Volumes, and all files in them, go with it. */
  removeVolumes: 'flotilla.dev/remove-volumes',
  deploymentRevision: 'deployment.kubernetes.io/revision',
} as const;

export const podConditions = {
  /** By the node lifecycle controller: the pod's node has been silent for `failover.after`. Not counted while True. */
  nodeLost: 'flotilla.dev/NodeLost',
} as const;

export const finalizers = {
  /** On every Volume: held until its node's agent has removed the data (or there is none to remove). */
  volumeData: 'flotilla.dev/volume-data',
} as const;

/** Labels of everything on a host that Flotilla made (containers, networks, volumes). */
export const hostLabels = {
  managed: 'flotilla.dev/managed',
  grid: 'flotilla.dev/grid',
  node: 'flotilla.dev/node',
  podNamespace: 'flotilla.dev/pod-namespace',
  podName: 'flotilla.dev/pod-name',
  podUid: 'flotilla.dev/pod-uid',
  container: 'flotilla.dev/container',
  /** Counts from 0: the n-th container of this name in this pod. */
  attempt: 'flotilla.dev/attempt',
  volumeNamespace: 'flotilla.dev/volume-namespace',
  volumeName: 'flotilla.dev/volume-name',
} as const;

/** Who is asking: `system:node:<name>` in group `system:nodes`, `flotilla:admin` in `system:masters`. */
export const nodeUserPrefix = 'system:node:';
export const nodesGroup = 'system:nodes';
export const adminGroup = 'system:masters';
