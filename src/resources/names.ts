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
  /** On the parts of an AddressGroup: the group's name. */
  addressGroup: 'flotilla.dev/address-group',
  hostname: 'kubernetes.io/hostname',
  /** On nodes, by an operator, never by the node itself: it lets traffic in. Any value but `false`. */
  ingress: 'flotilla.dev/ingress',
  /** On Certificates that the certificate controller made for Ingress objects: `true`. It removes them, too. */
  automaticCertificate: 'flotilla.dev/automatic-certificate',
  /** On nodes, by an operator: those of one region reach each other by their InternalIP, others by their ExternalIP. */
  region: 'topology.kubernetes.io/region',
} as const;

export const annotations = {
  /** On Service objects: further names in their namespace, and in their stack, `db,database`. Services may share one. */
  aliases: 'flotilla.dev/aliases',
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
  /** On NetworkPolicies: `true` when the hosts may connect to its pods, on all ports, beside those that its rules name. */
  fromHosts: 'flotilla.dev/from-hosts',
  deploymentRevision: 'deployment.kubernetes.io/revision',
  /** On ReplicaSets: revisions that they were before, oldest first, `1,3`. */
  deploymentRevisionHistory: 'deployment.kubernetes.io/revision-history',
  /** On ReplicaSets: what their deployment wanted when they were sized last, and the most it allowed. */
  deploymentDesiredReplicas: 'deployment.kubernetes.io/desired-replicas',
  deploymentMaxReplicas: 'deployment.kubernetes.io/max-replicas',
  /** On pods, by whoever makes them: replaced after so long a silence of their node, `10s`, `never`. Default: the grid's. */
  failoverAfter: 'flotilla.dev/failover-after',
  /** On Deployments, by whoever makes them: `true`: back to the last good revision when its deadline passes (docs/adr/0034). */
  autoRollback: 'flotilla.dev/auto-rollback',
  /** On Deployments, by whoever makes them: when instances may be replaced, `02:00-04:00`, and where that is local time. */
  updateWindow: 'flotilla.dev/update-window',
  updateTimezone: 'flotilla.dev/update-timezone',
  /** On Deployments, by whoever makes them: time between two batches of an update, `30s`. */
  updatePause: 'flotilla.dev/update-pause',
  /** On Deployments, by people: the ReplicaSet whose rollout shall be taken back; taken away by the deployment controller. */
  abort: 'flotilla.dev/abort',
  /** On Deployments, by the deployment controller: what was taken back and why, JSON of a RollbackRecord. */
  rolledBack: 'flotilla.dev/rolled-back',
  /** On ReplicaSets and on versions of stacks, by their controllers: their own name once every instance was theirs and available. */
  rolledOut: 'flotilla.dev/rolled-out',
  /** On Stacks, by whoever writes them, and on their versions: why there is another one, a few words. */
  cause: 'flotilla.dev/cause',
  /** On Deployments of stacks: hash of the template as the stack says it. */
  templateHash: 'flotilla.dev/template-hash',
  /**
   * On pods, by whoever makes them: replaced after so long a time of not being ready on a node that is fine, `5m`, `never`. Default:
   * `5m` of instances of stacks, `never` of all others.
   */
  replaceUnhealthyAfter: 'flotilla.dev/replace-unhealthy-after',
  /** On nodes, by the node lifecycle controller: when they were lost within the last hour, RFC 3339, oldest first. */
  lostTimes: 'flotilla.dev/lost-times',
  /** On Service objects, by whoever makes them: `true`: its address takes every port and protocol; `ports` may be left out. */
  allPorts: 'flotilla.dev/all-ports',
  /** On nodes, by an operator: this silent node is lost, whatever the servers can find out. Gone when it returns. */
  lostConfirmed: 'flotilla.dev/lost-confirmed',
  /** On nodes, by their agent: devices by which it can be reached, each with its UDP port, `vxlan=8472,wireguard=51820`. */
  overlay: 'flotilla.dev/overlay',
  /** On nodes, by their agent: 32 bytes, base64. */
  wireguardPublicKey: 'flotilla.dev/wireguard-public-key',
  /** On nodes, by their agent: who encrypts, `kernel` or `userspace`. */
  wireguard: 'flotilla.dev/wireguard',
  /** On Evictions, by who asks: `stop-first`: the pod goes before another one does its work. */
  evict: 'flotilla.dev/evict',
  /** On nodes, by their agent: `true` when others cannot begin to speak to it. */
  behindNat: 'flotilla.dev/behind-nat',
  /** On Secrets of Certificates, by the certificate controller: who signed what is in it, `acme` or `internal`. */
  certificateIssuer: 'flotilla.dev/certificate-issuer',
  /** On Certificates, by people: any text; a new one is asked for once for each. */
  renewRequested: 'flotilla.dev/renew-requested',
  /** On Certificates that were made for Ingress objects, by the certificate controller: when the last of those went, RFC 3339. */
  unusedSince: 'flotilla.dev/unused-since',
  /** On the Secret of the grid's own authority: the domains that it may sign for, `localhost,internal`. */
  authorityDomains: 'flotilla.dev/authority-domains',
  /** On the Secret of the ACME account, by the certificate controller: its URL, or why there is none; and at which server. */
  acmeAccount: 'flotilla.dev/acme-account',
  acmeProblem: 'flotilla.dev/acme-problem',
  acmeDirectory: 'flotilla.dev/acme-directory',
} as const;

export const nodeConditions = {
  /** By the node lifecycle controller. True: silent. Unknown: silent, and the server may itself be cut off. False: heard. */
  suspect: 'flotilla.dev/Suspect',
  /** By the node range controller. True: no share of the pod range is left for it, so no pod runs on it. */
  podRangeExhausted: 'flotilla.dev/PodRangeExhausted',
  /** By the node lifecycle controller. True: it is back, and was lost so often that it is not used yet. */
  flapping: 'flotilla.dev/Flapping',
  /**
   * By the withdrawal controller. True: its names and service addresses do not follow; nobody waits for it, its pods are used last.
   * With the reason `ProxyDoesNotFollow` it is its proxy alone, and its pods are as good as others.
   */
  networkBehind: 'flotilla.dev/NetworkBehind',
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
  /** By the withdrawal controller. True: no node sends it new connections any more; its agent may stop it. */
  withdrawn: 'flotilla.dev/Withdrawn',
  /** By the withdrawal controller, on pods behind Service objects. True: every node sends it its share of new connections. */
  routed: 'flotilla.dev/Routed',
  /** By the server, for an eviction; taken back by the disruption controller. True: it goes when another one does its work. */
  leaving: 'flotilla.dev/Leaving',
} as const;

export const deploymentConditions = {
  /** By the deployment controller. True: the template is that of an earlier revision, since a later one did not become healthy. */
  rolledBack: 'flotilla.dev/RolledBack',
  /** By the deployment controller. True: the rollout waits for its window, or for the end of a pause; the message says until when. */
  updateHeld: 'flotilla.dev/UpdateHeld',
} as const;

export const serviceConditions = {
  /** By the load balancer controller. False: it has no address, and why. */
  addressGiven: 'flotilla.dev/AddressGiven',
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
  /** On containers of a pod with several: the id of the pause container whose address they share. */
  pause: 'flotilla.dev/pause',
  volumeNamespace: 'flotilla.dev/volume-namespace',
  volumeName: 'flotilla.dev/volume-name',
} as const;

/** Who is asking: `system:node:<name>` in group `system:nodes`, `flotilla:admin` in `system:masters`. */
export const nodeUserPrefix = 'system:node:';
export const nodesGroup = 'system:nodes';
export const adminGroup = 'system:masters';

/** A request says which servers it knows, URLs separated by spaces; the answer says which there are when it lacks one. */
export const serversHeader = 'x-flotilla-servers';
