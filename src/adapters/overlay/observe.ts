import { FlotillaError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { vxlanDevice, wireguardDevice } from './devices.ts';
import { observeFirewall } from './firewall.ts';
import type { ObservedHost } from './plan.ts';
import type { ObservedRoute } from './port.ts';
import { type KernelRoute, parseJson, parseRoutes, routeProtocol } from './routes.ts';
import { macOf, type ObservedLink, parseForwarding, parseLink, parseNeighbours } from './vxlan.ts';
import { type ObservedWireguard, parseDump } from './wireguard.ts';

const ordinaryMtu = 1_500;

/** Reads everything that `planOverlay` compares with. `address`: of this host. */
export async function observeHost(exec: Exec, address: string | undefined): Promise<ObservedHost> {
  const [underlayMtu, firewall, routes, vxlan, wireguard] = await Promise.all([
    observeUnderlayMtu(exec, address),
    observeFirewall(exec),
    observeRoutes(exec),
    observeVxlan(exec),
    observeWireguard(exec),
  ]);
  return { underlayMtu, firewall, routes, vxlan, wireguard };
}

/** Of the interface that carries the address; an ordinary one where none does. */
export async function observeUnderlayMtu(exec: Exec, address: string | undefined): Promise<number> {
  if (address === undefined) return ordinaryMtu;
  const { stdout } = await exec(['ip', '-j', '-4', 'addr', 'show', 'to', `${address}/32`]);
  return parseJson<{ mtu?: number }>(stdout, 'ip -j addr').find((link) => link.mtu !== undefined)?.mtu ?? ordinaryMtu;
}

export async function observeRoutes(exec: Exec): Promise<KernelRoute[]> {
  return parseRoutes((await exec(['ip', '-j', '-4', 'route', 'show', 'proto', routeProtocol])).stdout);
}

async function observeLink(exec: Exec, device: string): Promise<ObservedLink | undefined> {
  return parseLink((await exec(['ip', '-d', '-j', 'addr', 'show', 'dev', device], { okCodes: [0, 1] })).stdout);
}

export async function observeVxlan(exec: Exec): Promise<ObservedHost['vxlan']> {
  const link = await observeLink(exec, vxlanDevice);
  if (!link?.vxlan) return { link, neighbours: new Map(), forwarding: new Map() };
  const gone = { okCodes: [0, 1, 255] }; // the device went meanwhile
  const [neighbours, forwarding] = await Promise.all([
    exec(['ip', '-j', 'neigh', 'show', 'dev', vxlanDevice, 'nud', 'permanent'], gone),
    exec(['bridge', '-j', 'fdb', 'show', 'dev', vxlanDevice], gone),
  ]);
  return { link, neighbours: parseNeighbours(neighbours.stdout), forwarding: parseForwarding(forwarding.stdout) };
}

export async function observeWireguard(exec: Exec): Promise<ObservedWireguard> {
  const link = await observeLink(exec, wireguardDevice);
  if (!link) return { link };
  try {
    const { stdout, code } = await exec(['wg', 'show', wireguardDevice, 'dump'], { okCodes: [0, 1], timeoutMs: 5_000 });
    return code === 0 ? { link, config: parseDump(stdout) } : { link };
  } catch (error) {
    // A program that stands still does not answer: it is as good as dead.
    if (error instanceof FlotillaError && error.retryable) return { link };
    throw error;
  }
}

/** One entry a peer, joined from what the kernel knows. */
export function joinRoutes({
  routes,
  vxlan,
  wireguard,
}: Omit<ObservedHost, 'firewall' | 'underlayMtu'>): ObservedRoute[] {
  const tunnels = new Map(wireguard.config?.peers.flatMap((peer) => peer.allowedIPs.map((range) => [range, peer])));
  return routes.flatMap(({ way, podCIDR, via }): ObservedRoute[] => {
    if (way === 'unreachable') return [];
    if (way === 'route') return [{ podCIDR, way, nodeAddress: via }];
    if (way === 'vxlan') {
      const nodeAddress = vxlan.forwarding.get(macOf(podCIDR));
      const mtu = vxlan.link?.mtu;
      return [{ podCIDR, way, ...(nodeAddress ? { nodeAddress } : {}), ...(mtu ? { mtu } : {}) }];
    }
    const peer = tunnels.get(podCIDR);
    const mtu = wireguard.link?.mtu;
    const nodeAddress = peer?.endpoint?.split(':')[0];
    const tunnel = peer && {
      ...(peer.lastHandshakeAtMs > 0 ? { lastHandshakeAtMs: peer.lastHandshakeAtMs } : {}),
      receivedBytes: peer.receivedBytes,
      sentBytes: peer.sentBytes,
    };
    return [
      { podCIDR, way, ...(nodeAddress ? { nodeAddress } : {}), ...(mtu ? { mtu } : {}), ...(tunnel ? { tunnel } : {}) },
    ];
  });
}
