import type { ObservedRoute, Overlay } from '../../adapters/overlay/port.ts';
import { formatIPv4, parseCidr } from '../../lib/cidr.ts';
import type { Clock } from '../../lib/clock.ts';
import { FlotillaError } from '../../lib/errors.ts';
import type { Applied } from '../../resources/applied.ts';
import type { Node } from '../../resources/kinds.ts';
import type { NetworkReport, PeerReport } from '../../resources/network-report.ts';
import { checkNetwork } from './network-check.ts';
import type { PodNetwork } from './pod-network.ts';

export interface NetworkReporterOptions {
  readonly nodeName: string;
  readonly overlay: Overlay;
  readonly network: PodNetwork;
  readonly nodes: () => Iterable<Node>;
  readonly applied: () => Applied;
  /** Sentences for an operator, besides those about peers. */
  readonly notes: () => readonly string[];
  /** Of the servers, where they have one. */
  readonly serviceAddress: () => { readonly address: string; readonly port: number } | undefined;
  readonly domain: string;
  readonly clock: Clock;
}

export type NetworkReporter = (
  options: { readonly withChecks: boolean },
  signal: AbortSignal,
) => Promise<NetworkReport>;

/** Tells how this node's network stands, and tries out what pods do when it is asked to. */
export function createNetworkReporter(options: NetworkReporterOptions): NetworkReporter {
  const { nodeName, overlay, network, clock } = options;
  return async ({ withChecks }, signal) => {
    const { routes } = await overlay.observe();
    const peers = renderPeers(options.nodes(), nodeName, routes, clock.wallMs());
    const { podCIDR, gateway, mtu, problem } = network.facts();
    const report = {
      node: nodeName,
      ...(podCIDR === undefined ? {} : { podCIDR }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(problem === undefined ? {} : { problem }),
      notes: [...options.notes(), ...network.facts().notes],
      applied: options.applied(),
      peers,
    };
    if (!withChecks) return report;
    if (gateway === undefined) throw new FlotillaError('Unavailable', `node ${nodeName} has no address range yet`);
    const serviceAddress = options.serviceAddress();
    const targets = {
      peers: new Map(peers.map((one) => [one.node, gatewayOf(one.podCIDR)])),
      gateway,
      name: `kubernetes.default.svc.${options.domain}`,
      ...(serviceAddress ? { serviceAddress } : {}),
    };
    return { ...report, checks: await checkNetwork(targets, signal) };
  };
}

/** All nodes that have a share of the range, with what the kernel knows of each. */
export function renderPeers(
  nodes: Iterable<Node>,
  ownName: string,
  routes: readonly ObservedRoute[],
  wallMs: number,
): PeerReport[] {
  const peers: PeerReport[] = [];
  for (const { metadata, spec } of nodes) {
    const podCIDR = spec.podCIDRs?.[0] ?? spec.podCIDR;
    if (metadata.name === ownName || podCIDR === undefined) continue;
    const route = routes.find((one) => one.podCIDR === podCIDR);
    const { tunnel } = route ?? {};
    peers.push({
      node: metadata.name,
      podCIDR,
      ...(route ? { way: route.way } : {}),
      ...(route?.nodeAddress === undefined ? {} : { address: route.nodeAddress }),
      ...(route?.mtu === undefined ? {} : { mtu: route.mtu }),
      ...(tunnel
        ? {
            handshakeAgeMs:
              tunnel.lastHandshakeAtMs === undefined ? -1 : Math.max(0, wallMs - tunnel.lastHandshakeAtMs),
            receivedBytes: tunnel.receivedBytes,
            sentBytes: tunnel.sentBytes,
          }
        : {}),
    });
  }
  return peers.sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** The first address of a node's share; its DNS listens there. */
function gatewayOf(podCIDR: string): string {
  const network = parseCidr(podCIDR);
  return network ? formatIPv4(network.first + 1) : podCIDR;
}
