import type { ServiceProxy } from '../../adapters/services/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { GridNetwork } from '../../resources/grid-network.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import type { BridgeFacts } from './pod-network.ts';
import { VirtualServices } from './virtual-services.ts';

export interface ServiceAddressesOptions {
  readonly proxy: ServiceProxy;
  readonly nodeName: string;
  /** The host lost what was applied: apply again. */
  readonly onDrift: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Service addresses of this node. */
export interface ServiceAddresses {
  /** All there are: what was on disk, or the first whole list of a server. */
  replace(services: Iterable<Service>, slices: Iterable<EndpointSlice>): void;
  /** `key`: `<namespace>/<name>`; undefined: gone. */
  setService(key: string, service: Service | undefined): void;
  setSlice(key: string, slice: EndpointSlice | undefined): void;
  /** The bridge is up, perhaps anew. */
  up(self: BridgeFacts, grid: GridNetwork): void;
  /** Resolves when the kernel follows; before the bridge is up there is nobody to follow for. */
  apply(): Promise<void>;
  /** Some container has got a cable. */
  wirePorts(): void;
  stop(): void;
}

/** What somebody else took away is put back. */
const lookMs = 4_000;
const gatherMs = 20;

export function createServiceAddresses(options: ServiceAddressesOptions): ServiceAddresses {
  const { proxy, nodeName, clock, log } = options;
  const virtual = new VirtualServices(nodeName);
  let frame: { readonly self: BridgeFacts; readonly grid: GridNetwork } | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let isStopped = false;
  let cancelLook = () => {};
  let cancelWiring: (() => void) | undefined;

  /** The adapter takes one call at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = running.then(work);
    running = mine.catch(() => {});
    return mine;
  };
  const look = () => {
    cancelLook = clock.after(lookMs, () => {
      inTurn(() => proxy.hasDrifted())
        .then(
          (hasDrifted) => {
            if (!hasDrifted || isStopped) return;
            log.warn('somebody changed the rules of service addresses; putting them back');
            options.onDrift();
          },
          (error) => log.warn('cannot look at the rules of service addresses', { error }),
        )
        .finally(() => {
          if (!isStopped) look();
        });
    });
  };

  return {
    replace: (services, slices) => virtual.replace(services, slices),
    setService: (key, service) => virtual.setService(key, service),
    setSlice: (key, slice) => virtual.setSlice(key, slice),
    up(self, grid) {
      if (!frame) look();
      frame = { self, grid };
    },
    async apply() {
      if (!frame) return;
      const { self, grid } = frame;
      const { podRange, serviceRange } = grid;
      const services = virtual.state;
      await inTurn(() => proxy.apply({ podRange, serviceRange, self, services }));
    },
    wirePorts() {
      cancelWiring ??= clock.after(gatherMs, () => {
        cancelWiring = undefined;
        inTurn(() => proxy.wirePorts()).catch((error) => log.warn('ports of the bridge not set up', { error }));
      });
    },
    stop() {
      isStopped = true;
      cancelLook();
      cancelWiring?.();
    },
  };
}
