/**
 * Makes every pod address of the grid reachable from this host and from its pods: by plain routes, VXLAN or WireGuard, chosen
 * per peer. Takes the whole desired state, is idempotent, touches only routes, rules and interfaces that carry its mark
 * (protocol number, comment, name with what belongs to it).
 */
export interface Overlay {
  /**
   * Does what differs from the kernel's state, and nothing when nothing does: traffic is not interrupted. Throws Invalid for a
   * state that makes no sense (nothing is touched then), HostToolFailed with a tool's words; the rest is done all the same.
   * One call at a time.
   */
  apply(desired: OverlayState): Promise<OverlayFacts>;
  /** What the kernel has now, for `node show` and `doctor`. */
  observe(): Promise<OverlayObservation>;
  /** True when the next `apply` of the last state has something to do. Cheap enough for every few seconds; false before the first `apply`. */
  hasDrifted(): Promise<boolean>;
  /** The largest packet, in bytes, that pods should send in this state: what their bridge is made with. */
  podMtu(desired: OverlayState): Promise<number>;
  /** Takes away everything it made but the key; programs that it started end. */
  cleanup(): Promise<void>;
}

/** How packets travel to a peer's pods. */
export type OverlayWay = 'route' | 'vxlan' | 'wireguard';

export interface OverlayState {
  /** All pod addresses of the grid, CIDR. Traffic inside it is accepted and not masqueraded; without a peer it is refused. */
  readonly podRange: string;
  /** This node's own share and its bridge. `address`: the one that its peers know, on an interface of this host. */
  readonly self: {
    readonly podCIDR: string;
    readonly gateway: string;
    readonly bridgeName: string;
    readonly address?: string;
  };
  /** Devices that have to be up, also while no peer is reached by them: others may start. `port`: UDP, where this node listens. */
  readonly devices?: {
    readonly vxlan?: { readonly port: number };
    readonly wireguard?: { readonly port: number };
  };
  /** Ways to prepare the pods' MTU for, besides those in use. */
  readonly expectedWays?: readonly OverlayWay[];
  readonly peers: readonly OverlayPeer[];
}

export type OverlayPeer = RoutePeer | VxlanPeer | WireguardPeer;

interface PeerIdentity {
  readonly nodeName: string;
  readonly podCIDR: string;
}

/** On a network that both share: the peer's address is the next hop. */
export interface RoutePeer extends PeerIdentity {
  readonly way: 'route';
  readonly nodeAddress: string;
}

export interface VxlanPeer extends PeerIdentity {
  readonly way: 'vxlan';
  readonly nodeAddress: string;
}

export interface WireguardPeer extends PeerIdentity {
  readonly way: 'wireguard';
  /** 32 bytes, base64. */
  readonly publicKey: string;
  /** `address:port`. Absent: it is behind NAT, and found by what it sends. */
  readonly endpoint?: string;
  /** Keeps the mapping of a NAT open. Absent: nothing is sent while there is nothing to say. */
  readonly keepaliveSeconds?: number;
}

/** 32 bytes in base64: the last digit carries two bits only. */
export function isPublicKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text);
}

/** What this node can tell others about itself; devices are named once they are up. */
export interface OverlayFacts {
  readonly vxlan?: { readonly port: number };
  readonly wireguard?: WireguardFacts;
}

export interface WireguardFacts {
  readonly publicKey: string;
  readonly port: number;
  /** `userspace`: a program moves each packet, at about a thirtieth of the speed. */
  readonly implementation: 'kernel' | 'userspace';
}

export interface OverlayObservation extends OverlayFacts {
  readonly routes: readonly ObservedRoute[];
}

/** One peer as the kernel knows it. */
export interface ObservedRoute {
  readonly podCIDR: string;
  readonly way: OverlayWay;
  /** Next hop, or the address that the device sends to; absent while it is unknown. */
  readonly nodeAddress?: string;
  /** Largest packet on this way, bytes; absent for plain routes. */
  readonly mtu?: number;
  /** Of WireGuard. */
  readonly tunnel?: TunnelTraffic;
}

export interface TunnelTraffic {
  /** ms since 1970; absent: they have never spoken. */
  readonly lastHandshakeAtMs?: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
