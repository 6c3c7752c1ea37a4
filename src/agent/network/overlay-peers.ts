import type { OverlayPeer, OverlayState, OverlayWay } from '../../adapters/overlay/port.ts';
import { contains, parseCidr, parseIPv4 } from '../../lib/cidr.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { Node } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { type NodeOverlay, nodeOverlayOf } from './node-overlay.ts';

export interface PeersQuestion {
  /** All of the grid, this one among them. */
  readonly nodes: Iterable<Node>;
  readonly ownName: string;
  /** Addresses of this host that its peers know, the first one first; before its Node object says so too. */
  readonly ownAddresses: readonly string[];
  readonly settings: Pick<GridNetwork, 'podRange' | 'overlay' | 'overlayPort' | 'trustedSubnets'>;
  /** What this function gave before: a pair keeps its way until both nodes are ready for another. */
  readonly former?: readonly OverlayPeer[];
}

export interface PeersAnswer extends Required<Pick<OverlayState, 'devices' | 'peers' | 'expectedWays'>> {
  /** Why packets to a node do not travel as they should, for `node show` and `doctor`. */
  readonly problems: readonly PeerProblem[];
}

export interface PeerProblem {
  readonly nodeName: string;
  readonly message: string;
}

/** NATs forget after 30 s (RFC 4787 asks for 2 minutes, homes have less). */
const keepaliveSeconds = 25;
const wayOfBackend = { wireguard: 'wireguard', vxlan: 'vxlan', 'host-gw': 'route' } as const;

/** One node, as far as the overlay is concerned. */
interface Place extends NodeOverlay {
  readonly name: string;
  readonly podCIDR: string | undefined;
  readonly internal: readonly string[];
  readonly external: string | undefined;
  readonly region: string;
}

/** How this node reaches each of the others, and what it must have for that. Pure; the same for both sides of a pair. */
export function planPeers(question: PeersQuestion): PeersAnswer {
  const { ownName, settings } = question;
  const places = [...question.nodes].map(placeOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  const own: Place = {
    ...(places.find(({ name }) => name === ownName) ?? nowhere(ownName)),
    ...(question.ownAddresses.length > 0 ? { internal: question.ownAddresses } : {}),
  };
  const former = new Map((question.former ?? []).map((peer) => [`${peer.nodeName} ${peer.podCIDR}`, peer]));
  const peers: OverlayPeer[] = [];
  const problems: PeerProblem[] = [];
  const wishes = new Set<OverlayWay>();
  const owners = new Map<string, string>();
  const keys = new Map<string, string>(own.wireguard ? [[own.wireguard.publicKey, ownName]] : []);

  for (const place of places) {
    if (place.name === ownName || place.podCIDR === undefined || !isPartOf(place.podCIDR, settings.podRange)) continue;
    // It has joined, and has not said anything of itself yet: its first word decides by which way.
    if (hasSaidNothing(place)) continue;
    const problem = (message: string) => problems.push({ nodeName: place.name, message });
    const owner = owners.get(place.podCIDR);
    if (owner !== undefined) {
      problem(`nodes ${owner} and ${place.name} have the same pod addresses ${place.podCIDR}: those of ${owner} count`);
      continue;
    }
    owners.set(place.podCIDR, place.name);
    const trusted = trustedAddress(own, place, settings.trustedSubnets);
    const wish = trusted === undefined ? wayOfBackend[settings.overlay] : 'route';
    wishes.add(wish);
    const identity = { nodeName: place.name, podCIDR: place.podCIDR };
    const address = trusted ?? addressFor(own, place);
    const twin = wish === 'wireguard' && place.wireguard ? keys.get(place.wireguard.publicKey) : undefined;
    if (twin !== undefined) {
      problem(
        `nodes ${twin} and ${place.name} have the same WireGuard key: one is a copy of the other's disk; remove wireguard.key in its data directory`,
      );
      continue;
    }
    if (isReady(own, place, wish)) {
      const peer = peerBy(wish, identity, address, own, place);
      if (peer?.way === 'wireguard') keys.set(peer.publicKey, place.name);
      if (peer) peers.push(peer);
      const trouble = troubleOf(wish, own, place, address);
      if (trouble !== undefined) problem(trouble);
      continue;
    }
    const kept = former.get(`${identity.nodeName} ${identity.podCIDR}`);
    if (kept) peers.push(kept);
    problem(
      `nodes ${ownName} and ${place.name} are not both ready for ${wish} yet${kept ? `: packets travel by ${kept.way} as before` : ''}`,
    );
  }
  const needed = new Set<OverlayWay>([...wishes, ...peers.map((peer) => peer.way)]);
  return {
    peers,
    problems,
    devices: {
      ...(needed.has('vxlan') ? { vxlan: { port: portFor('vxlan', settings) } } : {}),
      ...(needed.has('wireguard') ? { wireguard: { port: portFor('wireguard', settings) } } : {}),
    },
    expectedWays: isTrusted(own, settings.trustedSubnets) ? [...wishes] : [wayOfBackend[settings.overlay], ...wishes],
  };
}

function hasSaidNothing({ internal, external, vxlan, wireguard }: Place): boolean {
  return internal.length === 0 && external === undefined && vxlan === undefined && wireguard === undefined;
}

/** The setting is about the grid's backend; what is left of another one stays where such a one listens by default. */
function portFor(way: 'vxlan' | 'wireguard', settings: PeersQuestion['settings']): number {
  if (wayOfBackend[settings.overlay] === way) return settings.overlayPort;
  return way === 'vxlan' ? 8_472 : 51_820;
}

function isReady(own: Place, place: Place, wish: OverlayWay): boolean {
  if (wish === 'route') return true;
  if (wish === 'vxlan') return own.vxlan !== undefined && own.vxlan.port === place.vxlan?.port;
  return own.wireguard !== undefined && place.wireguard !== undefined;
}

function peerBy(
  way: OverlayWay,
  identity: { readonly nodeName: string; readonly podCIDR: string },
  address: string | undefined,
  own: Place,
  place: Place,
): OverlayPeer | undefined {
  if (way !== 'wireguard') return address === undefined ? undefined : { ...identity, way, nodeAddress: address };
  if (!place.wireguard) return undefined;
  const { publicKey, port } = place.wireguard;
  return {
    ...{ ...identity, way, publicKey },
    ...(address === undefined ? {} : { endpoint: `${address}:${port}` }),
    ...(own.isBehindNat || place.isBehindNat ? { keepaliveSeconds } : {}),
  };
}

/** Where this node sends what is for another: undefined when it cannot begin. */
function addressFor(own: Place, place: Place): string | undefined {
  const [internal] = place.internal;
  const isNear = own.region !== '' && own.region === place.region;
  // Behind the same NAT they are neighbours, as far as anybody can tell.
  const isBehindSame =
    own.isBehindNat && place.isBehindNat && own.external !== undefined && own.external === place.external;
  if (isNear || isBehindSame) return internal;
  if (place.isBehindNat) return undefined;
  return own.region === place.region ? internal : (place.external ?? internal);
}

function troubleOf(way: OverlayWay, own: Place, place: Place, address: string | undefined): string | undefined {
  const pair = `nodes ${own.name} and ${place.name}`;
  if (way === 'wireguard') {
    const isStuck = address === undefined && addressFor(place, own) === undefined;
    return isStuck
      ? `${pair} are both behind NAT and cannot reach each other: forward UDP port ${place.wireguard?.port} to one of them and give it --external-address, or label both with one ${labels.region}`
      : undefined;
  }
  if (address === undefined) {
    const reason = place.isBehindNat ? 'is behind NAT' : 'has no address';
    return `${pair}: no ${way === 'route' ? 'plain route' : 'VXLAN'} to ${place.name}, which ${reason}; the overlay wireguard passes NAT`;
  }
  return undefined;
}

/** The other's address in a trusted subnet that both are in. */
function trustedAddress(own: Place, place: Place, subnets: readonly string[]): string | undefined {
  for (const text of subnets) {
    const subnet = parseCidr(text);
    const inside = (address: string) => {
      const value = parseIPv4(address);
      return subnet !== undefined && value !== undefined && contains(subnet, value);
    };
    if (own.internal.some(inside)) {
      const found = place.internal.find(inside);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function isTrusted(own: Place, subnets: readonly string[]): boolean {
  return trustedAddress(own, own, subnets) !== undefined;
}

function isPartOf(podCIDR: string, podRange: string): boolean {
  const [cidr, range] = [parseCidr(podCIDR), parseCidr(podRange)];
  return cidr !== undefined && range !== undefined && contains(range, cidr.first) && contains(range, cidr.last);
}

function placeOf(node: Node): Place {
  // What is no IPv4 address cannot become a next hop or an endpoint.
  const addresses = (type: string) =>
    (node.status?.addresses ?? [])
      .filter((one) => one.type === type && parseIPv4(one.address) !== undefined)
      .map(({ address }) => address);
  return {
    ...nodeOverlayOf(node),
    name: node.metadata.name,
    podCIDR: node.spec.podCIDRs?.[0] ?? node.spec.podCIDR,
    internal: addresses('InternalIP'),
    external: addresses('ExternalIP')[0],
    region: node.metadata.labels?.[labels.region] ?? '',
  };
}

function nowhere(name: string): Place {
  return { name, podCIDR: undefined, internal: [], external: undefined, region: '', isBehindNat: false };
}
