import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { vxlanDevice, wireguardDevice } from './devices.ts';
import type { OverlayPeer, OverlayState, OverlayWay } from './port.ts';

/** Our mark on routes, rtnetlink(7) `rtm_protocol`; a number that /etc/iproute2/rt_protos does not name. */
export const routeProtocol = '81';
/** Of the route that refuses what no peer has; every other one of the same range goes before it. */
const lastMetric = 4_200_000_000;

export interface KernelRoute {
  /** `unreachable` for addresses of the grid that no peer has: they must not leave by the default route, in the clear. */
  readonly way: OverlayWay | 'unreachable';
  readonly podCIDR: string;
  /** Next hop; empty where there is none. */
  readonly via: string;
  /** `src`, without which host processes leave with the node's address and the far side drops them. */
  readonly source: string;
}

/** `add` where we have none yet: it fails on a route of somebody else, which `replace` would take away. */
export interface RouteChange {
  readonly type: 'add' | 'replace' | 'delete';
  readonly route: KernelRoute;
}

interface RouteAnswer {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly prefsrc?: string;
}

/** Reads `ip -j route show`. */
export function parseRoutes(json: string): KernelRoute[] {
  return parseJson<RouteAnswer>(json, 'ip -j route').map((row) => ({
    way: wayOf(row),
    podCIDR: row.dst.includes('/') ? row.dst : `${row.dst}/32`,
    via: row.gateway ?? '',
    source: row.prefsrc ?? '',
  }));
}

function wayOf(row: RouteAnswer): KernelRoute['way'] {
  if (row.type === 'unreachable') return 'unreachable';
  if (row.dev === vxlanDevice) return 'vxlan';
  return row.dev === wireguardDevice ? 'wireguard' : 'route';
}

/** A list in JSON, as iproute2 and nft print it; empty output is an empty list. */
export function parseJson<Row>(json: string, command: string): Row[] {
  try {
    return json.trim() === '' ? [] : (JSON.parse(json) as Row[]);
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `cannot read the answer of "${command}": ${messageOf(cause)}`, { cause });
  }
}

export function routesOf(desired: OverlayState): KernelRoute[] {
  const source = desired.self.gateway;
  const routes = desired.peers.map((peer) => ({ way: peer.way, podCIDR: peer.podCIDR, via: nextHop(peer), source }));
  return [{ way: 'unreachable', podCIDR: desired.podRange, via: '', source: '' }, ...routes];
}

function nextHop(peer: OverlayPeer): string {
  if (peer.way === 'route') return peer.nodeAddress;
  return peer.way === 'vxlan' ? vxlanHop(peer.podCIDR) : '';
}

/** The address that stands for a peer on the VXLAN: the first of its pods' network, which nobody else has. */
export function vxlanHop(podCIDR: string): string {
  return podCIDR.split('/')[0] ?? '';
}

/** What must change so that exactly the desired routes are there; what replaces another comes before what goes. */
export function planRoutes(desired: OverlayState, observed: readonly KernelRoute[]): RouteChange[] {
  const wanted = routesOf(desired);
  const keyOf = (route: KernelRoute) => `${route.way === 'unreachable' ? '!' : ''}${route.podCIDR}`;
  const known = new Map(observed.map((route) => [keyOf(route), route]));
  const keys = new Set(wanted.map(keyOf));
  const changes = wanted.flatMap((route): RouteChange[] => {
    const now = known.get(keyOf(route));
    if (now === undefined) return [{ type: 'add', route }];
    const isSame = now.way === route.way && now.via === route.via && now.source === route.source;
    return isSame ? [] : [{ type: 'replace', route }];
  });
  const gone = observed.filter((route) => !keys.has(keyOf(route)));
  return [...changes, ...gone.map((route) => ({ type: 'delete', route }) as const)];
}

/** A line for `ip -batch`. */
export function renderRouteChange({ type, route }: RouteChange): string {
  const verb = type === 'delete' ? 'del' : type;
  if (route.way === 'unreachable') {
    return `route ${verb} unreachable ${route.podCIDR} proto ${routeProtocol} metric ${lastMetric}`;
  }
  if (type === 'delete') return `route del ${route.podCIDR} proto ${routeProtocol}`;
  const how = {
    route: `via ${route.via}`,
    vxlan: `via ${route.via} dev ${vxlanDevice} onlink`,
    wireguard: `dev ${wireguardDevice}`,
  }[route.way];
  return `route ${verb} ${route.podCIDR} ${how} src ${route.source} proto ${routeProtocol}`;
}
