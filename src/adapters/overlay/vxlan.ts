import { formatCidr, parseCidr } from '../../lib/cidr.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { vxlanDevice } from './devices.ts';
import type { OverlayPeer, OverlayState } from './port.ts';
import { parseJson, vxlanHop } from './routes.ts';

/** Of all nodes alike; a device with another one is not ours. */
const networkIdentifier = 81;

/** An interface as `ip -d -j addr` shows it; `kind` as in `ip link add type`. */
export interface ObservedLink {
  readonly kind: string;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly mac: string;
  /** IPv4, `10.80.3.0/32`. */
  readonly addresses: readonly string[];
  readonly vxlan?: { readonly id: number; readonly local: string; readonly port: number };
}

interface LinkAnswer {
  readonly ifname?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly address?: string;
  readonly addr_info?: readonly { family?: string; local?: string; prefixlen?: number }[];
  readonly linkinfo?: { info_kind?: string; info_data?: { id?: number; local?: string; port?: number } };
}

/** Reads `ip -d -j addr show dev …`; undefined when there is none. */
export function parseLink(json: string): ObservedLink | undefined {
  const [link] = parseJson<LinkAnswer>(json, 'ip -d -j addr');
  if (link?.ifname === undefined) return undefined;
  const { id, local, port } = link.linkinfo?.info_data ?? {};
  const kind = link.linkinfo?.info_kind ?? '';
  return {
    kind,
    mtu: link.mtu ?? 0,
    isUp: link.flags?.includes('UP') ?? false,
    mac: link.address ?? '',
    addresses: (link.addr_info ?? []).flatMap(({ family, local, prefixlen }) =>
      family === 'inet' ? [`${local}/${prefixlen}`] : [],
    ),
    ...(kind === 'vxlan' ? { vxlan: { id: id ?? 0, local: local ?? '', port: port ?? 0 } } : {}),
  };
}

export interface ObservedVxlan {
  readonly link: ObservedLink | undefined;
  /** Hop → card, permanent entries only. */
  readonly neighbours: ReadonlyMap<string, string>;
  /** Card → the node's address. */
  readonly forwarding: ReadonlyMap<string, string>;
}

/** Reads `ip -j neigh show dev … nud permanent` and `bridge -j fdb show dev …`. */
export function parseNeighbours(json: string): ReadonlyMap<string, string> {
  const rows = parseJson<{ dst?: string; lladdr?: string }>(json, 'ip -j neigh');
  return new Map(rows.flatMap(({ dst, lladdr }) => (dst && lladdr ? [[dst, lladdr] as const] : [])));
}

export function parseForwarding(json: string): ReadonlyMap<string, string> {
  const rows = parseJson<{ mac?: string; dst?: string }>(json, 'bridge -j fdb');
  return new Map(rows.flatMap(({ mac, dst }) => (mac && dst ? [[mac, dst] as const] : [])));
}

/** The card of a node on the VXLAN follows from its pods' network: nobody has to publish it. */
export function macOf(podCIDR: string): string {
  const network = parseCidr(podCIDR);
  if (!network) throw new Error(`no network: ${podCIDR}`);
  const octets = formatCidr(network).split('/')[0]?.split('.') ?? [];
  return ['02', '51', ...octets.map((octet) => Number(octet).toString(16).padStart(2, '0'))].join(':');
}

export interface VxlanPlan {
  /** Lines for `ip -batch`: the device (when it cannot stay as it is), its MTU. */
  readonly device: readonly string[];
  /** Lines for `ip -batch` and `bridge -batch`. */
  readonly addNeighbours: readonly string[];
  readonly addForwarding: readonly string[];
  readonly removeNeighbours: readonly string[];
  readonly removeForwarding: readonly string[];
  /** Its routes went with the former device. */
  readonly isRemade: boolean;
}

/**
 * Permanent neighbours and forwarding entries, so that nothing is asked for, learned or flooded. The device that is observed is
 * ours.
 */
export function planVxlan(desired: OverlayState, observed: ObservedVxlan, mtu: number, port: number): VxlanPlan {
  const { podCIDR, address } = desired.self;
  if (address === undefined) throw new FlotillaError('Invalid', 'VXLAN needs the address of this node');
  const { link } = observed;
  const mac = macOf(podCIDR);
  const isSame = link?.mac === mac && link.vxlan?.local === address && link.vxlan.port === port;
  const known = isSame ? observed : { neighbours: new Map<string, string>(), forwarding: new Map<string, string>() };
  const peers = desired.peers.filter((peer) => peer.way === 'vxlan');
  const neighbours = new Map(peers.map((peer) => [vxlanHop(peer.podCIDR), macOf(peer.podCIDR)]));
  const forwarding = new Map(peers.map((peer) => [macOf(peer.podCIDR), nodeAddressOf(peer)]));
  const to = `dev ${vxlanDevice}`;
  return {
    device: isSame
      ? [...(link.mtu === mtu ? [] : [`link set ${to} mtu ${mtu}`]), ...(link.isUp ? [] : [`link set ${to} up`])]
      : [
          ...(link ? [`link del ${to}`] : []),
          `link add ${vxlanDevice} address ${mac} mtu ${mtu} type vxlan id ${networkIdentifier} local ${address} dstport ${port} nolearning`,
          `link set ${to} up`,
          ...addressLines(vxlanDevice, podCIDR, undefined),
        ],
    addNeighbours: missing(neighbours, known.neighbours).map(
      ([hop, card]) => `neigh replace ${hop} lladdr ${card} ${to} nud permanent`,
    ),
    addForwarding: missing(forwarding, known.forwarding).map(
      ([card, node]) => `fdb replace ${card} ${to} dst ${node} self permanent`,
    ),
    removeNeighbours: surplus(neighbours, known.neighbours).map((hop) => `neigh del ${hop} ${to}`),
    removeForwarding: surplus(forwarding, known.forwarding).map((card) => `fdb del ${card} ${to} self`),
    isRemade: !isSame || !link.isUp, // the kernel drops the routes of a device that goes down
  };
}

/**
 * A device needs an address of its own, although nobody speaks to it: where a host filters by reverse path, even loosely, the
 * kernel drops what comes in by one that has none while the way back leads elsewhere.
 */
export function addressLines(device: string, podCIDR: string, link: ObservedLink | undefined): string[] {
  const wanted = `${vxlanHop(podCIDR)}/32`;
  if (link?.addresses.join() === wanted) return [];
  const stale = (link?.addresses ?? []).map((address) => `addr del ${address} dev ${device}`);
  return [...stale, `addr add ${wanted} dev ${device}`];
}

export function isOwnVxlan(link: ObservedLink | undefined): link is ObservedLink {
  return link?.vxlan?.id === networkIdentifier;
}

function nodeAddressOf(peer: OverlayPeer): string {
  return peer.way === 'wireguard' ? '' : peer.nodeAddress;
}

function missing(wanted: ReadonlyMap<string, string>, known: ReadonlyMap<string, string>): [string, string][] {
  return [...wanted].filter(([key, value]) => known.get(key) !== value);
}

function surplus(wanted: ReadonlyMap<string, string>, known: ReadonlyMap<string, string>): string[] {
  return [...known.keys()].filter((key) => !wanted.has(key));
}
