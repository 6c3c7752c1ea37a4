import { contains, parseCidr, parseIPv4 } from '../../lib/cidr.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { isPublicKey, type OverlayPeer, type OverlayState } from './port.ts';

/** Others' words become arguments of host tools: they must be what they claim to be. Throws Invalid that names the node. */
export function checkState(state: OverlayState): void {
  const range = parseCidr(state.podRange);
  if (!range) throw new FlotillaError('Invalid', `pod range "${state.podRange}" is no IPv4 network`);
  const cidrs = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const peer of state.peers) {
    const cidr = parseCidr(peer.podCIDR);
    if (!cidr || !contains(range, cidr.first) || !contains(range, cidr.last) || !isWayValid(peer)) {
      throw new FlotillaError(
        'Invalid',
        `node ${peer.nodeName}: no way to pods ${peer.podCIDR} ${describeWay(peer)} (range ${state.podRange})`,
      );
    }
    if (peer.way !== 'route' && state.devices?.[peer.way] === undefined) {
      throw new FlotillaError('Invalid', `node ${peer.nodeName}: to be reached by ${peer.way}, which has no device`);
    }
    takeOnce(cidrs, peer.podCIDR, peer.nodeName, 'pods');
    if (peer.way === 'wireguard') takeOnce(keys, peer.publicKey, peer.nodeName, 'WireGuard key');
  }
}

/** Two peers with one of these would take each other's packets. */
function takeOnce(taken: Map<string, string>, value: string, nodeName: string, what: string): void {
  const other = taken.get(value);
  if (other !== undefined) {
    throw new FlotillaError('Invalid', `node ${nodeName}: its ${what} ${value} is that of node ${other} too`);
  }
  taken.set(value, nodeName);
}

function isWayValid(peer: OverlayPeer): boolean {
  if (peer.way !== 'wireguard') return parseIPv4(peer.nodeAddress) !== undefined;
  return isPublicKey(peer.publicKey) && (peer.endpoint === undefined || isEndpoint(peer.endpoint));
}

function isEndpoint(text: string): boolean {
  const [address = '', port = ''] = text.split(':');
  return parseIPv4(address) !== undefined && /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535;
}

function describeWay(peer: OverlayPeer): string {
  if (peer.way !== 'wireguard') return `by ${peer.way} through address "${peer.nodeAddress}"`;
  return `by wireguard with key "${peer.publicKey}" at "${peer.endpoint ?? 'an address to be learned'}"`;
}
