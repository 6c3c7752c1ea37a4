import type { DnsServer, DnsZone } from '../../adapters/dns/port.ts';
import type { Overlay, OverlayRoute } from '../../adapters/overlay/port.ts';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { EndpointSlice, Node, Service } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import type { AddressPoolState } from './address-pool.ts';
import { AddressPool } from './address-pool.ts';

export interface PodNetworkOptions {
  readonly runtime: ContainerRuntime;
  readonly overlay: Overlay;
  /** Starts DNS on an address of the bridge. */
  readonly startDns: (address: string) => Promise<DnsServer>;
  readonly grid: string;
  readonly nodeName: string;
  readonly podRange: string;
  readonly buildZone: (services: Iterable<Service>, slices: Iterable<EndpointSlice>) => DnsZone;
  readonly networkName: string;
  readonly bridgeName: string;
  readonly trustedInterfaces: readonly string[];
  readonly addresses: AddressPoolState;
  /** `isReady` or `problem` changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The pod network of this node: bridge, routes to the other nodes, names. */
export interface PodNetwork {
  readonly isReady: boolean;
  /** Why it is not ready; undefined when it is. */
  readonly problem: string | undefined;
  readonly pool: AddressPool | undefined;
  /** This node's share, as the API says. */
  setRange(podCIDR: string): void;
  setNodes(nodes: Iterable<Node>): void;
  setNames(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  /** The engine was away: its bridge and rules may be gone. */
  check(): void;
  dnsStats(): { readonly queries: number; readonly forwarded: number; readonly failures: number } | undefined;
  stop(): Promise<void>;
}

const retry = { initialMs: 500, maxMs: 10_000 };
/** Routes and rules that somebody else took away are put back. */
const repairMs = 60_000;
const mtu = 1500;

export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { clock = systemClock, log, runtime, overlay } = options;
  let podCIDR: string | undefined;
  let pool: AddressPool | undefined;
  let peers: readonly OverlayRoute[] = [];
  let names: { services: Iterable<Service>; slices: Iterable<EndpointSlice> } | undefined;
  let dns: DnsServer | undefined;
  let dnsAddress: string | undefined;
  let isReady = false;
  let problem: string | undefined = 'waiting for an address range of this node';
  let hasBridge = false;
  let isDirty = false;
  let running: Promise<void> | undefined;
  let isStopped = false;
  let failures = 0;
  let cancelTimer = () => {};

  const tell = (found: string | undefined) => {
    if (isReady && problem === found) return;
    isReady ||= found === undefined;
    problem = found;
    options.onChange();
  };

  const applyOnce = async (cidr: string, addresses: AddressPool): Promise<void> => {
    if (!hasBridge) {
      await runtime.ensureNetwork({
        name: options.networkName,
        bridgeName: options.bridgeName,
        subnet: cidr,
        gateway: addresses.gateway,
        mtu,
        labels: { [hostLabels.grid]: options.grid, [hostLabels.node]: options.nodeName },
        trustedInterfaces: options.trustedInterfaces,
      });
      hasBridge = true;
    }
    await overlay.apply({
      podRange: options.podRange,
      self: { podCIDR: cidr, gateway: addresses.gateway, bridgeName: options.bridgeName },
      peers,
    });
    if (dnsAddress !== addresses.gateway) {
      await dns?.stop();
      dns = undefined;
      dns = await options.startDns(addresses.gateway);
      dnsAddress = addresses.gateway;
      applyNames();
    }
  };

  const run = async (): Promise<void> => {
    while (isDirty && !isStopped && podCIDR !== undefined && pool !== undefined) {
      isDirty = false;
      try {
        await applyOnce(podCIDR, pool);
        failures = 0;
        tell(undefined);
        schedule(repairMs);
      } catch (error) {
        failures++;
        hasBridge = false;
        log.warn('pod network failed, trying again', { failures, error });
        // Once it was up pods go on: routes to peers may be wrong, the bridge and what runs on it is there.
        tell(messageOf(error));
        schedule(backoffMs(failures, retry));
        return;
      }
    }
  };
  const apply = () => {
    isDirty = true;
    if (isStopped || podCIDR === undefined) return;
    running ??= run().finally(() => {
      running = undefined;
      if (isDirty) apply(); // asked for after the last look, before this
    });
  };
  const schedule = (ms: number) => {
    cancelTimer();
    cancelTimer = clock.after(ms, apply);
  };
  const applyNames = () => {
    if (dns && names) dns.apply(options.buildZone(names.services, names.slices));
  };

  return {
    get isReady() {
      return isReady;
    },
    get problem() {
      return problem;
    },
    get pool() {
      return pool;
    },
    setRange(cidr) {
      if (cidr === podCIDR) return;
      pool = new AddressPool(cidr, options.addresses);
      podCIDR = cidr;
      hasBridge = false;
      apply();
    },
    setNodes(nodes) {
      const found = peersOf(nodes, options.nodeName);
      if (JSON.stringify(found) === JSON.stringify(peers)) return;
      peers = found;
      apply();
    },
    setNames(services, slices) {
      names = { services: [...services], slices: [...slices] };
      applyNames();
    },
    check() {
      hasBridge = false;
      apply();
    },
    dnsStats: () => dns?.stats(),
    async stop() {
      isStopped = true;
      cancelTimer();
      await running;
      // Bridge, routes and rules stay: the containers go on.
      await dns?.stop();
    },
  };
}

/** The other nodes that have a range and an address. */
export function peersOf(nodes: Iterable<Node>, ownName: string): OverlayRoute[] {
  const peers: OverlayRoute[] = [];
  for (const node of nodes) {
    const nodeAddress = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    const podCIDR = node.spec.podCIDRs?.[0] ?? node.spec.podCIDR;
    if (node.metadata.name === ownName || nodeAddress === undefined || podCIDR === undefined) continue;
    peers.push({ nodeName: node.metadata.name, podCIDR, nodeAddress });
  }
  return peers.sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1));
}
