import type { Applied } from './applied.ts';

/** What an agent says about its node's network: `GET /api/v1/nodes/<node>/proxy/network`. */
export interface NetworkReport {
  readonly node: string;
  /** This node's share of the pod range; absent until it has one. */
  readonly podCIDR?: string;
  readonly gateway?: string;
  /** Largest packet that its pods send, bytes. */
  readonly mtu?: number;
  /** Why the network is not up. */
  readonly problem?: string;
  /** Sentences that an operator should know, such as that WireGuard runs as a program. */
  readonly notes: readonly string[];
  readonly applied: Applied;
  readonly peers: readonly PeerReport[];
  /** Only where it was asked for. */
  readonly checks?: NetworkChecks;
}

export interface PeerReport {
  readonly node: string;
  readonly podCIDR: string;
  /** `route`, `vxlan`, `wireguard`; absent: the kernel has no way to it. */
  readonly way?: string;
  /** Where packets to it are sent; absent while that is unknown. */
  readonly address?: string;
  readonly mtu?: number;
  /** Of WireGuard; -1: they have never spoken. */
  readonly handshakeAgeMs?: number;
  readonly receivedBytes?: number;
  readonly sentBytes?: number;
}

export interface NetworkChecks {
  /** By node name. */
  readonly peers: Readonly<Record<string, PeerCheck>>;
  /** A name of the cluster, asked of this node's DNS. */
  readonly dns: CheckResult;
  /** A connection to the servers by their service address; absent where there is none. */
  readonly serviceAddress?: CheckResult;
}

export interface PeerCheck {
  /** A connection to the node's gateway through the overlay. */
  readonly reach: CheckResult;
  /** Full-size packets to it; not tried when the first failed. */
  readonly fullSize?: CheckResult;
}

export interface CheckResult {
  readonly isOk: boolean;
  readonly ms: number;
  readonly error?: string;
}
