import type { Client } from '../client/client.ts';
import { startInformer } from '../client/informer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { type GridIngress, gridIngressOf } from '../resources/grid-ingress.ts';
import { type GridNetwork, gridNetworkOf } from '../resources/grid-network.ts';
import { jsonEqual } from '../resources/json.ts';
import { type Grid, grids } from '../resources/kinds.ts';

export interface GridSettingsWatchOptions {
  /** Of the grid `system`. */
  readonly client: Client;
  readonly grid: string;
  /** Called with the first and with each other one. */
  readonly onNetwork: (network: GridNetwork) => void;
  readonly onIngress: (ingress: GridIngress) => void;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Follows what the Grid object says about addresses, the overlay and the way in. */
export function watchGridSettings(options: GridSettingsWatchOptions): { stop(): Promise<void> } {
  const { client, grid, log, clock } = options;
  let network: GridNetwork | undefined;
  let ingress: GridIngress | undefined;
  const tell = () => {
    if (!informer.isSynced) return;
    // A grid without an object has what grids have by default.
    const { spec } = informer.get(grid) ?? {};
    const nextNetwork = gridNetworkOf(spec?.network);
    const nextIngress = gridIngressOf(spec?.ingress);
    if (!jsonEqual(network, nextNetwork)) options.onNetwork(nextNetwork);
    if (!jsonEqual(ingress, nextIngress)) options.onIngress(nextIngress);
    network = nextNetwork;
    ingress = nextIngress;
  };
  const informer = startInformer<Grid>({
    ...{ client, kind: grids, fieldSelector: `metadata.name=${grid}`, log, clock },
    onChange: tell,
  });
  void informer.synced.then(tell);
  return { stop: () => informer.stop() };
}
