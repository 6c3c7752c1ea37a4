/**
 * Lets pods of one host take and make only the connections that network policies allow. Takes the whole desired state and does
 * work in proportion to what differs from the last one; idempotent. Touches only its own table and the sysctl that shows
 * bridged traffic to it. IPv4.
 *
 * Always allowed: what the host itself sends to its pods (probes, what it balances), what its pods send to the host (DNS), a pod
 * to itself, and replies. A connection that exists goes on when a policy begins to forbid it; new ones do not come about: their
 * packets are dropped.
 */
export interface PolicyEnforcer {
  /**
   * Resolves when the kernel has all of it, in one transaction. Throws HostToolFailed with the tool's words, and then does
   * everything anew at the next call. One call at a time.
   */
  apply(state: PolicyState): Promise<void>;
  /** True when somebody changed what `apply` left: the next `apply` does everything anew. Cheap enough for every few seconds. */
  hasDrifted(): Promise<boolean>;
  /** Takes away everything it made: all connections are allowed. */
  cleanup(): Promise<void>;
}

/** Maps, sets and rules that are the same as in the last state (by identity) are taken as unchanged: never change one in place. */
export interface PolicyState {
  /** Own pods that some policy selects, by address. Pods that are not in it take and make all connections. */
  readonly pods: ReadonlyMap<string, PodRules>;
  /** Addresses of peers, by a name that rules use (letters and digits). */
  readonly groups: ReadonlyMap<string, ReadonlySet<string>>;
  /** Addresses with a port, of peers whose ports are known by name, likewise: `10.80.0.3 TCP 8080`. */
  readonly endpoints: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Absent: no policy is about that direction, everything is allowed. Else what one of the policies allows, and nothing more. */
export interface PodRules {
  readonly ingress?: readonly PolicyRules[];
  readonly egress?: readonly PolicyRules[];
}

/** What one policy allows; pods share the object. */
export interface PolicyRules {
  readonly rules: readonly ConnectionRule[];
}

export interface ConnectionRule {
  /** The other side. */
  readonly peer: RulePeer;
  /** Of the side that is connected to; absent: all ports of all protocols. Ignored where the peer is `endpoints`. */
  readonly ports?: readonly PortRange[];
}

export type RulePeer =
  | { readonly type: 'anybody' }
  | { readonly type: 'group'; readonly group: string }
  /** Of a direction that is egress. `within`: only those with such an address. */
  | { readonly type: 'endpoints'; readonly endpoints: string; readonly within?: PeerNetwork }
  | ({ readonly type: 'network' } & PeerNetwork);

export interface PeerNetwork {
  readonly cidr: string;
  /** Parts of it that are not meant. */
  readonly except: readonly string[];
}

export interface PortRange {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Absent: all ports of the protocol. */
  readonly first?: number;
  /** Default: `first` alone. */
  readonly last?: number;
}
