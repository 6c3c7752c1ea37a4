import type { Client } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { type FailoverAfter, parseFailoverAfter } from '../resources/failover.ts';
import { type GridIngress, gridIngressOf } from '../resources/grid-ingress.ts';
import { type GridNetwork, gridNetworkOf } from '../resources/grid-network.ts';
import { type Grid, grids } from '../resources/kinds.ts';

/** What the Grid object of one grid says, as it is now. */
export interface GridSettings {
  failoverAfter(): FailoverAfter;
  /** Its addresses, once the object has been read: ranges cannot be guessed. */
  network(): Promise<GridNetwork>;
  /** How it lets the world in, likewise. */
  ingress(): Promise<GridIngress>;
  /** Returns how to stop listening. */
  onChange(listener: () => void): () => void;
}

export interface GridSettingsOptions {
  /** Of the grid `system`. */
  readonly client: Client;
  /** Whose settings. */
  readonly grid: string;
  readonly defaultFailoverAfterMs: number;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Follows the Grid object; before it is read, and where it says nothing, the server's own default holds. */
export function startGridSettings(options: GridSettingsOptions): GridSettings & { stop(): Promise<void> } {
  const listeners = new Set<() => void>();
  const informer = startInformer<Grid>({
    client: options.client,
    kind: grids,
    fieldSelector: `metadata.name=${options.grid}`,
    log: options.log,
    clock: options.clock,
    onChange: () => {
      for (const listener of listeners) listener();
    },
  });
  return {
    failoverAfter: () =>
      parseFailoverAfter(informer.get(options.grid)?.spec?.failover?.after ?? '') ?? options.defaultFailoverAfterMs,
    network: async () => {
      await informer.synced;
      return gridNetworkOf(informer.get(options.grid)?.spec?.network);
    },
    ingress: async () => {
      await informer.synced;
      return gridIngressOf(informer.get(options.grid)?.spec?.ingress);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop: () => informer.stop(),
  };
}
