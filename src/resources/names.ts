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
  /** On ReplicaSets: revisions that they were before, oldest first, `1,3`. */
  deploymentRevisionHistory: 'deployment.kubernetes.io/revision-history',
  /** On ReplicaSets: what their deployment wanted when they were sized last, and the most it allowed. */
  deploymentDesiredReplicas: 'deployment.kubernetes.io/desired-replicas',
  deploymentMaxReplicas: 'deployment.kubernetes.io/max-replicas',
  /** On pods, by whoever makes them: replaced after so long a silence of their node, `10s`, `never`. Default: the grid's. */
  failoverAfter: 'flotilla.dev/failover-after',
  /** On nodes, by the node lifecycle controller: when they were lost within the last hour, RFC 3339, oldest first. */
  lostTimes: 'flotilla.dev/lost-times',
  /** On nodes, by an operator: this silent node is lost, whatever the servers can find out. Gone when it returns. */
  lostConfirmed: 'flotilla.dev/lost-confirmed',
} as const;

export const nodeConditions = {
  /** By the node lifecycle controller. True: silent. Unknown: silent, and the server may itself be cut off. False: heard. */
  suspect: 'flotilla.dev/Suspect',
  /** By the same. True: it is back, and was lost so often that it is not used yet. */
  flapping: 'flotilla.dev/Flapping',
} as const;

/** Effect NoSchedule; written by the node lifecycle controller. */
export const nodeTaints = {
  /** Kubernetes' own, for a node that is lost. */
  unreachable: 'node.kubernetes.io/unreachable',
  flapping: 'flotilla.dev/flapping',
  /** Kubernetes' own, by an operator: as good as the annotation `flotilla.dev/lost-confirmed`. Read, never written. */
  outOfService: 'node.kubernetes.io/out-of-service',
} as const;

export const podConditions = {
  /**
   * By the node lifecycle controller: the pod's node has been silent for `failover.after`. Not counted while True; False on
   * one that came back.
   */
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
  /** Ends in a row without a long run before this container was made: a restarted agent goes on counting from here. */
  crashes: 'flotilla.dev/crashes',
  /** As the pod asked for it when the container was made. */
  image: 'flotilla.dev/image',
  volumeNamespace: 'flotilla.dev/volume-namespace',
  volumeName: 'flotilla.dev/volume-name',
} as const;

/** Who is asking: `system:node:<name>` in group `system:nodes`, `flotilla:admin` in `system:masters`. */
export const nodeUserPrefix = 'system:node:';
export const nodesGroup = 'system:nodes';
export const adminGroup = 'system:masters';

/** A request says which servers it knows, URLs separated by spaces; the answer says which there are when it lacks one. */
export const serversHeader = 'x-flotilla-servers';
