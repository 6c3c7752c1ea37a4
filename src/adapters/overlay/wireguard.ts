import { wireguardDevice } from './devices.ts';
import type { WireguardPeer } from './port.ts';
import { addressLines, type ObservedLink } from './vxlan.ts';

/** A peer as `wg show … dump` prints it. */
export interface KnownPeer {
  readonly publicKey: string;
  readonly endpoint?: string;
  readonly allowedIPs: readonly string[];
  /** ms since 1970; 0: never. */
  readonly lastHandshakeAtMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly keepaliveSeconds: number;
}

export interface ObservedWireguard {
  readonly link: ObservedLink | undefined;
  /** Absent: nobody answers for the device. */
  readonly config?: { readonly publicKey: string; readonly port: number; readonly peers: readonly KnownPeer[] };
}

/** Reads `wg show … dump`. Private and pre-shared keys are left where they are. */
export function parseDump(text: string): NonNullable<ObservedWireguard['config']> {
  const [first = '', ...rest] = text.trimEnd().split('\n');
  const [, publicKey = '', port = ''] = first.split('\t');
  const peers = rest.map((line) => {
    const [key = '', , endpoint = '', allowed = '', handshake = '', received = '', sent = '', keepalive = ''] =
      line.split('\t');
    return {
      publicKey: key,
      ...(endpoint === '(none)' ? {} : { endpoint }),
      allowedIPs: allowed === '(none)' ? [] : allowed.split(','),
      lastHandshakeAtMs: Number(handshake) * 1000,
      receivedBytes: Number(received),
      sentBytes: Number(sent),
      keepaliveSeconds: keepalive === 'off' ? 0 : Number(keepalive),
    };
  });
  return { publicKey: publicKey === '(none)' ? '' : publicKey, port: Number(port), peers };
}

export interface WireguardPlan {
  /** Nobody answers for the device: it has to be made, and a program started for it where the kernel cannot. */
  readonly start: boolean;
  /** A device whose program is gone, or that stands still, goes first. */
  readonly removeFirst: boolean;
  readonly setKeyAndPort: boolean;
  /** Lines for `ip -batch`. */
  readonly device: readonly string[];
  /** Argument lists of `wg`. */
  readonly addPeers: readonly (readonly string[])[];
  readonly removePeers: readonly (readonly string[])[];
  readonly isRemade: boolean;
}

export interface WireguardWish {
  readonly port: number;
  readonly publicKey: string;
  readonly mtu: number;
  /** Of this node's pods. */
  readonly podCIDR: string;
  readonly peers: readonly WireguardPeer[];
  /** What the last `apply` asked for: an endpoint that changed since is set at once. */
  readonly formerEndpoints: ReadonlyMap<string, string>;
  /** ms since 1970. */
  readonly nowMs: number;
}

/** WireGuard gives a session up after so long; with none younger the learned endpoint has proven nothing. */
const sessionMs = 180_000;
/** Of one `wg set`: an argument list may have 2 MiB, of which a peer takes 200 bytes. */
const peersPerCall = 500;
const firstKeepalive = 25;
/**
 * Peers that are spoken to without need when they are new. A host that gets hundreds at once has just started: the others know it
 * or will begin themselves, and handshakes to hundreds that are away would block wireguard-go for seconds.
 */
const mostGreeted = 50;

/** Changes only what differs: neither a session nor an endpoint that a peer moved to is disturbed. */
export function planWireguard(wish: WireguardWish, observed: ObservedWireguard): WireguardPlan {
  const { link, config } = observed;
  const known = new Map((config?.peers ?? []).map((peer) => [peer.publicKey, peer]));
  const wanted = new Set(wish.peers.map((peer) => peer.publicKey));
  const fresh = wish.peers.filter(({ publicKey }) => !known.has(publicKey));
  const isGreeting = fresh.length <= mostGreeted;
  const changed = wish.peers.flatMap((peer) => {
    const words = changesOf(peer, known.get(peer.publicKey), wish, isGreeting);
    return words.length === 0 ? [] : [['peer', peer.publicKey, ...words]];
  });
  // A peer that is new and has an endpoint is spoken to at once, which a keepalive does: whichever side knows the other last
  // begins, and no packet waits the 5 s after which WireGuard asks again.
  const calmed = isGreeting
    ? fresh.filter((peer) => peer.endpoint !== undefined && peer.keepaliveSeconds === undefined)
    : [];
  const gone = [...known.keys()].filter((key) => !wanted.has(key));
  const to = `dev ${wireguardDevice}`;
  return {
    start: config === undefined,
    removeFirst: link !== undefined && config === undefined,
    setKeyAndPort: config?.publicKey !== wish.publicKey || config.port !== wish.port,
    device: [
      ...(config && link?.mtu === wish.mtu ? [] : [`link set ${to} mtu ${wish.mtu}`]),
      ...(config && link?.isUp ? [] : [`link set ${to} up`]),
      ...addressLines(wireguardDevice, wish.podCIDR, config && link),
    ],
    addPeers: [
      ...callsOf(changed),
      ...callsOf(calmed.map((peer) => ['peer', peer.publicKey, 'persistent-keepalive', 'off'])),
    ],
    removePeers: callsOf(gone.map((key) => ['peer', key, 'remove'])),
    isRemade: config === undefined || !link?.isUp,
  };
}

function changesOf(
  peer: WireguardPeer,
  known: KnownPeer | undefined,
  wish: WireguardWish,
  isGreeting: boolean,
): string[] {
  const words: string[] = [];
  if (known?.allowedIPs.join() !== peer.podCIDR) words.push('allowed-ips', peer.podCIDR);
  if (peer.endpoint !== undefined && isEndpointDue(peer.endpoint, peer.publicKey, known, wish)) {
    words.push('endpoint', peer.endpoint);
  }
  const keepalive = peer.keepaliveSeconds ?? 0;
  if (known === undefined) {
    const first = keepalive > 0 || peer.endpoint === undefined || !isGreeting ? keepalive : firstKeepalive;
    if (first > 0) words.push('persistent-keepalive', String(first));
  } else if (known.keepaliveSeconds !== keepalive) {
    words.push('persistent-keepalive', String(keepalive));
  }
  return words;
}

/** An endpoint that the peer was heard from lately stays, unless the wish itself has changed. */
function isEndpointDue(endpoint: string, key: string, known: KnownPeer | undefined, wish: WireguardWish): boolean {
  if (known?.endpoint === undefined) return true;
  if (known.endpoint === endpoint) return false;
  const former = wish.formerEndpoints.get(key);
  const hasChanged = former !== undefined && former !== endpoint;
  return hasChanged || wish.nowMs - known.lastHandshakeAtMs > sessionMs;
}

function callsOf(peers: readonly (readonly string[])[]): string[][] {
  const calls: string[][] = [];
  for (let start = 0; start < peers.length; start += peersPerCall) {
    calls.push(['wg', 'set', wireguardDevice, ...peers.slice(start, start + peersPerCall).flat()]);
  }
  return calls;
}

/** `wireguard` is the kernel's; `tun` belongs to a program. */
export function isOwnWireguard(link: ObservedLink): boolean {
  return link.kind === 'wireguard' || link.kind === 'tun';
}
