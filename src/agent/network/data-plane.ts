import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Applied } from '../../resources/applied.ts';
import type { EndpointSlice, Service } from '../../resources/kinds.ts';
import type { AddressPool } from './address-pool.ts';
import { AddressRest } from './address-rest.ts';
import { startApplyLoop } from './apply-loop.ts';

/** Services and who is behind them, all of one moment. */
export interface ServiceView {
  readonly services: Iterable<Service>;
  readonly slices: Iterable<EndpointSlice>;
  /** For which it is true; 0: what was on disk when the agent started. */
  readonly revision: number;
  /** The revision since which the slices have been these. */
  readonly slicesSince: number;
}

export interface DataPlaneOptions {
  /** The newest; undefined: nothing is known yet. */
  readonly view: () => ServiceView | undefined;
  /** Resolves when names and service addresses follow `view`. */
  readonly apply: (view: ServiceView) => Promise<void>;
  readonly pool: () => AddressPool | undefined;
  /** To be told to all servers. */
  readonly onApplied: (applied: Applied) => void;
  /** Addresses have come back: pods may be waiting for one. */
  readonly onRested: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What follows the services on this node, and how far. */
export interface DataPlane {
  /** The view is a newer one, or the host lost what was applied. */
  changed(): void;
  /** What all nodes have applied, as a server has just said, once a second or more often; undefined: no server says anything. */
  setAppliedByAll(revision: number | undefined): void;
  stop(): Promise<void>;
}

export function startDataPlane(options: DataPlaneOptions): DataPlane {
  const rest = new AddressRest();
  let appliedByAll: number | undefined;
  let used: { readonly since: number; readonly addresses: ReadonlySet<string> } | undefined;

  const settle = () => {
    const pool = options.pool();
    const view = options.view();
    if (!pool || !view || pool.resting.length === 0) return;
    if (view.slicesSince === 0 || used?.since !== view.slicesSince) {
      used = { since: view.slicesSince, addresses: usableAddresses(view.slices) };
    }
    const rested = rest.settle(pool.resting, used, appliedByAll);
    if (rested.length === 0) return;
    pool.wake(rested);
    options.onRested();
  };
  const loop = startApplyLoop({
    what: 'names and service addresses',
    revision: () => options.view()?.revision ?? 0,
    apply: async () => {
      const view = options.view();
      if (view) await options.apply(view);
    },
    onApplied: (applied) => {
      options.onApplied(applied);
      settle();
    },
    clock: options.clock,
    log: options.log,
  });

  return {
    changed: loop.changed,
    setAppliedByAll(revision) {
      appliedByAll = revision;
      settle();
    },
    stop: loop.stop,
  };
}

/** To which somebody may open a connection. */
function usableAddresses(slices: Iterable<EndpointSlice>): ReadonlySet<string> {
  const used = new Set<string>();
  for (const { endpoints = [] } of slices) {
    for (const { addresses, conditions } of endpoints) {
      if (conditions?.ready !== false) for (const address of addresses) used.add(address);
    }
  }
  return used;
}
