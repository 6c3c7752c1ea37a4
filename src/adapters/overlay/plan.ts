import { FlotillaError } from '../../lib/errors.ts';
import { vxlanDevice, wireguardDevice } from './devices.ts';
import { isTableWhole, type ObservedFirewall, renderNft } from './firewall.ts';
import type { Lingering } from './linger.ts';
import { overheadBytes } from './mtu.ts';
import type { OverlayState, OverlayWay, WireguardPeer } from './port.ts';
import { type KernelRoute, planRoutes, renderRouteChange } from './routes.ts';
import { isOwnVxlan, type ObservedVxlan, planVxlan } from './vxlan.ts';
import { isOwnWireguard, type ObservedWireguard, planWireguard } from './wireguard.ts';

/** What the host has. */
export interface ObservedHost {
  readonly underlayMtu: number;
  readonly firewall: ObservedFirewall;
  /** Those with our mark. */
  readonly routes: readonly KernelRoute[];
  readonly vxlan: ObservedVxlan;
  readonly wireguard: ObservedWireguard;
}

export type OverlayStep =
  | { readonly type: 'forward' }
  | { readonly type: 'accept'; readonly range: string }
  | { readonly type: 'filter'; readonly nft: string }
  /** Lines for `ip -batch` or `bridge -batch`; each is tried, whatever became of those before. */
  | { readonly type: 'ip' | 'bridge'; readonly lines: readonly string[] }
  /** `port`: a program that holds it and does not answer is ended. */
  | { readonly type: 'start-wireguard'; readonly removeFirst: boolean; readonly port: number }
  | { readonly type: 'wireguard-key'; readonly port: number }
  | { readonly type: 'wg'; readonly argv: readonly string[] }
  /** Packets may come in by another device than the one by which the answer leaves: while both sides change their way. */
  | { readonly type: 'loose-reverse-path'; readonly device: string }
  | { readonly type: 'remove-device'; readonly device: string }
  /** Cannot be done; the others are. */
  | { readonly type: 'fail'; readonly error: unknown };

export interface PlanContext {
  readonly lingering: Lingering;
  /** This host's own; needed with WireGuard. */
  readonly publicKey?: string;
  readonly formerEndpoints: ReadonlyMap<string, string>;
  /** ms since 1970. */
  readonly nowMs: number;
}

/**
 * What has to be done, in an order that leaves no gap: first what receives and sends on a new way, then the routes swing over,
 * each at once, then the former way goes. Nothing when nothing differs.
 */
export function planOverlay(desired: OverlayState, host: ObservedHost, context: PlanContext): OverlayStep[] {
  const parts = [planVxlanSteps(desired, host, context), planWireguardSteps(desired, host, context)];
  // The kernel takes the routes of a device that goes, or goes down.
  const remade = parts.flatMap(({ remade }) => remade ?? []);
  const routes = host.routes.filter((route) => !remade.some((way) => way === route.way));
  const changes = planRoutes(desired, routes).map(renderRouteChange);
  return [
    ...planFirewall(desired, host.firewall),
    ...parts.flatMap(({ before }) => before),
    ...batch('ip', changes),
    ...parts.flatMap(({ after }) => after),
  ];
}

/** What comes before the routes change, and after. */
interface DeviceSteps {
  readonly before: readonly OverlayStep[];
  readonly after: readonly OverlayStep[];
  /** The device is a new one, or was down. */
  readonly remade?: OverlayWay;
}

function planVxlanSteps(desired: OverlayState, host: ObservedHost, { lingering }: PlanContext): DeviceSteps {
  const isOurs = isOwnVxlan(host.vxlan.link);
  const port = desired.devices?.vxlan?.port ?? (isOurs ? lingering.vxlanPort : undefined);
  if (port === undefined) return { before: [], after: isOurs ? [{ type: 'remove-device', device: vxlanDevice }] : [] };
  if (host.vxlan.link && !isOurs) return { before: [{ type: 'fail', error: notOurs(vxlanDevice) }], after: [] };
  const plan = planVxlan(desired, host.vxlan, host.underlayMtu - overheadBytes.vxlan, port);
  const before: OverlayStep[] = [
    ...batch('ip', plan.device),
    ...(plan.isRemade ? [{ type: 'loose-reverse-path', device: vxlanDevice } as const] : []),
    ...batch('bridge', plan.addForwarding),
    ...batch('ip', plan.addNeighbours),
  ];
  const after = [...batch('ip', plan.removeNeighbours), ...batch('bridge', plan.removeForwarding)];
  return { before, after, ...(plan.isRemade ? { remade: 'vxlan' } : {}) };
}

function planWireguardSteps(desired: OverlayState, host: ObservedHost, context: PlanContext): DeviceSteps {
  const { lingering, publicKey, formerEndpoints, nowMs } = context;
  const { link, config } = host.wireguard;
  const port = desired.devices?.wireguard?.port ?? (config ? lingering.wireguardPort : undefined);
  if (port === undefined || publicKey === undefined) {
    return { before: [], after: config ? [{ type: 'remove-device', device: wireguardDevice }] : [] };
  }
  if (link && !isOwnWireguard(link)) return { before: [{ type: 'fail', error: notOurs(wireguardDevice) }], after: [] };
  const mtu = host.underlayMtu - overheadBytes.wireguard;
  const peers = wireguardPeers(desired, lingering);
  const plan = planWireguard(
    { port, publicKey, mtu, podCIDR: desired.self.podCIDR, peers, formerEndpoints, nowMs },
    host.wireguard,
  );
  const before: OverlayStep[] = [
    ...(plan.start ? [{ type: 'start-wireguard', removeFirst: plan.removeFirst, port } as const] : []),
    ...(plan.setKeyAndPort ? [{ type: 'wireguard-key', port } as const] : []),
    ...batch('ip', plan.device),
    ...(plan.start ? [{ type: 'loose-reverse-path', device: wireguardDevice } as const] : []),
    ...plan.addPeers.map((argv) => ({ type: 'wg', argv }) as const),
  ];
  const after = plan.removePeers.map((argv) => ({ type: 'wg', argv }) as const);
  return { before, after, ...(plan.isRemade ? { remade: 'wireguard' } : {}) };
}

function notOurs(device: string): FlotillaError {
  return new FlotillaError('Conflict', `interface ${device} exists on this host and is not Flotilla's`, {
    hint: `Look at it with ip -d link show ${device}, and rename it`,
  });
}

function planFirewall(desired: OverlayState, firewall: ObservedFirewall): OverlayStep[] {
  const nft = renderNft(desired);
  const isAccepted = firewall.acceptedRanges.join() === desired.podRange;
  return [
    ...(firewall.isForwarding ? [] : [{ type: 'forward' } as const]),
    ...(isAccepted ? [] : [{ type: 'accept', range: desired.podRange } as const]),
    ...(isTableWhole(nft, firewall) ? [] : [{ type: 'filter', nft } as const]),
  ];
}

function wireguardPeers(desired: OverlayState, lingering: Lingering): readonly WireguardPeer[] {
  const peers = desired.peers.filter((peer): peer is WireguardPeer => peer.way === 'wireguard');
  const keys = new Set(peers.map((peer) => peer.publicKey));
  return [...peers, ...lingering.peers.filter((peer) => !keys.has(peer.publicKey))];
}

function batch(type: 'ip' | 'bridge', lines: readonly string[]): OverlayStep[] {
  return lines.length === 0 ? [] : [{ type, lines }];
}
