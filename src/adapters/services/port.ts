/**
 * Makes service addresses work on one host: for its pods, for the host itself, and, for node ports and external addresses, for
 * clients outside. Takes the whole desired state and does work in proportion to what differs from the last one; idempotent.
 * Touches only its own table, the routes and the sysctls that it needs.
 */
export interface ServiceProxy {
  /**
   * Resolves when the kernel has all of it: new connections follow `state`, UDP flows to endpoints that are gone are forgotten,
   * TCP connections that exist go on. One transaction changes what connections see, so that none sees half of a change; doing
   * everything anew is one, too. Throws HostToolFailed with the tool's words, and then does everything anew at the next call.
   * What no rule can be made for (an address that is not IPv4, one that a service of a lesser name has) is left out, and logged.
   * One call at a time.
   */
  apply(state: ServiceState): Promise<void>;
  /**
   * True, until the next `apply`, when the table, a route, a setting or a bridge port is not as it was left, and after an `apply`
   * that failed: everything is to be done anew. False before the first. Ports that came since are no drift. Cheap enough for
   * every few seconds. Throws HostToolFailed.
   */
  hasDrifted(): Promise<boolean>;
  /** Bridge ports of containers that have started since get what a pod needs to reach itself by its own service. Idempotent. */
  wirePorts(): Promise<void>;
  /** Takes away everything it made; settings of the kernel stay. */
  cleanup(): Promise<void>;
}

export interface ServiceState {
  /** All pod addresses of the grid, CIDR. */
  readonly podRange: string;
  /** All virtual addresses of the grid, CIDR. One that no service has is refused at once. */
  readonly serviceRange: string;
  readonly self: { readonly podCIDR: string; readonly gateway: string; readonly bridgeName: string };
  /** By name. An object that is the same as in the last state (by identity) is taken as unchanged, so never change one in place. */
  readonly services: ReadonlyMap<string, VirtualService>;
}

/** One port of a Service object, or all of them. */
export interface VirtualService {
  /** `<namespace>/<service>:<port name>`; for messages, and the key in `ServiceState.services`. */
  readonly name: string;
  /** Absent: every port and protocol, the endpoints' ports are those that were called (names of stack services). */
  readonly port?: { readonly protocol: 'TCP' | 'UDP'; readonly number: number };
  readonly clusterIPs: readonly string[];
  /** Addresses of a load balancer's pool and external addresses: taken by any node that a client reaches. */
  readonly externalIPs: readonly string[];
  /** On all addresses of this host. */
  readonly nodePort?: number;
  /** Who takes new connections, in a stable order; empty: refused. */
  readonly endpoints: readonly ServiceEndpoint[];
  /** `Local`: only endpoints on this node take what pods and the host send to the cluster's addresses. */
  readonly internalTrafficPolicy: 'Cluster' | 'Local';
  /** `Local`: only endpoints on this node take what comes from outside, and they see the client's address. */
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  /** A client address stays with its endpoint for so long after its last connection. Absent: no affinity. */
  readonly affinitySeconds?: number;
  /** CIDRs that may use the external addresses. Absent: all. */
  readonly allowedSources?: readonly string[];
}

export interface ServiceEndpoint {
  readonly address: string;
  /** Absent exactly when the service has no port. */
  readonly port?: number;
  readonly isLocal: boolean;
}
