import type { Overlay, OverlayFacts } from '../../adapters/overlay/port.ts';
import type { PolicyEnforcer } from '../../adapters/policy/port.ts';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import type { ServiceProxy } from '../../adapters/services/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Applied } from '../../resources/applied.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { EndpointSlice, Node, Service } from '../../resources/kinds.ts';
import type { NodeReporter } from '../node/node-reporter.ts';
import type { AddressPoolState } from './address-pool.ts';
import { type DataPlane, type ServiceView, startDataPlane } from './data-plane.ts';
import { createNetworkReporter, type NetworkReporter } from './network-reporter.ts';
import { createNodeNames, type NodeNamesOptions } from './node-names.ts';
import { assessNat, nodeOverlayOf, renderOverlayAnnotations, slowOverlayOf } from './node-overlay.ts';
import { createPodNetwork, type PodNetwork } from './pod-network.ts';
import type { PolicyView } from './pod-policies.ts';
import { type PolicyKeeper, startPolicyKeeper } from './policy-keeper.ts';
import { createServiceAddresses } from './service-addresses.ts';

/** What a host does for its network, one adapter each. */
export interface NetworkAdapters {
  readonly overlay: Overlay;
  readonly serviceProxy: ServiceProxy;
  readonly policyEnforcer: PolicyEnforcer;
  readonly startDns: NodeNamesOptions['startDns'];
  readonly createZone: NodeNamesOptions['createZone'];
}

export interface NodeNetworkOptions {
  readonly adapters: NetworkAdapters;
  readonly runtime: ContainerRuntime;
  readonly grid: string;
  readonly nodeName: string;
  readonly domain: string;
  readonly networkName: string;
  readonly bridgeName: string;
  /** Where DNS listens on the bridge. Default 53. */
  readonly dnsPort?: number;
  readonly ownAddresses: readonly string[];
  readonly externalAddress?: string;
  readonly trustedInterfaces: readonly string[];
  readonly addresses: AddressPoolState;
  /** The newest that is known; undefined: nothing yet. */
  readonly serviceView: () => ServiceView | undefined;
  readonly policyView: () => PolicyView | undefined;
  readonly nodes: () => Iterable<Node>;
  readonly reporter: Pick<NodeReporter, 'update'>;
  /** To be told to all servers. */
  readonly reportApplied: (applied: Applied) => void;
  /** Pods may be waiting for the network. */
  readonly onChange: () => void;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Everything of the network on this node, and what it follows. */
export interface NodeNetwork {
  readonly pods: PodNetwork;
  /** All services and slices there are: what was on disk, or the first whole list of a server. */
  replaceServices(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  /** `key`: `<namespace>/<name>`; undefined: gone. */
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  /** Some container has got a cable. */
  wirePorts(): void;
  readonly plane: DataPlane;
  readonly policies: PolicyKeeper;
  setGrid(network: GridNetwork): void;
  /** This node's address as a server sees it. */
  setSeenAs(address: string): void;
  readonly report: NetworkReporter;
  /** Rules, routes and programs stay: the containers go on. */
  stop(): Promise<void>;
}

export function startNodeNetwork(options: NodeNetworkOptions): NodeNetwork {
  const { adapters, nodeName, reporter, clock, log } = options;
  let grid: GridNetwork | undefined;
  let overlayFacts: OverlayFacts = {};
  let seenAddress: string | undefined;
  let applied: Applied = { revision: 0 };

  const publish = () => {
    const { ownAddresses, externalAddress } = options;
    const nat = assessNat({ seenAddress, ownAddresses, ...(externalAddress === undefined ? {} : { externalAddress }) });
    const annotations = renderOverlayAnnotations({ ...overlayFacts, isBehindNat: nat.isBehindNat });
    reporter.update({ annotations, externalIP: nat.externalIP });
  };
  const tellProblem = () => {
    reporter.update({ networkProblem: pods.problem ?? policies.problem });
    options.onChange();
  };

  const names = createNodeNames({
    ...{ startDns: adapters.startDns, createZone: adapters.createZone },
    ...{ grid: options.grid, domain: options.domain, port: options.dnsPort ?? 53 },
  });
  const addresses = createServiceAddresses({
    ...{ proxy: adapters.serviceProxy, nodeName, clock, log },
    onDrift: () => plane.changed(),
  });
  const pods = createPodNetwork({
    ...{ runtime: options.runtime, overlay: adapters.overlay, grid: options.grid, nodeName },
    ...{ networkName: options.networkName, bridgeName: options.bridgeName, ownAddresses: options.ownAddresses },
    ...{ trustedInterfaces: options.trustedInterfaces, addresses: options.addresses, clock, log },
    onUp: async (self) => {
      if (!grid) return;
      addresses.up(self, grid);
      plane.changed();
      await names.listen(self.gateway, grid);
    },
    onFacts: (facts) => {
      overlayFacts = facts;
      publish();
    },
    onChange: tellProblem,
  });
  const policies = startPolicyKeeper({
    ...{ enforcer: adapters.policyEnforcer, view: options.policyView, clock, log },
    onProblem: tellProblem,
  });
  const plane = startDataPlane({
    view: options.serviceView,
    apply: async (view) => {
      await Promise.all([addresses.apply(), names.apply(view.revision)]);
    },
    pool: () => pods.pool,
    onApplied: (news) => {
      applied = news;
      options.reportApplied(news);
    },
    onRested: options.onChange,
    ...{ clock, log },
  });
  const report = createNetworkReporter({
    ...{ nodeName, overlay: adapters.overlay, network: pods, nodes: options.nodes, domain: options.domain, clock },
    applied: () => applied,
    notes: () => {
      const own = [...options.nodes()].find(({ metadata }) => metadata.name === nodeName);
      const slow = own && slowOverlayOf(nodeName, nodeOverlayOf(own));
      return [...(slow === undefined ? [] : [slow]), ...(policies.problem === undefined ? [] : [policies.problem])];
    },
    serviceAddress: () => serverAddressOf(options.serviceView()),
  });
  for (const name of ['queries', 'forwarded', 'failures'] as const) {
    const help = `DNS ${name} since the agent started.`;
    options.metrics.gauge(`flotilla_dns_${name}`, help, () => names.stats()?.[name] ?? 0);
  }
  options.metrics.gauge('flotilla_network_applied_revision', 'Changes up to it are in force.', () => applied.revision);

  return {
    ...{ pods, plane, policies, report, wirePorts: addresses.wirePorts },
    replaceServices(services, slices) {
      const all = [...services];
      const every = [...slices];
      addresses.replace(all, every);
      names.replace(all, every);
    },
    setService(key, service) {
      addresses.setService(key, service);
      names.setService(key, service);
    },
    setSlice(key, slice) {
      addresses.setSlice(key, slice);
      names.setSlice(key, slice);
    },
    setGrid(network) {
      grid = network;
      pods.setGrid(network);
    },
    setSeenAs(address) {
      seenAddress = address;
      publish();
    },
    async stop() {
      addresses.stop();
      await Promise.all([plane.stop(), policies.stop(), pods.stop()]);
      await names.stop();
    },
  };
}

/** Where pods reach the servers. */
function serverAddressOf(
  view: ServiceView | undefined,
): { readonly address: string; readonly port: number } | undefined {
  for (const { metadata, spec } of view?.services ?? []) {
    if (metadata.namespace !== 'default' || metadata.name !== 'kubernetes') continue;
    const port = spec.ports?.[0]?.port;
    const hasAddress = spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None';
    return hasAddress && spec.clusterIP && port !== undefined ? { address: spec.clusterIP, port } : undefined;
  }
  return undefined;
}
