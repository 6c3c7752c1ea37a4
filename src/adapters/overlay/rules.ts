import ipaddr from 'ipaddr.js';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { OverlayRoute, OverlayState } from './port.ts';

/** Our mark on routes, rtnetlink(7) `rtm_protocol`; a number that /etc/iproute2/rt_protos does not name. */
export const routeProtocol = '81';

export interface KernelRoute {
  readonly podCIDR: string;
  readonly nodeAddress: string;
  /** `src`, without which host processes leave with the node's address and the far side drops them. */
  readonly source: string;
}

export type RouteChange =
  | { readonly type: 'replace'; readonly route: KernelRoute }
  | { readonly type: 'delete'; readonly podCIDR: string };

/** Reads `ip -j route show`. */
export function parseRoutes(json: string): KernelRoute[] {
  try {
    const rows = json.trim() === '' ? [] : (JSON.parse(json) as { dst: string; gateway?: string; prefsrc?: string }[]);
    return rows.map((row) => ({
      podCIDR: row.dst.includes('/') ? row.dst : `${row.dst}/32`,
      nodeAddress: row.gateway ?? '',
      source: row.prefsrc ?? '',
    }));
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `cannot read the answer of "ip -j route": ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** What must change so that exactly the desired routes are there. Throws Invalid for a peer that no route can be made for. */
export function planRoutes(desired: OverlayState, observed: readonly KernelRoute[]): RouteChange[] {
  const wanted = new Map(desired.peers.map((peer) => [peer.podCIDR, checkedRoute(desired, peer)]));
  const changes: RouteChange[] = [];
  for (const route of observed) {
    if (!wanted.has(route.podCIDR)) changes.push({ type: 'delete', podCIDR: route.podCIDR });
  }
  for (const route of wanted.values()) {
    const same = observed.some(
      (one) => one.podCIDR === route.podCIDR && one.nodeAddress === route.nodeAddress && one.source === route.source,
    );
    if (!same) changes.push({ type: 'replace', route });
  }
  return changes;
}

/** A peer's words become arguments of `ip`: they must be what they claim to be, and inside the grid's range. */
function checkedRoute(desired: OverlayState, peer: OverlayRoute): KernelRoute {
  const inRange = (): boolean => {
    const [address] = ipaddr.parseCIDR(peer.podCIDR);
    return address.kind() === 'ipv4' && address.match(ipaddr.parseCIDR(desired.podRange));
  };
  if (!ipaddr.IPv4.isValidCIDR(peer.podCIDR) || !inRange() || !ipaddr.IPv4.isValidFourPartDecimal(peer.nodeAddress)) {
    throw new FlotillaError(
      'Invalid',
      `node ${peer.nodeName}: no route to pods ${peer.podCIDR} through address "${peer.nodeAddress}" (range ${desired.podRange})`,
    );
  }
  return { podCIDR: peer.podCIDR, nodeAddress: peer.nodeAddress, source: desired.self.gateway };
}

/** Input of `ip -batch -`. */
export function renderRouteBatch(changes: readonly RouteChange[]): string {
  const lines = changes.map((change) =>
    change.type === 'delete'
      ? `route del ${change.podCIDR} proto ${routeProtocol}`
      : `route replace ${change.route.podCIDR} via ${change.route.nodeAddress} src ${change.route.source} proto ${routeProtocol}`,
  );
  return `${lines.join('\n')}\n`;
}

/** One table, replaced as a whole in one transaction: pods keep their address inside the range and lose it outside. */
export function renderNft(table: string, desired: OverlayState): string {
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${desired.self.podCIDR} ip daddr != ${desired.podRange} oifname != "${desired.self.bridgeName}" masquerade comment "pods reach the outside"
  }
}
`;
}
