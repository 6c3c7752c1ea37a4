import type { Overlay, OverlayFacts, OverlayPeer, OverlayState } from '../../adapters/overlay/port.ts';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { Node } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import { AddressPool, type AddressPoolState } from './address-pool.ts';
import { planPeers } from './overlay-peers.ts';

export interface PodNetworkOptions {
  readonly runtime: ContainerRuntime;
  readonly overlay: Overlay;
  readonly grid: string;
  readonly nodeName: string;
  readonly networkName: string;
  readonly bridgeName: string;
  /** Of this host, those that its peers know; the first one first. */
  readonly ownAddresses: readonly string[];
  readonly trustedInterfaces: readonly string[];
  readonly addresses: AddressPoolState;
  /** Bridge and overlay are up, perhaps anew. A rejection is told as the network's, and tried again. */
  readonly onUp: (self: BridgeFacts) => Promise<void>;
  /** What peers must know of this node. */
  readonly onFacts: (facts: OverlayFacts) => void;
  /** `isReady` or `problem` changed. */
  readonly onChange: () => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface BridgeFacts {
  readonly podCIDR: string;
  readonly gateway: string;
  readonly bridgeName: string;
}

/** What `node show` tells. */
export interface NetworkFacts {
  readonly podCIDR?: string;
  readonly gateway?: string;
  readonly mtu?: number;
  readonly problem?: string;
  /** Sentences for an operator. */
  readonly notes: readonly string[];
}

/** The pod network of this node: its addresses, its bridge, the ways to the other nodes. */
export interface PodNetwork {
  readonly isReady: boolean;
  /** Why it is not ready; undefined when it is. */
  readonly problem: string | undefined;
  readonly pool: AddressPool | undefined;
  /** What holds for the whole grid. */
  setGrid(network: GridNetwork): void;
  /** This node's share, as the API says. */
  setRange(podCIDR: string): void;
  setNodes(nodes: Iterable<Node>): void;
  /** The engine was away: its bridge and rules may be gone. */
  check(): void;
  facts(): NetworkFacts;
  stop(): Promise<void>;
}

const retry = { initialMs: 500, maxMs: 10_000 };
/** What somebody else took away is put back. */
const lookMs = 4_000;

export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { clock = systemClock, log, runtime, overlay, bridgeName } = options;
  let grid: GridNetwork | undefined;
  let podCIDR: string | undefined;
  let pool: AddressPool | undefined;
  /** Undefined: not known yet. What an agent before this one has made for them stays until then. */
  let nodes: readonly Node[] | undefined;
  let peers: readonly OverlayPeer[] = [];
  let notes: readonly string[] = [];
  let mtu: number | undefined;
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

  const applyOnce = async (settings: GridNetwork, nodes: readonly Node[], self: BridgeFacts): Promise<void> => {
    const { nodeName, ownAddresses } = options;
    const { problems, ...ways } = planPeers({ nodes, ownName: nodeName, ownAddresses, settings, former: peers });
    const [address] = ownAddresses;
    const state: OverlayState = {
      podRange: settings.podRange,
      self: { ...self, ...(address === undefined ? {} : { address }) },
      ...ways,
    };
    if (!hasBridge) {
      mtu = await overlay.podMtu(state);
      await runtime.ensureNetwork({
        name: options.networkName,
        bridgeName,
        subnet: self.podCIDR,
        gateway: self.gateway,
        mtu,
        labels: { [hostLabels.grid]: options.grid, [hostLabels.node]: nodeName },
        trustedInterfaces: options.trustedInterfaces,
      });
      hasBridge = true;
    }
    options.onFacts(await overlay.apply(state));
    peers = state.peers;
    notes = problems.map(({ message }) => message);
    await options.onUp(self);
  };

  const run = async (): Promise<void> => {
    while (isDirty && !isStopped && grid && nodes && podCIDR !== undefined && pool) {
      isDirty = false;
      try {
        await applyOnce(grid, nodes, { podCIDR, gateway: pool.gateway, bridgeName });
        failures = 0;
        tell(undefined);
        look();
      } catch (error) {
        failures++;
        hasBridge = false;
        if (failures === 1) log.warn('pod network failed, trying again', { error });
        // Once it was up pods go on: routes to peers may be wrong, the bridge and what runs on it is there.
        tell(messageOf(error));
        cancelTimer();
        cancelTimer = clock.after(backoffMs(failures, retry), apply);
        return;
      }
    }
  };
  const apply = () => {
    isDirty = true;
    if (isStopped || !grid || !nodes || podCIDR === undefined) return;
    running ??= run().finally(() => {
      running = undefined;
      if (isDirty) apply(); // asked for after the last look, before this
    });
  };
  const look = () => {
    cancelTimer();
    cancelTimer = clock.after(lookMs, () => {
      overlay.hasDrifted().then(
        (hasDrifted) => {
          if (hasDrifted) log.warn('somebody changed the overlay; putting it back');
          if (hasDrifted) check();
          else if (!running) look();
        },
        (error) => {
          log.warn('cannot look at the overlay', { error });
          look();
        },
      );
    });
  };
  const check = () => {
    hasBridge = false;
    apply();
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
    setGrid(network) {
      grid = network;
      apply();
    },
    setRange(cidr) {
      if (cidr === podCIDR) return;
      pool = new AddressPool(cidr, options.addresses);
      podCIDR = cidr;
      check();
    },
    setNodes(all) {
      const before = JSON.stringify(nodes?.map(placeOf));
      nodes = [...all];
      if (JSON.stringify(nodes.map(placeOf)) !== before) apply();
    },
    check,
    facts: () => ({
      ...(podCIDR === undefined ? {} : { podCIDR }),
      ...(pool === undefined ? {} : { gateway: pool.gateway }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(problem === undefined ? {} : { problem }),
      notes,
    }),
    async stop() {
      isStopped = true;
      cancelTimer();
      await running;
      // Bridge, routes and rules stay: the containers go on.
    },
  };
}

/** What of a node the overlay depends on: heartbeats and the like change nothing. */
function placeOf({ metadata, spec, status }: Node): unknown {
  return [metadata.name, metadata.labels, metadata.annotations, spec.podCIDRs ?? spec.podCIDR, status?.addresses];
}
