import { isPublicKey, type OverlayFacts, type WireguardFacts } from '../../adapters/overlay/port.ts';
import type { Node } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';

/** What a node says of itself, so that others can reach its pods. */
export interface NodeOverlay extends OverlayFacts {
  /** Others cannot begin to speak to it. */
  readonly isBehindNat: boolean;
}

/** Annotations of the own Node object, as a merge patch takes them: what is not so is taken away. */
export function renderOverlayAnnotations({
  vxlan,
  wireguard,
  isBehindNat,
}: NodeOverlay): Record<string, string | null> {
  const devices = Object.entries({ vxlan, wireguard }).flatMap(([name, one]) => (one ? [`${name}=${one.port}`] : []));
  return {
    [annotations.overlay]: devices.length > 0 ? devices.join(',') : null,
    [annotations.wireguardPublicKey]: wireguard?.publicKey ?? null,
    [annotations.wireguard]: wireguard?.implementation ?? null,
    [annotations.behindNat]: isBehindNat ? 'true' : null,
  };
}

/** Reads what `renderOverlayAnnotations` wrote; what makes no sense is not there. */
export function nodeOverlayOf(node: Node): NodeOverlay {
  const found = node.metadata.annotations ?? {};
  const devices = found[annotations.overlay] ?? '';
  const vxlanPort = portOf(devices, 'vxlan');
  const port = portOf(devices, 'wireguard');
  const publicKey = found[annotations.wireguardPublicKey] ?? '';
  const implementation: WireguardFacts['implementation'] =
    found[annotations.wireguard] === 'kernel' ? 'kernel' : 'userspace';
  return {
    ...(vxlanPort === undefined ? {} : { vxlan: { port: vxlanPort } }),
    ...(port === undefined || !isPublicKey(publicKey) ? {} : { wireguard: { port, publicKey, implementation } }),
    isBehindNat: found[annotations.behindNat] === 'true',
  };
}

function portOf(devices: string, name: string): number | undefined {
  const port = Number(new RegExp(`(?:^|,)${name}=([1-9]\\d{0,4})(?:,|$)`).exec(devices)?.[1]);
  return port <= 65_535 ? port : undefined;
}

/** For `node show` and `doctor`: what slows this node down, as a sentence; undefined: nothing. */
export function slowOverlayOf(nodeName: string, { wireguard }: NodeOverlay): string | undefined {
  if (wireguard?.implementation !== 'userspace') return undefined;
  return `node ${nodeName} encrypts with wireguard-go, at about a thirtieth of the speed: its kernel has no WireGuard (Linux 5.6 and later have it)`;
}

export interface NatQuestion {
  /** This node's address as a server sees it; undefined before one has told. */
  readonly seenAddress: string | undefined;
  /** Of this host. */
  readonly ownAddresses: readonly string[];
  /** `--external-address`: an operator says that others reach this node there. */
  readonly externalAddress?: string;
}

export interface NatAnswer {
  readonly isBehindNat: boolean;
  /** `ExternalIP` of the Node object; absent: it has none besides its own addresses. */
  readonly externalIP?: string;
}

/**
 * A server that sees another address than this host has looks through a NAT: nobody outside can begin to speak to this node,
 * unless an operator has given the address where they can. A server on the same host, or behind the same NAT, sees an own one.
 */
export function assessNat({ seenAddress, ownAddresses, externalAddress }: NatQuestion): NatAnswer {
  if (externalAddress !== undefined) return { isBehindNat: false, externalIP: externalAddress };
  const seen = seenAddress?.replace(/^::ffff:/, '');
  if (seen === undefined || ownAddresses.includes(seen) || /^(127\.|::1$)/.test(seen)) return { isBehindNat: false };
  return { isBehindNat: true, externalIP: seen };
}
